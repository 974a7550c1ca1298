// HTTP requests over libcurl, driven by the loop: mints, Proxmox, and the Docker and LXD sockets.
//
// The outcome has three values, because a request that may have been acted on is not a failure:
//   Answered   the peer's whole answer, whatever its status
//   NotSent    refused, unresolvable or no TLS: no byte of the request left; it did not happen
//   Uncertain  anything else (time-out, lost connection, an answer too long): it may have happened
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/units.h"
#include "shell/net/loop.h"

namespace paygress::net {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

// The first value of a header, compared without case; empty when absent.
std::string_view find_header(const HttpHeaders& headers, std::string_view name);

struct HttpCall {
  std::string method = "GET";  // GET, HEAD, POST, PUT, PATCH, DELETE
  std::string url;             // http:// or https://; on a unix socket the host is a name
  std::string unix_socket;     // path; empty: TCP
  HttpHeaders headers;
  std::string body;     // sent when not empty, and with POST, PUT and PATCH
  std::string ca_file;  // PEM; empty: the system's store
  // "sha256//<base64>" of the server's public key: nothing else is verified, and no other key is
  // talked to (CURLOPT_PINNEDPUBLICKEY).
  std::string pinned_key;
  std::string client_certificate;  // PEM files, for engines that want them; empty: none
  std::string client_key;
  Micros connect_timeout = micros(Seconds{10});
  Micros timeout = micros(Seconds{30});         // of everything
  size_t response_bytes_max = size_t{4} << 20;  // of a kept body, and of one line of a streamed one
  int redirects_max = 0;                        // followed for GET and HEAD only
  // When set, each line of the body (without its end) is passed on as it arrives and the body is
  // not kept: for `docker pull`. Called for 2xx answers only; another answer's body is kept. It may
  // cancel the call, but not destroy the client.
  std::function<void(std::string_view)> on_line;
};

struct Answered {
  int status = 0;
  std::string status_line;  // "HTTP/1.1 200 OK"
  HttpHeaders headers;      // of the last answer when redirects were followed
  std::string body;
};
struct NotSent {
  std::string reason;
};
struct Uncertain {
  std::string reason;
};
using HttpOutcome = std::variant<Answered, NotSent, Uncertain>;

using HttpCallId = uint64_t;

class HttpClient {
 public:
  explicit HttpClient(Loop& loop, size_t calls_max = 256);
  // Drops every call; no callback follows.
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // `done` is called exactly once, later, from the loop; not after cancel(). A malformed call and
  // one more than `calls_max` are NotSent. Connections are kept and used again for GET and HEAD;
  // every other request has its own, because libcurl would silently send it twice when a kept
  // connection has died.
  HttpCallId start(HttpCall call, std::function<void(HttpOutcome)> done);
  // The peer may or may not see the request.
  void cancel(HttpCallId id);
  size_t running() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace paygress::net
