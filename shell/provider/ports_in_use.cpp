#include "shell/provider/ports_in_use.h"

#include <fcntl.h>

#include <charconv>

#include "shell/base/file.h"

namespace paygress::daemon {
namespace {

constexpr std::string_view kListen = "0A";  // TCP_LISTEN
constexpr size_t kTableBytesMax = size_t{64} << 20;

std::string_view next_word(std::string_view& line) {
  const size_t begin = line.find_first_not_of(' ');
  if (begin == line.npos) return {};
  const size_t end = std::min(line.find(' ', begin), line.size());
  const std::string_view word = line.substr(begin, end - begin);
  line.remove_prefix(end);
  return word;
}

}  // namespace

// "  0: 0100007F:1F90 00000000:0000 0A ...": slot, local address, remote address, state.
void read_listeners(std::string_view table, const provider::PortRange& range,
                    std::set<uint16_t>& ports) {
  while (!table.empty()) {
    const size_t end = std::min(table.find('\n'), table.size());
    std::string_view line = table.substr(0, end);
    table.remove_prefix(std::min(end + 1, table.size()));
    next_word(line);
    const std::string_view local = next_word(line);
    next_word(line);
    if (next_word(line) != kListen) continue;
    const size_t colon = local.rfind(':');
    if (colon == local.npos) continue;
    uint16_t port = 0;
    const char* last = local.data() + local.size();
    const auto [stop, error] = std::from_chars(local.data() + colon + 1, last, port, 16);
    if (error == std::errc{} && stop == last && port >= range.first && port <= range.last)
      ports.insert(port);
  }
}

std::set<uint16_t> listening_ports(const provider::PortRange& range) {
  std::set<uint16_t> ports;
  for (const char* path : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    auto file = shell::open_file(path, O_RDONLY);
    if (!file) continue;
    if (auto text = shell::read_all(*file, kTableBytesMax, path))
      read_listeners(*text, range, ports);
  }
  return ports;
}

}  // namespace paygress::daemon
