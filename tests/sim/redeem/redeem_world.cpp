#include "tests/sim/redeem/redeem_world.h"

#include <algorithm>
#include <utility>

#include "core/base/check.h"
#include "core/cashu/curve_work.h"
#include "core/cashu/identity.h"
#include "sim/models/fake_curve.h"

namespace paygress::test {
namespace {

constexpr uint64_t kFakeWallet = 7;
constexpr UnixSeconds kEpoch{1'800'000'000};
constexpr Micros kPayerPatience = 30'000'000_us;
constexpr int kAsksOfAPayer = 4;

std::shared_ptr<const sim::MintCrypto> crypto_of(Tier tier) {
  return tier == Tier::Fake ? sim::fake_mint_crypto() : sim::real_mint_crypto();
}

}  // namespace

RedeemWorld::RedeemWorld(WorldSettings settings)
    : settings_(std::move(settings)), mint_(settings_.mint, crypto_of(settings_.tier)) {
  seed_.bytes.fill(9);
  start();
}

Now RedeemWorld::now() const {
  const UnixSeconds wall{kEpoch.value + time_.value / 1'000'000 + wall_shift_.value};
  return {time_ - boot_at_, wall};
}

// --- the process -------------------------------------------------------------------------------

void RedeemWorld::start() {
  ++boot_;
  // Monotonic time begins anew with every boot, but never at zero.
  boot_at_ = time_ - 1'000_us;
  redeemer_ = std::make_unique<cashu::Redeemer>(std::vector{settings_.mint.url}, settings_.policy);
  for (const auto& record : journal_) redeemer_->apply(record);
  process(redeemer_->recover(now(), CallId{boot_ << 40}));
}

void RedeemWorld::crash() {
  queue_.clear();  // answers die with the process that asked
  checks_.clear();
  redeemer_.reset();
  time_ += settings_.restart_delay;
  mint_.advance(time_);
  start();
}

bool RedeemWorld::boundary() {
  if (!dying_ && crashes_.erase(boundary_++) > 0) dying_ = true;
  return dying_;
}

void RedeemWorld::process(cashu::RedeemStep step) {
  if (boundary() || !persist(step)) return;
  for (const auto& event : step.events) {
    watch_event(event);
    if (const auto* checked = std::get_if<cashu::Checked>(&event)) on_checked(checked->result);
  }
  for (const auto& effect : step.effects) {
    if (boundary()) return;
    carry_out(effect);
    if (boundary()) return;
  }
  redeemer_->check_invariants();
}

bool RedeemWorld::persist(const cashu::RedeemStep& step) {
  for (const auto& record : step.records) {
    journal_.push_back(record);
    watch_record(record);
  }
  // The caller's credit is in the same batch.
  for (const auto& event : step.events)
    if (const auto* redeemed = std::get_if<cashu::Redeemed>(&event))
      if (++credits_[redeemed->op] > 1) violate("credited twice");
  return !boundary();
}

void RedeemWorld::deliver(Micros after, cashu::RedeemInput input) {
  queue_.emplace(std::pair(time_ + after, sequence_++), std::move(input));
}

void RedeemWorld::carry_out(const cashu::RedeemEffect& effect) {
  const bool fake = settings_.tier == Tier::Fake;
  if (const auto* call = std::get_if<cashu::MintCall>(&effect)) carry_out(*call);
  if (const auto* work = std::get_if<cashu::MakeOutputs>(&effect)) {
    auto made =
        fake ? sim::fake_make_outputs(*work, kFakeWallet) : cashu::make_outputs(*work, seed_);
    for (const auto& output : made.outputs) ours_.insert(output.b);
    deliver(settings_.curve_delay, std::move(made));
  }
  if (const auto* work = std::get_if<cashu::OpenSignatures>(&effect))
    deliver(settings_.curve_delay, fake ? sim::fake_open_signatures(*work, kFakeWallet)
                                        : cashu::open_signatures(*work, seed_));
  if (const auto* work = std::get_if<cashu::CheckToken>(&effect))
    deliver(settings_.curve_delay, fake ? sim::fake_check_token(*work) : cashu::check_token(*work));
}

// As an HTTP client: no answer by the deadline is NoReply. What comes later still comes.
void RedeemWorld::carry_out(const cashu::MintCall& call) {
  ++calls_[call.endpoint];
  if (call.endpoint == cashu::Endpoint::Swap) watch_post(call);
  const Micros patience = call.deadline;
  auto deliveries = mint_.serve(time_, call);
  const bool in_time = std::any_of(deliveries.begin(), deliveries.end(),
                                   [&](const auto& d) { return d.after < patience; });
  if (!in_time) deliver(patience, cashu::MintReply{call.id, cashu::NoReply{}});
  if (lie_)
    for (auto& delivery : deliveries) lie_(delivery.answer);
  for (auto& delivery : deliveries)
    deliver(delivery.after, cashu::MintReply{call.id, std::move(delivery.answer)});
}

void RedeemWorld::run_until(Micros end) {
  while (violations_.size() < 8) {
    Micros next = end;
    if (!queue_.empty()) next = std::min(next, queue_.begin()->first.first);
    if (!actions_.empty()) next = std::min(next, actions_.begin()->first.first);
    if (const auto due = redeemer_->next_deadline(); due && *due != Micros::max())
      next = std::min(next, to_world(*due));
    if (next >= end) break;
    time_ = std::max(time_, next);
    mint_.advance(time_);
    if (!actions_.empty() && actions_.begin()->first.first <= time_) {
      const auto action = actions_.extract(actions_.begin());
      action.mapped()(*this);
    } else if (!queue_.empty() && queue_.begin()->first.first <= time_) {
      const auto event = queue_.extract(queue_.begin());
      process(redeemer_->handle(now(), event.mapped()));
    } else {
      process(redeemer_->handle_timer(now()));
    }
    while (std::exchange(dying_, false)) crash();
  }
  time_ = std::max(time_, end);
}

void RedeemWorld::at(Micros time, std::function<void(RedeemWorld&)> action) {
  actions_.emplace(std::pair(time, sequence_++), std::move(action));
}

// --- payers ------------------------------------------------------------------------------------

size_t RedeemWorld::pay(cashu::Token token) {
  const size_t payment = payments_.size();
  payments_.push_back({std::move(token), {}, {}, 0, false});
  at(time_, [payment](RedeemWorld& world) { world.hand_in(payment); });
  return payment;
}

void RedeemWorld::hand_in(size_t index) {
  Payment& payment = payments_[index];
  if (payment.done) return;
  at(time_ + kPayerPatience, [index](RedeemWorld& world) { world.hand_in(index); });
  if (payment.y && redeemer_->op_of(*payment.y)) {
    payment.done = ++payment.asked >= kAsksOfAPayer;
    process(redeemer_->ask(now(), *redeemer_->op_of(*payment.y)));
    return;
  }
  const auto quote = redeemer_->quote(payment.token, now());
  if (!quote) {
    payment.refusal = quote.error();
    payment.done = quote.error().reason != cashu::RefusalReason::MintNotReady;
    return;
  }
  payment.refusal.reset();
  cashu::RedeemStep step;
  step.effects.push_back(redeemer_->check(*quote));
  checks_[std::get<cashu::CheckToken>(step.effects[0]).id] = index;
  process(std::move(step));
}

void RedeemWorld::on_checked(const cashu::TokenChecked& checked) {
  const auto check = checks_.find(checked.id);
  if (check == checks_.end()) return;
  Payment& payment = payments_[check->second];
  checks_.erase(check);
  const auto quote = redeemer_->quote(payment.token, now());
  if (!checked.problem.empty() || !quote) {
    payment.refusal = cashu::Refusal{cashu::RefusalReason::Malformed, checked.problem, {}};
    payment.done = true;
    return;
  }
  payment.y = cashu::y_hash(checked.ys.at(0));
  auto begun = redeemer_->begin(now(), *quote, checked.ys);
  if (begun)
    process(std::move(begun->step));
  else
    payment.refusal = begun.error();
}

std::optional<OpId> RedeemWorld::op_of_payment(size_t payment) const {
  const auto& y = payments_.at(payment).y;
  return y ? redeemer_->op_of(*y) : std::nullopt;
}

std::optional<cashu::OpStatus> RedeemWorld::status_of_payment(size_t payment) const {
  const auto op = op_of_payment(payment);
  if (!op) return std::nullopt;
  return redeemer_->state().summary(*op)->status;
}

const std::optional<cashu::Refusal>& RedeemWorld::refusal_of_payment(size_t payment) const {
  return payments_.at(payment).refusal;
}

size_t RedeemWorld::calls_to(cashu::Endpoint endpoint) const {
  const auto calls = calls_.find(endpoint);
  return calls == calls_.end() ? 0 : calls->second;
}

// --- watching ----------------------------------------------------------------------------------

void RedeemWorld::watch_record(const cashu::RedeemRecord& record) {
  if (const auto* opened = std::get_if<cashu::OpOpened>(&record)) opened_[opened->op] = *opened;
  if (const auto* over = std::get_if<cashu::HoldEnded>(&record)) hold_over_.insert(over->op);
  const auto* made = std::get_if<cashu::AttemptMade>(&record);
  if (!made) return;
  intents_.insert(made->attempt.body);
  if (++attempts_[made->op] > cashu::kAttemptsMax) violate("too many attempts");
  for (uint32_t i = 0; i < made->attempt.outputs.size(); ++i)
    if (!counters_.emplace(made->attempt.keyset, made->attempt.counter_start + i).second)
      violate("counter used twice");
}

void RedeemWorld::watch_post(const cashu::MintCall& call) {
  if (!intents_.contains(call.body)) violate("posted before it was recorded");
  for (const auto& record : journal_) {
    const auto* made = std::get_if<cashu::AttemptMade>(&record);
    if (made && made->attempt.body == call.body && hold_over_.contains(made->op))
      violate("posted after the hold");
  }
}

void RedeemWorld::watch_event(const cashu::RedeemEvent& event) {
  events_.push_back(event);
  const auto* verdict = std::get_if<cashu::NotTaken>(&event);
  if (!verdict || !settings_.judge_verdicts) return;
  const cashu::OpOpened& opened = opened_.at(verdict->op);
  if (swap_of_ours(opened)) violate("verdict although our swap won");
  const bool spent =
      std::any_of(opened.inputs.begin(), opened.inputs.end(), [&](const cashu::Proof& input) {
        return mint_.state_of(time_, input) == cashu::ProofState::Spent;
      });
  if (!spent && verdict->verdict == cashu::Verdict::SpentElsewhere)
    violate("spent elsewhere, but it is not");
  for (const cashu::Proof& input : opened.inputs)
    if (mint_.state_of(time_, input) == cashu::ProofState::Pending)
      violate("verdict while the mint says pending");
}

// The swap that spent these inputs for outputs of ours, if there is one.
const sim::MintSwap* RedeemWorld::swap_of_ours(const cashu::OpOpened& opened) const {
  const std::string& secret = opened.inputs.at(0).secret;
  for (const sim::MintSwap& swap : mint_.swaps())
    if (!swap.outputs.empty() && ours_.contains(swap.outputs[0].b))
      for (const cashu::Proof& input : swap.inputs)
        if (input.secret == secret) return &swap;
  return nullptr;
}

void RedeemWorld::audit() {
  mint_.check_invariants();
  const cashu::RedeemState& state = redeemer_->state();
  cashu::Amount signed_for_us = 0;
  size_t swaps_of_ours = 0;
  for (const sim::MintSwap& swap : mint_.swaps()) {
    cashu::Amount out = 0;
    for (const auto& output : swap.outputs)
      if (ours_.contains(output.b)) out += output.amount;
    signed_for_us += out;
    swaps_of_ours += out > 0 ? 1 : 0;
  }
  cashu::Amount owned = 0;
  for (const auto& [purse, balance] : state.wallet().balances()) owned += balance;
  if (owned != signed_for_us) violate("the wallet is not what was signed");
  size_t done = 0;
  for (const auto& [op, opened] : opened_) {
    const bool is_done = state.summary(op)->status == cashu::OpStatus::Done;
    done += is_done ? 1 : 0;
    if (is_done != (swap_of_ours(opened) != nullptr)) violate("an operation's end is wrong");
    if (is_done != (credits_[op] == 1)) violate("done and credited differ");
  }
  if (done != swaps_of_ours) violate("a swap without an operation");
  for (const auto& [purse, balance] : state.wallet().balances())
    for (const cashu::Proof& proof : state.wallet().proofs(purse)) {
      if (!mint_.is_valid(proof)) violate("a proof in the wallet is invalid");
      if (mint_.state_of(time_, proof) != cashu::ProofState::Unspent)
        violate("a proof in the wallet is spent");
    }
}

std::string RedeemWorld::violation_text() const {
  std::string text;
  for (const std::string& violation : violations_) text += violation + "; ";
  return text;
}

}  // namespace paygress::test
