// A provider that has earned something, and its operator who takes it out.
#pragma once

#include <gtest/gtest.h>

#include <limits>
#include <optional>
#include <string>

#include "core/cashu/token.h"
#include "core/provider/free_money.h"
#include "tests/sim/provider/rig.h"

namespace paygress::sim {

inline ClaimId withdrawal_id(uint8_t n) {
  ClaimId id;
  id.bytes[0] = n;
  return id;
}

struct Earner {
  explicit Earner(provider::Policies policies = {}) : rig(rig_settings(), {}, policies) {
    rig.start();
    rig.run_for(Seconds{2});
  }
  Rig rig;

  void stop(const Identity& who, const std::string& pod, uint8_t id) {
    rig.ask(who, market::StopRequest{pod, request_id(id)});
  }
  // A lease of 300 s that is over and paid back: some 30 sat are earned.
  void earn() {
    const auto access = rig.buy(rig.bob, 100);
    rig.run_for(Seconds{300});
    stop(rig.bob, access.pod_npub, 200);
    rig.run_for(Seconds{30});
    rig.replies(rig.bob);
  }
  provider::FreeMoney money() { return provider::free_money(leases(), wallet(), purse()); }
  lease::MintUnit purse() { return {rig.settings().mints.front(), "sat"}; }
  const lease::LeaseBook& leases() { return rig.core().leases(); }
  const cashu::RedeemState& wallet() { return rig.core().wallet().state(); }

  provider::Withdraw asked(uint8_t id, cashu::Amount sats) {
    return {
        withdrawal_id(id), purse().first, "sat", sats, false, std::string(lease::kSend), {}, false};
  }
  provider::Withdraw all(uint8_t id) {
    provider::Withdraw all = asked(id, std::numeric_limits<cashu::Amount>::max());
    all.up_to = true;
    return all;
  }
  // The problem; nothing while it is under way.
  std::optional<std::string> settled(uint8_t id) {
    for (const auto& settled : rig.settled())
      if (settled.withdrawal == withdrawal_id(id)) return settled.problem;
    return std::nullopt;
  }
  std::string token(uint8_t id) {
    const lease::Withdrawal* found = leases().withdrawals().find(withdrawal_id(id));
    return found == nullptr || !found->paid ? "" : found->paid->token;
  }
  // What a token is worth to its owner: unspent and genuine.
  Msat worth(const std::string& text) {
    Msat sum;
    if (text.empty()) return Msat{-1};
    const cashu::Token token = cashu::decode_token(text).value();
    for (const cashu::Proof& proof : token.proofs) {
      EXPECT_TRUE(rig.mint().is_valid(proof));
      EXPECT_EQ(rig.mint().state_of(rig.time(), proof), cashu::ProofState::Unspent);
      sum += Msat{static_cast<int64_t>(proof.amount) * 1000};
    }
    return sum;
  }
};

}  // namespace paygress::sim
