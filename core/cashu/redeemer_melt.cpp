// The payment of a Lightning invoice: an operation whose inputs are proofs of ours, and whose first
// attempt is a melt with blank outputs (NUT-05, NUT-08). What is the same as for any operation
// stands in redeemer.cpp and redeemer_steps.cpp.
//
//   quote_melt -> begin_melt -> MeltOpened + AttemptMade, one batch -> POST melt
//     PAID      the change, as the answer or restore shows it -> MeltDone
//     PENDING   waited for, however long it takes
//     UNPAID    the inputs are looked at (NUT-07). Unspent: the same bytes again; given up when the
//               mint has answered every request for it, else the inputs are swapped to ourselves
//
// A request whose answer was lost may be on its way still and pay later. The swap of the same
// inputs makes that impossible: the mint carries out one of the two, and shows which.
#include <algorithm>
#include <bit>
#include <utility>

#include "core/base/check.h"
#include "core/cashu/identity.h"
#include "core/cashu/mint_api.h"
#include "core/cashu/redeemer.h"

namespace paygress::cashu {
namespace {

constexpr size_t kQuotesMax = 64;  // asked for at a time; the oldest are given up

// Nothing when it does not fit.
std::optional<Amount> sum_that_fits(std::initializer_list<Amount> parts) {
  Amount sum = 0;
  for (const Amount part : parts)
    if (__builtin_add_overflow(sum, part, &sum)) return std::nullopt;
  return sum;
}

Amount value_in_coins(const std::vector<Proof>& proofs) {
  Amount sum = 0;
  for (const Proof& proof : proofs) sum += proof.amount;
  return sum;
}

// The mint has read this request and will not carry it out later.
bool is_answer(const MintError& error) {
  return error.code && error.http_status >= 400 && error.http_status < 500;
}

}  // namespace

// --- before anything is touched ----------------------------------------------------------------

Redeemer::Probing Redeemer::quote_melt(const std::string& mint, const std::string& unit,
                                       const std::string& invoice) {
  MintCall call;
  call.id = {next_call_++};
  call.mint = mint;
  call.endpoint = Endpoint::MeltQuote;
  call.body = encode_melt_quote_request(invoice, unit);
  call.deadline = micros(kMintCallTimeout);
  while (quoting_.size() >= kQuotesMax) quoting_.erase(quoting_.begin());
  quoting_.emplace(call.id, Quoting{call.id, invoice});
  Probing probing{call.id, {}};
  probing.step.effects.push_back(std::move(call));
  return probing;
}

void Redeemer::on_melt_quote(CallId call, const decltype(MintReply::answer)& answer,
                             RedeemStep& step) {
  const Quoting asked = std::move(quoting_.extract(call).mapped());
  MeltQuoted quoted{asked.id, {}, "the mint did not answer"};
  if (const auto* error = std::get_if<MintError>(&answer))
    quoted.problem = "the mint says: " + error->detail;
  const auto* quote = std::get_if<QuoteAnswer>(&answer);
  if (quote != nullptr && (quote->quote.empty() || quote->amount == 0)) {
    quoted.problem = "the mint's answer has no amount";
  } else if (quote != nullptr && quote->state != "UNPAID") {
    quoted.problem = "the mint says that this invoice is paid already, or being paid";
  } else if (quote != nullptr) {
    quoted.problem.clear();
    quoted.quote =
        MeltQuote{quote->quote, asked.invoice, quote->amount, quote->fee_reserve, quote->expiry};
  }
  step.events.push_back(std::move(quoted));
}

std::expected<Redeemer::Withdrawing, NoRefund> Redeemer::begin_melt(Now now, const ClaimId& id,
                                                                    const std::string& mint,
                                                                    const std::string& unit,
                                                                    const MeltQuote& quote,
                                                                    Amount most) {
  PG_CHECK(!refund_under_way(id) && quote.amount > 0);
  if (state_.refunds_open() + drafts_.size() >= kRefundsOpenMax)
    return std::unexpected(NoRefund::Busy);
  if (!book_.ready(mint) || !book_.melts(mint)) return std::unexpected(NoRefund::MintNotReady);
  const auto needed = sum_that_fits({quote.amount, quote.reserve});
  if (!needed || *needed > most) return std::unexpected(NoRefund::NoFunds);
  OwnInputs inputs = inputs_with_fee(mint, unit, *needed);
  if (inputs.proofs.empty() || inputs.worth > most) return std::unexpected(NoRefund::NoFunds);
  const auto plan = book_.plan(mint, unit, inputs.proofs, now.wall);
  if (!plan) return std::unexpected(NoRefund::MintNotReady);

  UnixSeconds post_until = now.wall + kMeltPosts;
  if (quote.expiry) post_until = std::clamp(*quote.expiry, now.wall, post_until);
  Draft draft;
  draft.refund = RefundTerms{id, quote.amount, inputs.worth - quote.amount, true,
                             MeltTerms{quote.quote, quote.reserve, now.wall, post_until}};
  draft.invoice = quote.invoice;
  draft.opened.mint = mint;
  draft.opened.unit = unit;
  draft.opened.inputs = inputs.proofs;
  MakeOutputs& work = draft.making;
  work.id = {next_call_++};
  work.keyset = plan->keyset;
  // So many that whatever comes back has room: the largest possible change, in powers of two.
  const Amount change = value_in_coins(inputs.proofs) - quote.amount - plan->fee;
  work.amounts.assign(std::max(1, static_cast<int>(std::bit_width(change))), 1);
  work.inputs = inputs.proofs;
  work.refund = TokenOutputs{id, 0, 0};
  work.melt_quote = quote.quote;
  work.counter_start = take_counters(plan->keyset, work.amounts.size());
  for (const Proof& input : inputs.proofs) draft_secrets_.insert(input.secret);
  Withdrawing begun{{}, inputs.worth};
  begun.step.effects.push_back(work);
  const CallId call = work.id;
  drafts_.emplace(call, std::move(draft));
  return begun;
}

void Redeemer::on_melt_outputs(Now now, Draft draft, const OutputsReady& made, RedeemStep& step) {
  const RefundTerms& terms = *draft.refund;
  const MeltTerms& melt = *terms.melt;
  const OpId op = own_op_id(terms.claim, made.points);
  emit(MeltOpened{op, terms.claim, draft.opened.mint, draft.opened.unit, draft.opened.inputs,
                  made.points, melt.quote, draft.invoice, terms.face, melt.reserve,
                  terms.fee - melt.reserve, now.wall, melt.post_until},
       step);
  emit(AttemptMade{op, {draft.making.keyset, draft.making.counter_start, made.outputs, made.body}},
       step);
  start_drive(now, op, step);
  Turn turn = turn_of(now, op, step);
  turn.drive.doubtful = false;
  step_post(turn);
}

// --- what became of it? ------------------------------------------------------------------------

void Redeemer::on_melt_posted(Turn& turn, const decltype(MintReply::answer)& answer) {
  Drive& drive = turn.drive;
  const auto* quote = std::get_if<QuoteAnswer>(&answer);
  if (quote != nullptr && quote->state == "PAID") return on_paid(turn, *quote);
  const auto* error = std::get_if<MintError>(&answer);
  drive.last_error = error ? std::optional(*error) : std::nullopt;
  if (error != nullptr && is_answer(*error)) drive.refusal = error->detail;
  if (quote == nullptr && (error == nullptr || !is_answer(*error))) drive.doubtful = true;
  tell_in_doubt(turn);
  step_ask_quote(turn);
}

void Redeemer::step_ask_quote(Turn& turn) {
  turn.drive.repost = false;
  call_mint(turn, Phase::AskingQuote, Endpoint::MeltQuoteState, {}, melt_of(turn)->quote);
}

void Redeemer::on_quote_answer(Turn& turn, const decltype(MintReply::answer)& answer) {
  const auto* quote = std::get_if<QuoteAnswer>(&answer);
  if (quote != nullptr && quote->state == "PAID") return on_paid(turn, *quote);
  if (turn.drive.paid) return become_waiting(turn, Reason::Partial);
  if (quote != nullptr && quote->state == "PENDING") {
    note_not_empty(turn);
    return become_waiting(turn, Reason::Pending);
  }
  // A mint that has forgotten the payment cannot make it any more; the inputs tell.
  const auto* error = std::get_if<MintError>(&answer);
  const bool forgotten = error != nullptr && is_answer(*error);
  if (forgotten || (quote != nullptr && quote->state == "UNPAID")) return step_check(turn);
  become_waiting(turn, Reason::NoAnswer);
}

void Redeemer::on_melt_restored(Turn& turn) {
  if (const auto complete = complete_attempt(turn)) return step_open(turn, *complete, true);
  turn.drive.paid ? open_change(turn, true) : step_ask_quote(turn);
}

void Redeemer::on_melt_unspent(Turn& turn) {
  Drive& drive = turn.drive;
  note_not_empty(turn);
  if (turn.operation.attempts.size() == 1) {
    // Blank outputs of payments that failed are counters that nobody signed: before there are too
    // many of them in a row, a swap makes an end.
    const bool few = state_.unsigned_run(turn.operation.attempts[0].keyset) <= kBlanksUnsignedMax;
    if ((!drive.doubtful && few) || !policy_.take_back) return become_refused(turn);
    drive.posting = 0;
    if (drive.doubtful && turn.now.mono < drive.melt_until)
      return become_waiting(turn, Reason::Unspent, true);
    drive.last_error.reset();
    return step_new_attempt(turn);
  }
  if (!drive.last_error) return become_waiting(turn, Reason::Unspent, true);
  read_mint(turn.now, turn.operation.opened.mint, turn.step);
  schedule(turn, Phase::ReadingMint, turn.now.mono + micros(kGiveUpAfter));
}

// --- paid --------------------------------------------------------------------------------------

void Redeemer::on_paid(Turn& turn, const QuoteAnswer& answer) {
  Drive& drive = turn.drive;
  drive.paid = true;
  if (!answer.preimage.empty()) drive.preimage = answer.preimage;
  if (!drive.change_due) drive.change_due = turn.now.mono + micros(kEmptyBeforeVerdict);
  const auto& blanks = turn.operation.attempts.front().outputs;
  // When only asked, a mint may leave out what it has told who paid.
  const bool told = answer.change && answer.change->size() <= blanks.size() &&
                    (drive.phase == Phase::Posting || !answer.change->empty());
  if (!told) return step_restore(turn);
  for (size_t i = 0; i < answer.change->size(); ++i)
    drive.signatures[blanks[i].b] = (*answer.change)[i];
  drive.change_told = true;
  open_change(turn, true);
}

// At least what exceeds the most that the payment may cost comes back. What of that Lightning did
// not take comes back, too: how much it is only the mint knows, so that a list of its answer is all
// of it, and what restore shows is when five minutes have added nothing.
void Redeemer::open_change(Turn& turn, bool may_ask_keys) {
  Drive& drive = turn.drive;
  const RefundTerms& terms = *turn.operation.refund;
  const OpOpened& opened = turn.operation.opened;
  const auto& blanks = turn.operation.attempts.front().outputs;
  Amount given = 0;
  size_t signed_blanks = 0;
  bool readable = true;
  for (const BlindedMessage& blank : blanks) {
    const auto signature = drive.signatures.find(blank.b);
    if (signature == drive.signatures.end()) continue;
    readable &= &blank == &blanks[signed_blanks++];  // the first ones, without a gap
    readable &= !__builtin_add_overflow(given, signature->second.amount, &given);
  }
  const Amount most = value_in_coins(opened.inputs) - terms.face;
  readable &= given <= most;
  Amount cost = terms.fee;  // of inputs and Lightning, at most; the mint's fee may have grown
  bool priced = true;
  for (const Proof& input : opened.inputs)
    priced &= book_.fee_ppk(opened.mint, input.keyset).has_value();
  if (priced) cost = std::max(cost, terms.melt->reserve + fee_of(opened.mint, opened.inputs));
  const Amount least = most - std::min(most, cost);
  const bool settled = drive.change_told || turn.now.mono >= *drive.change_due;
  if (readable && given >= least && settled)
    return given == 0 ? become_paid(turn, {}) : step_open(turn, 0, may_ask_keys);
  if (!readable || settled)
    alarm(turn, "an invoice is paid, but the mint does not show the change that it owes");
  if (!readable)
    for (const BlindedMessage& blank : blanks) drive.signatures.erase(blank.b);
  if (drive.change_told && given < least) {  // perhaps restore shows more
    drive.change_told = false;
    return step_restore(turn);
  }
  become_waiting(turn, Reason::Partial);
}

void Redeemer::become_paid(Turn& turn, const std::vector<Proof>& change) {
  const RefundTerms terms = *turn.operation.refund;
  const Amount spent = value_in_coins(turn.operation.opened.inputs);
  const Amount fee = spent - terms.face - value_in_coins(change);
  InvoicePaid event{terms.claim, terms.face, fee, turn.drive.preimage};
  emit(MeltDone{turn.op, MeltEnd::Paid, change, fee, turn.drive.preimage}, turn.step);
  turn.step.events.push_back(std::move(event));
  drop(turn.op);
}

// --- not paid ----------------------------------------------------------------------------------

void Redeemer::become_refused(Turn& turn) {
  InvoiceNotPaid event{turn.operation.refund->claim, 0, turn.drive.refusal};
  emit(MeltDone{turn.op, MeltEnd::Refused, {}, 0, {}}, turn.step);
  turn.step.events.push_back(std::move(event));
  drop(turn.op);
}

void Redeemer::become_taken_back(Turn& turn, const std::vector<Proof>& proofs) {
  const Amount spent = value_in_coins(turn.operation.opened.inputs);
  PG_CHECK(value_in_coins(proofs) <= spent);
  const Amount fee = spent - value_in_coins(proofs);
  InvoiceNotPaid event{turn.operation.refund->claim, fee, turn.drive.refusal};
  emit(MeltDone{turn.op, MeltEnd::TakenBack, proofs, fee, {}}, turn.step);
  turn.step.events.push_back(std::move(event));
  drop(turn.op);
}

}  // namespace paygress::cashu
