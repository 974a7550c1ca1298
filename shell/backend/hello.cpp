#include "shell/backend/hello.h"

#include <fstream>
#include <iterator>

#include "shell/backend/sandbox_host.h"

namespace paygress::backend {
namespace {

constexpr const char* kBusybox = "/bin/busybox";
constexpr size_t kBusyboxBytesMax = size_t{16} << 20;

}  // namespace

std::string static_busybox() {
  std::ifstream file(kBusybox, std::ios::binary);
  std::string content(std::istreambuf_iterator<char>(file), {});
  // A dynamically linked program names its interpreter, which the image would not have.
  const bool dynamic = content.find("/ld-linux") != content.npos;
  return dynamic || content.size() > kBusyboxBytesMax ? "" : content;
}

std::string_view package_for_hello(Kind kind) {
  if (kind == Kind::Sandbox && find_sandbox_host().busybox.empty()) return "busybox";
  if (kind == Kind::Docker && static_busybox().empty()) return "busybox-static";
  return {};
}

}  // namespace paygress::backend
