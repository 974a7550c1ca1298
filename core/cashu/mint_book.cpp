#include "core/cashu/mint_book.h"

#include <algorithm>
#include <utility>

#include "core/base/check.h"
#include "core/cashu/keyset.h"
#include "core/cashu/token.h"

namespace paygress::cashu {
namespace {

constexpr size_t kProblemsMax = 16;
constexpr uint32_t kNeededNuts[] = {7, 9, 12};

// Whether the announcement is the keyset its id names. A v2 id binds unit, fee and expiry as well,
// so that a listing which changes one of them is refused too.
bool same_keyset(const Keyset& announced) { return check_keyset_id(announced).has_value(); }

}  // namespace

MintBook::MintBook(const std::vector<std::string>& mints) {
  for (const std::string& mint : mints) pages_[mint].configured = true;
}

bool MintBook::accepts(const std::string& mint) const {
  const auto page = pages_.find(mint);
  return page != pages_.end() && page->second.configured;
}

std::vector<std::string> MintBook::mints() const {
  std::vector<std::string> names;
  for (const auto& [mint, page] : pages_) names.push_back(mint);
  return names;
}

bool MintBook::ready(const std::string& mint) const {
  const auto page = pages_.find(mint);
  return page != pages_.end() && page->second.nuts && page->second.listed;
}

bool MintBook::suitable(const std::string& mint) const {
  const auto page = pages_.find(mint);
  if (page == pages_.end() || !page->second.nuts) return false;
  return std::all_of(std::begin(kNeededNuts), std::end(kNeededNuts),
                     [&](uint32_t nut) { return page->second.nuts->contains(nut); });
}

bool MintBook::melts(const std::string& mint) const {
  const auto page = pages_.find(mint);
  return page != pages_.end() && page->second.nuts && page->second.nuts->contains(5) &&
         page->second.nuts->contains(8);
}

void MintBook::remember(std::vector<std::pair<std::string, std::string>> used) {
  used_ = std::move(used);
}

std::vector<MintAsk> MintBook::begin_reading(const std::string& mint) {
  const auto page = pages_.find(mint);
  PG_CHECK(page != pages_.end());
  if (page->second.asked > 0) return {};
  page->second.asked = 3;
  page->second.wants_keys = true;
  return {{mint, Endpoint::Info, {}}, {mint, Endpoint::Keysets, {}}, {mint, Endpoint::Keys, {}}};
}

bool MintBook::reading(const std::string& mint) const {
  const auto page = pages_.find(mint);
  return page != pages_.end() && page->second.asked > 0;
}

MintAsk MintBook::ask_keys(const std::string& mint, const std::string& keyset) {
  const auto page = pages_.find(mint);
  PG_CHECK(page != pages_.end());
  ++page->second.asked;
  return {mint, Endpoint::KeysById, keyset};
}

std::vector<MintAsk> MintBook::on_answer(const MintAsk& ask,
                                         const decltype(MintReply::answer)& answer) {
  const auto found = pages_.find(ask.mint);
  PG_CHECK(found != pages_.end() && found->second.asked > 0);
  Page& page = found->second;
  --page.asked;
  if (const auto* info = std::get_if<InfoAnswer>(&answer); info && ask.endpoint == Endpoint::Info)
    page.nuts = std::set<uint32_t>(info->nuts.begin(), info->nuts.end());
  if (const auto* keysets = std::get_if<KeysetsAnswer>(&answer)) {
    if (ask.endpoint == Endpoint::Keysets) on_listing(ask.mint, page, *keysets);
    if (ask.endpoint == Endpoint::Keys || ask.endpoint == Endpoint::KeysById)
      on_keys(ask.mint, page, *keysets);
  }
  std::vector<MintAsk> further;
  // Once the three answers are there: keys of whatever is listed and was never seen with keys.
  if (page.asked > 0 || !std::exchange(page.wants_keys, false)) return further;
  for (const auto& [id, keyset] : page.keysets)
    if (keyset.keys.empty() && (keyset.unit == "sat" || keyset.unit == "msat"))
      further.push_back(ask_keys(ask.mint, id));
  return further;
}

void MintBook::complain(Page& page, std::string problem) {
  if (std::find(page.problems.begin(), page.problems.end(), problem) != page.problems.end()) return;
  if (page.problems.size() < kProblemsMax) page.problems.push_back(std::move(problem));
}

// True when the id may stand for a keyset of this mint.
bool MintBook::admit(const std::string& mint, Page& page, const Keyset& keyset) {
  if (const auto known = page.keysets.find(keyset.id); known != page.keysets.end()) {
    // A v1 id does not bind the unit: a mint can make sats of millisats, and the operator must see.
    if (known->second.unit != keyset.unit)
      complain(page, "keyset " + keyset.id + ": its unit changed");
    return true;
  }
  if (auto version = keyset_version(keyset.id); !version) {
    complain(page, "keyset " + keyset.id + ": " + to_string(version.error()));
    return false;
  }
  if (page.keysets.size() >= kKeysetsPerMintMax) {
    complain(page, "more keysets than " + std::to_string(kKeysetsPerMintMax));
    return false;
  }
  std::vector<std::pair<std::string, std::string>> stored = used_;
  for (const auto& [other, other_page] : pages_)
    for (const auto& [id, known] : other_page.keysets) stored.emplace_back(other, id);
  if (auto distinct = check_keyset_collision(mint, keyset.id, stored); !distinct) {
    complain(page, "keyset " + keyset.id + ": " + to_string(distinct.error()));
    return false;
  }
  return true;
}

void MintBook::on_listing(const std::string& mint, Page& page, const KeysetsAnswer& answer) {
  page.listed = true;
  std::set<std::string> seen;
  for (const Keyset& listed : answer.keysets) {
    if (!admit(mint, page, listed)) continue;
    seen.insert(listed.id);
    Keyset merged = listed;
    auto& known = page.keysets[listed.id];
    merged.keys = known.keys;
    if (!merged.keys.empty() && !same_keyset(merged)) {
      complain(page, "keyset " + listed.id + ": the listing contradicts the id");
      known.active = false;
      continue;
    }
    known = std::move(merged);
  }
  // What is no longer listed is not signed on any more; tokens on it may still be worth something.
  for (auto& [id, keyset] : page.keysets)
    if (!seen.contains(id)) keyset.active = false;
}

void MintBook::on_keys(const std::string& mint, Page& page, const KeysetsAnswer& answer) {
  for (const Keyset& announced : answer.keysets) {
    if (!admit(mint, page, announced)) continue;
    const auto known = page.keysets.find(announced.id);
    Keyset merged = announced;
    // Old mints give only id, unit and keys here: the listing knows the rest.
    if (known != page.keysets.end()) {
      merged = known->second;
      merged.keys = announced.keys;
    }
    if (!same_keyset(merged)) merged = announced;
    if (!same_keyset(merged)) {
      complain(page, "keyset " + announced.id + ": the keys do not match the id");
      continue;
    }
    page.keysets[announced.id] = std::move(merged);
  }
}

const Keyset* MintBook::find(const std::string& mint, const std::string& keyset) const {
  const auto page = pages_.find(mint);
  if (page == pages_.end()) return nullptr;
  const auto found = page->second.keysets.find(keyset);
  return found == page->second.keysets.end() ? nullptr : &found->second;
}

std::vector<std::string> MintBook::keyset_ids(const std::string& mint) const {
  std::vector<std::string> ids;
  if (const auto page = pages_.find(mint); page != pages_.end())
    for (const auto& [id, keyset] : page->second.keysets) ids.push_back(id);
  return ids;
}

Result<MintBook::Terms> MintBook::terms(const std::string& mint, const std::string& unit,
                                        const std::vector<Proof>& inputs, UnixSeconds now) const {
  const auto page = pages_.find(mint);
  if (page == pages_.end()) return fail("unknown mint");
  std::map<std::string, uint64_t> ppk;
  std::vector<Keyset> usable;
  for (const auto& [id, keyset] : page->second.keysets) {
    ppk.emplace(id, keyset.input_fee_ppk);
    if (keyset.active && !keyset.keys.empty()) usable.push_back(keyset);
  }
  const auto face = total(inputs);
  if (!face) return std::unexpected(face.error());
  const auto fee = swap_fee(inputs, ppk);
  if (!fee) return std::unexpected(fee.error());
  if (*fee >= *face) return fail("the mint's fee takes all of it");
  const auto target = choose_output_keyset(usable, unit, now, kExpiryHorizon);
  if (!target) return std::unexpected(target.error());
  return Terms{*face, *fee, **target};
}

Result<SwapPlan> MintBook::plan(const std::string& mint, const std::string& unit,
                                const std::vector<Proof>& inputs, UnixSeconds now) const {
  const auto known = terms(mint, unit, inputs, now);
  if (!known) return std::unexpected(known.error());
  auto amounts = split_amount(known->face - known->fee, known->target.keys);
  if (!amounts) return std::unexpected(amounts.error());
  if (amounts->size() > kAttemptOutputsMax) return fail("needs too many outputs");
  return SwapPlan{known->target.id, std::move(*amounts), known->fee};
}

Result<RefundPlan> MintBook::plan_refund(const std::string& mint, const std::string& unit,
                                         const std::vector<Proof>& inputs, Amount worth,
                                         RefundAttempt attempt, UnixSeconds now) const {
  const auto known = terms(mint, unit, inputs, now);
  if (!known) return std::unexpected(known.error());
  PG_CHECK(worth <= known->face);
  const bool eaten = worth <= known->fee;
  if (eaten && attempt == RefundAttempt::First) return fail("worth no more than the mint's fee");
  RefundPlan plan;
  plan.keyset = known->target.id;
  plan.fee = known->fee;
  plan.face = eaten ? 1 : worth - known->fee;  // terms(): the inputs are worth more than the fee
  auto token = split_amount(plan.face, known->target.keys);
  if (!token) return std::unexpected(token.error());
  plan.token = std::move(*token);
  if (const Amount change = known->face - known->fee - plan.face; change > 0) {
    auto rest = split_amount(change, known->target.keys);
    if (!rest) return std::unexpected(rest.error());
    plan.change = std::move(*rest);
  }
  if (plan.token.size() + plan.change.size() > kAttemptOutputsMax)
    return fail("needs too many outputs");
  return plan;
}

std::optional<uint64_t> MintBook::fee_ppk(const std::string& mint,
                                          const std::string& keyset) const {
  const Keyset* known = find(mint, keyset);
  return known == nullptr ? std::nullopt : std::optional(known->input_fee_ppk);
}

const std::vector<std::string>& MintBook::problems(const std::string& mint) const {
  const auto page = pages_.find(mint);
  PG_CHECK(page != pages_.end());
  return page->second.problems;
}

}  // namespace paygress::cashu
