#include "shell/store/sealed_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/crypto/hash.h"
#include "shell/base/file.h"

namespace paygress::store {

Result<std::optional<Bytes>> read_sealed_file(const std::string& path, std::string_view magic,
                                              size_t bytes_max) {
  if (access(path.c_str(), F_OK) != 0 && errno == ENOENT) return std::nullopt;
  auto file = shell::open_file(path, O_RDONLY | O_NONBLOCK);
  if (!file) return std::unexpected(file.error());
  const size_t around = magic.size() + sizeof(crypto::Digest);
  const auto content = shell::read_all(*file, bytes_max + around, path);
  if (!content) return std::unexpected(content.error());
  if (content->size() < around || !content->starts_with(magic)) return fail(kSealBroken, path);
  const ByteView bytes = as_bytes(*content);
  const size_t hashed = bytes.size() - sizeof(crypto::Digest);
  if (!std::ranges::equal(crypto::sha256(bytes.first(hashed)), bytes.subspan(hashed)))
    return fail(kSealBroken, path);
  const ByteView body = bytes.first(hashed).subspan(magic.size());
  return Bytes(body.begin(), body.end());
}

Result<void> write_sealed_file(const std::string& path, std::string_view magic, ByteView body) {
  std::string content(magic);
  content += as_text(body);
  const auto digest = crypto::sha256(as_bytes(content));
  content += as_text(digest);
  return shell::write_whole_file(path, content, true);
}

}  // namespace paygress::store
