#include "shell/backend/docker_client.h"

#include <utility>

namespace paygress::backend {

using workload::Fault;
using workload::Verb;

namespace {

constexpr size_t kReplyBytesMax = size_t{32} << 20;  // 1000 services with what ended of them

Fault fault_of_status(int status) {
  switch (status) {
    case 400: return Fault::Invalid;
    case 401:
    case 403: return Fault::Refused;
    case 404: return Fault::NotFound;
    case 409: return Fault::Conflict;
    case 429:
    case 503: return Fault::Busy;
    default: return Fault::Internal;
  }
}

}  // namespace

Fault DockerClient::fault_of(const net::Answered& answered) {
  const std::string message = docker_message(answered.body);
  return says_port_taken(message) ? Fault::PortTaken : fault_of_status(answered.status);
}

void DockerClient::send(const Op& op, Request request, Handler handler) {
  net::HttpCall http;
  http.method = request.method;
  std::string prefix;
  if (request.api == Api::Versioned) prefix = "/v1." + std::to_string(version_->minor);
  http.url = "http://docker" + prefix + request.path;
  http.unix_socket = socket_;
  if (!request.body.empty()) http.headers = {{"Content-Type", request.type}};
  http.body = std::move(request.body);
  http.response_bytes_max = kReplyBytesMax;
  http.on_line = std::move(request.on_line);
  const auto see = [this, handler = std::move(handler)](const net::Answered& answered) {
    // An engine that was replaced may refuse the version: it is asked again next time.
    if (answered.status == 400 && answered.body.find("client version") != std::string::npos)
      version_.reset();
    handler(answered);
  };
  exchange(op, std::move(http), see);
}

void DockerClient::with_version(const Op& op, Next next) {
  if (version_ && op->call.verb != Verb::Probe) return next();
  send(op,
       {.method = "GET", .path = "/version", .body = {}, .on_line = {}, .api = Api::Unversioned},
       [this, op, next = std::move(next)](const net::Answered& answered) {
         if (answered.status != 200) return fail_from(op, answered);
         auto version = negotiate_docker_version(answered.body);
         if (!version) return fail_as(op, Fault::Refused, to_string(version.error()));
         version_ = *version;
         next();
       });
}

void DockerClient::look_up_image(const Op& op, const std::string& image, Next found, Next missing) {
  // A reference may hold '/', which is part of the path; what it may not hold is refused by name.
  const bool usable = !image.empty() && image.find_first_of("?#% \"\\<>") == image.npos &&
                      image.find("..") == image.npos && image.front() != '/';
  if (!usable) return fail_as(op, Fault::Invalid, "not the name of an image");
  send(op, {.method = "GET", .path = "/images/" + image + "/json", .body = {}, .on_line = {}},
       [this, op, found = std::move(found),
        missing = std::move(missing)](const net::Answered& answered) {
         if (answered.status == 404 && missing) return missing();
         if (answered.status != 200) return fail_from(op, answered);
         auto known = parse_docker_image(answered.body);
         if (!known) return fail_as(op, Fault::Internal, to_string(known.error()));
         op->image = std::move(*known);
         found();
       });
}

void DockerClient::pull(const Op& op, const std::string& image, Next pulled) {
  log_.info("pulling {}", image);
  const auto on_line = [this, op](std::string_view line) {
    // The status is 200 even when the pull fails: only the lines tell.
    if (auto error = pull_error(line)) op->pull_failure = *error;
    if (auto step = pull_step(line)) log_.info("pulling {}: {}", op->call.spec->image, *step);
  };
  send(op,
       {.method = "POST",
        .path = "/images/create?" + pull_query(image),
        .body = {},
        .on_line = on_line},
       [this, op, image, pulled = std::move(pulled)](const net::Answered& answered) {
         if (answered.status != 200)
           return fail_as(op, fault_of(answered),
                          "pulling " + image + ": " + docker_message(answered.body));
         if (!op->pull_failure.empty()) return fail_as(op, Fault::Refused, op->pull_failure);
         log_.info("pulled {}", image);
         pulled();
       });
}

}  // namespace paygress::backend
