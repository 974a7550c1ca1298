// An engine of a test's making on a unix socket: what real ones do not do on request.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <utility>

namespace paygress::backend {

// Answers from a thread of its own, one request after the other.
class ScriptedEngine {
 public:
  using Answer = std::pair<int, std::string>;  // status and body
  // Gets "METHOD /path?query".
  using Script = std::function<Answer(const std::string&)>;

  ScriptedEngine(const std::string& path, Script script) : script_(std::move(script)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    listens_ = bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
               listen(listener_, 16) == 0;
    thread_ = std::thread([this] {
      for (int peer; (peer = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
        serve(peer);
        close(peer);
      }
    });
  }
  ~ScriptedEngine() {
    shutdown(listener_, SHUT_RDWR);  // accept() fails from here on
    thread_.join();
    close(listener_);
  }
  ScriptedEngine(const ScriptedEngine&) = delete;
  ScriptedEngine& operator=(const ScriptedEngine&) = delete;

  bool listens() const { return listens_; }

 private:
  void serve(int peer) {
    std::string request;
    const auto more = [&] {
      char chunk[4096];
      const ssize_t n = read(peer, chunk, sizeof chunk);
      if (n > 0) request.append(chunk, static_cast<size_t>(n));
      return n > 0;
    };
    size_t head;
    while ((head = request.find("\r\n\r\n")) == request.npos)
      if (!more()) return;
    const size_t length = request.find("Content-Length: ");
    const size_t body = length < head ? std::stoul(request.substr(length + 16)) : 0;
    while (request.size() < head + 4 + body)
      if (!more()) return;
    const std::string line = request.substr(0, request.find(" HTTP/"));
    const auto [status, text] = script_(line);
    std::string reply = "HTTP/1.1 " + std::to_string(status) + " X\r\nConnection: close\r\n";
    if (status != 204) reply += "Content-Length: " + std::to_string(text.size()) + "\r\n";
    reply += "\r\n" + text;
    for (size_t sent = 0; sent < reply.size();) {
      const ssize_t n = send(peer, reply.data() + sent, reply.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return;
      sent += static_cast<size_t>(n);
    }
  }

  Script script_;
  int listener_ = -1;
  bool listens_ = false;
  std::thread thread_;
};

}  // namespace paygress::backend
