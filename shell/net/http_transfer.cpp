#include "shell/net/http_transfer.h"

#include <algorithm>
#include <array>

#include "core/base/check.h"
#include "shell/net/websocket.h"

namespace paygress::net {
namespace {

constexpr std::array<std::string_view, 6> kMethods = {"GET", "HEAD",  "POST",
                                                      "PUT", "PATCH", "DELETE"};
constexpr size_t kHeaderBytesMax = 256 * 1024;

bool has_body(const HttpCall& call) {
  return !call.body.empty() || call.method == "POST" || call.method == "PUT" ||
         call.method == "PATCH";
}

bool one_line(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

long milliseconds(Micros time) {
  return static_cast<long>(std::clamp<int64_t>(time.value / 1000, 1, 86'400'000));
}

// Ends before the first byte of the request left us.
bool surely_not_sent(CURLcode code, CURL* handle) {
  switch (code) {
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER: break;
    case CURLE_OPERATION_TIMEDOUT: {
      // A time-out while connecting: PRETRANSFER is the instant before the request is written.
      curl_off_t before_request = 0;
      curl_easy_getinfo(handle, CURLINFO_PRETRANSFER_TIME_T, &before_request);
      if (before_request != 0) return false;
      break;
    }
    default: return false;
  }
  long sent = 0;
  long redirects = 0;
  curl_easy_getinfo(handle, CURLINFO_REQUEST_SIZE, &sent);
  curl_easy_getinfo(handle, CURLINFO_REDIRECT_COUNT, &redirects);
  return sent == 0 && redirects == 0;
}

}  // namespace

HttpTransfer::HttpTransfer(HttpCall call)
    : call_(std::move(call)), handle_(curl_easy_init()), error_text_(CURL_ERROR_SIZE, '\0') {
  PG_CHECK(handle_ != nullptr);
}

HttpTransfer::~HttpTransfer() {
  curl_easy_cleanup(handle_);
  curl_slist_free_all(request_headers_);
}

Result<std::unique_ptr<HttpTransfer>> HttpTransfer::make(HttpCall call) {
  auto transfer = std::unique_ptr<HttpTransfer>(new HttpTransfer(std::move(call)));
  if (auto ok = transfer->prepare(); !ok) return std::unexpected(ok.error());
  return transfer;
}

Result<void> HttpTransfer::prepare() {
  if (!call_.url.starts_with("http://") && !call_.url.starts_with("https://"))
    return fail("not an http or https URL");
  if (auto url = parse_url(call_.url); !url) return std::unexpected(url.error());
  if (std::ranges::find(kMethods, call_.method) == kMethods.end())
    return fail("method " + call_.method + " is not known");
  curl_easy_setopt(handle_, CURLOPT_URL, call_.url.c_str());
  curl_easy_setopt(handle_, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle_, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle_, CURLOPT_NOSIGNAL, 1L);
  // Of the environment nothing decides where money goes.
  curl_easy_setopt(handle_, CURLOPT_PROXY, "");
  curl_easy_setopt(handle_, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(handle_, CURLOPT_ERRORBUFFER, error_text_.data());
  curl_easy_setopt(handle_, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(call_.connect_timeout));
  curl_easy_setopt(handle_, CURLOPT_TIMEOUT_MS, milliseconds(call_.timeout));
  if (!call_.unix_socket.empty())
    curl_easy_setopt(handle_, CURLOPT_UNIX_SOCKET_PATH, call_.unix_socket.c_str());
  if (!call_.ca_file.empty()) {
    curl_easy_setopt(handle_, CURLOPT_CAINFO, call_.ca_file.c_str());
    curl_easy_setopt(handle_, CURLOPT_CAPATH, nullptr);
  }
  if (!call_.pinned_key.empty()) {
    curl_easy_setopt(handle_, CURLOPT_PINNEDPUBLICKEY, call_.pinned_key.c_str());
    curl_easy_setopt(handle_, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(handle_, CURLOPT_SSL_VERIFYHOST, 0L);
  }
  if (!call_.client_certificate.empty()) {
    curl_easy_setopt(handle_, CURLOPT_SSLCERT, call_.client_certificate.c_str());
    curl_easy_setopt(handle_, CURLOPT_SSLKEY, call_.client_key.c_str());
  }
  const bool safe = call_.method == "GET" || call_.method == "HEAD";
  if (safe && call_.redirects_max > 0) {
    curl_easy_setopt(handle_, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(handle_, CURLOPT_MAXREDIRS, static_cast<long>(call_.redirects_max));
  }
  // libcurl sends a request again by itself when a kept connection turns out to be dead.
  if (!safe) curl_easy_setopt(handle_, CURLOPT_FRESH_CONNECT, 1L);
  curl_easy_setopt(handle_, CURLOPT_HEADERFUNCTION, &HttpTransfer::on_header);
  curl_easy_setopt(handle_, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(handle_, CURLOPT_WRITEFUNCTION, &HttpTransfer::on_body);
  curl_easy_setopt(handle_, CURLOPT_WRITEDATA, this);
  return prepare_body_and_headers();
}

Result<void> HttpTransfer::prepare_body_and_headers() {
  if (call_.method == "HEAD") {
    curl_easy_setopt(handle_, CURLOPT_NOBODY, 1L);
  } else if (has_body(call_)) {
    curl_easy_setopt(handle_, CURLOPT_POST, 1L);
    curl_easy_setopt(handle_, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(call_.body.size()));
    curl_easy_setopt(handle_, CURLOPT_POSTFIELDS, call_.body.c_str());
  }
  if (call_.method != "HEAD")
    curl_easy_setopt(handle_, CURLOPT_CUSTOMREQUEST, call_.method.c_str());
  const auto add = [&](const std::string& line) {
    curl_slist* const longer = curl_slist_append(request_headers_, line.c_str());
    PG_CHECK(longer != nullptr);
    request_headers_ = longer;
  };
  add("Expect:");  // no 100-continue: it only delays, and some engines never answer it
  add("User-Agent: paygress");
  // Without a type of the caller's libcurl would claim a form.
  if (has_body(call_) && find_header(call_.headers, "content-type").empty())
    add("Content-Type: application/json");
  for (const auto& [name, value] : call_.headers) {
    if (name.empty() || !one_line(name) || !one_line(value) || name.find(':') != std::string::npos)
      return fail("a header that is not one line");
    add(value.empty() ? name + ";" : name + ": " + value);
  }
  curl_easy_setopt(handle_, CURLOPT_HTTPHEADER, request_headers_);
  return {};
}

size_t HttpTransfer::on_header(char* data, size_t one, size_t length, void* self) {
  static_cast<HttpTransfer*>(self)->take_header({data, one * length});
  return one * length;
}

void HttpTransfer::take_header(std::string_view line) {
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
  if (line.starts_with("HTTP/")) {  // of the next answer: 1xx, or after a redirect
    answer_ = {};
    answer_.status_line = line;
    return;
  }
  size_t kept = line.size();
  for (const auto& [name, value] : answer_.headers) kept += name.size() + value.size();
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || kept > kHeaderBytesMax) return;
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
  answer_.headers.emplace_back(std::string(line.substr(0, colon)), std::string(value));
}

size_t HttpTransfer::on_body(char* data, size_t one, size_t length, void* self) {
  return static_cast<HttpTransfer*>(self)->take_body({data, one * length}) ? one * length : 0;
}

// False ends the transfer.
bool HttpTransfer::take_body(std::string_view data) {
  if (abandoned_) return false;
  long status = 0;
  curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status);
  const bool streamed = call_.on_line && status >= 200 && status < 300;
  std::string& kept = streamed ? partial_line_ : answer_.body;
  kept.append(data);
  if (streamed && !take_lines()) return false;
  too_long_ = kept.size() > call_.response_bytes_max;
  return !too_long_;
}

bool HttpTransfer::take_lines() {
  size_t from = 0;
  for (size_t end; (end = partial_line_.find('\n', from)) != std::string::npos; from = end + 1) {
    std::string_view line = std::string_view(partial_line_).substr(from, end - from);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.size() > call_.response_bytes_max) {
      too_long_ = true;
      return false;
    }
    call_.on_line(line);
    if (abandoned_) return false;
  }
  partial_line_.erase(0, from);
  return true;
}

HttpOutcome HttpTransfer::outcome(CURLcode code) {
  if (code == CURLE_OK) {
    if (!partial_line_.empty() && !abandoned_) call_.on_line(partial_line_);
    long status = 0;
    curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status);
    answer_.status = static_cast<int>(status);
    return std::move(answer_);
  }
  std::string reason = error_text_.c_str();
  if (reason.empty()) reason = curl_easy_strerror(code);
  if (too_long_)
    reason = "an answer longer than " + std::to_string(call_.response_bytes_max) + " bytes";
  if (surely_not_sent(code, handle_)) return NotSent{std::move(reason)};
  return Uncertain{std::move(reason)};
}

}  // namespace paygress::net
