#include "shell/store/high_water.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "core/base/codec.h"
#include "shell/base/file.h"

namespace paygress::store {
namespace {

// "PGMARK\r\n" | format u32 | install 16 | sequence u64 | hash 32 | SHA-256 of the former.
constexpr std::string_view kMagic = "PGMARK\r\n";
constexpr size_t kHashedBytes = kMagic.size() + 4 + 16 + 8 + 32;
constexpr size_t kMarkBytes = kHashedBytes + sizeof(journal::Hash);

constexpr std::string_view kAdvice =
    "; look at the ledger with `ledger verify`; `ledger recover` takes it up without this file";

}  // namespace

Result<std::optional<HighWater>> read_any_high_water(const std::string& path) {
  if (access(path.c_str(), F_OK) != 0 && errno == ENOENT) return std::nullopt;
  auto file = shell::open_file(path, O_RDONLY | O_NONBLOCK);
  if (!file) return std::unexpected(file.error());
  auto content = shell::read_all(*file, kMarkBytes, path);
  if (!content) return std::unexpected(content.error());
  const ByteView bytes = as_bytes(*content);
  const auto damaged = [&] {
    return fail("high-water mark is damaged" + std::string(kAdvice), path);
  };
  if (bytes.size() != kMarkBytes || !content->starts_with(kMagic)) return damaged();
  if (!std::ranges::equal(crypto::sha256(bytes.first(kHashedBytes)), bytes.subspan(kHashedBytes)))
    return damaged();
  Decoder in(bytes.subspan(kMagic.size()));
  uint32_t format = 0;
  HighWater mark;
  PG_CHECK(decode(in, format) && decode(in, mark.install) && decode(in, mark.tip.sequence) &&
           decode(in, mark.tip.hash));
  if (format != journal::kFormatVersion)
    return fail("high-water mark is of a format this program does not know", path);
  return mark;
}

Result<std::optional<journal::Tip>> read_high_water(const std::string& path,
                                                    const InstallId& install) {
  const auto mark = read_any_high_water(path);
  if (!mark) return std::unexpected(mark.error());
  if (!*mark) return std::nullopt;
  if ((*mark)->install != install)
    return fail("high-water mark is of another ledger (install " + (*mark)->install.hex() +
                    ", not " + install.hex() + ")" + std::string(kAdvice),
                path);
  return (*mark)->tip;
}

Result<void> write_high_water(const std::string& path, const InstallId& install,
                              const journal::Tip& tip) {
  Bytes bytes;
  BufferSink sink{bytes};
  sink.put(as_bytes(kMagic));
  encode(sink, journal::kFormatVersion);
  encode(sink, install);
  encode(sink, tip.sequence);
  encode(sink, tip.hash);
  PG_CHECK(bytes.size() == kHashedBytes);
  encode(sink, crypto::sha256(ByteView(bytes)));
  return shell::write_whole_file(path, as_text(bytes), true);
}

}  // namespace paygress::store
