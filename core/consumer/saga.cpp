#include "core/consumer/saga.h"

#include <algorithm>

#include "core/base/check.h"
#include "core/cashu/curve_work.h"
#include "core/cashu/dhke.h"

namespace paygress::consumer {
namespace {

using cashu::Endpoint;

cashu::MakeOutputs work_of(const OpStarted& op, const std::vector<cashu::Amount>& amounts) {
  cashu::MakeOutputs work;
  work.keyset = op.keyset;
  work.counter_start = op.counter_start;
  work.amounts = amounts;
  work.inputs = op.inputs;
  return work;
}

std::string text_of(const cashu::MintError& error) {
  return "the mint refuses: " +
         (error.detail.empty() ? "status " + std::to_string(error.http_status) : error.detail);
}

}  // namespace

Result<OpStarted> with_outputs(OpStarted op, const std::vector<cashu::Amount>& amounts,
                               const cashu::WalletSeed& seed) {
  PG_CHECK(!amounts.empty());
  auto made = cashu::make_outputs(work_of(op, amounts), seed);
  if (made.outputs.empty()) return fail("no outputs can be made on keyset " + op.keyset);
  op.outputs = std::move(made.outputs);
  op.body = op.kind == OpKind::Mint ? cashu::encode_mint_request(op.quote, op.outputs)
                                    : std::move(made.body);
  return op;
}

Saga::Saga(OpStarted op, bool fresh, std::map<cashu::Amount, cashu::Point> keys,
           const cashu::WalletSeed& seed)
    : op_(std::move(op)), fresh_(fresh), keys_(std::move(keys)), seed_(seed) {
  PG_CHECK(!op_.outputs.empty() && !op_.body.empty());
  unanswered_post_ = !fresh_;
}

Saga::Turn Saga::start(UnixSeconds) {
  PG_CHECK(phase_ == Phase::Idle);
  return fresh_ ? step_post() : step_restore();
}

Saga::Turn Saga::handle(UnixSeconds now, const cashu::MintAnswer& answer) {
  switch (phase_) {
    case Phase::Posting: return on_posted(now, answer);
    case Phase::Restoring: return on_restored(now, answer);
    case Phase::Checking: return on_checked(now, answer);
    case Phase::Idle: break;
  }
  PG_CHECK(false && "an answer that nothing waits for");
  return {};
}

Saga::Turn Saga::resume(UnixSeconds) { return step_restore(); }

Saga::Turn Saga::step_post() {
  ++posts_;
  phase_ = Phase::Posting;
  Turn turn;
  turn.ask = Ask{op_.kind == OpKind::Mint ? Endpoint::Mint : Endpoint::Swap, "", op_.body};
  return turn;
}

Saga::Turn Saga::step_restore() {
  phase_ = Phase::Restoring;
  Turn turn;
  turn.ask = Ask{Endpoint::Restore, "", cashu::encode_restore_request(op_.outputs)};
  return turn;
}

Saga::Turn Saga::step_check() {
  phase_ = Phase::Checking;
  Turn turn;
  if (op_.kind == OpKind::Mint) {
    turn.ask = Ask{Endpoint::MintQuoteState, op_.quote, {}};
    return turn;
  }
  std::vector<cashu::Point> ys;
  for (const cashu::Proof& proof : op_.inputs) {
    const auto y = cashu::hash_to_curve(proof.secret);
    PG_CHECK(y.has_value());  // checked before the operation was made
    ys.push_back(y->compressed());
  }
  turn.ask = Ask{Endpoint::CheckState, "", cashu::encode_check_request(ys)};
  return turn;
}

Saga::Turn Saga::step_wait(std::string why) {
  phase_ = Phase::Idle;
  Turn turn;
  if (waits_ == kWaitsMax) {
    turn.end = End::Open;
    turn.why = std::move(why);
    return turn;
  }
  turn.wait = micros(Seconds{int64_t{1} << std::min(waits_++, 2)});
  return turn;
}

Saga::Turn Saga::on_posted(UnixSeconds now, const cashu::MintAnswer& answer) {
  if (const auto* signed_now = std::get_if<cashu::SwapAnswer>(&answer))
    return finish(now, signed_now->signatures);
  if (const auto* error = std::get_if<cashu::MintError>(&answer); error && error->http_status < 500)
    refusal_ = *error;
  else
    unanswered_post_ = true;
  return step_restore();
}

Saga::Turn Saga::on_restored(UnixSeconds now, const cashu::MintAnswer& answer) {
  const auto* restored = std::get_if<cashu::RestoreAnswer>(&answer);
  if (!restored || restored->outputs.size() != restored->signatures.size())
    return step_wait("the mint does not answer");
  std::vector<cashu::BlindSignature> ours;
  for (const cashu::BlindedMessage& output : op_.outputs) {
    const auto found = std::find_if(restored->outputs.begin(), restored->outputs.end(),
                                    [&](const auto& other) { return other.b == output.b; });
    if (found != restored->outputs.end())
      ours.push_back(restored->signatures[static_cast<size_t>(found - restored->outputs.begin())]);
  }
  if (ours.size() == op_.outputs.size()) return finish(now, ours);
  if (!ours.empty()) return step_wait("the mint shows only a part of what it signed");
  return step_check();
}

Saga::Turn Saga::on_checked(UnixSeconds now, const cashu::MintAnswer& answer) {
  if (const auto* quote = std::get_if<cashu::QuoteAnswer>(&answer))
    return on_quote(now, quote->state);
  const auto* checked = std::get_if<cashu::CheckAnswer>(&answer);
  if (!checked || checked->states.size() != op_.inputs.size())
    return step_wait("the mint does not answer");
  std::vector<std::string> spent;
  for (size_t i = 0; i < op_.inputs.size(); ++i) {
    if (checked->states[i].state == cashu::ProofState::Pending)
      return step_wait("the mint has not decided yet");
    if (checked->states[i].state == cashu::ProofState::Spent) spent.push_back(op_.inputs[i].secret);
  }
  if (spent.empty()) return on_unspent(now);
  // A swap takes all of its inputs or none: a part was somebody else's doing, whatever is to come.
  const bool whole = spent.size() == op_.inputs.size();
  const Seconds settled = op_.kind == OpKind::Split ? kSettledOwn : kSettled;
  if (!whole || elapsed(op_.at, now) >= settled)
    return give_up(now, "spent by somebody else", std::move(spent));
  return step_wait("spent at the mint, but what it was swapped for is not to be seen yet");
}

Saga::Turn Saga::on_quote(UnixSeconds now, const std::string& state) {
  if (state == "ISSUED") return step_wait("the mint has issued it, but does not show it yet");
  return on_unspent(now);
}

Saga::Turn Saga::on_unspent(UnixSeconds now) {
  if (posts_ < kPostsMax) return step_post();
  if (!refusal_) return step_wait("the mint does not answer");
  if (!unanswered_post_ || elapsed(op_.at, now) >= kSettled)
    return give_up(now, text_of(*refusal_), {});
  return step_wait(text_of(*refusal_));
}

Saga::Turn Saga::finish(UnixSeconds now, const std::vector<cashu::BlindSignature>& signatures) {
  cashu::OpenSignatures work;
  work.keyset = op_.keyset;
  work.counter_start = op_.counter_start;
  work.outputs = op_.outputs;
  work.signatures = signatures;
  work.keys = keys_;
  auto opened = cashu::open_signatures(work, seed_);
  if (!opened.problem.empty()) return step_wait("the mint's signatures are bad: " + opened.problem);
  Turn turn;
  turn.end = End::Done;
  turn.record = OpDone{op_.number, std::move(opened.proofs), now};
  return turn;
}

Saga::Turn Saga::give_up(UnixSeconds now, std::string why, std::vector<std::string> spent) {
  Turn turn;
  turn.end = End::Failed;
  turn.why = why;
  turn.record = OpFailed{op_.number, std::move(why), std::move(spent), now};
  return turn;
}

}  // namespace paygress::consumer
