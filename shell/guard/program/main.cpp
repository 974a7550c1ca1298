// paygress-guard: freezes a provider's warm-standby workloads when their deadline passes, whatever
// became of the provider (docs/failover.md). No network, no engine: one unix socket, one directory
// of cgroups, and a clock.
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <optional>

#include "shell/guard/keeper.h"
#include "shell/guard/visit.h"

namespace paygress::guard {
namespace {

namespace fs = std::filesystem;

constexpr const char* kUsage =
    "usage: paygress-guard --dir DIRECTORY [--group NAME] [--hierarchy DIRECTORY] [--user NAME]\n"
    "                      [--leave-when-idle]\n"
    "\n"
    "Freezes the processes of a cgroup unless it is told of a later deadline before the last one\n"
    "passes. Started by paygress-provider, or by its systemd unit.\n"
    "\n"
    "  --dir DIRECTORY        holds the socket and what a restarted guard must know (a tmpfs)\n"
    "  --group NAME           cgroup that all groups are made in (default: paygress-guard)\n"
    "  --hierarchy DIRECTORY  cgroup hierarchy (default: v1's freezer where mounted, else v2)\n"
    "  --user NAME            may use the socket, besides the user that runs the guard\n"
    "  --leave-when-idle      end when there is no group and the last client has gone\n"
    "\n"
    "Exit status: 0 ended, 1 cannot work here, 2 usage, 3 another guard has these groups.\n";
constexpr size_t kClientsMax = 8;
constexpr Micros kFirstClientLimit = micros(Seconds{5});

struct Options {
  fs::path directory;
  std::string group = "paygress-guard";
  fs::path hierarchy;
  std::string user;
  bool leave_when_idle = false;
};

Micros boot_time() {
  timespec t{};
  ::clock_gettime(CLOCK_BOOTTIME, &t);
  return {int64_t{t.tv_sec} * 1'000'000 + t.tv_nsec / 1000};
}

int complain(const std::string& what) {
  std::fprintf(stderr, "paygress-guard: %s\n", what.c_str());
  return 1;
}

std::optional<Options> read_options(int argc, char** argv) {
  static const option known[] = {{"dir", required_argument, nullptr, 'd'},
                                 {"group", required_argument, nullptr, 'g'},
                                 {"hierarchy", required_argument, nullptr, 'c'},
                                 {"user", required_argument, nullptr, 'u'},
                                 {"leave-when-idle", no_argument, nullptr, 'l'},
                                 {"help", no_argument, nullptr, 'h'},
                                 {nullptr, 0, nullptr, 0}};
  Options options;
  for (int c = 0; (c = ::getopt_long(argc, argv, "", known, nullptr)) != -1;) {
    if (c == 'd')
      options.directory = optarg;
    else if (c == 'g')
      options.group = optarg;
    else if (c == 'c')
      options.hierarchy = optarg;
    else if (c == 'u')
      options.user = optarg;
    else if (c == 'l')
      options.leave_when_idle = true;
    else {
      std::fputs(kUsage, c == 'h' ? stdout : stderr);
      std::exit(c == 'h' ? 0 : 2);
    }
  }
  if (optind != argc || !options.directory.is_absolute() || !is_group_name(options.group))
    return std::nullopt;
  return options;
}

// What may be had of the machine so that neither memory pressure nor load delays a freeze. Each of
// it may be refused; the guard works without.
void become_hard_to_delay() {
  ::mlockall(MCL_CURRENT | MCL_FUTURE);
  sched_param priority{};
  priority.sched_priority = 1;
  if (::sched_setscheduler(0, SCHED_FIFO, &priority) != 0) ::setpriority(PRIO_PROCESS, 0, -20);
  std::ofstream("/proc/self/oom_score_adj") << "-1000";
}

class Guard {
 public:
  Guard(Options options, Keeper keeper, Hello hello, std::optional<uid_t> user)
      : options_(std::move(options)),
        keeper_(std::move(keeper)),
        hello_(std::move(hello)),
        user_(user) {}

  int run();

 private:
  struct Client {
    uint64_t number = 0;
    int fd = -1;
    std::string input;
    bool gone = false;
  };

  bool listen();
  void wait();
  void accept_client();
  void read_client(Client& client);
  void reply(std::vector<Reply>& replies);
  void send(Client& client, const std::string& line);
  bool nothing_to_do();
  void leave_no_trace() const;

