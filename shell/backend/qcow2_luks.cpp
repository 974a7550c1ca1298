#include "shell/backend/qcow2_luks.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>
#include <string>

#include "shell/backend/overwrite.h"

namespace paygress::backend {
namespace {

namespace fs = std::filesystem;

constexpr size_t kHeadBytes = 64 * 1024;  // the first cluster holds all extensions
constexpr uint32_t kMagic = 0x514649fb;
constexpr uint32_t kCryptoPointer = 0x0537be77;
constexpr uint64_t kLuksBytesMax = uint64_t{64} << 20;

struct Region {
  uint64_t offset = 0;
  uint64_t length = 0;
};

uint64_t big_endian(const std::string& bytes, size_t at, size_t size) {
  uint64_t value = 0;
  for (size_t i = 0; i < size; ++i) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

std::optional<Region> find_header(const std::string& head) {
  if (head.size() < 112 || big_endian(head, 0, 4) != kMagic) return std::nullopt;
  size_t at = big_endian(head, 4, 4) >= 3 ? big_endian(head, 100, 4) : 72;
  while (at + 8 <= head.size()) {
    const uint64_t type = big_endian(head, at, 4);
    const uint64_t length = big_endian(head, at + 4, 4);
    if (type == 0 || length > head.size() - at - 8) return std::nullopt;
    if (type == kCryptoPointer && length == 16)
      return Region{big_endian(head, at + 8, 8), big_endian(head, at + 16, 8)};
    at += 8 + (length + 7) / 8 * 8;
  }
  return std::nullopt;
}

}  // namespace

Result<void> destroy_qcow2_luks_header(const fs::path& disk) {
  const int fd = open(disk.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return fail("cannot be opened", disk.string());
  std::string head(kHeadBytes, '\0');
  const ssize_t n = pread(fd, head.data(), head.size(), 0);
  head.resize(n > 0 ? static_cast<size_t>(n) : 0);
  const auto region = find_header(head);
  struct stat status{};
  const bool within = region && fstat(fd, &status) == 0 && region->length <= kLuksBytesMax &&
                      region->offset >= 512 &&
                      region->offset + region->length <= static_cast<uint64_t>(status.st_size);
  const bool destroyed = within && overwrite_with_zeros(fd, region->offset, region->length);
  close(fd);
  if (!within) return fail("has no LUKS header that could be found", disk.string());
  if (!destroyed) return fail("its LUKS header cannot be overwritten", disk.string());
  return {};
}

}  // namespace paygress::backend
