#include "shell/backend/port_check.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>

#include <cstring>

namespace paygress::backend {
namespace {

using Endpoint = boost::asio::ip::tcp::endpoint;

Endpoint endpoint_of(const std::string& address, uint16_t port) {
  boost::system::error_code error;
  return {boost::asio::ip::make_address(address, error), port};
}

int open_socket(const Endpoint& endpoint) {
  const int family = endpoint.address().is_v6() ? AF_INET6 : AF_INET;
  return socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

}  // namespace

Result<bool> port_is_free(const std::string& address, uint16_t port) {
  const Endpoint endpoint = endpoint_of(address, port);
  const int fd = open_socket(endpoint);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const auto size = static_cast<socklen_t>(endpoint.size());
  const int bound = fd < 0 ? -1 : bind(fd, endpoint.data(), size);
  // With SO_REUSEADDR a bind beside a listener succeeds on some address pairs; listen does not.
  const int listening = bound == 0 ? listen(fd, 1) : -1;
  const int why = errno;
  if (fd >= 0) close(fd);
  if (listening == 0) return true;
  if (why == EADDRINUSE) return false;
  return fail(std::string("cannot listen: ") + std::strerror(why), address);
}

namespace {

// A connected socket, or -1.
int connect_within(const std::string& address, uint16_t port, int limit_ms) {
  const Endpoint endpoint = endpoint_of(address, port);
  const int fd = open_socket(endpoint);
  if (fd < 0) return -1;
  bool connected = connect(fd, endpoint.data(), static_cast<socklen_t>(endpoint.size())) == 0;
  if (!connected && errno == EINPROGRESS) {
    pollfd wait{fd, POLLOUT, 0};
    int error = 1;
    socklen_t size = sizeof error;
    connected = poll(&wait, 1, limit_ms) == 1 &&
                getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
  }
  if (connected) return fd;
  close(fd);
  return -1;
}

}  // namespace

bool port_listens(const std::string& address, uint16_t port) {
  const int fd = connect_within(address, port, 200);
  if (fd >= 0) close(fd);
  return fd >= 0;
}

bool ssh_greets(const std::string& address, uint16_t port) {
  const int fd = connect_within(address, port, 200);
  if (fd < 0) return false;
  pollfd wait{fd, POLLIN, 0};
  char greeting[4] = {};
  const bool greets = poll(&wait, 1, 1800) == 1 &&
                      recv(fd, greeting, sizeof greeting, 0) == sizeof greeting &&
                      std::memcmp(greeting, "SSH-", sizeof greeting) == 0;
  close(fd);
  return greets;
}

}  // namespace paygress::backend
