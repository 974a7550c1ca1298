#include "shell/dev/process_ports.h"

#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace paygress::dev {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSocket = "socket:[";  // what a descriptor of one links to

std::set<std::string> sockets_of(const fs::path& process) {
  std::set<std::string> inodes;
  std::error_code error;
  for (fs::directory_iterator it(process / "fd", error), end; !error && it != end;
       it.increment(error)) {
    std::error_code gone;  // it may be closed meanwhile
    const std::string target = fs::read_symlink(it->path(), gone).string();
    if (!gone && target.starts_with(kSocket))
      inodes.insert(target.substr(kSocket.size(), target.size() - kSocket.size() - 1));
  }
  return inodes;
}

}  // namespace

// "  0: 0100007F:1F90 00000000:0000 01 queues timer retransmits uid timeout inode ...".
std::set<uint16_t> tcp_ports_of(pid_t process) {
  const fs::path directory = "/proc/" + std::to_string(process);
  const std::set<std::string> sockets = sockets_of(directory);
  std::set<uint16_t> ports;
  std::ifstream table(directory / "net/tcp");
  for (std::string line; std::getline(table, line);) {
    std::istringstream words(line);
    std::string slot, local, skipped, inode;
    words >> slot >> local;
    for (int i = 0; i < 7; ++i) words >> skipped;
    words >> inode;
    const size_t colon = local.find(':');
    uint16_t port = 0;
    if (colon == local.npos || !sockets.contains(inode)) continue;
    std::from_chars(local.data() + colon + 1, local.data() + local.size(), port, 16);
    ports.insert(port);
  }
  return ports;
}

}  // namespace paygress::dev
