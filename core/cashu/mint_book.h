// What is known of each configured mint: capabilities, keysets and their keys (NUT-01, 02, 06). A
// cache: read again at every start, never journaled. Decides nothing about operations.
#pragma once

#include <expected>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/cashu/redeem.h"

namespace paygress::cashu {

inline constexpr size_t kKeysetsPerMintMax = 128;  // further ones are ignored and reported
// Tokens on a keyset that expires sooner are refused, and no output is made on one.
inline constexpr Seconds kExpiryHorizon{24 * 3600};
inline constexpr size_t kAttemptOutputsMax = 100;  // 8 attempts fit one restore request

struct MintAsk {  // something to GET
  std::string mint;
  Endpoint endpoint = Endpoint::Info;
  std::string argument;
};

// How inputs become outputs: sum(inputs) = sum(amounts) + fee, all on one active keyset.
struct SwapPlan {
  std::string keyset;
  std::vector<Amount> amounts;
  Amount fee = 0;
  bool operator==(const SwapPlan&) const = default;
};

// How proofs of ours become a refund token: sum(inputs) = face + change + fee.
struct RefundPlan {
  std::string keyset;
  std::vector<Amount> token;
  std::vector<Amount> change;
  Amount face = 0;
  Amount fee = 0;
  bool operator==(const RefundPlan&) const = default;
};

class MintBook {
 public:
  explicit MintBook(const std::vector<std::string>& mints);

  // Configured. Tokens of no other mint are taken.
  bool accepts(const std::string& mint) const;
  // Every mint that is read: the configured ones and those that operations still depend on.
  std::vector<std::string> mints() const;
  // An operation of an earlier start is still open there, configured or not.
  void depend_on(const std::string& mint) { pages_.try_emplace(mint); }
  // Info and keysets are known.
  bool ready(const std::string& mint) const;
  // NUT-07, NUT-09 and NUT-12 are supported: without them no crash-safe receive exists.
  bool suitable(const std::string& mint) const;

  // It can pay invoices and give change (NUT-05, NUT-08).
  bool melts(const std::string& mint) const;

  // Keysets used before this start: no other mint may claim their ids or derivation numbers.
  void remember(std::vector<std::pair<std::string, std::string>> used);

  // --- reading. Each ask is answered once, by on_answer. ---
  // Empty while a reading of this mint is under way.
  std::vector<MintAsk> begin_reading(const std::string& mint);
  // Returns what must be asked further: keys of inactive keysets that tokens may still be on.
  std::vector<MintAsk> on_answer(const MintAsk& ask, const decltype(MintReply::answer)& answer);
  bool reading(const std::string& mint) const;
  // The keys of one keyset, for signatures on an attempt made before this start.
  MintAsk ask_keys(const std::string& mint, const std::string& keyset);

  // --- knowledge. Pointers are valid until the next on_answer. ---
  // Keys are empty when only its listing is known.
  const Keyset* find(const std::string& mint, const std::string& keyset) const;
  std::vector<std::string> keyset_ids(const std::string& mint) const;
  // Error when an input's keyset is unknown, the fee eats everything, or no keyset can hold it.
  Result<SwapPlan> plan(const std::string& mint, const std::string& unit,
                        const std::vector<Proof>& inputs, UnixSeconds now) const;
  // The claim is `worth` and bears the fee that the mint asks now: the token is the rest. A claim
  // that a later, dearer fee would eat is still a token of the smallest amount, out of our change;
  // error when there is too little of that, and at the first attempt in any case.
  enum class RefundAttempt : uint8_t { First, Later };
  Result<RefundPlan> plan_refund(const std::string& mint, const std::string& unit,
                                 const std::vector<Proof>& inputs, Amount worth,
                                 RefundAttempt attempt, UnixSeconds now) const;
  // Of one input of this keyset, in thousandths; nothing when the keyset is unknown.
  std::optional<uint64_t> fee_ppk(const std::string& mint, const std::string& keyset) const;
  // What was refused in the mint's answers (a wrong id, a collision), for the operator; bounded.
  const std::vector<std::string>& problems(const std::string& mint) const;

 private:
  // The fee of these inputs and the keyset for new outputs.
  struct Terms {
    Amount face = 0;
    Amount fee = 0;
    Keyset target;
  };
  Result<Terms> terms(const std::string& mint, const std::string& unit,
                      const std::vector<Proof>& inputs, UnixSeconds now) const;
  struct Page {
    bool configured = false;
    std::optional<std::set<uint32_t>> nuts;
    bool listed = false;  // a Keysets answer was seen
    std::map<std::string, Keyset> keysets;
    size_t asked = 0;         // answers outstanding
    bool wants_keys = false;  // of this reading: keys of inactive keysets to come
    std::vector<std::string> problems;
  };
  bool admit(const std::string& mint, Page& page, const Keyset& keyset);
  void on_listing(const std::string& mint, Page& page, const KeysetsAnswer& answer);
  void on_keys(const std::string& mint, Page& page, const KeysetsAnswer& answer);
  void complain(Page& page, std::string problem);

  std::map<std::string, Page> pages_;
  std::vector<std::pair<std::string, std::string>> used_;
};

}  // namespace paygress::cashu
