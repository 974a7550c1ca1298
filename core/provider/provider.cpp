#include "core/provider/provider.h"

#include <algorithm>
#include <array>

#include "core/provider/running.h"

namespace paygress::provider {
namespace {

namespace pool = nostr::pool;

constexpr Seconds kHousekeepingEvery{60};
constexpr std::string_view kInbox = "inbox";

std::vector<nostr::RelayConfig> relay_configs(const Settings& settings,
                                              const std::map<std::string, UnixSeconds>& read) {
  std::vector<nostr::RelayConfig> configs;
  for (const std::string& url : settings.relays) {
    const auto it = read.find(url);
    configs.push_back({url, it == read.end() ? std::nullopt : std::optional(it->second)});
  }
  return configs;
}

}  // namespace

Provider::Provider(Settings settings, Entropy& entropy, uint64_t jitter_seed, Policies policies)
    : settings_(std::move(settings)),
      desk_policy_(policies.desk),
      entropy_(entropy),
      jitter_seed_(jitter_seed),
      leases_(settings_.sold, settings_.ranges),
      workloads_(
          {}, [this] { return workload_calls_.next(); }, policies.workloads),
      wallet_(settings_.mints, policies.redeem),
      failover_(settings_.self, micros(settings_.heartbeat_interval), policies.failover),
      failover_policy_(policies.failover),
      announcer_(settings_, calls_) {
  for (const lease::Tier& tier : settings_.tiers) PG_CHECK(tier.rate_per_second > Msat{0});
}

Provider::~Provider() = default;

// --- start -------------------------------------------------------------------------------------

void Provider::fold(const Record& entry) {
  PG_CHECK(running_ == nullptr);
  standby_book_.apply(entry);
  if (const auto* own = std::get_if<OwnRecord>(&entry)) {
    if (const auto* installed = std::get_if<Installed>(own)) installed_ = *installed;
    if (const auto* booted = std::get_if<Booted>(own)) boot_count_ = booted->count;
    if (const auto* read = std::get_if<RelayRead>(own)) relay_read_[read->url] = read->until;
    if (const auto* began = std::get_if<RecoveryBegan>(own)) recovery_ = *began;
    if (std::holds_alternative<RecoveryEnded>(*own)) recovery_.reset();
    requests_.apply(*own);
    announcer_.apply(*own);
  } else if (const auto* of_lease = std::get_if<lease::LeaseRecord>(&entry)) {
    leases_.apply(*of_lease);
  } else if (const auto* of_workload = std::get_if<workload::WorkloadRecord>(&entry)) {
    workloads_.apply(*of_workload);
  } else if (const auto* of_failover = std::get_if<failover::FailoverRecord>(&entry)) {
    failover_.apply(*of_failover);
  } else {
    wallet_.apply(std::get<cashu::RedeemRecord>(entry));
  }
}

Result<Step> Provider::start(Now now, const Boot& boot) {
  PG_CHECK(running_ == nullptr);
  if (installed_ && installed_->provider != settings_.self)
    return fail("this ledger belongs to provider " + installed_->provider.hex() +
                "; the configured key is " + settings_.self.hex());
  if (installed_ && installed_->seed_fingerprint != boot.seed_fingerprint)
    return fail("this ledger's wallet has another seed; money in it could not be spent");
  Step out;
  machine_ = boot.machine;
  if (!installed_) {
    installed_ = Installed{boot.install, settings_.self, boot.seed_fingerprint, now.wall};
    out.records.push_back(OwnRecord(*installed_));
  }
  ++boot_count_;
  out.records.push_back(OwnRecord(Booted{boot_count_, boot.machine, now.wall}));
  calls_ = CallIds(boot_count_, CallIds::Range::Provider);
  workload_calls_ = CallIds(boot_count_, CallIds::Range::Workloads);
  running_ = std::make_unique<Running>(*this, relay_configs(settings_, relay_read_));
  running_->payments.set_install(installed_->install);

  const std::vector<EventId> seen = requests_.seen_events();
  running_->pool.load_seen(seen);
  subscribe(now, out);  // before the pool starts: only then does it resume where it stopped
  running_->pool.start(now);

  recovery_ ? begin_recovery(now, out) : resume(now, out);
  announcer_.start(now, running_->pool);
  housekeeping_due_ = now.mono + micros(kHousekeepingEvery);
  drain_pool(now, nullptr, out);
  run_timers(now, out);
  return out;
}

// What the ledger says is taken up by every machine.
void Provider::resume(Now now, Step& out) {
  Payments& payments = running_->payments;
  running_->standby.recover(instant(now), out);
  payments.recover(instant(now), out);
  const CallId first_wallet_call = CallIds(boot_count_, CallIds::Range::Wallet).next();
  payments.take(instant(now), wallet_.recover(now, first_wallet_call), out);
  lease::LeaseStep lease_step;
  leases_.recover(instant(now), lease_step);
  payments.take(instant(now), std::move(lease_step), out);
  running_->standby.resume_clocks(instant(now), out);
  workload::Step workload_step;
  workloads_.recover(now, workload_step);
  payments.take(instant(now), std::move(workload_step), out);
}

void Provider::subscribe(Now now, Step& out) {
  nostr::Filter inbox;
  inbox.kinds = {nostr::kind::kGiftWrap, nostr::kind::kEncryptedDirect};
  inbox.tags["p"] = {settings_.self.hex()};
  nostr::SubscribeOptions options;
  options.backfill = nostr::kGiftWrapBackfill;
  if (auto ok = running_->pool.subscribe(now, std::string(kInbox), {inbox}, options); !ok)
    out.tell(Level::Alarm, "cannot subscribe to the inbox: " + to_string(ok.error()));
}

// --- routing -----------------------------------------------------------------------------------

Step Provider::step(Now now, const Input& input) {
  PG_CHECK(running_ != nullptr);
  Step out;
  route(now, input, out);
  drain_pool(now, nullptr, out);
  run_timers(now, out);
  return out;
}

void Provider::route(Now now, const Input& input, Step& out) {
  nostr::RelayPool& relays = running_->pool;
  if (recovery_ && route_recovering(now, input, out)) return;
  if (const auto* said = std::get_if<RelaySaid>(&input)) {
    route_relay_said(now, *said, out);
  } else if (const auto* up = std::get_if<LinkUp>(&input)) {
    relays.handle_link_up(now, up->link);
  } else if (const auto* lost = std::get_if<LinkLost>(&input)) {
    relays.handle_link_down(now, lost->link, lost->reason, lost->text);
  } else if (const auto* pong = std::get_if<Pong>(&input)) {
    relays.handle_pong(now, pong->link);
  } else if (const auto* signed_event = std::get_if<EventSigned>(&input)) {
    const auto auth = auths_.find(signed_event->id);
    if (auth != auths_.end()) {
      relays.handle_auth_signed(now, auth->second, signed_event->event);
      auths_.erase(auth);
    } else if (!running_->standby.on_signed(now, *signed_event, out)) {
      announcer_.on_signed(now, *signed_event, out);
    }
  } else if (const auto* sealed = std::get_if<ReplySealed>(&input)) {
    running_->outbox.on_sealed(now, *sealed, out);
  } else if (const auto* answer = std::get_if<workload::Answer>(&input)) {
    workload::Step step;
    workloads_.handle_answer(now, *answer, step);
    running_->payments.take(instant(now), std::move(step), out);
  } else if (const auto* noticed = std::get_if<workload::Noticed>(&input)) {
    workload::Step step;
    workloads_.notice(now, *noticed, step);
    running_->payments.take(instant(now), std::move(step), out);
  } else if (const auto* ports = std::get_if<PortsInUse>(&input)) {
    leases_.allocator().set_foreign_ports({ports->ports.begin(), ports->ports.end()});
  } else if (const auto* drain = std::get_if<Drain>(&input)) {
    draining_ = drain->on;
    announcer_.offer_changed(now);
  } else if (const auto* withdraw = std::get_if<Withdraw>(&input)) {
    running_->payments.withdraw(instant(now), *withdraw, out);
  } else if (const auto* done = std::get_if<TokenDelivered>(&input)) {
    running_->payments.delivered(instant(now), done->withdrawal, out);
  } else if (const auto* fetched = std::get_if<InvoiceFetched>(&input)) {
    running_->payments.on_invoice(instant(now), *fetched, out);
  } else if (std::holds_alternative<SearchWallet>(input)) {
    running_->payments.search_wallet(instant(now), out);
  } else if (const auto* asked = std::get_if<Release>(&input)) {
    release(now, *asked, out);
  } else if (const auto* guard = std::get_if<workload::GuardAnswered>(&input)) {
    running_->standby.handle(instant(now), *guard, out);
  } else if (const auto* health = std::get_if<workload::GuardHealth>(&input)) {
    running_->standby.handle(instant(now), *health, out);
  } else if (!std::holds_alternative<Tick>(input)) {
    cashu::RedeemInput of_wallet;
    if (const auto* reply = std::get_if<cashu::MintReply>(&input)) of_wallet = *reply;
    if (const auto* outputs = std::get_if<cashu::OutputsReady>(&input)) of_wallet = *outputs;
    if (const auto* proofs = std::get_if<cashu::ProofsReady>(&input)) of_wallet = *proofs;
    if (const auto* checked = std::get_if<cashu::TokenChecked>(&input)) of_wallet = *checked;
    running_->payments.take(instant(now), wallet_.handle(now, of_wallet), out);
    handle_decidable(now, out);
  }
}

void Provider::route_relay_said(Now now, const RelaySaid& said, Step& out) {
  running_->pool.handle_message(now, said.link, said.message);
  drain_pool(now, said.opened ? &*said.opened : nullptr, out);
}

// Carries out what the pool asks for. `opened` is the private message of the event at hand: it is
// handled when, and only when, the pool delivers that event (the first time, on a subscription).
void Provider::drain_pool(Now now, const PrivateMessage* opened, Step& out) {
  for (auto outputs = running_->pool.take_outputs(); !outputs.empty();
       outputs = running_->pool.take_outputs()) {
    for (auto& output : outputs) {
      if (running_->standby.handle(instant(now), output, out)) continue;
      if (running_->fellows.handle(now, output)) continue;
      if (auto* open = std::get_if<pool::OpenLink>(&output)) {
        out.effects.push_back(OpenLink{open->link, running_->pool.url(open->link.relay)});
      } else if (auto* close = std::get_if<pool::CloseLink>(&output)) {
        out.effects.push_back(CloseLink{close->link});
      } else if (auto* ping = std::get_if<pool::Ping>(&output)) {
        out.effects.push_back(PingLink{ping->link});
      } else if (auto* send = std::get_if<pool::Send>(&output)) {
        out.effects.push_back(SendFrame{send->link, std::move(send->message)});
      } else if (auto* auth = std::get_if<pool::SignAuth>(&output)) {
        const CallId id = calls_.next();
        auths_.emplace(id, auth->link);
        out.effects.push_back(SignEvent{id, std::move(auth->draft)});
      } else if (auto* delivered = std::get_if<pool::Delivered>(&output)) {
        if (opened != nullptr && delivered->event->id == opened->event)
          handle_message(now, *opened, out);
      } else if (auto* reached = std::get_if<pool::Reached>(&output)) {
        const auto key = running_->outbox.on_reached(reached->publish);
        if (key && running_->standby.on_notice_taken(*key, out)) continue;
        if (key && requests_.find(*key) != nullptr)  // else forgotten while it was on its way
          record(AnswerDelivered{*key}, out);
      } else if (auto* health = std::get_if<pool::HealthChanged>(&output)) {
        out.tell(Level::Info, "relay " + running_->pool.url(health->relay) + ": " +
                                  std::string(to_string(health->status.health)));
      }
    }
  }
}

// --- time --------------------------------------------------------------------------------------

std::optional<Micros> Provider::next_deadline() const {
  if (recovery_) return recovery_deadline();
  std::optional<Micros> next = housekeeping_due_;
  const auto sooner = [&](std::optional<Micros> at) {
    if (at && *at < *next) next = at;
  };
  sooner(announcer_.next_deadline());
  sooner(leases_.next_deadline());
  sooner(workloads_.next_deadline());
  sooner(wallet_.next_deadline());
  sooner(running_->pool.next_deadline());
  sooner(running_->outbox.next_deadline());
  sooner(running_->payments.next_deadline());
  sooner(waiting_.next_deadline());
  sooner(running_->fellows.next_deadline());
  sooner(running_->standby.next_deadline());
  return next;
}

void Provider::run_timers(Now now, Step& out) {
  if (recovery_) return run_recovery_timers(now, out);
  const auto due = [&](std::optional<Micros> at) { return at && *at <= now.mono; };
  if (due(running_->pool.next_deadline())) running_->pool.handle_timer(now);
  if (due(wallet_.next_deadline()))
    running_->payments.take(instant(now), wallet_.handle_timer(now), out);
  if (due(workloads_.next_deadline())) {
    workload::Step step;
    workloads_.handle_timer(now, step);
    running_->payments.take(instant(now), std::move(step), out);
  }
  if (due(leases_.next_deadline())) {
    lease::LeaseStep step;
    leases_.handle_timer(instant(now), step);
    running_->payments.take(instant(now), std::move(step), out);
  }
  if (due(running_->payments.next_deadline())) running_->payments.handle_timer(instant(now), out);
  if (due(waiting_.next_deadline()))
    for (const Waiting& w : waiting_.take_due(now)) handle_request(now, w.message, {}, out);
  if (due(running_->fellows.next_deadline())) running_->fellows.handle_timer(now);
  if (running_->fellows.take_news()) handle_decidable(now, out);
  if (due(running_->outbox.next_deadline())) running_->outbox.handle_timer(now);
  if (due(running_->standby.next_deadline())) running_->standby.handle_timer(instant(now), out);
  if (due(announcer_.next_deadline())) announcer_.handle_timer(now, vitals(), out);
  if (housekeeping_due_ <= now.mono) housekeeping(now, out);
  drain_pool(now, nullptr, out);
}

void Provider::housekeeping(Now now, Step& out) {
  housekeeping_due_ = now.mono + micros(kHousekeepingEvery);
  lease::LeaseStep of_leases;
  leases_.housekeep(now, of_leases);
  running_->payments.take(instant(now), std::move(of_leases), out);
  for (OwnRecord& entry : requests_.forget(now.wall)) {
    // The token that it asked for is still its owner's to ask for again.
    if (running_->payments.owes(std::get<RequestForgotten>(entry).key)) continue;
    running_->outbox.forget(std::get<RequestForgotten>(entry).key);
    record(std::move(entry), out);
  }
  for (uint32_t i = 0; i < settings_.relays.size(); ++i) {
    const auto until = running_->pool.last_connected(RelayIndex{i});
    const std::string& url = settings_.relays[i];
    if (!until || (relay_read_.contains(url) && *until <= relay_read_[url])) continue;
    relay_read_[url] = *until;
    out.records.push_back(OwnRecord(RelayRead{url, *until}));
  }
  workloads_.set_quorum_lost(announcer_.quorum_lost(now));
  running_->payments.pay_out(instant(now), out);
}

Vitals Provider::vitals() const {
  return {leases_.allocator().unreserved(), static_cast<uint32_t>(workloads_.running_count()),
          leases_.jobs_completed(), draining_ || recovery_.has_value(),
          running_ != nullptr && running_->standby.guard_works()};
}

void Provider::record(OwnRecord entry, Step& out) {
  requests_.apply(entry);
  out.records.push_back(std::move(entry));
}

// --- questions ---------------------------------------------------------------------------------

bool Provider::delivered(const EventId& event) const {
  return running_ != nullptr && running_->pool.delivered(event);
}

const nostr::RelayPool* Provider::relays() const {
  return running_ == nullptr ? nullptr : &running_->pool;
}

void Provider::check_invariants() const {
  requests_.check_invariants();
  leases_.check_invariants();
  workloads_.check_invariants();
  wallet_.check_invariants();
  if (running_ != nullptr) {
    running_->pool.check_invariants();
    running_->fellows.check_invariants();
    if (!recovery_) running_->standby.check_invariants();
  }
  for (const auto [id, lease] : leases_.leases()) {
    const bool delivering =
        lease.phase == lease::Phase::Creating || lease.phase == lease::Phase::Running ||
        lease.phase == lease::Phase::Down || lease.phase == lease::Phase::Ending;
    PG_CHECK(delivering == workloads_.state_of(id).has_value());
  }
  check_conservation();
}

// The wallet's books and the leases' agree: what was received is what was paid for leases, and the
// tokens that were given are those that claims and withdrawals became.
void Provider::check_conservation() const {
  using Sums = std::array<Msat, 3>;  // received, given, withdrawn
  std::map<lease::MintUnit, Sums> wallet;
  for (const auto& [purse, flow] : wallet_.state().flows()) {
    if (flow.received == 0) continue;
    const auto msat = [&](cashu::Amount amount) {
      return amount == 0 ? Msat{0} : cashu::value_of(amount, purse.unit).value();
    };
    wallet[{purse.mint, purse.unit}] = {msat(flow.received), msat(flow.given),
                                        msat(flow.withdrawn)};
  }
  std::map<lease::MintUnit, Sums> leases;
  for (const auto& [purse, totals] : leases_.totals())
    if (totals.redeemed > Msat{0})
      leases[purse] = {totals.redeemed, totals.given, totals.withdrawn};
  PG_CHECK(wallet == leases);
}

}  // namespace paygress::provider
