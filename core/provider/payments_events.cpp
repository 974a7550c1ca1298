// What the wallet, the workloads and the leases tell the desk.
#include "core/base/codec.h"
#include "core/crypto/hash.h"
#include "core/provider/payments.h"

namespace paygress::provider {
namespace {

using market::ErrorType;
using market::TokenState;
namespace text = market::text;
using lease::Instant;

template <class From>
void append(From& from, Step& out) {
  for (auto& r : from.records) out.records.push_back(std::move(r));
}

}  // namespace

// --- the wallet's events -----------------------------------------------------------------------

void Payments::take(Instant now, cashu::RedeemStep step, Step& out) {
  append(step, out);
  for (auto& effect : step.effects)
    std::visit([&](auto& e) { out.effects.push_back(std::move(e)); }, effect);
  for (const auto& event : step.events) std::visit([&](const auto& e) { on(now, e, out); }, event);
}

void Payments::on(Instant now, const cashu::Opened& event, Step& out) {
  const auto it = opening_.find(event.op);
  PG_CHECK(it != opening_.end());
  const Intent intent = std::move(it->second);
  opening_.erase(it);
  under_way_.erase(intent.key);
  const auto* top_up = std::get_if<TopUpQuote>(&intent.quote);
  const LeaseId lease = top_up != nullptr ? top_up->lease : RequestBook::lease_of(intent.key);
  record_opened(plain(now), intent.key, intent.message,
                top_up != nullptr ? RequestKind::TopUp : RequestKind::Spawn, lease, event.op, out);
}

void Payments::on(Instant now, const cashu::NotOpened& event, Step& out) {
  drop(now, event.op,
       {ErrorType::InvalidToken, text::invalid_token(event.problem), TokenState::Untouched, {}, {}},
       out);
}

void Payments::on(Instant now, const cashu::InDoubt& event, Step&) {
  if (const Request* request = m_.requests.by_op(event.op)) expect_interim(now, *request);
}

void Payments::on(Instant now, const cashu::HoldOver& event, Step& out) {
  const Request* request = m_.requests.by_op(event.op);
  PG_CHECK(request != nullptr && request->opened.lease);
  if (request->opened.kind == RequestKind::TopUp) {
    m_.leases.top_up_settled(*request->opened.lease, event.op);
    return;
  }
  void_reservation(now, *request->opened.lease, out);
}

void Payments::void_reservation(Instant now, const LeaseId& id, Step& out) {
  lease::LeaseStep step;
  m_.leases.void_reservation(plain(now), id, step);
  book(now, std::move(step), out);
  forget_key(id, out);
}

void Payments::forget_key(const LeaseId& id, Step& out) {
  const lease::Lease* lease = m_.leases.find(id);
  if (lease != nullptr && lease->terms.encrypted)
    out.effects.push_back(KeepVolumeKey{id, std::nullopt});
}

void Payments::on(Instant now, const cashu::Redeemed& event, Step& out) {
  const Request* request = m_.requests.by_op(event.op);
  PG_CHECK(request != nullptr && request->opened.lease);
  const bool together = request->opened.kind == RequestKind::TopUp ? policy_.top_up_in_batch
                                                                   : policy_.credit_in_batch;
  if (!together) return deferred_.push_back(event);
  credit(now, event, out);
}

void Payments::credit(Instant now, const cashu::Redeemed& event, Step& out) {
  const Request* request = m_.requests.by_op(event.op);
  PG_CHECK(request != nullptr && request->opened.lease);
  if (request->opened.kind == RequestKind::TopUp)
    redeemed_top_up(now, *request, event, out);
  else
    redeemed_spawn(now, *request, event, out);
}

// The money is a lease, or it is owed back; the answer to the latter waits for its token.
void Payments::redeemed_spawn(Instant now, const Request& request, const cashu::Redeemed& event,
                              Step& out) {
  const lease::Lot lot{event.mint, event.unit, event.value};
  const LeaseId id = *request.opened.lease;
  lease::LeaseStep step;
  const lease::Lease* known = m_.leases.find(id);
  bool bought = false;
  if (known != nullptr && known->terms.op == event.op)
    bought = m_.leases.credit_spawn(plain(now), id, event.op, lot, step);
  else
    m_.leases.credit_nobody(plain(now), event.op, request.opened.requester, lot,
                            std::string(lease::kClaimLate), step);
  book(now, std::move(step), out);
  if (!bought) return settle_op(now, event.op, out);
  workload::Spec spec = spec_of(m_.leases.leases().at(id));
  std::optional<market::AccessDetails> standby;
  if (hooks_ != nullptr && hooks_->paid(now, id, spec, standby, out)) {
    if (standby) answer(plain(now), request.opened.key, *std::move(standby), out);
    return;
  }
  workload::Step wanted;
  m_.workloads.want(plain(now), std::move(spec), {}, wanted);
  take(now, std::move(wanted), out);
}

void Payments::redeemed_top_up(Instant now, const Request& request, const cashu::Redeemed& event,
                               Step& out) {
  const lease::Lot lot{event.mint, event.unit, event.value};
  const LeaseId id = *request.opened.lease;
  const lease::Lease* lease = m_.leases.find(id);
  const Seconds before = lease == nullptr ? Seconds{0} : lease->bought;
  lease::LeaseStep step;
  bool extended = false;
  if (lease != nullptr && !event.late)
    extended = m_.leases.credit_top_up(plain(now), id, event.op, lot, step);
  else
    m_.leases.credit_nobody(plain(now), event.op, request.opened.requester, lot,
                            std::string(lease::kClaimLate), step);
  m_.leases.top_up_settled(id, event.op);
  book(now, std::move(step), out);
  if (!extended) return settle_op(now, event.op, out);
  answer(plain(now), request.opened.key,
         top_up_reply(m_.leases, *lease, request.opened.pod, lease->bought - before, event.value,
                      plain(now)),
         out);
}

void Payments::on(Instant now, const cashu::NotTaken& event, Step& out) {
  const Request* request = m_.requests.by_op(event.op);
  PG_CHECK(request != nullptr && request->opened.lease);
  const LeaseId lease = *request->opened.lease;
  if (request->opened.kind == RequestKind::TopUp)
    m_.leases.top_up_settled(lease, event.op);
  else
    void_reservation(now, lease, out);
  const bool spent = event.verdict == cashu::Verdict::SpentElsewhere;
  answer(plain(now), request->opened.key,
         spent ? market::error_reply(ErrorType::TokenAlreadySpent, text::token_already_spent(),
                                     TokenState::SpentElsewhere)
               : market::error_reply(ErrorType::MintNetworkError,
                                     text::mint_network_error("the mint did not take the token"),
                                     TokenState::Released),
         out);
  settle(now, lease, out);
}

void Payments::on(Instant now, const cashu::RefundMade& event, Step& out) {
  if (withdrawals_.knows(event.claim))
    return take(now, withdrawals_.on_made(plain(now), event), out);
  lease::LeaseStep step;
  refunds_.on_made(plain(now), event, step);
  book(now, std::move(step), out);
  settled(now, event.claim, out);
}

void Payments::on(Instant now, const cashu::RefundNotMade& event, Step& out) {
  if (withdrawals_.knows(event.claim))
    return take(now, withdrawals_.on_not_made(plain(now), event.claim), out);
  refunds_.on_not_made(plain(now), event.claim);
}

void Payments::on(Instant now, const cashu::Probed& event, Step& out) {
  lease::LeaseStep step;
  refunds_.on_probed(plain(now), event, step);
  book(now, std::move(step), out);
}

void Payments::on(Instant now, const cashu::MeltQuoted& event, Step& out) {
  take(now, withdrawals_.on_quoted(plain(now), event), out);
}

void Payments::on(Instant now, const cashu::InvoicePaid& event, Step& out) {
  take(now, withdrawals_.on_paid(plain(now), event), out);
}

void Payments::on(Instant now, const cashu::InvoiceNotPaid& event, Step& out) {
  take(now, withdrawals_.on_not_paid(plain(now), event), out);
}

void Payments::on(Instant now, const cashu::MintRead& event, Step& out) {
  refunds_.on_mint_read(plain(now), event.mint);
  pay_out(now, out);
}

void Payments::on(Instant, const cashu::MintSearched& event, Step& out) {
  out.effects.push_back(WalletSearched{event.mint, event.complete, event.units});
}

void Payments::search_wallet(Instant now, Step& out) {
  for (const std::string& mint : m_.wallet.mints().mints())
    take(now, m_.wallet.search(plain(now), mint, cashu::SearchAfter::WholeLedger), out);
}

void Payments::on(Instant, const cashu::Alarm& event, Step& out) {
  out.tell(Level::Alarm, "redeeming " + event.op.hex().substr(0, 12) + ": " + event.text);
}

// --- the operator's withdrawals ------------------------------------------------------------------

void Payments::withdraw(Instant now, const Withdraw& asked, Step& out) {
  take(now, withdrawals_.ask(plain(now), asked), out);
}

void Payments::delivered(Instant now, const ClaimId& withdrawal, Step& out) {
  take(now, withdrawals_.delivered(plain(now), withdrawal), out);
}

void Payments::pay_out(Instant now, Step& out) { take(now, payouts_.look(plain(now)), out); }

void Payments::on_invoice(Instant now, const InvoiceFetched& fetched, Step& out) {
  take(now, payouts_.on_invoice(plain(now), fetched), out);
}

void Payments::take(Instant now, Payouts::Turn turn, Step& out) {
  for (FetchInvoice& fetch : turn.fetch) out.effects.push_back(std::move(fetch));
  for (const Withdraw& asked : turn.withdraw) withdraw(now, asked, out);
  if (!turn.problem.empty()) out.tell(Level::Warning, turn.problem);
}

void Payments::take(Instant now, Withdrawals::Turn turn, Step& out) {
  book(now, std::move(turn.leases), out);
  if (turn.wallet) take(now, *std::move(turn.wallet), out);
  for (WithdrawalSettled& settled : turn.settled) {
    const std::string problem = payouts_.on_settled(plain(now), settled);
    if (!problem.empty()) out.tell(Level::Warning, problem);
    out.effects.push_back(std::move(settled));
  }
}

// --- the workloads' and the leases' events -------------------------------------------------------

void Payments::take(Instant now, workload::Step step, Step& out) {
  append(step, out);
  for (auto& call : step.calls) out.effects.push_back(std::move(call));
  for (const auto& event : step.events) {
    if (hooks_ != nullptr && hooks_->on_event(now, event, out)) continue;
    lease::LeaseStep told;
    if (const auto* started = std::get_if<workload::Started>(&event)) {
      m_.leases.on_started(now, started->lease, started->serves_ssh, told);
      const Request* request = m_.requests.spawn_of(started->lease);
      const lease::Lease* lease = m_.leases.find(started->lease);
      book(now, std::move(told), out);
      if (request == nullptr || request->answer || lease == nullptr) continue;
      auto details = access_details(m_.settings, m_.leases, *lease, plain(now));
      if (hooks_ != nullptr) hooks_->describe(started->lease, details);
      answer(plain(now), request->opened.key, std::move(details), out);
      continue;
    }
    if (const auto* down = std::get_if<workload::WentDown>(&event)) {
      const lease::Lease* lease = m_.leases.find(down->lease);
      const bool ending = lease != nullptr && lease->phase == lease::Phase::Ending;
      if (ending && !policy_.settle_at_end) continue;
      m_.leases.on_down(now, down->lease, down->since, down->own_exit, told);
      out.tell(Level::Warning, "a workload went down: lease " + down->lease.hex().substr(0, 12));
    } else if (const auto* up = std::get_if<workload::CameUp>(&event)) {
      m_.leases.on_up(now, up->lease, up->backoff, told);
    } else if (const auto* gave_up = std::get_if<workload::GaveUp>(&event)) {
      out.tell(Level::Alarm, "a workload failed: lease " + gave_up->lease.hex().substr(0, 12) +
                                 ": " + gave_up->reason);
      m_.leases.on_gave_up(now, gave_up->lease, told);
    } else if (const auto* taken = std::get_if<workload::PortsTaken>(&event)) {
      move_ports(now, taken->lease, out);
    } else if (const auto* gone = std::get_if<workload::Gone>(&event)) {
      m_.leases.on_gone(now, gone->lease, gone->unanswered, told);
      forget_key(gone->lease, out);
    } else if (const auto* placed = std::get_if<workload::Placed>(&event)) {
      m_.leases.on_placed(now, placed->lease, placed->node, placed->address, told);
    } else if (const auto* sighted = std::get_if<workload::Sighted>(&event)) {
      m_.leases.on_sighted(now, sighted->lease, told);
    }
    take(now, std::move(told), out);
  }
}

// Not of an encrypted one: its key goes with the object that is given up.
void Payments::move_ports(Instant now, const LeaseId& id, Step& out) {
  const lease::Lease* lease = m_.leases.find(id);
  lease::LeaseStep moved;
  if (lease == nullptr || lease->terms.encrypted || !m_.leases.move_ports(id, moved)) return;
  out.tell(Level::Warning, "a port was taken by somebody else: lease " + id.hex().substr(0, 12) +
                               " moves to others");
  book(now, std::move(moved), out);
  workload::Step step;
  m_.workloads.set_ports(plain(now), spec_of(*lease), step);
  take(now, std::move(step), out);
}

void Payments::take(Instant now, lease::LeaseStep step, Step& out) {
  const std::vector<lease::LeaseEvent> events = std::move(step.events);
  book(now, std::move(step), out);
  for (const auto& event : events) {
    if (hooks_ != nullptr && hooks_->on_event(now, event, out)) continue;
    workload::Step wanted;
    lease::LeaseStep told;  // what is taken for granted with a rule off
    if (const auto* look = std::get_if<lease::Look>(&event)) {
      if (policy_.look_before_end)
        m_.workloads.look(plain(now), look->lease, wanted);
      else
        m_.leases.on_sighted(now, look->lease, told);
    } else if (const auto* retire = std::get_if<lease::Retire>(&event)) {
      m_.workloads.retire(plain(now), retire->lease, wanted);
      if (!policy_.refund_after_absence) m_.leases.on_gone(now, retire->lease, std::nullopt, told);
    } else {
      settle(now, std::get<lease::Finished>(event).lease, out);
    }
    take(now, std::move(wanted), out);
    take(now, std::move(told), out);
  }
}

// A step of the leases that asks nothing of the workloads.
void Payments::book(Instant now, lease::LeaseStep step, Step& out) {
  PG_CHECK(step.events.empty());
  for (auto& entry : step.records) {
    if (const auto* owed = std::get_if<lease::ClaimOwed>(&entry))
      refunds_.on_owed(plain(now), owed->claim);
    out.records.push_back(std::move(entry));
  }
}

workload::Spec Payments::spec_of(const lease::Lease& lease) const {
  workload::Spec spec;
  spec.image = lease.terms.image;
  spec.template_slug = lease.terms.template_slug;
  spec.cpu_millicores = lease.terms.tier.cpu_millicores;
  spec.memory_mb = lease.terms.tier.memory_mb;
  spec.storage_gb = lease.terms.tier.storage_gb;
  spec.address = m_.settings.address;
  spec.ssh_host_port = lease.terms.ssh_port;
  spec.ports = lease.terms.ports;
  spec.env = lease.terms.env;
  spec.open_files_max = lease.terms.open_files_max;
  spec.root_password = lease.terms.password;
  spec.encrypted = lease.terms.encrypted;
  spec.encrypted_path = lease.terms.encrypted_path;
  spec.labels.install = install_;
  spec.labels.provider = m_.settings.self;
  spec.labels.lease = lease.terms.lease;
  spec.labels.owner = lease.terms.owner;
  spec.labels.spec_digest = to_hex(crypto::sha256(encode_bytes(spec)));
  return spec;
}

}  // namespace paygress::provider
