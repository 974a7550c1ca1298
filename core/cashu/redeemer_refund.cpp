// The refund: an operation whose inputs are proofs of ours (money-sagas.md section 3, "Claim").
// What is the same as for any operation stands in redeemer.cpp and redeemer_steps.cpp.
#include <algorithm>
#include <utility>

#include "core/base/check.h"
#include "core/cashu/identity.h"
#include "core/cashu/mint_api.h"
#include "core/cashu/redeemer.h"
#include "core/cashu/token.h"

namespace paygress::cashu {
namespace {

// NUT-02: a fee of so many thousandths of a coin.
constexpr Amount whole_coins(uint64_t ppk) { return (ppk + 999) / 1000; }

}  // namespace

bool Redeemer::refund_under_way(const ClaimId& claim) const {
  if (state_.refund_of(claim)) return true;
  return std::any_of(drafts_.begin(), drafts_.end(), [&](const auto& entry) {
    return entry.second.refund && entry.second.refund->claim == claim;
  });
}

// Those that may be spent now, the least first.
std::vector<Proof> Redeemer::own_proofs(const std::string& mint, const std::string& unit) const {
  const WalletStore& wallet = state_.wallet();
  std::vector<Proof> proofs =
      policy_.reserve_inputs ? wallet.spendable({mint, unit}) : wallet.proofs({mint, unit});
  std::erase_if(proofs, [&](const Proof& proof) {
    return (policy_.reserve_inputs && draft_secrets_.contains(proof.secret)) ||
           !book_.fee_ppk(mint, proof.keyset);
  });
  std::sort(proofs.begin(), proofs.end(), [](const Proof& a, const Proof& b) {
    return a.amount != b.amount ? a.amount < b.amount : a.secret < b.secret;
  });
  return proofs;
}

// The smallest proof that suffices alone, else the largest first: the fewest inputs cost the least.
// Empty when there is not enough.
std::vector<Proof> Redeemer::refund_inputs(const std::string& mint, const std::string& unit,
                                           Amount worth) const {
  const std::vector<Proof> proofs = own_proofs(mint, unit);
  for (const Amount enough : {worth + kRefundSlack, worth}) {
    const auto alone = std::find_if(proofs.begin(), proofs.end(),
                                    [&](const Proof& proof) { return proof.amount >= enough; });
    if (alone != proofs.end()) return {*alone};
    std::vector<Proof> chosen;
    Amount sum = 0;
    for (auto it = proofs.rbegin(); it != proofs.rend() && sum < enough; ++it) {
      if (chosen.size() == kProofsMax) break;
      chosen.push_back(*it);
      sum += it->amount;
    }
    if (sum >= enough) return chosen;
  }
  return {};
}

std::expected<RedeemStep, NoRefund> Redeemer::begin_refund(Now now, const ClaimId& claim,
                                                           const std::string& mint,
                                                           const std::string& unit, Amount worth) {
  PG_CHECK(worth > 0);
  return begin_own_swap(now, {claim, 0, 0, false, {}}, mint, unit, refund_inputs(mint, unit, worth),
                        worth);
}

Amount Redeemer::fee_of(const std::string& mint, const std::vector<Proof>& inputs) const {
  uint64_t ppk = 0;
  for (const Proof& input : inputs) ppk += *book_.fee_ppk(mint, input.keyset);
  return whole_coins(ppk);
}

// For a token of `amount`. More proofs cost more, and a greater fee may need more proofs: it is
// tried until it fits.
Redeemer::OwnInputs Redeemer::inputs_with_fee(const std::string& mint, const std::string& unit,
                                              Amount amount) const {
  Amount fee = 0;
  for (size_t tries = 0; tries < kProofsMax; ++tries) {
    std::vector<Proof> inputs = refund_inputs(mint, unit, amount + fee);
    if (inputs.empty()) return {};
    const Amount needed = fee_of(mint, inputs);
    if (needed <= fee) return {std::move(inputs), amount + needed};
    fee = needed;
  }
  return {};
}

// For a token of `amount` less the fee, or of what so many proofs are worth as one swap may have.
Redeemer::OwnInputs Redeemer::inputs_at_most(const std::string& mint, const std::string& unit,
                                             Amount amount) const {
  const std::vector<Proof> proofs = own_proofs(mint, unit);
  Amount largest = 0;
  for (size_t i = 0; i < std::min(proofs.size(), kProofsMax); ++i)
    largest += proofs[proofs.size() - 1 - i].amount;
  const Amount worth = std::min(amount, largest);
  if (worth == 0) return {};
  return {refund_inputs(mint, unit, worth), worth};
}

std::expected<Redeemer::Withdrawing, NoRefund> Redeemer::begin_withdrawal(
    Now now, const ClaimId& id, const std::string& mint, const std::string& unit, Amount amount,
    FeeFrom fee, Amount most) {
  PG_CHECK(amount > 0);
  if (!book_.ready(mint)) return std::unexpected(NoRefund::MintNotReady);
  if (amount > most) return std::unexpected(NoRefund::NoFunds);
  OwnInputs inputs = fee == FeeFrom::Wallet ? inputs_with_fee(mint, unit, amount)
                                            : inputs_at_most(mint, unit, amount);
  if (inputs.proofs.empty() || inputs.worth > most) return std::unexpected(NoRefund::NoFunds);
  auto step =
      begin_own_swap(now, {id, 0, 0, true, {}}, mint, unit, std::move(inputs.proofs), inputs.worth);
  if (!step) return std::unexpected(step.error());
  return Withdrawing{*std::move(step), inputs.worth};
}

std::expected<RedeemStep, NoRefund> Redeemer::begin_own_swap(Now now, RefundTerms terms,
                                                             const std::string& mint,
                                                             const std::string& unit,
                                                             std::vector<Proof> inputs,
                                                             Amount worth) {
  PG_CHECK(!refund_under_way(terms.claim));
  const auto refunds = std::count_if(drafts_.begin(), drafts_.end(), [](const auto& entry) {
    return entry.second.refund.has_value();
  });
  if (state_.refunds_open() + static_cast<size_t>(refunds) >= kRefundsOpenMax)
    return std::unexpected(NoRefund::Busy);
  if (!book_.ready(mint)) return std::unexpected(NoRefund::MintNotReady);
  if (inputs.empty()) return std::unexpected(NoRefund::NoFunds);
  if (worth <= fee_of(mint, inputs)) return std::unexpected(NoRefund::TooSmall);
  const auto plan =
      book_.plan_refund(mint, unit, inputs, worth, MintBook::RefundAttempt::First, now.wall);
  if (!plan) return std::unexpected(NoRefund::MintNotReady);
  // Whoever takes the token pays the fee of its proofs: of less nothing would be left.
  const uint64_t ppk = plan->token.size() * *book_.fee_ppk(mint, plan->keyset);
  if (terms.withdrawal && plan->face <= whole_coins(ppk))
    return std::unexpected(NoRefund::TooSmall);

  Draft draft;
  terms.face = plan->face;
  terms.fee = plan->fee;
  draft.refund = terms;
  draft.opened.mint = mint;
  draft.opened.unit = unit;
  draft.opened.inputs = inputs;
  uint32_t number = 0;
  if (!policy_.same_inputs) number = static_cast<uint32_t>(next_call_);
  draft.making = outputs_for({}, inputs, *plan,
                             {terms.claim, number, static_cast<uint32_t>(plan->token.size())});
  for (const Proof& input : inputs) draft_secrets_.insert(input.secret);
  RedeemStep step;
  step.effects.push_back(draft.making);
  const CallId id = draft.making.id;
  drafts_.emplace(id, std::move(draft));
  return step;
}

MakeOutputs Redeemer::outputs_for(const OpId& op, const std::vector<Proof>& inputs,
                                  const RefundPlan& plan, const TokenOutputs& token) {
  MakeOutputs work;
  work.id = {next_call_++};
  work.op = op;
  work.keyset = plan.keyset;
  work.amounts = plan.token;
  work.amounts.insert(work.amounts.end(), plan.change.begin(), plan.change.end());
  work.inputs = inputs;
  work.refund = token;
  work.counter_start = take_counters(plan.keyset, plan.change.size());
  return work;
}

void Redeemer::on_refund_outputs(Now now, Draft draft, const OutputsReady& made, RedeemStep& step) {
  const RefundTerms& terms = *draft.refund;
  for (const Proof& input : draft.opened.inputs) draft_secrets_.erase(input.secret);
  const bool complete = !made.body.empty() && made.outputs.size() == draft.making.amounts.size() &&
                        made.points.size() == draft.opened.inputs.size();
  if (!complete) {
    step.events.push_back(RefundNotMade{terms.claim});
    return;
  }
  if (terms.melt) return on_melt_outputs(now, std::move(draft), made, step);
  const OpId op = own_op_id(terms.claim, made.points);
  emit(RefundOpened{op, terms.claim, draft.opened.mint, draft.opened.unit, draft.opened.inputs,
                    made.points, terms.face, terms.fee, now.wall, terms.withdrawal},
       step);
  emit(AttemptMade{op,
                   {draft.making.keyset, draft.making.counter_start, made.outputs, made.body,
                    draft.making.refund->count, draft.making.refund->attempt}},
       step);
  start_drive(now, op, step);
  Turn turn = turn_of(now, op, step);
  turn.drive.fresh = true;
  // An earlier life of a ledger that was rolled back may have made it: if it is signed, that IS the
  // refund.
  policy_.restore ? step_restore(turn) : step_post(turn);
}

// SPENT, and the outputs are not to be seen: nobody but us has these proofs, so they are ours and
// not visible yet. There is no verdict, however long it takes (flaw 12).
void Redeemer::on_own_spent(Turn& turn) {
  if (const auto complete = complete_attempt(turn)) return step_open(turn, *complete, true);
  note_empty(turn, ProofState::Spent);
  const Seconds since = elapsed(turn.operation.empty->at, turn.now.wall);
  if (since >= kOursAlarm)
    alarm(turn, melt_of(turn) == nullptr
                    ? "our swap for a refund was carried out, but the mint does not show its "
                      "outputs"
                    : "what should pay an invoice is spent, but the mint does not say for what");
  if (since >= kOursOperator && !std::exchange(turn.drive.told_late, true))
    turn.step.events.push_back(
        Alarm{turn.op, "a refund or a payment waits for the mint since a day; ask its operator"});
  if (!policy_.same_inputs && melt_of(turn) == nullptr && verdict_is_due(turn)) {
    const ClaimId claim = turn.operation.refund->claim;
    emit(OpClosed{turn.op, Verdict::SpentElsewhere, turn.now.wall}, turn.step);
    turn.step.events.push_back(RefundNotMade{claim});
    return drop(turn.op);
  }
  become_waiting(turn, Reason::Spent);
}

// The attempt whose token outputs are all signed, when its change is not.
std::optional<size_t> Redeemer::token_complete(const Turn& turn) const {
  if (!turn.operation.refund || melt_of(turn) != nullptr) return std::nullopt;
  const auto& attempts = turn.operation.attempts;
  for (size_t i = 0; i < attempts.size(); ++i) {
    const auto end = attempts[i].outputs.begin() + attempts[i].of_token;
    if (std::all_of(attempts[i].outputs.begin(), end, [&](const BlindedMessage& output) {
          return turn.drive.signatures.contains(output.b);
        }))
      return i;
  }
  return std::nullopt;
}

void Redeemer::become_refunded(Turn& turn, const std::vector<Proof>& proofs) {
  const Attempt& attempt = turn.operation.attempts.at(turn.drive.opening);
  const OpOpened& opened = turn.operation.opened;
  const RefundTerms terms = *turn.operation.refund;
  PG_CHECK(proofs.size() >= attempt.of_token);
  RefundDone done;
  done.op = turn.op;
  done.token.assign(proofs.begin(), proofs.begin() + attempt.of_token);
  if (!turn.drive.found) done.change.assign(proofs.begin() + attempt.of_token, proofs.end());
  done.found = turn.drive.found || proofs.size() < attempt.outputs.size();
  Amount spent = 0;
  for (const Proof& input : opened.inputs) spent += input.amount;
  Amount made = 0;
  Amount face = 0;
  for (const Proof& proof : proofs) made += proof.amount;
  for (const Proof& proof : done.token) face += proof.amount;
  PG_CHECK(made <= spent);
  done.fee = done.found ? 0 : spent - made;
  const auto text = encode_token({opened.mint, opened.unit, "", done.token}, TokenVersion::V4);
  PG_CHECK(text.has_value());
  done.text = *text;
  if (done.found)
    alarm(turn, "a refund was made before by a ledger that is no longer here: was it rolled back?");
  // Whichever attempt the mint carried out, the claim bears what is not in its token.
  const Amount worth = terms.face + terms.fee;
  const Amount bears = worth - std::min(face, worth);
  RefundMade event{terms.claim, done.text, face, bears};
  emit(std::move(done), turn.step);
  turn.step.events.push_back(std::move(event));
  drop(turn.op);
}

// --- was it spent? -----------------------------------------------------------------------------

Redeemer::Probing Redeemer::probe(const std::string& mint, const std::vector<Proof>& proofs) {
  CheckToken work;
  work.id = {next_call_++};
  work.proofs = proofs;
  while (probes_.size() >= kProbesMax) probes_.erase(probes_.begin());
  probes_.emplace(work.id, Probe{mint, proofs.size(), work.id});
  Probing probing{work.id, {}};
  probing.step.effects.push_back(std::move(work));
  return probing;
}

void Redeemer::on_probe_points(const TokenChecked& checked, RedeemStep& step) {
  Probe probe = std::move(probes_.extract(checked.id).mapped());
  if (checked.ys.size() != probe.points) return;
  MintCall call;
  call.id = {next_call_++};
  call.mint = probe.mint;
  call.endpoint = Endpoint::CheckState;
  call.body = encode_check_request(checked.ys);
  call.deadline = micros(kMintCallTimeout);
  probes_.emplace(call.id, std::move(probe));
  step.effects.push_back(std::move(call));
}

void Redeemer::on_probe_answer(CallId call, const decltype(MintReply::answer)& answer,
                               RedeemStep& step) {
  const Probe probe = std::move(probes_.extract(call).mapped());
  const auto* checked = std::get_if<CheckAnswer>(&answer);
  if (checked == nullptr || checked->states.size() != probe.points) return;
  const bool all = std::all_of(checked->states.begin(), checked->states.end(),
                               [](const StateEntry& s) { return s.state == ProofState::Spent; });
  step.events.push_back(Probed{probe.id, all});
}

}  // namespace paygress::cashu
