#include "shell/provider/guard_link.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "core/base/check.h"

namespace paygress::daemon {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using guard::GuardPlace;
using Local = asio::local::stream_protocol;
using workload::GuardAnswered;
using workload::GuardHealth;
using workload::Outcome;

constexpr size_t kAskedMax = 4096;
constexpr Micros kGuardStartAgain = 1'000'000_us;
constexpr Micros kGuardStartWithin = 5'000'000_us;

CallId id_of(const guard::Request& request) {
  return std::visit([](const auto& r) { return r.id; }, request);
}

}  // namespace

class GuardLink::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(net::Loop& loop, GuardPlace place, std::string boot, Events events)
      : loop_(loop),
        place_(std::move(place)),
        boot_(std::move(boot)),
        events_(std::move(events)),
        socket_(loop.context()) {}

  void connect();
  void close();
  void ask(const guard::Request& request);
  const std::optional<guard::Hello>& hello() const { return hello_; }

 private:
  void later(Micros wait, std::function<void(Impl&)> what) {
    loop_.after(wait, [weak = weak_from_this(), what = std::move(what)] {
      if (const auto self = weak.lock(); self && !self->closed_) what(*self);
    });
  }
  bool is_starting();
  void read();
  void on_line(const std::string& line);
  void write();
  void lose(const std::string& why);
  void tell(bool works, const std::string& reason);
  void answer(GuardAnswered answered) {
    later(0_us, [answered = std::move(answered)](Impl& self) { self.events_.answered(answered); });
  }

  net::Loop& loop_;
  GuardPlace place_;
  std::string boot_;
  Events events_;
  Local::socket socket_;
  uint64_t connection_ = 0;  // what belongs to an earlier one is ignored
  std::string input_;
  std::string output_;  // waiting
  std::string writing_;
  std::optional<guard::Hello> hello_;
  std::map<CallId, net::TimerId> asked_;
  std::optional<GuardHealth> told_;
  pid_t child_ = 0;
  Micros started_at_;
  bool closed_ = false;
  shell::Logger log_{"guard"};
};

void GuardLink::Impl::connect() {
  socket_ = Local::socket(loop_.context());
  const uint64_t connection = ++connection_;
  const std::string path = place_.directory + "/" + guard::kSocketName;
  if (path.size() >= sizeof(sockaddr_un{}.sun_path)) return tell(false, "its path is too long");
  socket_.async_connect(Local::endpoint(path),
                        [self = shared_from_this(), connection](error_code error) {
                          if (self->closed_ || connection != self->connection_) return;
                          if (!error) return self->read();
                          // One that was just started gets its time before anybody is alarmed.
                          if (self->is_starting())
                            return self->later(kGuardRetry, [](Impl& again) { again.connect(); });
                          self->lose("nobody listens: " + error.message());
                        });
}

// Whether one is about to listen; where there is none it is started. It outlives us, and a second
// one ends by itself.
bool GuardLink::Impl::is_starting() {
  if (child_ > 0 && ::waitpid(child_, nullptr, WNOHANG) != 0) child_ = 0;
  const Micros now = net::Loop::now().mono;
  if (child_ > 0) return now - started_at_ < kGuardStartWithin;
  if (place_.program.empty() || now - started_at_ < kGuardStartAgain) return false;
  started_at_ = now;
  std::vector<std::string> words = {place_.program, "--dir",      place_.directory,
                                    "--group",      place_.group, "--leave-when-idle"};
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 1, place_.log.c_str(), O_WRONLY | O_CREAT | O_TRUNC,
                                   0600);
  posix_spawn_file_actions_adddup2(&files, 1, 2);
  // It outlives us: a listening socket of ours that it kept would answer for us after our end.
  posix_spawn_file_actions_addclosefrom_np(&files, 3);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // A session of its own: a Ctrl-C for us is none for it.
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  char* const environment[] = {nullptr};
  const int failed = ::posix_spawn(&child_, argv[0], &files, &attributes, argv.data(), environment);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (failed != 0) child_ = 0;
  return failed == 0;
}

