// While the ledger is being recovered (recovery.h): which inputs reach which machine, and what
// everybody who asks is told.
#include <algorithm>

#include "core/provider/running.h"

namespace paygress::provider {
namespace {

constexpr Seconds kComeBackAfter{60};

bool of_relays(const Input& input) {
  return std::holds_alternative<RelaySaid>(input) || std::holds_alternative<LinkUp>(input) ||
         std::holds_alternative<LinkLost>(input) || std::holds_alternative<Pong>(input) ||
         std::holds_alternative<EventSigned>(input) || std::holds_alternative<ReplySealed>(input);
}

}  // namespace

void Provider::begin_recovery(Now now, Step& out) {
  const CallId first_wallet_call = CallIds(boot_count_, CallIds::Range::Wallet).next();
  for (const auto& [id, claim] : leases_.claims().all()) wallet_.depend_on(claim.owed.lot.mint);
  take_recovering(now, wallet_.recover_mints(now, first_wallet_call), out);
  running_->recovery.start(now, out);
}

// False: it goes where it always goes.
bool Provider::route_recovering(Now now, const Input& input, Step& out) {
  if (of_relays(input) || std::holds_alternative<PortsInUse>(input) ||
      std::holds_alternative<Drain>(input) || std::holds_alternative<Release>(input))
    return false;
  if (const auto* answer = std::get_if<workload::Answer>(&input)) {
    running_->recovery.on_answer(*answer, out);
  } else if (const auto* health = std::get_if<workload::GuardHealth>(&input)) {
    guard_health_ = *health;
  } else if (const auto* asked = std::get_if<Withdraw>(&input)) {
    // One that is known may have been made: nothing is said of it until everything is.
    if (leases_.withdrawals().find(asked->id) == nullptr)
      out.effects.push_back(WithdrawalSettled{asked->id, "the ledger is being recovered"});
  } else if (std::holds_alternative<SearchWallet>(input)) {
    for (const std::string& mint : wallet_.mints().mints())
      take_recovering(now, wallet_.search(now, mint, cashu::SearchAfter::LostLife), out);
  } else if (const auto* reply = std::get_if<cashu::MintReply>(&input)) {
    take_recovering(now, wallet_.handle(now, *reply), out);
  } else if (const auto* outputs = std::get_if<cashu::OutputsReady>(&input)) {
    take_recovering(now, wallet_.handle(now, *outputs), out);
  } else if (const auto* proofs = std::get_if<cashu::ProofsReady>(&input)) {
    take_recovering(now, wallet_.handle(now, *proofs), out);
  } else if (const auto* checked = std::get_if<cashu::TokenChecked>(&input)) {
    take_recovering(now, wallet_.handle(now, *checked), out);
  }
  return true;
}

void Provider::take_recovering(Now now, cashu::RedeemStep step, Step& out) {
  for (auto& entry : step.records) out.records.push_back(std::move(entry));
  for (auto& effect : step.effects)
    std::visit([&](auto& e) { out.effects.push_back(std::move(e)); }, effect);
  for (const auto& event : step.events) {
    if (const auto* read = std::get_if<cashu::MintRead>(&event)) {
      if (auto search = running_->recovery.on_mint_read(now, read->mint))
        take_recovering(now, *std::move(search), out);
    } else if (const auto* searched = std::get_if<cashu::MintSearched>(&event)) {
      running_->recovery.on_searched(now, *searched, out);
      out.effects.push_back(WalletSearched{searched->mint, searched->complete, searched->units});
    }
  }
}

std::optional<Micros> Provider::recovery_deadline() const {
  std::optional<Micros> next;
  for (const auto at :
       {announcer_.next_deadline(), wallet_.next_deadline(), running_->pool.next_deadline(),
        running_->outbox.next_deadline(), running_->recovery.next_deadline()})
    if (at && (!next || *at < *next)) next = at;
  return next;
}

void Provider::run_recovery_timers(Now now, Step& out) {
  const auto due = [&](std::optional<Micros> at) { return at && *at <= now.mono; };
  if (due(running_->pool.next_deadline())) running_->pool.handle_timer(now);
  if (due(wallet_.next_deadline())) take_recovering(now, wallet_.handle_timer(now), out);
  if (due(running_->outbox.next_deadline())) running_->outbox.handle_timer(now);
  if (due(announcer_.next_deadline())) announcer_.handle_timer(now, vitals(), out);
  if (due(running_->recovery.next_deadline()))
    for (cashu::RedeemStep& step : running_->recovery.handle_timer(now, out))
      take_recovering(now, std::move(step), out);
  drain_pool(now, nullptr, out);
}

// The ledger may have forgotten who asks: what it knows is said again, and nothing is called
// untouched that may have been taken. None of it is a record.
void Provider::answer_recovering(Now now, const PrivateMessage& message, Step& out) {
  const auto* request = std::get_if<market::Request>(&message.body);
  if (request == nullptr || !limit_.allow(now, message.sender)) return;
  const auto& id = market::request_id_of(*request);
  const RequestKey key = RequestBook::key_of(message.sender, id, message.message);
  const Request* known = requests_.find(key);
  if (known != nullptr && known->answer)
    return running_->payments.answer_again(instant(now), *known, message, out);
  const bool pays = std::holds_alternative<market::SpawnRequest>(*request) ||
                    std::holds_alternative<market::TopUpRequest>(*request);
  market::ErrorReply word =
      pays ? market::error_reply(market::ErrorType::TokenPending, market::text::recovering(),
                                 market::TokenState::InDoubt)
           : market::error_reply(market::ErrorType::Draining, market::text::recovering(),
                                 market::TokenState::Untouched);
  word.interim = true;
  word.retry_after_secs = static_cast<uint64_t>(kComeBackAfter.value);
  running_->outbox.send_passing(now, message.sender, message.transport, message.event,
                                to_wire(std::move(word), id), out);
}

std::vector<std::string> Provider::recovery_waits_for() const {
  if (!recovery_ || running_ == nullptr) return {};
  return running_->recovery.waits_for();
}

// Everything goes on as after any start of a provider that was away for long. What the engine holds
// is adopted; what it does not hold was down, and is made again: its owner may stop it.
void Provider::release(Now now, const Release& asked, Step& out) {
  std::vector<std::string> waits = recovery_waits_for();
  if (!waits.empty() && !asked.force)
    return out.effects.push_back(ReleaseSettled{std::move(waits)});
  if (recovery_) {
    record(RecoveryEnded{now.wall}, out);
    recovery_.reset();
    resume(now, out);
    announcer_.offer_changed(now);
    housekeeping_due_ = now.mono;
    if (guard_health_) running_->standby.handle(instant(now), *guard_health_, out);
    guard_health_.reset();
  }
  out.effects.push_back(ReleaseSettled{});
}

}  // namespace paygress::provider
