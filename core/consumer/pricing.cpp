#include "core/consumer/pricing.h"

#include <algorithm>
#include <map>

#include "core/base/check.h"
#include "core/cashu/keyset.h"
#include "core/cashu/token.h"

namespace paygress::consumer {
namespace {

using cashu::Amount;
using cashu::Keyset;
using cashu::Proof;

constexpr Amount kMsatPerSat = 1000;
constexpr int kFaceStepsMax = 4096;  // a step is a sat; no mint that anybody uses takes as much

std::vector<Proof> largest_first(std::span<const Proof> proofs) {
  std::vector<Proof> sorted(proofs.begin(), proofs.end());
  std::sort(sorted.begin(), sorted.end(), [](const Proof& a, const Proof& b) {
    return a.amount != b.amount ? a.amount > b.amount : a.secret < b.secret;
  });
  return sorted;
}

// Inputs worth `amount` after their fee: the smallest single proof that is, else largest first.
Result<std::vector<Proof>> select_inputs(std::span<const Proof> purse, Amount amount,
                                         std::span<const Keyset> keysets) {
  const std::vector<Proof> sorted = largest_first(purse);
  for (auto proof = sorted.rbegin(); proof != sorted.rend(); ++proof) {
    const auto fee = fee_of({&*proof, 1}, keysets);
    if (!fee) return std::unexpected(fee.error());
    if (proof->amount >= *fee && proof->amount - *fee >= amount) return std::vector{*proof};
  }
  std::vector<Proof> chosen;
  Amount sum = 0;
  for (const Proof& proof : sorted) {
    if (chosen.size() == cashu::kProofsMax) break;
    chosen.push_back(proof);
    sum += proof.amount;
    const auto fee = fee_of(chosen, keysets);
    if (!fee) return std::unexpected(fee.error());
    if (sum >= *fee && sum - *fee >= amount) return chosen;
  }
  return fail("not enough money: " + std::to_string(amount) +
              " and the mint's fee are needed, the purse holds " + std::to_string(sum));
}

}  // namespace

Result<Amount> sats_for(uint64_t rate, Seconds seconds) {
  if (rate == 0 || seconds.value <= 0) return fail("rate and seconds must be above zero");
  Amount msats = 0;
  if (__builtin_mul_overflow(rate, static_cast<uint64_t>(seconds.value), &msats) ||
      msats > static_cast<uint64_t>(INT64_MAX))
    return fail("that many seconds cost more than there is money");
  return msats / kMsatPerSat + (msats % kMsatPerSat != 0 ? 1 : 0);
}

Seconds seconds_for(Amount net_sats, uint64_t rate) {
  PG_CHECK(rate > 0);
  Amount msats = 0;
  if (__builtin_mul_overflow(net_sats, kMsatPerSat, &msats)) msats = UINT64_MAX;
  return {static_cast<int64_t>(std::min<Amount>(msats / rate, INT64_MAX))};
}

Result<Amount> fee_of(std::span<const Proof> proofs, std::span<const Keyset> keysets) {
  std::map<std::string, uint64_t> ppk;
  for (const Keyset& keyset : keysets) ppk.emplace(keyset.id, keyset.input_fee_ppk);
  return cashu::swap_fee(proofs, ppk);
}

Result<void> check_reach(std::span<const Proof> purse, Amount amount) {
  const auto sum = cashu::total(purse);
  if (!sum) return std::unexpected(sum.error());
  if (*sum >= amount) return {};
  return fail("not enough money: " + std::to_string(amount) + " are needed, the purse holds " +
              std::to_string(*sum));
}

Result<Amount> face_for_net(Amount net, const Keyset& keyset) {
  if (net == 0) return fail("nothing to pay");
  Amount face = net;
  // One sat at a time: what is left does not grow evenly, because 16 is one proof and 15 are four.
  for (int step = 0; step < kFaceStepsMax; ++step, ++face) {
    const auto parts = cashu::split_amount(face, keyset.keys);
    if (!parts) return std::unexpected(parts.error());
    std::vector<Proof> proofs;
    for (const Amount part : *parts) proofs.push_back({part, keyset.id, "", {}, "", std::nullopt});
    const auto fee = fee_of(proofs, {&keyset, 1});
    if (!fee) return std::unexpected(fee.error());
    if (face >= *fee && face - *fee >= net) return face;
  }
  return fail("the mint's fee grows faster than the amount");
}

std::optional<std::vector<Proof>> exact_subset(std::span<const Proof> proofs, Amount amount) {
  std::vector<Proof> chosen;
  Amount rest = amount;
  for (const Proof& proof : largest_first(proofs)) {
    if (proof.amount > rest || chosen.size() == cashu::kProofsMax) continue;
    chosen.push_back(proof);
    rest -= proof.amount;
    if (rest == 0) return chosen;
  }
  return std::nullopt;
}

Result<SplitPlan> plan_split(std::span<const Proof> purse, Amount amount,
                             std::span<const Keyset> keysets, const Keyset& outputs) {
  auto inputs = select_inputs(purse, amount, keysets);
  if (!inputs) return std::unexpected(inputs.error());
  const auto fee = fee_of(*inputs, keysets);
  const auto sum = cashu::total(*inputs);
  if (!fee || !sum) return std::unexpected(fee ? sum.error() : fee.error());
  auto given = cashu::split_amount(amount, outputs.keys);
  if (!given) return std::unexpected(given.error());
  PG_CHECK(*sum >= *fee && *sum - *fee >= amount);
  std::vector<std::pair<Amount, bool>> parts;  // (amount, is change)
  for (const Amount part : *given) parts.emplace_back(part, false);
  if (const Amount change = *sum - *fee - amount; change > 0) {
    auto kept = cashu::split_amount(change, outputs.keys);
    if (!kept) return std::unexpected(kept.error());
    for (const Amount part : *kept) parts.emplace_back(part, true);
  }
  std::sort(parts.begin(), parts.end());
  SplitPlan plan{std::move(*inputs), outputs.id, {}, {}, *fee};
  for (const auto& [part, is_change] : parts) {
    if (!is_change) plan.given.push_back(static_cast<uint32_t>(plan.amounts.size()));
    plan.amounts.push_back(part);
  }
  return plan;
}

}  // namespace paygress::consumer