void GuardLink::Impl::read() {
  asio::async_read_until(
      socket_, asio::dynamic_buffer(input_, guard::kAnswerBytesMax), '\n',
      [self = shared_from_this(), connection = connection_](error_code error, size_t length) {
        if (self->closed_ || connection != self->connection_) return;
        if (error) return self->lose("the connection broke: " + error.message());
        const std::string line = self->input_.substr(0, length - 1);
        self->input_.erase(0, length);
        self->on_line(line);
        if (connection == self->connection_) self->read();
      });
}

void GuardLink::Impl::on_line(const std::string& line) {
  if (!hello_) {
    auto hello = guard::parse_hello(line);
    if (!hello) return lose(to_string(hello.error()));
    if (hello->boot != boot_) return lose("it speaks of another boot");
    hello_ = *std::move(hello);
    return tell(true, {});
  }
  auto answered = guard::parse_answer(line);
  if (!answered) return lose("not an answer: " + to_string(answered.error()));
  const auto asked = asked_.find(answered->id);
  if (asked == asked_.end()) return;
  loop_.cancel(asked->second);
  asked_.erase(asked);
  if (answered->outcome != Outcome::Done) log_.warn("{}", answered->message);
  answer(*std::move(answered));
}

void GuardLink::Impl::ask(const guard::Request& request) {
  const CallId id = id_of(request);
  if (!hello_ || asked_.size() >= kAskedMax)
    return answer({id, Outcome::Unknown, "the guard cannot be reached", {}, {}});
  const auto timer = loop_.after(kGuardAnswerTime, [weak = weak_from_this()] {
    if (const auto self = weak.lock(); self && !self->closed_) self->lose("it does not answer");
  });
  PG_CHECK(asked_.emplace(id, timer).second);
  output_ += guard::format(request) + "\n";
  write();
}

void GuardLink::Impl::write() {
  if (!writing_.empty() || output_.empty()) return;
  writing_ = std::exchange(output_, {});
  asio::async_write(
      socket_, asio::buffer(writing_),
      [self = shared_from_this(), connection = connection_](error_code error, size_t) {
        if (self->closed_ || connection != self->connection_) return;
        self->writing_.clear();
        if (error) return self->lose("the connection broke: " + error.message());
        self->write();
      });
}

// Whether the guard took what was not answered cannot be known. Nothing is asked again: a deadline
// that was right then may not be now.
void GuardLink::Impl::lose(const std::string& why) {
  error_code ignored;
  socket_.close(ignored);
  ++connection_;
  hello_.reset();
  input_.clear();
  output_.clear();
  writing_.clear();
  tell(false, why);
  for (const auto& [id, timer] : std::exchange(asked_, {})) {
    loop_.cancel(timer);
    answer({id, Outcome::Unknown, "the guard went away: " + why, {}, {}});
  }
  later(kGuardRetry, [](Impl& self) { self.connect(); });
}

void GuardLink::Impl::tell(bool works, const std::string& reason) {
  if (told_ && told_->works == works) return;
  told_ = GuardHealth{works, reason};
  if (works)
    log_.info("the guard answers: {}", hello_->root);
  else
    log_.warn("no guard: {}", reason);
  later(0_us, [health = *told_](Impl& self) { self.events_.health(health); });
}

void GuardLink::Impl::close() {
  closed_ = true;
  error_code ignored;
  socket_.close(ignored);
  for (const auto& [id, timer] : asked_) loop_.cancel(timer);
  asked_.clear();
}

GuardLink::GuardLink(net::Loop& loop, GuardPlace place, std::string boot, Events events)
    : impl_(std::make_shared<Impl>(loop, std::move(place), std::move(boot), std::move(events))) {
  impl_->connect();
}

GuardLink::~GuardLink() { impl_->close(); }

void GuardLink::ask(const guard::Request& request) { impl_->ask(request); }

bool GuardLink::works() const { return impl_->hello().has_value(); }

std::string GuardLink::group_of(const std::string& name) const {
  return works() ? impl_->hello()->root + "/" + name : std::string();
}

}  // namespace paygress::daemon