  Options options_;
  Keeper keeper_;
  Hello hello_;
  std::optional<uid_t> user_;
  int listener_ = -1;
  int signals_ = -1;
  bool ended_ = false;
  uint64_t next_client_ = 1;
  std::vector<Client> clients_;
  Micros started_at_ = boot_time();
};

bool Guard::listen() {
  const std::string path = (options_.directory / kSocketName).string();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return complain("the socket's path is too long") == 0;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  ::unlink(path.c_str());  // ours: the groups are locked
  listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const mode_t before = ::umask(0177);
  const bool bound =
      ::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::umask(before);
  if (bound && user_ && ::chown(path.c_str(), *user_, static_cast<gid_t>(-1)) != 0) return false;
  return bound && ::listen(listener_, kClientsMax) == 0;
}

int Guard::run() {
  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGTERM);
  sigaddset(&wanted, SIGINT);
  sigprocmask(SIG_BLOCK, &wanted, nullptr);
  ::signal(SIGHUP, SIG_IGN);
  signals_ = ::signalfd(-1, &wanted, SFD_CLOEXEC);
  keeper_.begin(boot_time());
  if (signals_ < 0 || !listen())
    return complain("cannot listen in " + options_.directory.string() + ": " +
                    std::strerror(errno));
  become_hard_to_delay();
  while (!ended_ && !nothing_to_do()) {
    wait();
    std::vector<Reply> replies;
    keeper_.tick(boot_time(), replies);
    reply(replies);
    std::erase_if(clients_, [&](const Client& client) {
      if (client.gone) keeper_.forget_client(client.number);
      if (client.gone) ::close(client.fd);
      return client.gone;
    });
  }
  keeper_.freeze_all();
  ::unlink((options_.directory / kSocketName).c_str());
  if (options_.leave_when_idle && keeper_.idle()) leave_no_trace();
  return 0;
}

// Each of it may fail: what is not empty is somebody's.
void Guard::leave_no_trace() const {
  ::unlink((options_.directory / "guard.state").c_str());
  ::rmdir(options_.directory.c_str());
  ::rmdir(keeper_.freezer().root().c_str());
}

bool Guard::nothing_to_do() {
  if (!options_.leave_when_idle || !clients_.empty() || !keeper_.idle()) return false;
  return next_client_ > 1 || boot_time() - started_at_ > kFirstClientLimit;
}

// poll() counts no time of a suspended machine: never longer than kLookEvery while it matters.
void Guard::wait() {
  const Micros now = boot_time();
  std::vector<pollfd> wanted = {{signals_, POLLIN, 0}, {listener_, POLLIN, 0}};
  for (const Client& client : clients_) wanted.push_back({client.fd, POLLIN, 0});
  int64_t timeout = options_.leave_when_idle ? 1000 : -1;
  if (const auto next = keeper_.next_tick(now))
    timeout = std::max<int64_t>(0, ((*next - now).value + 999) / 1000);
  if (::poll(wanted.data(), wanted.size(), static_cast<int>(timeout)) <= 0) return;
  ended_ = wanted[0].revents != 0;
  for (size_t i = 0; i < clients_.size(); ++i)
    if (wanted[i + 2].revents != 0) read_client(clients_[i]);
  if (wanted[1].revents != 0) accept_client();
}

void Guard::accept_client() {
  const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return;
  ucred peer{};
  socklen_t size = sizeof peer;
  const bool known = ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
                     (peer.uid == ::geteuid() || peer.uid == 0 || peer.uid == user_);
  if (!known || clients_.size() >= kClientsMax) {
    ::close(fd);
    return;
  }
  clients_.push_back({next_client_++, fd, {}, false});
  send(clients_.back(), format(hello_));
}

void Guard::read_client(Client& client) {
  char chunk[4096];
  const ssize_t n = ::recv(client.fd, chunk, sizeof chunk, 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  client.gone = n <= 0;
  if (n > 0) client.input.append(chunk, static_cast<size_t>(n));
  for (size_t end = 0; !client.gone && (end = client.input.find('\n')) != std::string::npos;) {
    const auto request = parse_request(std::string_view(client.input).substr(0, end));
    client.input.erase(0, end + 1);
    if (!request) {
      complain("a client was closed: " + to_string(request.error()));
      client.gone = true;
      return;
    }
    std::vector<Reply> replies;
    keeper_.take(client.number, *request, boot_time(), replies);
    reply(replies);
  }
  if (client.input.size() > kRequestBytesMax) client.gone = true;
}

void Guard::reply(std::vector<Reply>& replies) {
  for (const Reply& one : replies)
    for (Client& client : clients_)
      if (client.number == one.client) send(client, format(one.answer));
}

// A client that does not read loses its connection, never the guard its time.
void Guard::send(Client& client, const std::string& line) {
  const std::string text = line + "\n";
  const ssize_t sent = ::send(client.fd, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent != static_cast<ssize_t>(text.size())) client.gone = true;
}

std::optional<uid_t> uid_of(const std::string& user) {
  const passwd* entry = ::getpwnam(user.c_str());
  if (entry == nullptr) return std::nullopt;
  return entry->pw_uid;
}

int start(const Options& options) {
  std::optional<uid_t> user;
  if (!options.user.empty() && !(user = uid_of(options.user)))
    return complain("there is no user " + options.user);
  auto freezer = Freezer::open(options.hierarchy, options.group);
  if (!freezer) {
    complain(to_string(freezer.error()));
    return freezer.error().message.starts_with("another guard") ? 3 : 1;
  }
  std::error_code error;
  fs::create_directories(options.directory, error);
  if (::chmod(options.directory.c_str(), 0700) != 0 ||
      (user && ::chown(options.directory.c_str(), *user, static_cast<gid_t>(-1)) != 0))
    return complain("cannot make " + options.directory.string() + " private");
  std::string boot;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> boot;
  if (boot.empty()) return complain("this machine does not say which boot it is");
  const Hello hello{boot, freezer->v2(), freezer->root().string()};
  Keeper keeper(*std::move(freezer), options.directory / "guard.state", boot);
  return Guard(options, std::move(keeper), hello, user).run();
}

}  // namespace
}  // namespace paygress::guard

int main(int argc, char** argv) {
  const auto options = paygress::guard::read_options(argc, argv);
  if (!options) {
    std::fputs(paygress::guard::kUsage, stderr);
    return 2;
  }
  return paygress::guard::start(*options);
}
