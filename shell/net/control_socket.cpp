#include "shell/net/control_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <cstring>
#include <set>

#include "core/base/check.h"
#include "shell/base/clock.h"
#include "shell/base/file.h"

namespace paygress::net {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Local = asio::local::stream_protocol;

// One connection: reads a line, answers a line, ends.
class Talk : public std::enable_shared_from_this<Talk> {
 public:
  using End = std::function<void(const std::shared_ptr<Talk>&)>;
  Talk(Loop& loop, Local::socket socket, ControlServer::Handler handler, End end)
      : loop_(loop),
        socket_(std::move(socket)),
        handler_(std::move(handler)),
        on_end_(std::move(end)) {}

  void start() {
    deadline_ = loop_.after(kControlRequestTimeout, [weak = weak_from_this()] {
      if (auto self = weak.lock()) self->end();
    });
    asio::async_read_until(socket_, asio::dynamic_buffer(line_, kControlRequestBytesMax), '\n',
                           [self = shared_from_this()](error_code error, size_t length) {
                             if (!self->ended_) self->on_line(error, length);
                           });
  }

  void shut() {
    ended_ = true;
    loop_.cancel(std::exchange(deadline_, 0));
    error_code ignored;
    socket_.close(ignored);
  }

 private:
  void on_line(error_code error, size_t length) {
    if (error) return end();
    loop_.cancel(std::exchange(deadline_, 0));
    // A handler that forgets to answer must not hold the connection for ever.
    const auto once = std::shared_ptr<bool>(new bool(false), [weak = weak_from_this()](bool* used) {
      if (!*used)
        if (auto self = weak.lock()) self->end();
      delete used;
    });
    handler_(std::string_view(line_).substr(0, length - 1),
             [weak = weak_from_this(), once](std::string reply) {
               if (std::exchange(*once, true)) return;
               if (auto self = weak.lock()) self->answer(std::move(reply));
             });
  }

  void answer(std::string reply) {
    if (ended_) return;
    PG_CHECK(reply.find('\n') == std::string::npos);
    PG_CHECK(reply.size() < kControlReplyBytesMax);
    line_ = std::move(reply);
    line_.push_back('\n');
    deadline_ = loop_.after(kControlRequestTimeout, [weak = weak_from_this()] {
      if (auto self = weak.lock()) self->end();
    });
    asio::async_write(socket_, asio::buffer(line_),
                      [self = shared_from_this()](error_code, size_t) { self->end(); });
  }

  void end() {
    if (ended_) return;
    const auto self = shared_from_this();
    shut();
    on_end_(self);
  }

