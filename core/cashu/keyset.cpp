#include "core/cashu/keyset.h"

#include <algorithm>
#include <limits>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/crypto/hash.h"

namespace paygress::cashu {
namespace {

constexpr size_t kShortIdDigits = 16;
constexpr size_t kLongIdDigits = 66;
constexpr size_t kAncientIdDigits = 12;
constexpr uint64_t kKeysetIntModulus = (1ULL << 31) - 1;

bool is_lower_hex(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// Text that a stranger wrote, for an error message: printable and short.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text.substr(0, kLongIdDigits))
    out.push_back(c >= ' ' && c <= '~' && c != '"' ? c : '?');
  return out + "\"";
}

}  // namespace

Result<KeysetVersion> keyset_version(std::string_view id) {
  if (id.size() == kAncientIdDigits && !is_lower_hex(id))
    return fail("keyset id " + quoted(id) + " is of the base64 form of before NUT-02 v1");
  if (id.size() < 2 || !is_lower_hex(id))
    return fail("keyset id " + quoted(id) + " is not lower-case hex");
  const std::string_view version = id.substr(0, 2);
  if (version != "00" && version != "01")
    return fail("keyset id version " + std::string(version) + " is not supported (00 and 01 are)");
  const bool first = version == "00";
  if (id.size() != (first ? kShortIdDigits : kLongIdDigits))
    return fail("keyset id " + quoted(id) + " has the wrong length for its version");
  return first ? KeysetVersion::V1 : KeysetVersion::V2;
}

std::string keyset_id_v1(const std::map<Amount, Point>& keys) {
  Bytes joined;
  joined.reserve(keys.size() * 33);
  for (const auto& [amount, key] : keys) joined.insert(joined.end(), key.begin(), key.end());
  return "00" + to_hex(crypto::sha256(joined)).substr(0, kShortIdDigits - 2);
}

std::string keyset_id_v2(const std::map<Amount, Point>& keys, std::string_view unit,
                         uint64_t input_fee_ppk, std::optional<UnixSeconds> final_expiry) {
  std::string text;
  for (const auto& [amount, key] : keys) {
    if (!text.empty()) text += ',';
    text += std::to_string(amount) + ":" + to_hex(key);
  }
  text += "|unit:" + to_lower(unit);
  if (input_fee_ppk != 0) text += "|input_fee_ppk:" + std::to_string(input_fee_ppk);
  if (final_expiry && final_expiry->value != 0)
    text += "|final_expiry:" + std::to_string(final_expiry->value);
  return "01" + to_hex(crypto::sha256(as_bytes(text)));
}

Result<void> check_keyset_id(const Keyset& keyset) {
  const auto version = keyset_version(keyset.id);
  if (!version) return std::unexpected(version.error());
  if (keyset.keys.empty()) return fail("keyset has no keys", keyset.id);
  const std::string computed =
      *version == KeysetVersion::V1
          ? keyset_id_v1(keyset.keys)
          : keyset_id_v2(keyset.keys, keyset.unit, keyset.input_fee_ppk, keyset.final_expiry);
  if (computed != keyset.id)
    return fail("keyset id does not match its keys, which give " + computed, keyset.id);
  return {};
}

std::string short_keyset_id(std::string_view id) {
  return std::string(id.substr(0, kShortIdDigits));
}

bool is_short_keyset_id(std::string_view id) {
  return id.size() == kShortIdDigits && id.starts_with("01") && is_lower_hex(id);
}

Result<std::string> resolve_keyset_id(std::string_view id, std::span<const std::string> ids) {
  const bool is_short = is_short_keyset_id(id);
  if (!is_short)
    if (const auto version = keyset_version(id); !version) return std::unexpected(version.error());
  const std::string* found = nullptr;
  for (const std::string& candidate : ids) {
    if (is_short ? short_keyset_id(candidate) != id : candidate != id) continue;
    if (found != nullptr && *found != candidate)
      return fail("two keysets of the mint have the short id " + quoted(id));
    found = &candidate;
  }
  if (found == nullptr) return fail("the mint has no keyset " + quoted(id));
  if (const auto version = keyset_version(*found); !version)
    return std::unexpected(version.error());
  return *found;
}

uint32_t keyset_int(std::string_view id) {
  PG_CHECK(keyset_version(id) == KeysetVersion::V1);
  const auto bytes = from_hex(id);
  PG_CHECK(bytes.has_value());
  uint64_t number = 0;
  for (const uint8_t byte : *bytes) number = number << 8 | byte;
  return static_cast<uint32_t>(number % kKeysetIntModulus);
}

Result<void> check_keyset_collision(std::string_view mint, std::string_view id,
                                    std::span<const std::pair<std::string, std::string>> stored) {
  const auto version = keyset_version(id);
  if (!version) return std::unexpected(version.error());
  for (const auto& [other_mint, other_id] : stored) {
    if (other_mint == mint && other_id == id) continue;
    if (other_id == id) return fail("keyset id is already that of another mint", std::string(id));
    if (other_mint != mint && short_keyset_id(other_id) == short_keyset_id(id))
      return fail("keyset's short id is already that of another mint", std::string(id));
    if (*version == KeysetVersion::V1 && keyset_version(other_id) == KeysetVersion::V1 &&
        keyset_int(other_id) == keyset_int(id))
      return fail("keyset would derive the same secrets as " + other_id, std::string(id));
  }
  return {};
}

Result<std::vector<Amount>> split_amount(Amount amount, const std::map<Amount, Point>& keys) {
  if (amount == 0) return fail("an amount of 0 has no outputs");
  std::vector<Amount> amounts;
  Amount rest = amount;
  for (auto key = keys.rbegin(); key != keys.rend() && rest != 0; ++key) {
    if (key->first == 0) continue;
    const Amount count = rest / key->first;
    if (count > kOutputsMax - amounts.size())
      return fail("an amount of " + std::to_string(amount) + " needs more than " +
                  std::to_string(kOutputsMax) + " outputs of this keyset");
    amounts.insert(amounts.end(), static_cast<size_t>(count), key->first);
    rest -= count * key->first;
  }
  if (rest != 0)
    return fail("an amount of " + std::to_string(amount) + " cannot be made of this keyset's");
  std::ranges::reverse(amounts);
  PG_CHECK(!amounts.empty() && amounts.size() <= kOutputsMax);
  PG_CHECK(std::ranges::is_sorted(amounts));
  return amounts;
}

Result<Amount> swap_fee(std::span<const Proof> inputs,
                        const std::map<std::string, uint64_t>& fee_ppk) {
  uint64_t sum = 999;
  for (const Proof& input : inputs) {
    const auto fee = fee_ppk.find(input.keyset);
    if (fee == fee_ppk.end())
      return fail("the fee of keyset " + quoted(input.keyset) + " is not known");
    if (__builtin_add_overflow(sum, fee->second, &sum)) return fail("the mint's fee is absurd");
  }
  return sum / 1000;
}

bool expires_within(const Keyset& keyset, UnixSeconds now, Seconds horizon) {
  return keyset.final_expiry && *keyset.final_expiry < now + horizon;
}

Result<const Keyset*> choose_output_keyset(std::span<const Keyset> keysets, std::string_view unit,
                                           UnixSeconds now, Seconds horizon) {
  const auto expiry_of = [](const Keyset& k) {
    return k.final_expiry.value_or(UnixSeconds::max()).value;
  };
  const auto better = [&](const Keyset& a, const Keyset& b) {
    if (a.input_fee_ppk != b.input_fee_ppk) return a.input_fee_ppk < b.input_fee_ppk;
    if (expiry_of(a) != expiry_of(b)) return expiry_of(a) > expiry_of(b);
    return a.id < b.id;
  };
  const Keyset* best = nullptr;
  for (const Keyset& keyset : keysets) {
    if (!keyset.active || keyset.unit != unit || !keyset_version(keyset.id) ||
        expires_within(keyset, now, horizon))
      continue;
    if (best == nullptr || better(keyset, *best)) best = &keyset;
  }
  if (best == nullptr)
    return fail("the mint has no active keyset of unit " + quoted(unit) +
                " that lasts long enough");
  return best;
}

}  // namespace paygress::cashu
