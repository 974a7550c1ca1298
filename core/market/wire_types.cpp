#include "core/market/wire_types.h"

#include <algorithm>
#include <array>

#include "core/base/check.h"
#include "core/crypto/hash.h"

namespace paygress::market {
namespace {

constexpr std::array<std::string_view, 3> kIsolation = {"shared-kernel", "dedicated-host",
                                                        "attested-research-tier"};
constexpr std::array<std::string_view, 3> kReplication = {"none", "checkpointed", "warm-standby"};
constexpr std::array<std::string_view, 5> kTokenState = {"untouched", "in_doubt", "released",
                                                         "spent_elsewhere", "taken"};

template <class E, size_t N>
std::string_view word_of(const std::array<std::string_view, N>& words, E value) {
  const auto i = static_cast<size_t>(value);
  PG_CHECK(i < N);
  return words[i];
}

template <class E, size_t N>
std::optional<E> value_of(const std::array<std::string_view, N>& words, std::string_view text) {
  const auto it = std::find(words.begin(), words.end(), text);
  if (it == words.end()) return std::nullopt;
  return static_cast<E>(it - words.begin());
}

}  // namespace

HoldTag hold_tag(std::string_view workload_id) {
  constexpr std::string_view kPrefix{"paygress-hold-v1\0", 17};
  const auto digest = crypto::sha256({as_bytes(kPrefix), as_bytes(workload_id)});
  HoldTag tag;
  std::copy_n(digest.begin(), tag.bytes.size(), tag.bytes.begin());
  return tag;
}

std::string_view to_text(IsolationLevel v) { return word_of(kIsolation, v); }
std::string_view to_text(ReplicationKind v) { return word_of(kReplication, v); }
std::string_view to_text(TokenState v) { return word_of(kTokenState, v); }

std::optional<IsolationLevel> isolation_level_from(std::string_view text) {
  return value_of<IsolationLevel>(kIsolation, text);
}
std::optional<ReplicationKind> replication_kind_from(std::string_view text) {
  return value_of<ReplicationKind>(kReplication, text);
}
std::optional<TokenState> token_state_from(std::string_view text) {
  return value_of<TokenState>(kTokenState, text);
}

}  // namespace paygress::market