  Loop& loop_;
  Local::socket socket_;
  ControlServer::Handler handler_;
  End on_end_;
  std::string line_;
  TimerId deadline_ = 0;
  bool ended_ = false;
};

bool address_of(const std::string& path, sockaddr_un& address) {
  address = {};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return true;
}

// A connected descriptor, or errno.
std::expected<shell::FileDescriptor, int> connect_to(const std::string& path) {
  sockaddr_un address;
  if (!address_of(path, address)) return std::unexpected(ENAMETOOLONG);
  shell::FileDescriptor handle(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (handle.number() < 0) return std::unexpected(errno);
  if (connect(handle.number(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return std::unexpected(errno);
  return handle;
}

}  // namespace

class ControlServer::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(Loop& loop, std::string path, Handler handler)
      : loop_(loop),
        path_(std::move(path)),
        handler_(std::move(handler)),
        acceptor_(loop.context()) {}

  Result<void> listen() {
    sockaddr_un address;
    if (!address_of(path_, address))
      return fail("is too long for a socket: choose a shorter data directory", path_);
    if (connect_to(path_)) return fail("is answered: another paygress-provider runs here", path_);
    struct stat info{};
    if (lstat(path_.c_str(), &info) == 0) {
      if (!S_ISSOCK(info.st_mode)) return fail("is in the way: it is not a socket", path_);
      if (unlink(path_.c_str()) != 0) return shell::system_failure("cannot be replaced", path_);
    }
    error_code error;
    acceptor_.open(Local(), error);
    if (!error) {
      // The mode must be right from the first instant: nobody may connect before a chmod.
      const mode_t before = umask(0177);
      acceptor_.bind(Local::endpoint(path_), error);
      umask(before);
    }
    if (!error) acceptor_.listen(kControlConnectionsMax, error);
    if (error) return fail("cannot listen: " + error.message(), path_);
    bound_ = true;
    accept();
    return {};
  }

  void stop() {
    stopped_ = true;
    error_code ignored;
    acceptor_.close(ignored);
    if (std::exchange(bound_, false)) unlink(path_.c_str());
    for (const auto& talk : std::exchange(talks_, {})) talk->shut();
  }

 private:
  void accept() {
    acceptor_.async_accept([self = shared_from_this()](error_code error, Local::socket socket) {
      if (self->stopped_) return;
      if (!error && self->talks_.size() < kControlConnectionsMax) self->open(std::move(socket));
      if (!error) return self->accept();
      self->loop_.after(micros(Seconds{1}), [weak = self->weak_from_this()] {
        if (auto again = weak.lock(); again && !again->stopped_) again->accept();
      });
    });
  }

  void open(Local::socket socket) {
    auto talk = std::make_shared<Talk>(loop_, std::move(socket), handler_,
                                       [weak = weak_from_this()](const std::shared_ptr<Talk>& t) {
                                         if (auto self = weak.lock()) self->talks_.erase(t);
                                       });
    talks_.insert(talk);
    talk->start();
  }

  Loop& loop_;
  std::string path_;
  Handler handler_;
  Local::acceptor acceptor_;
  std::set<std::shared_ptr<Talk>> talks_;
  bool bound_ = false;
  bool stopped_ = false;
};

ControlServer::ControlServer(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
ControlServer::~ControlServer() { impl_->stop(); }

Result<std::unique_ptr<ControlServer>> ControlServer::listen(Loop& loop, const std::string& path,
                                                             Handler handler) {
  auto impl = std::make_shared<Impl>(loop, path, std::move(handler));
  if (auto ok = impl->listen(); !ok) return std::unexpected(ok.error());
  return std::unique_ptr<ControlServer>(new ControlServer(std::move(impl)));
}

std::expected<std::string, ControlFailure> ask_daemon(const std::string& path,
                                                      std::string_view request, Micros timeout) {
  PG_CHECK(request.find('\n') == std::string_view::npos);
  const auto give_up = [&](std::string reason, bool nobody = false) {
    return std::unexpected(ControlFailure{nobody, path + ": " + std::move(reason)});
  };
  auto handle = connect_to(path);
  if (!handle) {
    const int why = handle.error();
    return give_up(std::strerror(why), why == ENOENT || why == ECONNREFUSED);
  }
  const Micros deadline = shell::now().mono + timeout;
  // Waits for the descriptor; false when the time is over.
  const auto ready = [&](short events) {
    for (;;) {
      const int64_t left = (deadline - shell::now().mono).value;
      if (left <= 0) return false;
      pollfd entry{handle->number(), events, 0};
      if (poll(&entry, 1, static_cast<int>(left / 1000 + 1)) > 0) return true;
    }
  };
  std::string out(request);
  out.push_back('\n');
  for (size_t done = 0; done < out.size();) {
    if (!ready(POLLOUT)) return give_up("the daemon does not answer");
    const ssize_t put =
        send(handle->number(), out.data() + done, out.size() - done, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put < 0 && errno != EAGAIN && errno != EINTR) return give_up(std::strerror(errno));
    if (put > 0) done += static_cast<size_t>(put);
  }
  std::string reply;
  std::array<char, 16 * 1024> buffer;
  while (ready(POLLIN)) {
    const ssize_t got = recv(handle->number(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got < 0) return give_up(std::strerror(errno));
    if (got == 0) return give_up("the daemon closed the connection without an answer");
    reply.append(buffer.data(), static_cast<size_t>(got));
    if (reply.back() == '\n') {
      reply.pop_back();
      return reply;
    }
    if (reply.size() > kControlReplyBytesMax) return give_up("an answer that is too long");
  }
  return give_up("the daemon does not answer");
}

}  // namespace paygress::net
