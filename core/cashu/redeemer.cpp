// Routing, calls and timers. The state table itself is in redeemer_steps.cpp.
#include "core/cashu/redeemer.h"

#include <algorithm>
#include <utility>

#include "core/base/check.h"
#include "core/cashu/identity.h"

namespace paygress::cashu {
namespace {

// How much of [from, until] is left at `wall`; never more than all of it, whatever the clock did.
Micros remaining(UnixSeconds from, UnixSeconds until, UnixSeconds wall) {
  const int64_t whole = std::max<int64_t>(0, (until - from).value);
  return micros(Seconds{std::clamp<int64_t>((until - wall).value, 0, whole)});
}

bool answers(const MakeOutputs& asked, const OutputsReady& made) {
  if (made.body.empty() || made.outputs.size() != asked.amounts.size()) return false;
  for (size_t i = 0; i < made.outputs.size(); ++i)
    if (made.outputs[i].amount != asked.amounts[i] || made.outputs[i].keyset != asked.keyset)
      return false;
  return true;
}

}  // namespace

Redeemer::Redeemer(std::vector<std::string> mints, RedeemPolicy policy)
    : policy_(policy), state_(policy), book_(mints) {}

// --- before anything is touched ---------------------------------------------------------------

std::expected<TokenQuote, Refusal> Redeemer::quote(const Token& token, Now now) const {
  return quote_token(book_, token, now.wall);
}

CheckToken Redeemer::check(const TokenQuote& quote) {
  CheckToken work;
  work.id = {next_call_++};
  work.proofs = quote.proofs;
  for (const Proof& proof : quote.proofs) {
    const Keyset* keyset = book_.find(quote.mint, proof.keyset);
    if (keyset) work.keys.emplace(proof.keyset, keyset->keys);
  }
  return work;
}

CheckToken Redeemer::identify(const Token& token) {
  CheckToken work;
  work.id = {next_call_++};
  work.proofs = token.proofs;
  return work;
}

std::expected<Redeemer::Begun, Refusal> Redeemer::begin(Now now, const TokenQuote& quote,
                                                        const std::vector<Point>& points,
                                                        Seconds hold) {
  PG_CHECK(!quote.proofs.empty() && points.size() == quote.proofs.size());
  PG_CHECK(hold.value >= 0);
  Draft draft;
  for (const Point& point : points) {
    const YHash y = y_hash(point);
    auto owner = op_of(y);
    if (const auto other = draft_ys_.find(y); other != draft_ys_.end()) owner = other->second;
    if (owner) return std::unexpected(Refusal{RefusalReason::Known, "this token is known", owner});
    draft.opened.ys.push_back(y);
  }
  if (std::set<YHash>(draft.opened.ys.begin(), draft.opened.ys.end()).size() != points.size())
    return std::unexpected(Refusal{RefusalReason::Malformed, "a proof stands twice", {}});
  if (state_.open_count() + drafts_.size() >= kOpenOperationsMax)
    return std::unexpected(Refusal{RefusalReason::Busy, "too many payments are in doubt", {}});
  auto plan = book_.plan(quote.mint, quote.unit, quote.proofs, now.wall);
  if (!plan)
    return std::unexpected(Refusal{RefusalReason::MintNotReady, to_string(plan.error()), {}});

  draft.hold = hold;
  draft.opened.op = op_id(points);
  draft.opened.mint = quote.mint;
  draft.opened.unit = quote.unit;
  draft.opened.inputs = quote.proofs;
  draft.opened.points = points;
  draft.making = outputs_for(draft.opened.op, quote.proofs, *plan);
  Begun begun{draft.opened.op, {}};
  begun.step.effects.push_back(draft.making);
  for (const YHash& y : draft.opened.ys) draft_ys_.emplace(y, begun.op);
  const CallId id = draft.making.id;
  drafts_.emplace(id, std::move(draft));
  return begun;
}

MakeOutputs Redeemer::outputs_for(const OpId& op, const std::vector<Proof>& inputs,
                                  const SwapPlan& plan) {
  const auto sum = [](const auto& items, auto amount) {
    Amount total = 0;
    for (const auto& item : items) total += amount(item);
    return total;
  };
  PG_CHECK(sum(inputs, [](const Proof& p) { return p.amount; }) ==
           sum(plan.amounts, [](Amount a) { return a; }) + plan.fee);
  MakeOutputs work;
  work.id = {next_call_++};
  work.op = op;
  work.keyset = plan.keyset;
  work.amounts = plan.amounts;
  work.inputs = inputs;
  work.counter_start = take_counters(plan.keyset, plan.amounts.size());
  return work;
}

// Two attempts being made at once must not share counters, so they are taken here as well as by the
// AttemptMade record. Those of an attempt that is never made are a harmless gap.
uint32_t Redeemer::take_counters(const std::string& keyset, size_t count) {
  uint32_t& reserved = reserved_[keyset];
  const uint32_t start = std::max(reserved, state_.next_counter(keyset));
  reserved = start + static_cast<uint32_t>(count);
  return start;
}

// --- driving ----------------------------------------------------------------------------------

RedeemStep Redeemer::handle(Now now, const RedeemInput& input) {
  RedeemStep step;
  if (restorer_.awaits(std::visit([](const auto& answer) { return answer.id; }, input))) {
    Restorer::Turn turn = restorer_turn(now, step);
    restorer_.handle(turn, input);
    return step;
  }
  if (const auto* reply = std::get_if<MintReply>(&input)) on_mint_reply(now, *reply, step);
  if (const auto* made = std::get_if<OutputsReady>(&input)) on_outputs(now, *made, step);
  if (const auto* ready = std::get_if<ProofsReady>(&input)) on_proofs(now, *ready, step);
  if (const auto* checked = std::get_if<TokenChecked>(&input)) {
    if (probes_.contains(checked->id))
      on_probe_points(*checked, step);
    else
      step.events.push_back(Checked{*checked});
  }
  return step;
}

RedeemStep Redeemer::handle_timer(Now now) {
  RedeemStep step;
  while (!book_calls_.empty() && book_calls_.begin()->second.give_up <= now.mono)
    on_book_answer(now, book_calls_.begin()->first, NoReply{}, step);
  for (const auto& mint : book_.mints()) {
    const auto due = refresh_at_.find(mint);
    if (due != refresh_at_.end() && due->second <= now.mono) read_mint(now, mint, step);
  }
  Restorer::Turn of_restorer = restorer_turn(now, step);
  restorer_.handle_timer(of_restorer);
  // What a turn schedules is in the future, so this ends.
  while (!schedule_.empty() && schedule_.begin()->first <= now.mono) {
    Turn turn = turn_of(now, schedule_.begin()->second, step);
    on_wake(turn);
  }
  return step;
}

std::optional<Micros> Redeemer::next_deadline() const {
  std::optional<Micros> next;
  const auto consider = [&next](Micros at) { next = next ? std::min(*next, at) : at; };
  if (!schedule_.empty()) consider(schedule_.begin()->first);
  if (!book_calls_.empty()) consider(book_calls_.begin()->second.give_up);
  for (const auto& [mint, at] : refresh_at_) consider(at);
  if (const auto search = restorer_.next_deadline()) consider(*search);
  return next;
}

RedeemStep Redeemer::ask(Now now, const OpId& op) {
  RedeemStep step;
  if (!drives_.contains(op)) return step;
  Turn turn = turn_of(now, op, step);
  Drive& drive = turn.drive;
  if (drive.phase != Phase::Waiting) return step;
  if (drive.asked_at && now.mono < *drive.asked_at + micros(kAskAgain)) return step;
  drive.asked_at = now.mono;
  if (drive.failures > 0) --drive.failures;  // asking does not lengthen the backoff
  step_look(turn);
  return step;
}

RedeemStep Redeemer::recover(Now now, CallId first_call) {
  PG_CHECK(drives_.empty() && calls_.empty());
  recovered_ = true;
  restorer_ = Restorer();  // what was searched before is not waited for
  RedeemStep step = recover_mints(now, first_call);
  std::vector<OpId> ops;
  for (const auto& [op, operation] : state_.live()) ops.push_back(op);
  for (const OpId& op : ops) recover_operation(now, op, step);
  return step;
}

RedeemStep Redeemer::recover_mints(Now now, CallId first_call) {
  next_call_ = std::max(next_call_, first_call.value);
  book_.remember(state_.used_keysets());
  for (const auto& [op, operation] : state_.live()) book_.depend_on(operation.opened.mint);
  for (const auto& [purse, coins] : state_.wallet().balances())
    if (coins > 0) book_.depend_on(purse.mint);
  return refresh_mints(now);
}

RedeemStep Redeemer::search(Now now, const std::string& mint, SearchAfter after) {
  RedeemStep step;
  Restorer::Turn turn = restorer_turn(now, step);
  restorer_.begin(turn, mint, after);
  return step;
}

void Redeemer::recover_operation(Now now, const OpId& op, RedeemStep& step) {
  start_drive(now, op, step);
  Turn turn = turn_of(now, op, step);
  const Operation& operation = turn.operation;
  if (operation.closed) {
    if (policy_.verdict_is_provisional)
      schedule(turn, Phase::Waiting, now.mono + micros(kWatchEveryMin));
    return;
  }
  if (operation.empty) {
    const UnixSeconds since = operation.empty->at;
    turn.drive.verdict_due = now.mono + remaining(since, since + kEmptyBeforeVerdict, now.wall);
  }
  tell_in_doubt(turn);
  if (!operation.hold_over && turn.drive.hold_ends <= now.mono) on_hold_end(turn);
  step_look(turn);
}

RedeemStep Redeemer::refresh_mints(Now now) {
  RedeemStep step;
  for (const std::string& mint : book_.mints()) read_mint(now, mint, step);
  return step;
}

// --- answers ----------------------------------------------------------------------------------

void Redeemer::on_mint_reply(Now now, const MintReply& reply, RedeemStep& step) {
  if (probes_.contains(reply.id)) return on_probe_answer(reply.id, reply.answer, step);
  if (quoting_.contains(reply.id)) return on_melt_quote(reply.id, reply.answer, step);
  if (book_calls_.contains(reply.id)) return on_book_answer(now, reply.id, reply.answer, step);
  const auto owner = calls_.find(reply.id);
  if (owner == calls_.end()) return;
  std::move(withheld_.begin(), withheld_.end(), std::back_inserter(step.records));
  withheld_.clear();
  Turn turn = turn_of(now, owner->second, step);
  const Phase phase = turn.drive.phase;
  if (turn.drive.call == reply.id && phase == Phase::Posting)
    return on_post_answer(turn, reply.answer);
  if (turn.drive.call == reply.id && phase == Phase::Restoring)
    return on_restore_answer(turn, reply.answer);
  if (turn.drive.call == reply.id && phase == Phase::Checking)
    return on_check_answer(turn, reply.answer);
  if (turn.drive.call == reply.id && phase == Phase::AskingQuote)
    return on_quote_answer(turn, reply.answer);
  if (const auto post = turn.drive.posts.find(reply.id); post != turn.drive.posts.end())
    on_late_answer(turn, post->second, reply.answer);
}

void Redeemer::on_book_answer(Now now, CallId id, const decltype(MintReply::answer)& answer,
                              RedeemStep& step) {
  const auto call = book_calls_.find(id);
  PG_CHECK(call != book_calls_.end());
  const MintAsk ask = std::move(call->second.ask);
  book_calls_.erase(call);
  send_asks(now, book_.on_answer(ask, answer), step);
  if (book_.reading(ask.mint)) return;
  const Seconds again = book_.ready(ask.mint) ? kRefreshMints : kRefreshUnreadMint;
  refresh_at_[ask.mint] = now.mono + micros(again);
  if (book_.ready(ask.mint)) step.events.push_back(MintRead{ask.mint});
  std::vector<OpId> waiting;
  for (const auto& [op, drive] : drives_)
    if (drive.phase == Phase::ReadingMint && state_.live(op)->opened.mint == ask.mint)
      waiting.push_back(op);
  for (const OpId& op : waiting) {
    Turn turn = turn_of(now, op, step);
    on_mint_read(turn);
  }
}

void Redeemer::on_outputs(Now now, const OutputsReady& made, RedeemStep& step) {
  if (auto draft = drafts_.extract(made.id))
    return on_draft_outputs(now, std::move(draft.mapped()), made, step);
  const auto owner = calls_.find(made.id);
  if (owner == calls_.end()) return;
  Turn turn = turn_of(now, owner->second, step);
  Drive& drive = turn.drive;
  if (drive.phase != Phase::MakingOutputs || drive.call != made.id) return;
  if (!turn.operation.hold_over && drive.hold_ends <= now.mono) on_hold_end(turn);
  if (turn.operation.hold_over || !answers(drive.making, made))
    return become_waiting(turn, Reason::Unspent);
  const auto& refund = drive.making.refund;
  emit(AttemptMade{turn.op,
                   {drive.making.keyset, drive.making.counter_start, made.outputs, made.body,
                    refund ? refund->count : 0, refund ? refund->attempt : 0}},
       step);
  drive.posting = turn.operation.attempts.size() - 1;
  step_post(turn);
}

void Redeemer::on_draft_outputs(Now now, Draft draft, const OutputsReady& made, RedeemStep& step) {
  if (draft.refund) return on_refund_outputs(now, std::move(draft), made, step);
  for (const YHash& y : draft.opened.ys) draft_ys_.erase(y);
  const OpId op = draft.opened.op;
  if (!answers(draft.making, made)) {
    step.events.push_back(NotOpened{op, "the outputs could not be made"});
    return;
  }
  draft.opened.opened_at = now.wall;
  draft.opened.hold_until = now.wall + draft.hold;
  emit(std::move(draft.opened), step);
  emit(AttemptMade{op, {draft.making.keyset, draft.making.counter_start, made.outputs, made.body}},
       step);
  step.events.push_back(Opened{op});
  start_drive(now, op, step);
  Turn turn = turn_of(now, op, step);
  step_post(turn);
}

void Redeemer::on_proofs(Now now, const ProofsReady& ready, RedeemStep& step) {
  const auto owner = calls_.find(ready.id);
  if (owner == calls_.end()) return;
  Turn turn = turn_of(now, owner->second, step);
  if (turn.drive.phase == Phase::Opening && turn.drive.call == ready.id) on_opened(turn, ready);
}

// --- the clock --------------------------------------------------------------------------------

void Redeemer::on_wake(Turn& turn) {
  Drive& drive = turn.drive;
  const bool open = !turn.operation.closed;
  if (open && !turn.operation.hold_over && drive.hold_ends <= turn.now.mono) on_hold_end(turn);
  if (turn.now.mono < drive.wake) return schedule(turn, drive.phase, drive.wake);
  switch (drive.phase) {
    case Phase::Waiting: return drive.repost ? step_post(turn) : step_look(turn);
    case Phase::Posting: return on_post_answer(turn, NoReply{});
    case Phase::Restoring: return on_restore_answer(turn, NoReply{});
    case Phase::Checking: return on_check_answer(turn, NoReply{});
    case Phase::ReadingMint: return on_mint_read(turn);
    case Phase::AskingQuote: return on_quote_answer(turn, NoReply{});
    case Phase::MakingOutputs:
    case Phase::Opening: return give_time(turn, Reason::NoAnswer);
  }
}

// The first question after a doubt: what the mint signed, or of a payment that was not taken back,
// what became of it.
void Redeemer::step_look(Turn& turn) {
  const bool payment_alone = is_payment(turn, turn.operation.attempts.size() - 1);
  payment_alone ? step_ask_quote(turn) : step_restore(turn);
}

void Redeemer::start_drive(Now now, const OpId& op, RedeemStep& step) {
  const Operation& operation = *state_.live(op);
  PG_CHECK(!operation.attempts.empty());
  Drive& drive = drives_[op];
  drive.hold_ends = operation.refund ? Micros::max()
                                     : now.mono + remaining(operation.opened.opened_at,
                                                            operation.opened.hold_until, now.wall);
  if (operation.refund && operation.refund->melt) {
    const MeltTerms& melt = *operation.refund->melt;
    drive.melt_until = now.mono + remaining(melt.opened_at, melt.post_until, now.wall);
  }
  drive.posting = operation.attempts.size() - 1;
  drive.scheduled = Micros::max();
  Turn turn = turn_of(now, op, step);
  schedule(turn, Phase::Waiting, Micros::max());
}

void Redeemer::schedule(Turn& turn, Phase phase, Micros wake) {
  Drive& drive = turn.drive;
  drive.phase = phase;
  drive.wake = wake;
  schedule_.erase({drive.scheduled, turn.op});
  const bool hold_counts = !turn.operation.closed && !turn.operation.hold_over;
  drive.scheduled = hold_counts ? std::min(wake, drive.hold_ends) : wake;
  schedule_.emplace(drive.scheduled, turn.op);
}

void Redeemer::drop(const OpId& op) {
  const auto drive = drives_.find(op);
  PG_CHECK(drive != drives_.end());
  schedule_.erase({drive->second.scheduled, op});
  calls_.erase(drive->second.call);
  for (const auto& [call, attempt] : drive->second.posts) calls_.erase(call);
  drives_.erase(drive);
}

// --- calls ------------------------------------------------------------------------------------

void Redeemer::emit(RedeemRecord record, RedeemStep& step) {
  state_.apply(record);
  bool withheld = std::holds_alternative<OpOpened>(record) && !policy_.record_before_post;
  withheld |= std::holds_alternative<MeltOpened>(record) && !policy_.record_before_post;
  withheld |= std::holds_alternative<RefundOpened>(record) && !policy_.record_refund_before_post;
  if (const auto* made = std::get_if<AttemptMade>(&record))
    withheld = made->attempt.of_token > 0 ? !policy_.record_refund_before_post
                                          : !policy_.record_before_post;
  auto& records = withheld ? withheld_ : step.records;
  records.push_back(std::move(record));
}

Redeemer::Turn Redeemer::turn_of(Now now, const OpId& op, RedeemStep& step) {
  const auto drive = drives_.find(op);
  const Operation* operation = state_.live(op);
  PG_CHECK(drive != drives_.end() && operation);
  return {now, op, drive->second, *operation, step};
}

void Redeemer::call_mint(Turn& turn, Phase phase, Endpoint endpoint, Bytes body,
                         std::string argument) {
  Drive& drive = turn.drive;
  if (!drive.posts.contains(drive.call)) calls_.erase(drive.call);
  MintCall call;
  call.id = {next_call_++};
  call.mint = turn.operation.opened.mint;
  call.endpoint = endpoint;
  call.path_argument = std::move(argument);
  call.body = std::move(body);
  call.deadline = micros(endpoint == Endpoint::Melt ? kMeltTimeout : kMintCallTimeout);
  drive.call = call.id;
  calls_.emplace(call.id, turn.op);
  schedule(turn, phase, turn.now.mono + call.deadline + micros(kGiveUpAfter - kMintCallTimeout));
  turn.step.effects.push_back(std::move(call));
}

void Redeemer::read_mint(Now now, const std::string& mint, RedeemStep& step) {
  refresh_at_.erase(mint);
  send_asks(now, book_.begin_reading(mint), step);
}

void Redeemer::send_asks(Now now, std::vector<MintAsk> asks, RedeemStep& step) {
  for (MintAsk& ask : asks) {
    MintCall call;
    call.id = {next_call_++};
    call.mint = ask.mint;
    call.endpoint = ask.endpoint;
    call.path_argument = ask.argument;
    call.deadline = micros(kMintReadTimeout);
    book_calls_.emplace(call.id, BookCall{std::move(ask), now.mono + micros(kGiveUpAfter)});
    step.effects.push_back(std::move(call));
  }
}

void Redeemer::check_invariants() const {
  state_.check_invariants();
  if (!recovered_ && drives_.empty()) return;  // after the fold: nothing is driven yet
  PG_CHECK(drives_.size() == state_.live().size());
  PG_CHECK(schedule_.size() == drives_.size());
  for (const auto& [op, drive] : drives_) {
    const Operation* operation = state_.live(op);
    PG_CHECK(operation && schedule_.contains({drive.scheduled, op}));
    PG_CHECK(drive.posting < operation->attempts.size());
    PG_CHECK(drive.posts.size() <= kPostsWatchedMax);
    PG_CHECK(!policy_.brake_attempts || operation->attempts.size() <= kAttemptsMax);
    PG_CHECK(drive.verdict_due.has_value() == operation->empty.has_value() || operation->closed);
  }
}

}  // namespace paygress::cashu
