// What must hold after every step of a provider, and when it has come to rest.
#include "sim/world/describe.h"
#include "sim/world/provider_node.h"
#include "sim/world/refunds_in.h"

namespace paygress::sim {
namespace {

constexpr Seconds kRestarts{155};     // of its own, until they are used up
constexpr Seconds kSightEvery{65};    // a sight a minute
constexpr Seconds kOldList{125};      // so much longer runs what an old list still shows
constexpr Seconds kUnpaidGrace{600};  // until the sweep has stopped what a lost answer left running

bool is_over(const lease::Lease* lease) {
  return lease == nullptr || lease->phase == lease::Phase::Ended;
}

}  // namespace

// The step's records are durable and none of its effects has begun. Nothing of this can change but
// by a record, or by the engine.
void ProviderNode::audit(bool changed) {
  if (changed) {
    provider_->check_invariants();
    audit_money();
    audit_unpaid();
  }
  if (engine_.version() != engine_seen_) watch_engine();
  if (changed) audit_charges();
}

// Nobody pays for time that was not delivered: what a lease that is over was charged for is what
// its objects really ran, but for restarts of its own and for what can be seen of an engine.
void ProviderNode::audit_charges() {
  for (const auto& [id, lease] : provider_->leases().leases()) {
    if (lease.phase != lease::Phase::Ended || !charged_.insert(id).second) continue;
    watch_engine();
    const Seconds restarts = std::max(kRestarts, restarts_[id]);
    // A reservation is served by being kept. How long one was, and was not held, is not told apart.
    const auto member = memberships_.find(id);
    const Micros kept =
        member == memberships_.end() ? Micros{0} : clock().mono - member->second.since;
    const Micros delivered = std::max(delivered_[id], kept) + micros(restarts) +
                             micros(Seconds{kSightEvery.value + kOldList.value * engine_lies_});
    if (micros(lease.statement->used) > delivered)
      world_.violate("overcharged", to_text(name()) + ": " +
                                        std::to_string(lease.statement->used.value) +
                                        " s are charged, " +
                                        std::to_string(delivered.value / 1'000'000) + " s ran");
  }
}

// One that ran for ten minutes has all its restarts again.
void ProviderNode::note_restart(const provider::Record& record) {
  const auto* of_lease = std::get_if<lease::LeaseRecord>(&record);
  const auto* up = of_lease == nullptr ? nullptr : std::get_if<lease::LeaseUp>(of_lease);
  if (up != nullptr) restarts_[up->lease] += up->charged_backoff;
}

// What was frozen by its guard while its daemon slept.
bool ProviderNode::is_frozen_by_guard() const {
  const Now now = clock();
  return std::ranges::any_of(engine_.running_names(now), [&](const std::string& object) {
    return engine_.spec(object, now)->guarded && !engine_.executes(object, now);
  });
}

void ProviderNode::note_member(const provider::Record& record) {
  const auto* of_failover = std::get_if<failover::FailoverRecord>(&record);
  if (of_failover == nullptr) return;
  if (const auto* joined = std::get_if<failover::Joined>(of_failover))
    memberships_.try_emplace(joined->lease, joined->terms.workload_id, clock().mono);
}

void ProviderNode::mark_failover(const provider::Record& record) {
  const auto* of_failover = std::get_if<failover::FailoverRecord>(&record);
  if (of_failover == nullptr) return;
  if (std::holds_alternative<failover::Promoted>(*of_failover)) world_.mark("promoted", name());
  if (std::holds_alternative<failover::Superseded>(*of_failover)) world_.mark("superseded", name());
  const auto* ended = std::get_if<failover::HoldEnded>(of_failover);
  if (ended == nullptr) return;
  // A lease that is over ends the epoch that it held, and that is said to all.
  const bool over = provider_->failover().phase(ended->lease) == failover::Phase::Leaving;
  world_.mark(over ? "revoked at its end" : "fenced", name());
}

// What counts as the same workload on two providers. A plain lease is on one only.
std::string ProviderNode::workload_key(const LeaseId& lease) const {
  const auto member = memberships_.find(lease);
  return member == memberships_.end() ? lease.hex() : member->second.workload_id;
}

const workload::Spec* ProviderNode::executing(const std::string& workload_id) const {
  const Now now = clock();
  for (const std::string& object : engine_.running_names(now))
    if (const workload::Spec* spec = engine_.spec(object, now);
        engine_.executes(object, now) && workload_key(spec->labels.lease) == workload_id)
      return spec;
  return nullptr;
}

Msat ProviderNode::redeemed() const {
  Msat sum;
  for (const auto& [key, totals] : provider_->leases().totals()) sum += totals.redeemed;
  return sum;
}

Msat ProviderNode::over_lightning() const {
  Msat sum;
  for (const auto& [id, withdrawal] : provider_->leases().withdrawals().all())
    if (withdrawal.settled) sum += withdrawal.settled->amount + withdrawal.settled->fee;
  return sum;
}

Msat ProviderNode::swapped() const {
  Msat sum = redeemed();
  for (const auto& [purse, flow] : provider_->wallet().state().flows())
    sum += Msat{static_cast<int64_t>(flow.given + flow.withdrawn + flow.change) * 1000};
  // What went over Lightning is nobody's ecash.
  for (const auto& [id, withdrawal] : provider_->leases().withdrawals().all())
    if (withdrawal.settled) sum = sum - withdrawal.settled->amount;
  return sum;
}

// What the wallet holds is what the leases account for: credit and proofs are one batch.
void ProviderNode::audit_money() {
  Msat held;
  for (const auto& [purse, amount] : provider_->wallet().state().wallet().balances())
    held += Msat{static_cast<int64_t>(amount) * 1000};
  for (const auto& [purse, flow] : provider_->wallet().state().flows())
    held += Msat{static_cast<int64_t>(flow.given + flow.withdrawn + flow.fees + flow.lost) * 1000} -
            Msat{static_cast<int64_t>(flow.found + flow.restored) * 1000};
  if (const Msat accounted = redeemed(); held != accounted)
    world_.violate("lost-msat", to_text(name()) + ": the wallet holds and gave " +
                                    std::to_string(held.value) + " msat, the leases account for " +
                                    std::to_string(accounted.value));
}

// Asks the engine's truth, whatever it answers to the provider; again at the next instant at which
// something comes to run, or dies, by itself.
void ProviderNode::watch_engine() {
  const Now now = clock();
  engine_seen_ = engine_.version();
  std::map<std::string, std::string> executing;
  for (const std::string& object : engine_.running_names(now))
    if (engine_.executes(object, now))
      executing.emplace(object, workload_key(engine_.spec(object, now)->labels.lease));
  for (const LeaseId& lease : executing_)
    delivered_[lease] += std::max(Micros{0}, now.mono - executing_since_);
  executing_.clear();
  for (const auto& [object, key] : executing)
    executing_.insert(engine_.spec(object, now)->labels.lease);
  executing_since_ = now.mono;
  world_.executing(name(), executing);
  std::optional<Micros> next = engine_.next_change(now);
  if (const auto guard = guard_.next_change(now); guard && (!next || *guard < *next)) next = guard;
  if (!next || (engine_watch_ && *engine_watch_ <= *next && *engine_watch_ > now.mono)) return;
  engine_watch_ = *next;
  world_.queue().after(clock_.until(*next, world_.queue().now()), [this, due = *next] {
    if (engine_watch_ != due) return;
    engine_watch_.reset();
    watch_engine();
  });
}

// What the ledger durably says of operations at the mint. Secrets are used once, and new outputs
// are made only where they differ from the old ones.
void ProviderNode::note_intent(const cashu::RedeemRecord& record) {
  if (const auto* opened = std::get_if<cashu::OpOpened>(&record))
    intents_[opened->op] = {opened->hold_until, false, opened->points, {}};
  if (const auto* refund = std::get_if<cashu::RefundOpened>(&record))
    intents_[refund->op] = {{}, true, {}, {}};
  if (const auto* melt = std::get_if<cashu::MeltOpened>(&record))
    intents_[melt->op] = {{}, true, {}, {}};
  const auto* made = std::get_if<cashu::AttemptMade>(&record);
  if (made == nullptr) return;
  bodies_[made->attempt.body] = made->op;
  std::vector<std::string> shape{made->attempt.keyset};
  const Intent& intent = intents_[made->op];
  const bool blank = intent.refund && made->attempt.of_token == 0 && intent.attempts.empty();
  if (blank) shape.emplace_back("blank");
  for (const cashu::BlindedMessage& output : made->attempt.outputs) {
    shape.push_back(std::to_string(output.amount));
    if (!outputs_.insert(output.b).second)
      world_.violate("reused-output", to_text(name()) + " made the same output twice");
  }
  if (!intents_[made->op].attempts.insert(std::move(shape)).second)
    world_.violate("burnt-counters", to_text(name()) + " made the same attempt with new outputs");
}

void ProviderNode::note_states(const cashu::MintReply& reply) {
  const auto* checked = std::get_if<cashu::CheckAnswer>(&reply.answer);
  if (checked == nullptr) return;
  for (const cashu::StateEntry& entry : checked->states) {
    Said& said = said_[entry.y];
    if (said.call.value <= reply.id.value) said = {reply.id, entry.state};
  }
}

// A token is given up for spent, or given back, on the mint's word about its proofs alone. (That of
// a refund never is: its proofs are ours.)
void ProviderNode::audit_verdict(const cashu::RedeemRecord& record) {
  const auto* closed = std::get_if<cashu::OpClosed>(&record);
  if (closed == nullptr || intents_.at(closed->op).refund) return;
  size_t spent = 0;
  size_t unspent = 0;
  const std::vector<cashu::Point>& points = intents_.at(closed->op).points;
  for (const cashu::Point& y : points) {
    const auto said = said_.find(y);
    if (said == said_.end()) continue;
    spent += said->second.state == cashu::ProofState::Spent;
    unspent += said->second.state == cashu::ProofState::Unspent;
  }
  const bool borne =
      closed->verdict == cashu::Verdict::Released ? unspent == points.size() : spent > 0;
  if (!borne)
    world_.violate("hasty-verdict",
                   to_text(name()) + " gave a token up, and the mint has not said of its proofs " +
                       "what the verdict says");
}

// Nothing goes back while the workload runs; unless the engine showed an old list for a new one.
void ProviderNode::audit_refund(const cashu::RedeemRecord& record) {
  const auto* opened = std::get_if<cashu::RefundOpened>(&record);
  if (opened == nullptr || clock().mono < engine_lied_at_ + micros(kUnpaidGrace)) return;
  const lease::ClaimEntry* claim = provider_->leases().claims().find(opened->claim);
  PG_CHECK((claim == nullptr) == opened->withdrawal);
  if (claim == nullptr) return;
  for (const std::string& object : engine_.running_names(clock()))
    if (engine_.spec(object, clock())->labels.lease == claim->owed.lease)
      world_.violate("refund-and-run", to_text(name()) + ": " + object + " is paid back, and runs");
}

// A refund is bearer money: its owner hears of it, and nobody else.
void ProviderNode::audit_reply(const provider::SealReply& sealed) {
  const auto reply = market::parse_reply(sealed.json);
  if (!reply) return;
  const auto* refunds = refunds_in(*reply);
  if (refunds == nullptr) return;
  for (const auto& [id, claim] : provider_->leases().claims().all())
    for (const market::RefundToken& refund : *refunds)
      if (claim.paid && claim.paid->token == refund.token && claim.owed.owner != sealed.to)
        world_.violate("wrong-owner", to_text(name()) + " tells somebody else");
}

// Nothing is sent to be swapped that a crash would forget, or that nobody waits for any more.
void ProviderNode::audit_swap(const cashu::MintCall& call) {
  const auto body = bodies_.find(call.body);
  if (body == bodies_.end())
    return world_.violate("swap-without-intent",
                          to_text(name()) + " sends a swap that is not in its ledger");
  const cashu::Operation* live = provider_->wallet().state().live(body->second);
  if (live != nullptr && live->hold_over && !intents_.at(body->second).refund)
    world_.violate("posted-late", to_text(name()) + " sends a swap after its hold");
}

void ProviderNode::audit_unpaid() {
  const Now now = clock();
  std::set<std::string> unpaid;
  for (const std::string& object : engine_.running_names(now))
    if (is_over(provider_->leases().find(engine_.spec(object, now)->labels.lease)))
      unpaid.insert(object);
  std::erase_if(unpaid_since_, [&](const auto& entry) { return !unpaid.contains(entry.first); });
  for (const std::string& object : unpaid) {
    const Micros since = unpaid_since_.emplace(object, now.mono).first->second;
    if (now.mono - since > micros(kUnpaidGrace) && !world_.troubled())
      world_.violate("unpaid-run", to_text(name()) + ": " + object + " runs for no lease");
  }
}

// The one refund that may wait at rest: begun with proofs that are worth no more than what the mint
// has come to ask for them, so that it waits until the mint asks less (docs/money.md).
size_t ProviderNode::beyond_the_fee(bool withdrawals) const {
  size_t waiting = 0;
  for (const auto& [op, operation] : provider_->wallet().state().live()) {
    if (!operation.refund || operation.refund->withdrawal != withdrawals) continue;
    uint64_t ppk = 0;
    cashu::Amount worth = 0;
    for (const cashu::Proof& input : operation.opened.inputs) {
      ppk += world_.mint().fee_ppk(input.keyset);
      worth += input.amount;
    }
    // A withdrawal takes no more than it said it would.
    if (withdrawals && !operation.refund->melt)
      worth = operation.refund->face + operation.refund->fee;
    waiting += worth <= (ppk + 999) / 1000;
  }
  return waiting;
}

void ProviderNode::audit_rest() const {
  const std::string who = to_text(name()) + ": ";
  if (!answers()) return world_.violate("down", who + "did not come back");
  const size_t waiting = refunds_beyond_the_fee();
  const size_t open = provider_->wallet().state().open_count() - waiting - beyond_the_fee(true);
  if (open != 0)
    world_.violate("in-doubt", who + std::to_string(open) + " operations at the mint are open");
  const size_t owed = provider_->leases().claims().owed().size() - waiting;
  if (owed != 0) world_.violate("refund-stuck", who + std::to_string(owed) + " claims are owed");
  for (const std::string& object : engine_.running_names(clock()))
    if (is_over(provider_->leases().find(engine_.spec(object, clock())->labels.lease)))
      world_.violate("unpaid-run", who + object + " runs for no lease");
  audit_withdrawals();
  audit_orphans();
  audit_reservations();
}

// Who is in line behind another holder keeps a reservation, and that is paid by the second. (Who
// was fenced, and nobody followed, does not.)
void ProviderNode::audit_reservations() const {
  for (const LeaseId& id : provider_->failover().leases()) {
    const failover::ReplicaStatus status = provider_->failover().status(id).value();
    const bool in_line = status.phase == failover::Phase::Armed && !status.fenced;
    const lease::Lease* lease = provider_->leases().find(id);
    if (in_line && lease->phase == lease::Phase::Down)
      world_.violate("clock-stands", to_text(name()) + ": a reservation is kept, and not paid for");
  }
}

// Nothing is left in the engine, running or not, but the newest object of each lease.
void ProviderNode::audit_orphans() const {
  for (const std::string& object : engine_.names(clock())) {
    const LeaseId& lease = engine_.spec(object, clock())->labels.lease;
    const bool over = is_over(provider_->leases().find(lease));
    if (over || provider_->workloads().object_of(lease) != object)
      world_.violate("orphan", to_text(name()) + ": " + object + " is left, and nobody's");
  }
}

void ProviderNode::observe(const provider::Input& input, const provider::Step& step) {
  world_.observer()->on_step(world_.queue().now(), name(), world_.hash_so_far(), [&] {
    std::string text = describe_text(input);
    for (const provider::Record& record : step.records)
      text += "\n    record " + describe_text(record);
    for (const provider::Effect& effect : step.effects)
      text += "\n    effect " + describe_text(effect);
    return text;
  });
}

}  // namespace paygress::sim
