// The state table of one redeem operation: one function per state and kind of answer.
#include <algorithm>
#include <set>
#include <utility>

#include "core/base/check.h"
#include "core/cashu/mint_api.h"
#include "core/cashu/redeemer.h"

namespace paygress::cashu {
namespace {

// The mint says that other outputs might do. Beyond NUT's 12xxx and 11005 these are the generic
// codes that mints in the field use for an unknown keyset.
bool asks_for_rebuild(const MintError& error) {
  if (!error.code) return false;
  return (*error.code >= 12000 && *error.code < 13000) || *error.code == 11005 ||
         *error.code == 11000 || *error.code == 50000;
}

// The mint says that this swap can never be: no verdict, but five minutes of it with the inputs
// unspent and nothing signed are.
bool is_permanent(const MintError& error) {
  return error.code && (*error.code == 10001 || (*error.code >= 11006 && *error.code <= 11015));
}

Seconds backoff(uint32_t failures, bool in_hold) {
  const int64_t doubled = kBackoffMin.value << std::min<uint32_t>(failures, 16);
  return {std::min(doubled, (in_hold ? kBackoffMaxInHold : kBackoffMax).value)};
}

std::vector<Amount> amounts_of(const Attempt& attempt) {
  std::vector<Amount> amounts;
  for (const BlindedMessage& output : attempt.outputs) amounts.push_back(output.amount);
  return amounts;
}

}  // namespace

// --- posting ----------------------------------------------------------------------------------

void Redeemer::step_post(Turn& turn) {
  Drive& drive = turn.drive;
  PG_CHECK(!turn.operation.closed);
  PG_CHECK(!turn.operation.hold_over || !policy_.hold_stops_posting);
  drive.repost = false;
  drive.fresh = false;
  if (is_payment(turn, drive.posting) && turn.now.mono >= drive.melt_until) return step_look(turn);
  const Endpoint endpoint = is_payment(turn, drive.posting) ? Endpoint::Melt : Endpoint::Swap;
  call_mint(turn, Phase::Posting, endpoint, turn.operation.attempts[drive.posting].body);
  drive.posts.emplace(drive.call, drive.posting);
  if (drive.posts.size() > kPostsWatchedMax) {
    calls_.erase(drive.posts.begin()->first);
    drive.posts.erase(drive.posts.begin());
  }
}

void Redeemer::on_post_answer(Turn& turn, const decltype(MintReply::answer)& answer) {
  Drive& drive = turn.drive;
  if (is_payment(turn, drive.posting)) return on_melt_posted(turn, answer);
  if (const auto* swapped = std::get_if<SwapAnswer>(&answer))
    if (take_signatures(turn, drive.posting, swapped->signatures))
      return step_open(turn, drive.posting, true);
  const auto* error = std::get_if<MintError>(&answer);
  drive.last_error = error ? std::optional(*error) : std::nullopt;
  const bool may_close = !turn.operation.closed && !turn.operation.refund;
  if (error && !policy_.codes_are_no_verdict && may_close) {
    if (error->code == 11001) return become_closed(turn, Verdict::SpentElsewhere);
    if (error->code == 10001 || error->code == 11002) return become_closed(turn, Verdict::Released);
  }
  tell_in_doubt(turn);
  step_restore(turn);
}

// A 200 is proof whenever it comes; anything else of a call given up says nothing new.
void Redeemer::on_late_answer(Turn& turn, size_t attempt,
                              const decltype(MintReply::answer)& answer) {
  if (turn.drive.phase == Phase::Opening) return;
  if (is_payment(turn, attempt)) {
    const auto* quote = std::get_if<QuoteAnswer>(&answer);
    if (quote != nullptr && quote->state == "PAID" && !turn.drive.paid) on_paid(turn, *quote);
    return;
  }
  const auto* swapped = std::get_if<SwapAnswer>(&answer);
  if (!swapped) return;
  if (take_signatures(turn, attempt, swapped->signatures)) step_open(turn, attempt, true);
}

bool Redeemer::take_signatures(Turn& turn, size_t attempt,
                               const std::vector<BlindSignature>& signatures) {
  const auto& outputs = turn.operation.attempts.at(attempt).outputs;
  if (signatures.size() != outputs.size()) return false;
  for (size_t i = 0; i < outputs.size(); ++i) turn.drive.signatures[outputs[i].b] = signatures[i];
  return true;
}

// --- restore ----------------------------------------------------------------------------------

void Redeemer::step_restore(Turn& turn) {
  if (!policy_.restore) return turn.operation.closed ? become_watched(turn) : step_check(turn);
  turn.drive.repost = false;
  const bool all = policy_.watch_old_attempts && policy_.same_bytes;
  const auto& attempts = turn.operation.attempts;
  std::vector<BlindedMessage> outputs;
  for (size_t i = all ? 0 : attempts.size() - 1; i < attempts.size(); ++i)
    outputs.insert(outputs.end(), attempts[i].outputs.begin(), attempts[i].outputs.end());
  call_mint(turn, Phase::Restoring, Endpoint::Restore, encode_restore_request(outputs));
}

void Redeemer::on_restore_answer(Turn& turn, const decltype(MintReply::answer)& answer) {
  Drive& drive = turn.drive;
  const auto* restored = std::get_if<RestoreAnswer>(&answer);
  if (!restored || restored->outputs.size() != restored->signatures.size())
    return give_time(turn, Reason::NoAnswer);
  std::set<Point> ours;
  for (const Attempt& attempt : turn.operation.attempts)
    for (const BlindedMessage& output : attempt.outputs) ours.insert(output.b);
  for (size_t i = 0; i < restored->outputs.size(); ++i)
    if (ours.contains(restored->outputs[i].b))
      drive.signatures[restored->outputs[i].b] = restored->signatures[i];

  if (melt_of(turn) != nullptr) return on_melt_restored(turn);
  // Signed before it was posted: by an earlier life of a ledger that was rolled back (flaw 15). Did
  // that life use these inputs? They tell.
  if (drive.fresh && !drive.signatures.empty()) return step_check(turn);
  if (const auto complete = complete_attempt(turn)) return step_open(turn, *complete, true);
  if (drive.signatures.empty()) return on_restored_none(turn);
  if (token_complete(turn)) return step_check(turn);  // whose swap was it? The inputs tell.
  // A swap is atomic at an honest mint; a lagging replica can look like this, so go on asking.
  alarm(turn, "the mint shows only a part of a swap");
  give_time(turn, Reason::Partial);
}

void Redeemer::on_restored_none(Turn& turn) {
  if (turn.operation.closed) {
    if (turn.now.wall < turn.operation.closed->at + kWatchClosed) return become_watched(turn);
    emit(OpForgotten{turn.op}, turn.step);
    return drop(turn.op);
  }
  if (turn.drive.fresh) return step_post(turn);
  if (turn.drive.last_look) return become_closed(turn, Verdict::SpentElsewhere);
  step_check(turn);
}

std::optional<size_t> Redeemer::complete_attempt(const Turn& turn) const {
  const auto& attempts = turn.operation.attempts;
  const auto& signatures = turn.drive.signatures;
  for (size_t i = 0; i < attempts.size(); ++i)
    if (!is_payment(turn, i) &&
        std::all_of(attempts[i].outputs.begin(), attempts[i].outputs.end(),
                    [&](const BlindedMessage& output) { return signatures.contains(output.b); }))
      return i;
  return std::nullopt;
}

// --- check ------------------------------------------------------------------------------------

void Redeemer::step_check(Turn& turn) {
  turn.drive.last_look = false;
  call_mint(turn, Phase::Checking, Endpoint::CheckState,
            encode_check_request(turn.operation.opened.points));
}

void Redeemer::on_check_answer(Turn& turn, const decltype(MintReply::answer)& answer) {
  const auto* checked = std::get_if<CheckAnswer>(&answer);
  std::map<Point, ProofState> states;
  if (checked)
    for (const StateEntry& entry : checked->states) states.emplace(entry.y, entry.state);
  const auto& points = turn.operation.opened.points;
  // Exactly one answer for each Y we asked for, whatever the order; else it is no answer.
  const bool covers =
      checked && checked->states.size() == points.size() &&
      std::all_of(points.begin(), points.end(), [&](const Point& y) { return states.contains(y); });
  if (!covers) return become_waiting(turn, Reason::NoAnswer);
  const auto any = [&](ProofState state) {
    return std::any_of(states.begin(), states.end(),
                       [state](const auto& entry) { return entry.second == state; });
  };
  if (any(ProofState::Pending) && policy_.pending_is_wait) {
    note_not_empty(turn);
    return become_waiting(turn, Reason::Pending);
  }
  any(ProofState::Spent) ? on_spent(turn) : on_unspent(turn);
}

void Redeemer::on_spent(Turn& turn) {
  if (turn.operation.refund) return on_own_spent(turn);
  const bool first = !turn.operation.empty || turn.operation.empty->inputs != ProofState::Spent;
  note_empty(turn, ProofState::Spent);
  const bool due = verdict_is_due(turn);
  if (due && !policy_.restore) return become_closed(turn, Verdict::SpentElsewhere);
  turn.drive.last_look = due;
  // The first time our own swap may have been carried out between restore and check.
  first || due ? step_restore(turn) : become_waiting(turn, Reason::Spent);
}

void Redeemer::on_unspent(Turn& turn) {
  if (melt_of(turn) != nullptr) return on_melt_unspent(turn);
  Drive& drive = turn.drive;
  if (const auto attempt = token_complete(turn)) {
    drive.found = true;
    return step_open(turn, *attempt, true);
  }
  const bool no_more_posts = turn.operation.hold_over && policy_.hold_stops_posting;
  const bool hopeless = drive.last_error && is_permanent(*drive.last_error);
  if (turn.operation.hold_over || (hopeless && !turn.operation.refund)) {
    note_empty(turn, ProofState::Unspent);
    if (verdict_is_due(turn)) return become_closed(turn, Verdict::Released);
    return become_waiting(turn, Reason::Unspent, !no_more_posts);
  }
  note_not_empty(turn);
  if (!policy_.same_bytes) return step_new_attempt(turn);
  if (!drive.last_error || !asks_for_rebuild(*drive.last_error))
    return become_waiting(turn, Reason::Unspent, true);
  read_mint(turn.now, turn.operation.opened.mint, turn.step);
  schedule(turn, Phase::ReadingMint, turn.now.mono + micros(kGiveUpAfter));
}

void Redeemer::on_mint_read(Turn& turn) {
  if (const auto complete = complete_attempt(turn)) return step_open(turn, *complete, false);
  if (turn.drive.paid) return open_change(turn, false);
  if (const auto token = token_complete(turn)) return step_open(turn, *token, false);
  if (turn.operation.closed) return become_watched(turn);
  if (turn.operation.hold_over) return become_waiting(turn, Reason::Unspent);
  if (melt_of(turn) != nullptr && turn.operation.attempts.size() == 1)
    return become_waiting(turn, Reason::NoAnswer);
  step_new_attempt(turn);
}

// Only when the keysets really changed: an attempt that would be the same again is the same bytes,
// and counters are not burnt (NUT-13 looks 300 ahead).
void Redeemer::step_new_attempt(Turn& turn) {
  Drive& drive = turn.drive;
  const OpOpened& opened = turn.operation.opened;
  const auto& attempts = turn.operation.attempts;
  const RefundTerms* refund =
      turn.operation.refund && melt_of(turn) == nullptr ? &*turn.operation.refund : nullptr;
  std::optional<SwapPlan> plan;
  std::optional<RefundPlan> refund_plan;
  if (refund != nullptr) {
    // A withdrawal that a grown fee would eat takes nothing of what is owed to others: it waits.
    auto made = book_.plan_refund(
        opened.mint, opened.unit, opened.inputs, refund->face + refund->fee,
        refund->withdrawal ? MintBook::RefundAttempt::First : MintBook::RefundAttempt::Later,
        turn.now.wall);
    if (made) refund_plan = *std::move(made);
  }
  if (auto made = book_.plan(opened.mint, opened.unit, opened.inputs, turn.now.wall)) plan = *made;
  if (refund && !refund_plan)
    alarm(turn, "the mint asks a fee that a refund's proofs cannot pay; it waits for a lower one");
  if (!plan || (refund && !refund_plan))
    return become_waiting(turn, Reason::Unspent, melt_of(turn) == nullptr);
  if (refund_plan) {
    plan->amounts = refund_plan->token;
    plan->amounts.insert(plan->amounts.end(), refund_plan->change.begin(),
                         refund_plan->change.end());
  }
  if (policy_.brake_attempts && policy_.same_bytes) {
    for (size_t i = 0; i < attempts.size(); ++i)
      if (!is_payment(turn, i) && attempts[i].keyset == plan->keyset &&
          amounts_of(attempts[i]) == plan->amounts) {
        drive.posting = i;
        return become_waiting(turn, Reason::Unspent, true);
      }
  }
  if (policy_.brake_attempts && attempts.size() >= kAttemptsMax) {
    alarm(turn, "the mint's keysets changed too often during one swap");
    return become_waiting(turn, Reason::Unspent);
  }
  if (refund_plan) {
    const TokenOutputs token{refund->claim,
                             attempts.front().number + static_cast<uint32_t>(attempts.size()),
                             static_cast<uint32_t>(refund_plan->token.size())};
    return start_making(turn, outputs_for(turn.op, opened.inputs, *refund_plan, token));
  }
  start_making(turn, outputs_for(turn.op, opened.inputs, *plan));
}

void Redeemer::start_making(Turn& turn, MakeOutputs making) {
  Drive& drive = turn.drive;
  drive.making = std::move(making);
  if (!drive.posts.contains(drive.call)) calls_.erase(drive.call);
  drive.call = drive.making.id;
  calls_.emplace(drive.call, turn.op);
  schedule(turn, Phase::MakingOutputs, turn.now.mono + micros(kGiveUpAfter));
  turn.step.effects.push_back(drive.making);
}

// --- signatures -------------------------------------------------------------------------------

void Redeemer::step_open(Turn& turn, size_t attempt, bool may_ask_keys) {
  Drive& drive = turn.drive;
  const Attempt& made = turn.operation.attempts.at(attempt);
  const std::string& mint = turn.operation.opened.mint;
  const Keyset* keyset = book_.find(mint, made.keyset);
  if (!keyset || keyset->keys.empty()) {
    if (!may_ask_keys) return give_time(turn, Reason::NoAnswer);
    // An attempt from before this start: its keyset was not read yet, or is no longer listed.
    send_asks(turn.now, {book_.ask_keys(mint, made.keyset)}, turn.step);
    return schedule(turn, Phase::ReadingMint, turn.now.mono + micros(kGiveUpAfter));
  }
  OpenSignatures work;
  work.id = {next_call_++};
  work.op = turn.op;
  work.keyset = made.keyset;
  work.counter_start = made.counter_start;
  work.outputs = made.outputs;
  work.keys = keyset->keys;
  if (turn.operation.refund)
    work.refund = TokenOutputs{turn.operation.refund->claim, made.number, made.of_token};
  // Of a refund that an earlier life made, the token alone.
  if (turn.operation.refund && melt_of(turn) == nullptr && complete_attempt(turn) != attempt)
    work.outputs.resize(made.of_token);
  if (is_payment(turn, attempt)) {
    // The mint has written the amounts.
    std::erase_if(work.outputs, [&](const BlindedMessage& output) {
      return !drive.signatures.contains(output.b);
    });
    for (BlindedMessage& output : work.outputs)
      output.amount = drive.signatures.at(output.b).amount;
  }
  for (const BlindedMessage& output : work.outputs)
    work.signatures.push_back(drive.signatures.at(output.b));
  if (!drive.posts.contains(drive.call)) calls_.erase(drive.call);
  drive.call = work.id;
  drive.opening = attempt;
  calls_.emplace(work.id, turn.op);
  schedule(turn, Phase::Opening, turn.now.mono + micros(kGiveUpAfter));
  turn.step.effects.push_back(std::move(work));
}

void Redeemer::on_opened(Turn& turn, const ProofsReady& ready) {
  const Attempt& attempt = turn.operation.attempts.at(turn.drive.opening);
  if (ready.problem.empty() && is_payment(turn, turn.drive.opening))
    return become_paid(turn, ready.proofs);
  if (ready.problem.empty() && melt_of(turn) != nullptr &&
      ready.proofs.size() == attempt.outputs.size())
    return become_taken_back(turn, ready.proofs);
  if (ready.problem.empty() && turn.operation.refund && melt_of(turn) == nullptr &&
      (ready.proofs.size() == attempt.outputs.size() || ready.proofs.size() == attempt.of_token))
    return become_refunded(turn, ready.proofs);
  if (ready.problem.empty() && ready.proofs.size() == attempt.outputs.size())
    return become_done(turn, ready.proofs);
  // Not credited and not given up: the outputs can be derived again, and the mint is asked again.
  alarm(turn, "the mint's signatures are bad: " + ready.problem);
  for (const BlindedMessage& output : attempt.outputs) turn.drive.signatures.erase(output.b);
  turn.drive.change_told = false;
  tell_in_doubt(turn);
  give_time(turn, Reason::BadSignatures);
}

// --- the states -------------------------------------------------------------------------------

void Redeemer::give_time(Turn& turn, Reason reason) {
  turn.operation.closed ? become_watched(turn) : become_waiting(turn, reason);
}

void Redeemer::become_waiting(Turn& turn, Reason reason, bool repost) {
  Drive& drive = turn.drive;
  PG_CHECK(!turn.operation.closed);
  drive.last_look = false;
  drive.repost = repost && (!turn.operation.hold_over || !policy_.hold_stops_posting);
  if (std::exchange(drive.reason, reason) != reason) drive.failures = 0;
  Micros wake = turn.now.mono + micros(backoff(drive.failures, !turn.operation.hold_over));
  // A verdict that falls due meanwhile is not made to wait for the whole backoff.
  if (drive.verdict_due && *drive.verdict_due > turn.now.mono)
    wake = std::min(wake, *drive.verdict_due);
  ++drive.failures;
  schedule(turn, Phase::Waiting, wake);
}

// A verdict is provisional for 7 days: a delayed copy of our request may still be carried out.
void Redeemer::become_watched(Turn& turn) {
  PG_CHECK(turn.operation.closed.has_value());
  const int64_t doubled = kWatchEveryMin.value << std::min<uint32_t>(turn.drive.failures++, 8);
  const Seconds wait{std::min(doubled, kWatchEveryMax.value)};
  turn.drive.repost = false;
  schedule(turn, Phase::Waiting, turn.now.mono + micros(wait));
}

void Redeemer::become_closed(Turn& turn, Verdict verdict) {
  PG_CHECK(turn.drive.signatures.empty());
  emit(OpClosed{turn.op, verdict, turn.now.wall}, turn.step);
  turn.step.events.push_back(NotTaken{turn.op, verdict});
  turn.drive.verdict_due.reset();
  turn.drive.last_look = false;
  turn.drive.failures = 0;
  if (policy_.verdict_is_provisional) return become_watched(turn);
  schedule(turn, Phase::Waiting, Micros::max());
}

void Redeemer::become_done(Turn& turn, const std::vector<Proof>& proofs) {
  Amount spent = 0;
  Amount gained = 0;
  for (const Proof& input : turn.operation.opened.inputs) spent += input.amount;
  for (const Proof& proof : proofs) gained += proof.amount;
  PG_CHECK(gained > 0 && gained <= spent);
  const auto value = value_of(gained, turn.operation.opened.unit);
  PG_CHECK(value.has_value());
  Redeemed redeemed{turn.op,
                    turn.operation.opened.mint,
                    turn.operation.opened.unit,
                    gained,
                    spent - gained,
                    *value,
                    turn.operation.hold_over || turn.operation.closed.has_value()};
  const OpDone done{turn.op, proofs, redeemed.fee, redeemed.late};
  emit(done, turn.step);
  turn.step.events.push_back(std::move(redeemed));
  drop(turn.op);
}

void Redeemer::on_hold_end(Turn& turn) {
  PG_CHECK(!turn.operation.hold_over);
  emit(HoldEnded{turn.op}, turn.step);
  turn.step.events.push_back(HoldOver{turn.op});
  if (policy_.hold_stops_posting) turn.drive.repost = false;
}

// --- the clock of the verdict -----------------------------------------------------------------

void Redeemer::note_empty(Turn& turn, ProofState inputs) {
  if (turn.operation.empty && turn.operation.empty->inputs == inputs) return;
  emit(EmptySince{turn.op, turn.now.wall, inputs}, turn.step);
  turn.drive.verdict_due = turn.now.mono + micros(kEmptyBeforeVerdict);
}

void Redeemer::note_not_empty(Turn& turn) {
  if (!turn.operation.empty) return;
  emit(EmptySince{turn.op, turn.now.wall, ProofState::Pending}, turn.step);
  turn.drive.verdict_due.reset();
}

bool Redeemer::verdict_is_due(const Turn& turn) const {
  return turn.drive.verdict_due && *turn.drive.verdict_due <= turn.now.mono;
}

void Redeemer::tell_in_doubt(Turn& turn) {
  if (turn.operation.closed || std::exchange(turn.drive.told_in_doubt, true)) return;
  turn.step.events.push_back(InDoubt{turn.op});
}

void Redeemer::alarm(Turn& turn, std::string text) {
  if (std::exchange(turn.drive.told_alarm, true)) return;
  turn.step.events.push_back(Alarm{turn.op, std::move(text)});
}

}  // namespace paygress::cashu
