#include "core/cashu/restorer.h"

#include <algorithm>
#include <set>
#include <utility>

#include "core/base/check.h"
#include "core/cashu/mint_api.h"

namespace paygress::cashu {
namespace {

constexpr Seconds kQuestionTimeout{30};
constexpr Seconds kQuestionGiveUp{35};  // a call whose end nobody reports

bool counts(const std::string& unit) { return unit == "sat" || unit == "msat"; }

// Of the operations that are under way: what they bring comes by itself.
bool of_live_attempt(const RedeemState& state, const std::string& keyset, uint32_t counter) {
  for (const auto& [op, operation] : state.live())
    for (const Attempt& attempt : operation.attempts) {
      const auto end =
          attempt.counter_start + static_cast<uint32_t>(attempt.outputs.size()) - attempt.of_token;
      if (attempt.keyset == keyset && attempt.counter_start <= counter && counter < end)
        return true;
    }
  return false;
}

template <class Record>
void emit(Restorer::Turn& turn, Record record) {
  turn.state.apply(record);
  turn.step.records.push_back(std::move(record));
}

}  // namespace

// --- driving ----------------------------------------------------------------------------------

void Restorer::begin(Turn& turn, const std::string& mint, SearchAfter after) {
  const auto [entry, fresh] = searches_.try_emplace(mint);
  if (!fresh) return;
  entry->second.after = after;
  entry->second.report.mint = mint;
  entry->second.report.complete = true;
  ask(turn, mint, entry->second);
}

void Restorer::handle(Turn& turn, const RedeemInput& input) {
  const CallId id = std::visit([](const auto& answer) { return answer.id; }, input);
  const auto call = calls_.extract(id);
  PG_CHECK(!call.empty());
  const std::string& mint = call.mapped();
  Search& search = searches_.at(mint);
  search.call.reset();
  if (const auto* made = std::get_if<OutputsReady>(&input))
    return on_outputs(turn, mint, search, *made);
  if (const auto* ready = std::get_if<ProofsReady>(&input))
    return on_opened(turn, mint, search, *ready);
  if (const auto* checked = std::get_if<TokenChecked>(&input))
    return on_points(turn, mint, search, *checked);
  const auto& answer = std::get<MintReply>(input).answer;
  const auto* restored = std::get_if<RestoreAnswer>(&answer);
  if (restored != nullptr && search.phase == Phase::Restore &&
      restored->outputs.size() == restored->signatures.size())
    return on_restored(turn, mint, search, *restored);
  const auto* states = std::get_if<CheckAnswer>(&answer);
  if (states != nullptr && (search.phase == Phase::States || search.phase == Phase::OwnStates))
    return on_states(turn, mint, search, *states);
  fail_once(turn, mint, search);
}

void Restorer::handle_timer(Turn& turn) {
  std::vector<std::string> due;
  for (const auto& [mint, search] : searches_)
    if (search.wake <= turn.now.mono) due.push_back(mint);
  for (const std::string& mint : due) {
    Search& search = searches_.at(mint);
    if (search.call) {
      calls_.erase(*search.call);
      search.call.reset();
      fail_once(turn, mint, search);
    } else {
      ask(turn, mint, search);
    }
  }
}

std::optional<Micros> Restorer::next_deadline() const {
  std::optional<Micros> next;
  for (const auto& [mint, search] : searches_)
    next = next ? std::min(*next, search.wake) : search.wake;
  return next;
}

// What the phase asks, for the first time or again.
void Restorer::ask(Turn& turn, const std::string& mint, Search& search) {
  switch (search.phase) {
    case Phase::Mint:
      if (!turn.book.ready(mint) || turn.book.reading(mint)) return fail_once(turn, mint, search);
      for (const std::string& id : turn.book.keyset_ids(mint))
        if (counts(turn.book.find(mint, id)->unit)) search.keysets.push_back(id);
      return next_keyset(turn, mint, search);
    case Phase::Outputs: return ask_outputs(turn, mint, search);
    case Phase::Restore:
      return ask_mint(turn, mint, search, Endpoint::Restore,
                      encode_restore_request(search.outputs));
    case Phase::Open: return ask_open(turn, mint, search);
    case Phase::Points:
    case Phase::OwnPoints: return ask_points(turn, mint, search);
    case Phase::States:
    case Phase::OwnStates:
      return ask_mint(turn, mint, search, Endpoint::CheckState,
                      encode_check_request(search.points));
  }
}

void Restorer::enter(Turn& turn, const std::string& mint, Search& search, Phase phase) {
  search.phase = phase;
  search.failures = 0;
  ask(turn, mint, search);
}

void Restorer::expect(Turn& turn, const std::string& mint, Search& search, CallId call) {
  search.call = call;
  search.wake = turn.now.mono + micros(kQuestionGiveUp);
  calls_.emplace(call, mint);
}

void Restorer::ask_mint(Turn& turn, const std::string& mint, Search& search, Endpoint endpoint,
                        Bytes body) {
  MintCall call;
  call.id = {turn.next_call++};
  call.mint = mint;
  call.endpoint = endpoint;
  call.body = std::move(body);
  call.deadline = micros(kQuestionTimeout);
  expect(turn, mint, search, call.id);
  turn.step.effects.push_back(std::move(call));
}

void Restorer::fail_once(Turn& turn, const std::string& mint, Search& search) {
  ++search.failures;
  if (search.failures >= kSearchTriesMax) return finish(turn, mint, false);
  const int64_t pause = int64_t{1} << search.failures;  // 2 to 16 seconds
  search.wake = turn.now.mono + micros(Seconds(pause));
}

void Restorer::finish(Turn& turn, const std::string& mint, bool complete) {
  MintSearched report = std::move(searches_.extract(mint).mapped().report);
  report.complete = report.complete && complete;
  turn.step.events.push_back(std::move(report));
}

// --- the keysets ------------------------------------------------------------------------------

void Restorer::next_keyset(Turn& turn, const std::string& mint, Search& search) {
  if (search.keysets.empty()) {
    if (search.after == SearchAfter::WholeLedger) return finish(turn, mint, true);
    for (const auto& [purse, coins] : turn.state.wallet().balances())
      if (purse.mint == mint && coins > 0) search.purses.push_back(purse);
    return next_own(turn, mint, search);
  }
  search.from = 0;
  search.used = 0;
  search.empty_batches = 0;
  if (turn.book.find(mint, search.keysets.back())->keys.empty())
    return skip_keyset(turn, mint, search);
  enter(turn, mint, search, Phase::Outputs);
}

// Its signatures could not be opened: the keys are not known, or the id is none.
void Restorer::skip_keyset(Turn& turn, const std::string& mint, Search& search) {
  search.report.complete = false;
  search.keysets.pop_back();
  next_keyset(turn, mint, search);
}

void Restorer::ask_outputs(Turn& turn, const std::string& mint, Search& search) {
  MakeOutputs work;
  work.id = {turn.next_call++};
  work.keyset = search.keysets.back();
  work.counter_start = search.from;
  work.amounts.assign(kSearchBatch, 1);  // the mint knows them by B_, which no amount is part of
  expect(turn, mint, search, work.id);
  turn.step.effects.push_back(std::move(work));
}

void Restorer::on_outputs(Turn& turn, const std::string& mint, Search& search,
                          const OutputsReady& made) {
  if (made.outputs.size() != kSearchBatch) return skip_keyset(turn, mint, search);
  search.outputs = made.outputs;
  enter(turn, mint, search, Phase::Restore);
}

void Restorer::on_restored(Turn& turn, const std::string& mint, Search& search,
                           const RestoreAnswer& answer) {
  std::map<Point, uint32_t> ours;
  for (uint32_t i = 0; i < kSearchBatch; ++i) ours.emplace(search.outputs[i].b, search.from + i);
  search.signed_by.clear();
  search.one_by_one = false;
  search.proofs.clear();
  search.counters.clear();
  for (size_t i = 0; i < answer.outputs.size(); ++i)
    if (const auto counter = ours.find(answer.outputs[i].b); counter != ours.end())
      search.signed_by[counter->second] = answer.signatures[i];
  if (search.signed_by.empty()) {
    ++search.empty_batches;
    return next_batch(turn, mint, search);
  }
  search.empty_batches = 0;
  search.used = search.signed_by.rbegin()->first + 1;
  enter(turn, mint, search, Phase::Open);
}

void Restorer::next_batch(Turn& turn, const std::string& mint, Search& search) {
  const std::string& keyset = search.keysets.back();
  search.from += kSearchBatch;
  const bool over =
      search.empty_batches >= kSearchEmptyBatches && search.from >= turn.state.next_counter(keyset);
  if (!over) return enter(turn, mint, search, Phase::Outputs);
  reserve_counters(turn, mint, search, {});
  search.keysets.pop_back();
  next_keyset(turn, mint, search);
}

// --- one batch --------------------------------------------------------------------------------

// Counters that follow each other, as many as there are: an opening takes no gap.
void Restorer::ask_open(Turn& turn, const std::string& mint, Search& search) {
  const Keyset& keyset = *turn.book.find(mint, search.keysets.back());
  OpenSignatures work;
  work.id = {turn.next_call++};
  work.keyset = keyset.id;
  work.keys = keyset.keys;
  work.counter_start = search.signed_by.begin()->first;
  for (const auto& [counter, signature] : search.signed_by) {
    if (counter != work.counter_start + work.signatures.size()) break;
    BlindedMessage output = search.outputs[counter - search.from];
    output.amount = signature.amount;
    work.outputs.push_back(std::move(output));
    work.signatures.push_back(signature);
    if (search.one_by_one) break;
  }
  expect(turn, mint, search, work.id);
  turn.step.effects.push_back(std::move(work));
}

void Restorer::on_opened(Turn& turn, const std::string& mint, Search& search,
                         const ProofsReady& ready) {
  if (!ready.problem.empty() && !search.one_by_one) {
    search.one_by_one = true;
    return enter(turn, mint, search, Phase::Open);
  }
  const uint32_t first = search.signed_by.begin()->first;
  if (!ready.problem.empty()) {
    const std::string& unit = turn.book.find(mint, search.keysets.back())->unit;
    search.report.units[unit].unreadable += search.signed_by.at(first).amount;
    search.report.complete = false;
    search.signed_by.erase(first);
  } else {
    for (uint32_t i = 0; i < ready.proofs.size(); ++i) {
      search.counters[ready.proofs[i].secret] = first + i;
      search.proofs.push_back(ready.proofs[i]);
      PG_CHECK(search.signed_by.erase(first + i) == 1);
    }
  }
  if (!search.signed_by.empty()) return enter(turn, mint, search, Phase::Open);
  if (search.proofs.empty()) return take(turn, mint, search, {});
  enter(turn, mint, search, Phase::Points);
}

void Restorer::ask_points(Turn& turn, const std::string& mint, Search& search) {
  CheckToken work;
  work.id = {turn.next_call++};
  work.proofs = search.proofs;
  expect(turn, mint, search, work.id);
  turn.step.effects.push_back(std::move(work));
}

// Before the mint is asked what became of them, those are left out that the ledger knows, or will:
// whatever of them is spent meanwhile, it spends itself.
void Restorer::on_points(Turn& turn, const std::string& mint, Search& search,
                         const TokenChecked& checked) {
  if (checked.ys.size() != search.proofs.size()) return fail_once(turn, mint, search);
  search.points = checked.ys;
  if (search.phase == Phase::OwnPoints) return enter(turn, mint, search, Phase::OwnStates);
  const std::string& keyset = search.keysets.back();
  const std::string& unit = turn.book.find(mint, keyset)->unit;
  std::vector<Proof> proofs;
  std::vector<Point> points;
  for (size_t i = 0; i < search.proofs.size(); ++i) {
    const Proof& proof = search.proofs[i];
    const bool held = turn.state.wallet().contains({mint, unit}, proof.secret);
    const bool coming = of_live_attempt(turn.state, keyset, search.counters.at(proof.secret));
    if (held) search.report.units[unit].known += proof.amount;
    if (held || (coming && search.after == SearchAfter::WholeLedger)) continue;
    proofs.push_back(proof);
    points.push_back(search.points[i]);
  }
  search.proofs = std::move(proofs);
  search.points = std::move(points);
  if (search.proofs.empty()) return take(turn, mint, search, {});
  enter(turn, mint, search, Phase::States);
}

void Restorer::on_states(Turn& turn, const std::string& mint, Search& search,
                         const CheckAnswer& answer) {
  std::map<Point, ProofState> said;
  for (const StateEntry& entry : answer.states) said.emplace(entry.y, entry.state);
  std::vector<ProofState> states;
  for (const Point& point : search.points) {
    const auto state = said.find(point);
    if (state == said.end()) return fail_once(turn, mint, search);
    states.push_back(state->second);
  }
  search.phase == Phase::OwnStates ? drop_spent(turn, mint, search, states)
                                   : take(turn, mint, search, states);
}

// The batch is known: what is new comes in, and what an operation under way would bring, and a lost
// life has spent, is said to be gone.
void Restorer::take(Turn& turn, const std::string& mint, Search& search,
                    const std::vector<ProofState>& states) {
  const std::string& keyset = search.keysets.back();
  const std::string unit = turn.book.find(mint, keyset)->unit;
  Searched& report = search.report.units[unit];
  std::vector<Proof> found;
  ProofsLost lost{mint, unit, {}, turn.now.wall};
  for (size_t i = 0; i < search.proofs.size(); ++i) {
    const Proof& proof = search.proofs[i];
    const bool coming = of_live_attempt(turn.state, keyset, search.counters.at(proof.secret));
    if (coming && states[i] == ProofState::Spent) {
      lost.secrets.push_back(proof.secret);
      report.lost += proof.amount;
    }
    if (!coming && states[i] == ProofState::Pending) {  // being spent, or not: look again later
      report.pending += proof.amount;
      search.report.complete = false;
    }
    if (coming || states[i] != ProofState::Unspent) continue;
    if (turn.state.wallet().contains({mint, unit}, proof.secret)) continue;
    found.push_back(proof);
    report.found += proof.amount;
  }
  if (!lost.secrets.empty()) emit(turn, std::move(lost));
  reserve_counters(turn, mint, search, std::move(found));
  next_batch(turn, mint, search);
}

void Restorer::reserve_counters(Turn& turn, const std::string& mint, Search& search,
                                std::vector<Proof> found) {
  const Keyset& keyset = *turn.book.find(mint, search.keysets.back());
  uint32_t next = search.used;
  if (search.after == SearchAfter::LostLife && (next > 0 || keyset.active)) next += kSearchMargin;
  if (found.empty() && next <= turn.state.next_counter(keyset.id)) return;
  emit(turn, ProofsFound{mint, keyset.unit, keyset.id, next, std::move(found), turn.now.wall});
}

// --- what the ledger holds ----------------------------------------------------------------------

void Restorer::next_own(Turn& turn, const std::string& mint, Search& search) {
  if (search.unchecked.empty()) {
    if (search.purses.empty()) return finish(turn, mint, true);
    search.unchecked = turn.state.wallet().spendable(search.purses.back());
    if (search.unchecked.empty()) {
      search.purses.pop_back();
      return next_own(turn, mint, search);
    }
  }
  const size_t count = std::min<size_t>(kSearchBatch, search.unchecked.size());
  search.proofs.assign(search.unchecked.end() - static_cast<ptrdiff_t>(count),
                       search.unchecked.end());
  search.unchecked.resize(search.unchecked.size() - count);
  enter(turn, mint, search, Phase::OwnPoints);
}

void Restorer::drop_spent(Turn& turn, const std::string& mint, Search& search,
                          const std::vector<ProofState>& states) {
  const WalletStore::Purse& purse = search.purses.back();
  Searched& report = search.report.units[purse.unit];
  std::set<std::string> free;
  for (const Proof& proof : turn.state.wallet().spendable(purse)) free.insert(proof.secret);
  ProofsLost lost{mint, purse.unit, {}, turn.now.wall};
  for (size_t i = 0; i < search.proofs.size(); ++i) {
    if (states[i] != ProofState::Spent || !free.contains(search.proofs[i].secret)) continue;
    lost.secrets.push_back(search.proofs[i].secret);
    report.lost += search.proofs[i].amount;
  }
  if (!lost.secrets.empty()) emit(turn, std::move(lost));
  if (search.unchecked.empty()) search.purses.pop_back();
  next_own(turn, mint, search);
}

}  // namespace paygress::cashu
