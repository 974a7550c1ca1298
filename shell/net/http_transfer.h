// One request of HttpClient as a libcurl easy handle. Only shell/net includes this.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>

#include "core/base/result.h"
#include "shell/net/http_client.h"

namespace paygress::net {

class HttpTransfer {
 public:
  // An error when the call is malformed: nothing was sent then.
  static Result<std::unique_ptr<HttpTransfer>> make(HttpCall call);
  ~HttpTransfer();
  HttpTransfer(const HttpTransfer&) = delete;
  HttpTransfer& operator=(const HttpTransfer&) = delete;

  CURL* handle() const { return handle_; }
  // No line is passed on any more, and the transfer ends at the next byte.
  void abandon() { abandoned_ = true; }
  // What the end with this code means.
  HttpOutcome outcome(CURLcode code);

 private:
  explicit HttpTransfer(HttpCall call);
  Result<void> prepare();
  Result<void> prepare_body_and_headers();

  static size_t on_header(char* data, size_t one, size_t length, void* self);
  static size_t on_body(char* data, size_t one, size_t length, void* self);
  void take_header(std::string_view line);
  bool take_body(std::string_view data);
  bool take_lines();

  HttpCall call_;
  CURL* handle_;
  curl_slist* request_headers_ = nullptr;
  Answered answer_;
  std::string partial_line_;
  std::string error_text_;
  bool abandoned_ = false;
  bool too_long_ = false;
};

}  // namespace paygress::net
