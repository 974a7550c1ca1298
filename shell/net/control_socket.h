// The daemon's unix socket: verbs of `paygress-provider` ask, the daemon answers. One request and
// one reply per connection, each one line (JSON by agreement of the two ends; opaque here).
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "shell/net/loop.h"

namespace paygress::net {

constexpr size_t kControlRequestBytesMax = 64 * 1024;
constexpr size_t kControlReplyBytesMax = size_t{64} << 20;
constexpr size_t kControlConnectionsMax = 16;
constexpr Micros kControlRequestTimeout = micros(Seconds{10});

class ControlServer {
 public:
  using Reply = std::function<void(std::string line)>;  // once, now or later, from the loop
  using Handler = std::function<void(std::string_view request, Reply reply)>;

  // Makes the socket with mode 0600. A socket file that nobody answers is replaced; one that
  // answers is an error (another daemon runs).
  static Result<std::unique_ptr<ControlServer>> listen(Loop& loop, const std::string& path,
                                                       Handler handler);
  // Closes every connection and removes the socket's file.
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

 private:
  class Impl;
  explicit ControlServer(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

struct ControlFailure {
  bool nobody_listens = false;  // no daemon: the verb may open the ledger read-only
  std::string reason;
};
// Blocks; for the verbs, which have no loop. The request may hold no line end.
std::expected<std::string, ControlFailure> ask_daemon(const std::string& path,
                                                      std::string_view request, Micros timeout);

}  // namespace paygress::net
