// The operator of a provider, who takes earnings out: asks with one id until that is settled, as
// the `wallet send` of the shell does, and notes what he was shown.
#include <limits>

#include "core/cashu/token.h"
#include "sim/world/provider_node.h"

namespace paygress::sim {
namespace {

constexpr Micros kAskWithdrawalAgain{60'000'000};

}  // namespace

void ProviderNode::withdraw(const WithdrawalLine& line) {
  provider::Withdraw asked;
  SeededEntropy entropy(world_.seed(), identity_.number * 1'000 + withdrawals_.size(),
                        "withdrawal");
  entropy.fill(asked.id.bytes);
  asked.mint = settings_.mints.front();
  asked.unit = "sat";
  asked.up_to = line.sats == 0;
  asked.amount = asked.up_to ? std::numeric_limits<cashu::Amount>::max() : line.sats;
  asked.purpose = line.pays ? lease::kPay : lease::kSend;
  if (line.pays)
    asked.invoice = make_invoice(Msat{static_cast<int64_t>(line.sats) * 1000},
                                 identity_.number * 1'000 + withdrawals_.size());
  withdrawals_.push_back({asked, false, "", false});
  ask_again(withdrawals_.size() - 1);
}

void ProviderNode::ask_again(size_t withdrawal) {
  if (withdrawals_[withdrawal].settled) return;
  world_.queue().after(kAskWithdrawalAgain, [this, withdrawal] { ask_again(withdrawal); });
  if (answers()) step(withdrawals_[withdrawal].asked);
}

// Asking again may show it again; it is the same token, and worth what it says.
void ProviderNode::perform(const provider::WithdrawalSettled& e) {
  const auto it = std::ranges::find_if(
      withdrawals_, [&](const Withdrawing& w) { return w.asked.id == e.withdrawal; });
  PG_CHECK(it != withdrawals_.end());
  if (!it->asked.invoice.empty()) return note_payment(*it, e);
  it->settled = true;
  if (!e.problem.empty()) {
    if (!it->token.empty())
      world_.violate("other-token", to_text(name()) + " takes back what it has shown");
    return world_.mark("withdrawal refused", name());
  }
  const std::string& text = provider_->leases().withdrawals().find(e.withdrawal)->paid->token;
  if (!it->token.empty() && it->token != text)
    return world_.violate("other-token", to_text(name()) + " shows two tokens of one withdrawal");
  it->token = text;
  world_.mark("withdrawal", name());
  const cashu::Token token = cashu::decode_token(text).value();
  for (const cashu::Proof& proof : token.proofs)
    if (!world_.mint().is_valid(proof) ||
        world_.mint().state_of(world_.queue().now(), proof) != cashu::ProofState::Unspent)
      world_.violate("bad-token", to_text(name()) + " shows a token that is worth nothing");
}

void ProviderNode::note_payment(Withdrawing& withdrawal, const provider::WithdrawalSettled& e) {
  const bool paid = e.problem.empty();
  if (withdrawal.settled && withdrawal.paid != paid)
    world_.violate("other-token", to_text(name()) + " says two things of one payment");
  withdrawal.settled = true;
  withdrawal.paid = paid;
  const lease::Withdrawal* known = provider_->leases().withdrawals().find(e.withdrawal);
  if (paid) return world_.mark("payment", name());
  if (known == nullptr) return world_.mark("payment refused", name());
  const bool cost = known->dropped && known->dropped->fee > Msat{0};
  world_.mark(cost ? "payment taken back" : "payment failed", name());
}

// It is paid as often as the ledger says, and its operator was told the same.
void ProviderNode::audit_payment(const Withdrawing& withdrawal) const {
  const lease::Withdrawal* known = provider_->leases().withdrawals().find(withdrawal.asked.id);
  const bool settled = known != nullptr && known->settled;
  if (world_.mint().times_paid(withdrawal.asked.invoice) != (settled ? 1 : 0))
    world_.violate("paid-otherwise",
                   to_text(name()) + ": the ledger and the mint differ about an invoice");
  if (withdrawal.settled && withdrawal.paid != settled)
    world_.violate("other-token", to_text(name()) + ": the ledger does not say of a payment what " +
                                      "its operator was told");
}

// Each was settled, and the ledger says what its operator was told.
void ProviderNode::audit_withdrawals() const {
  const lease::WithdrawalBook& book = provider_->leases().withdrawals();
  if (book.open().size() > beyond_the_fee(true))
    world_.violate("withdrawal-stuck", to_text(name()) + ": withdrawals are under way");
  for (const Withdrawing& w : withdrawals_) {
    if (!w.asked.invoice.empty()) {
      audit_payment(w);
      continue;
    }
    const lease::Withdrawal* known = book.find(w.asked.id);
    const bool shown = !w.token.empty();
    const bool paid = known != nullptr && known->paid;
    if (w.settled && (shown != paid || (paid && known->paid->token != w.token)))
      world_.violate("other-token", to_text(name()) + ": the ledger does not say of a withdrawal " +
                                        "what its operator was told");
  }
}

}  // namespace paygress::sim
