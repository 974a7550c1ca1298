// What the operator takes out of the wallet, from the moment it is nobody else's to spend until the
// token is where it goes: a fold. core/provider/withdrawals.h decides and makes the token.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "core/lease/records.h"

namespace paygress::lease {

inline constexpr Seconds kWithdrawalForgetAfter{30 * 86400};

// Open: the swap or the payment is under way or in doubt. Paid: it is a token. Settled: its invoice
// is paid. Dropped: neither; nothing left the wallet but what WithdrawalDropped says.
enum class WithdrawalState : uint8_t { Open, Paid, Delivered, Dropped, Settled };
std::string_view to_string(WithdrawalState state);

struct Withdrawal {
  WithdrawalOpened opened;
  WithdrawalState state = WithdrawalState::Open;
  std::optional<WithdrawalPaid> paid;
  std::optional<InvoiceSettled> settled;
  std::optional<WithdrawalDropped> dropped;
  UnixSeconds over_at;  // since it is in this state, unless Open
};
BOOST_DESCRIBE_STRUCT(Withdrawal, (), (opened, state, paid, settled, dropped, over_at))

class WithdrawalBook {
 public:
  void apply(const WithdrawalOpened& r);
  void apply(const WithdrawalPaid& r);
  void apply(const WithdrawalDropped& r);
  void apply(const WithdrawalDelivered& r);
  void apply(const WithdrawalForgotten& r);
  void apply(const InvoiceSettled& r);

  const Withdrawal* find(const ClaimId& id) const;
  const std::map<ClaimId, Withdrawal>& all() const { return withdrawals_; }
  const std::set<ClaimId>& open() const { return open_; }
  // Those that may be forgotten now: a payout whose token is not delivered yet may not.
  std::vector<ClaimId> due(UnixSeconds now) const;
  void check_invariants() const;

  template <class Self>
  static auto durable(Self& self) {
    return std::tie(self.withdrawals_, self.open_, self.over_);
  }

 private:
  Withdrawal& in_state(const ClaimId& id, WithdrawalState state);
  void move(const ClaimId& id, WithdrawalState to, UnixSeconds at);

  std::map<ClaimId, Withdrawal> withdrawals_;
  std::set<ClaimId> open_;
  std::set<std::pair<UnixSeconds, ClaimId>> over_;
};

// The purposes. The token of a payout is delivered to a file; of a send it is shown to who asked. A
// payout without a token, and a pay, pay an invoice.
inline constexpr std::string_view kSend = "send";
inline constexpr std::string_view kPay = "pay";
inline constexpr std::string_view kPayout = "payout";

}  // namespace paygress::lease
