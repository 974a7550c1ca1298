#include "shell/backend/vm_layout.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <sstream>

namespace paygress::backend {

namespace fs = std::filesystem;

std::string files_text(const std::vector<VmFile>& files) {
  std::string text;
  for (const auto& file : files) {
    const char mode = file.mode == VmFile::Mode::Read        ? 'r'
                      : file.mode == VmFile::Mode::ReadWrite ? 'w'
                                                             : 's';
    text += std::to_string(file.fd) + ' ' + mode + ' ' + file.path.string() + '\n';
  }
  return text;
}

std::vector<VmFile> parse_files(const std::string& text) {
  std::vector<VmFile> files;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream in(line);
    VmFile file;
    char mode = 0;
    std::string path;
    if (!(in >> file.fd >> mode) || !std::getline(in >> std::ws, path)) continue;
    if (mode != 'r' && mode != 'w' && mode != 's') continue;
    file.mode = mode == 'r'   ? VmFile::Mode::Read
                : mode == 'w' ? VmFile::Mode::ReadWrite
                              : VmFile::Mode::Secret;
    file.path = path;
    files.push_back(file);
  }
  return files;
}

namespace {

// The path of a socket has 108 bytes at most; through the directory's descriptor any path fits.
bool connect_to(int fd, const fs::path& state) {
  const int dir = open(state.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (dir < 0) return false;
  const std::string path = "/proc/self/fd/" + std::to_string(dir) + "/" + kControlSocket;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const bool connected =
      connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  close(dir);
  return connected;
}

}  // namespace

std::optional<std::string> ask_supervisor(const fs::path& state, const std::string& word,
                                          std::chrono::milliseconds limit) {
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0) return std::nullopt;
  std::optional<std::string> answer;
  if (connect_to(fd, state) &&
      send(fd, word.data(), word.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(word.size())) {
    pollfd wait{fd, POLLIN, 0};
    char text[512];
    ssize_t n = 0;
    if (poll(&wait, 1, static_cast<int>(limit.count())) == 1) n = recv(fd, text, sizeof text, 0);
    if (n > 0) answer.emplace(text, static_cast<size_t>(n));
  }
  close(fd);
  return answer;
}

}  // namespace paygress::backend
