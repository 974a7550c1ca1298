// Keysets (NUT-01, NUT-02): ids, fees, the split of an amount, the choice of an output keyset.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/cashu/types.h"

namespace paygress::cashu {

inline constexpr size_t kOutputsMax = 256;  // of one swap

enum class KeysetVersion : uint8_t { V1 = 0, V2 = 1 };  // the id's first byte

// Of a full id: "00" + 14 or "01" + 64 lower-case hex digits. Everything else is refused by name:
// other version bytes ("02" is BLS12-381, without DLEQ), and the 12-character base64 ids of old.
Result<KeysetVersion> keyset_version(std::string_view id);

// NUT-02 "Deriving the keyset ID", both versions. v2 binds unit, fee and expiry; v1 only the keys.
std::string keyset_id_v1(const std::map<Amount, Point>& keys);
std::string keyset_id_v2(const std::map<Amount, Point>& keys, std::string_view unit,
                         uint64_t input_fee_ppk, std::optional<UnixSeconds> final_expiry);
// Recomputes the id; error when it differs or the keyset has no keys.
Result<void> check_keyset_id(const Keyset& keyset);

// The first 16 digits: the short id of a "01" keyset in a V4 token, the whole of a "00" id.
std::string short_keyset_id(std::string_view id);
// The one form that is not a full id: a "01" id's first digits.
bool is_short_keyset_id(std::string_view id);
// The full id of a token's id among `ids`, which are all keysets of that ONE mint, inactive too.
// Error when none or more than one match.
Result<std::string> resolve_keyset_id(std::string_view id, std::span<const std::string> ids);

// The 31-bit number that stands for a "00" id in BIP-32 paths (NUT-13). Precondition: version 1.
uint32_t keyset_int(std::string_view id);
// Error when `id` of `mint` cannot be told from a stored keyset: same id or short id at another
// mint, or another "00" id with the same keyset_int anywhere. A hostile mint could otherwise choose
// an id that makes us use the same secrets twice. `stored` is (mint, id).
Result<void> check_keyset_collision(std::string_view mint, std::string_view id,
                                    std::span<const std::pair<std::string, std::string>> stored);

// Greedy over the keyset's own amounts: the fewest outputs, in ascending order (NUT-03). Error when
// the amount is 0, cannot be made, or needs more than kOutputsMax outputs.
Result<std::vector<Amount>> split_amount(Amount amount, const std::map<Amount, Point>& keys);

// NUT-02 fee of one swap: (sum of the inputs' ppk + 999) / 1000. `fee_ppk` is by full keyset id;
// error when an input's keyset is not in it.
Result<Amount> swap_fee(std::span<const Proof> inputs,
                        const std::map<std::string, uint64_t>& fee_ppk);

// True when the keyset has an expiry and it is before now + horizon.
bool expires_within(const Keyset& keyset, UnixSeconds now, Seconds horizon);

// The keyset for new outputs: active, of the unit, with a known version, not expiring within the
// horizon; then lowest fee, latest expiry (none is latest), smallest id. Error when there is none.
// The pointer is into `keysets`.
Result<const Keyset*> choose_output_keyset(std::span<const Keyset> keysets, std::string_view unit,
                                           UnixSeconds now, Seconds horizon);

}  // namespace paygress::cashu
