#include "shell/store/high_water.h"

#include <optional>

#include "core/base/codec.h"
#include "shell/store/sealed_file.h"

namespace paygress::store {
namespace {

// The body: format u32 | install 16 | sequence u64 | hash 32.
constexpr std::string_view kMarkMagic = "PGMARK\r\n";
constexpr size_t kBodyBytes = 4 + 16 + 8 + 32;

constexpr std::string_view kAdvice =
    "; look at the ledger with `ledger verify`; `ledger recover` takes it up without this file";

}  // namespace

Result<std::optional<HighWater>> read_any_high_water(const std::string& path) {
  const auto body = read_sealed_file(path, kMarkMagic, kBodyBytes);
  const bool broken =
      body ? *body && (*body)->size() != kBodyBytes : body.error().message == kSealBroken;
  if (broken) return fail("high-water mark is damaged" + std::string(kAdvice), path);
  if (!body) return std::unexpected(body.error());
  if (!*body) return std::nullopt;
  Decoder in(**body);
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
  Bytes body;
  BufferSink sink{body};
  encode(sink, journal::kFormatVersion);
  encode(sink, install);
  encode(sink, tip.sequence);
  encode(sink, tip.hash);
  PG_CHECK(body.size() == kBodyBytes);
  return write_sealed_file(path, kMarkMagic, body);
}

}  // namespace paygress::store
