#include "shell/backend/tar.h"

#include <charconv>
#include <cstdio>
#include <utility>

#include "core/base/check.h"

namespace paygress::backend {
namespace {

constexpr size_t kBlock = 512;
// Offsets of the header's fields.
constexpr size_t kName = 0, kMode = 100, kUid = 108, kGid = 116, kSize = 124, kTime = 136,
                 kSum = 148, kType = 156, kLink = 157, kMagic = 257;

void put_octal(std::string& header, size_t at, int digits, uint64_t value) {
  char text[24];
  std::snprintf(text, sizeof text, "%0*llo", digits, static_cast<unsigned long long>(value));
  header.replace(at, static_cast<size_t>(digits), text);
}

size_t padding(size_t size) { return (kBlock - size % kBlock) % kBlock; }

}  // namespace

void TarWriter::add_header(std::string_view path, char type, size_t size, uint32_t mode,
                           std::string_view target) {
  PG_CHECK(!path.empty() && path.size() <= 100 && path.front() != '/' && target.size() <= 100);
  std::string header(kBlock, '\0');
  header.replace(kName, path.size(), path);
  put_octal(header, kMode, 7, mode);
  put_octal(header, kUid, 7, 0);
  put_octal(header, kGid, 7, 0);
  put_octal(header, kSize, 11, size);
  put_octal(header, kTime, 11, 0);
  header[kType] = type;
  header.replace(kLink, target.size(), target);
  header.replace(kMagic, 8, std::string_view("ustar\00000", 8));
  header.replace(kSum, 8, "        ");
  uint64_t sum = 0;
  for (char c : header) sum += static_cast<uint8_t>(c);
  put_octal(header, kSum, 6, sum);
  header[kSum + 6] = '\0';
  archive_ += header;
}

void TarWriter::add_directory(std::string_view path, uint32_t mode) {
  add_header(path, '5', 0, mode, {});
}

void TarWriter::add_file(std::string_view path, std::string_view content, uint32_t mode) {
  add_header(path, '0', content.size(), mode, {});
  archive_ += content;
  archive_.append(padding(content.size()), '\0');
}

void TarWriter::add_symlink(std::string_view path, std::string_view target) {
  add_header(path, '2', 0, 0777, target);
}

std::string TarWriter::finish() {
  archive_.append(2 * kBlock, '\0');
  return std::exchange(archive_, {});
}

std::optional<std::string> first_file(std::string_view archive) {
  while (archive.size() >= kBlock && archive[kName] != '\0') {
    std::string_view digits = archive.substr(kSize, 11);
    uint64_t size = 0;
    const auto [end, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), size, 8);
    if (bad != std::errc() || size > archive.size() - kBlock) return std::nullopt;
    const char type = archive[kType];
    if (type == '0' || type == '\0') return std::string(archive.substr(kBlock, size));
    const size_t skip = kBlock + size + padding(size);
    if (skip > archive.size()) return std::nullopt;
    archive.remove_prefix(skip);
  }
  return std::nullopt;
}

}  // namespace paygress::backend
