#include "shell/guard/visit.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>

namespace paygress::guard {
namespace {

namespace fs = std::filesystem;

class Line {
 public:
  explicit Line(int fd) : fd_(fd) {}
  ~Line() { ::close(fd_); }
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  bool connect(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (fd_ < 0 || path.size() >= sizeof address.sun_path) return false;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  bool send(const std::string& line) {
    const std::string text = line + "\n";
    return ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
  }
  std::optional<std::string> read() {
    for (;;) {
      if (const size_t end = buffer_.find('\n'); end != std::string::npos) {
        std::string line = buffer_.substr(0, end);
        buffer_.erase(0, end + 1);
        return line;
      }
      pollfd wanted{fd_, POLLIN, 0};
      char chunk[4096];
      if (::poll(&wanted, 1, static_cast<int>(kVisitAnswerTime.value / 1000)) <= 0) return {};
      const ssize_t n = ::recv(fd_, chunk, sizeof chunk, 0);
      if (n <= 0 || buffer_.size() > kAnswerBytesMax) return {};
      buffer_.append(chunk, static_cast<size_t>(n));
    }
  }

 private:
  int fd_;
  std::string buffer_;
};

}  // namespace

GuardPlace guard_place(const std::string& data_dir, const std::string& install_hex) {
  std::error_code error;
  if (fs::is_directory(kSystemGuard, error)) return {kSystemGuard, {}, {}, {}};
  const std::string name = "paygress-" + install_hex.substr(0, 16);
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  return {::geteuid() == 0 ? "/run/" + name : data_dir + "/guard", name,
          (self.parent_path() / "paygress-guard").string(), data_dir + "/guard.log"};
}

Result<std::vector<workload::GuardAnswered>> visit(const std::string& directory,
                                                   const std::vector<Request>& requests) {
  Line line(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!line.connect(directory + "/" + kSocketName))
    return fail(std::string("no guard answers: ") + std::strerror(errno), directory);
  const auto hello = line.read();
  if (!hello || !parse_hello(*hello)) return fail("not a guard", directory);
  std::vector<workload::GuardAnswered> answers;
  for (const Request& request : requests) {
    if (!line.send(format(request))) return fail("the guard went away", directory);
    const auto said = line.read();
    if (!said) return fail("the guard does not answer", directory);
    auto answer = parse_answer(*said);
    if (!answer) return std::unexpected(answer.error());
    answers.push_back(*std::move(answer));
  }
  return answers;
}

}  // namespace paygress::guard
