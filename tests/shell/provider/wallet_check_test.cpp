// What `wallet check` makes of the mints' words (shell/provider/wallet_check.h).
#include "shell/provider/wallet_check.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/cashu/mint_wire.h"

namespace paygress::daemon {
namespace {

using cashu::ProofState;

const cashu::WalletStore::Purse kPurse{"https://mint.example", "sat"};

cashu::Proof proof_of(uint32_t n, cashu::Amount amount) {
  cashu::Proof proof;
  proof.amount = amount;
  proof.keyset = "00ad268c4d1f5826";
  proof.secret = "secret " + std::to_string(n);
  return proof;
}

struct Wallet {
  cashu::RedeemState state;
  size_t questions = 0;

  // What the mint says of the proofs, in their order of asking; nothing: no answer.
  using Says = std::function<std::optional<ProofState>(size_t index)>;
  boost::json::object check(const Says& says) {
    boost::json::object found;
    size_t index = 0;
    WalletCheck::run(
        state,
        [&](const cashu::MintCall& call, const auto& then) {
          ++questions;
          EXPECT_EQ(call.mint, kPurse.mint);
          const auto ys = cashu::parse_check_request(as_text(call.body));
          ASSERT_TRUE(ys.has_value());
          cashu::CheckAnswer answer;
          for (const cashu::Point& y : *ys) {
            const auto said = says(index++);
            if (!said) return then(cashu::NoReply{});
            answer.states.push_back({y, *said});
          }
          std::reverse(answer.states.begin(), answer.states.end());  // matched by Y
          then(answer);
        },
        [&](const boost::json::object& report) { found = report; });
    return found;
  }
};

int64_t of(const boost::json::object& report, const char* part) {
  return report.at("purses").as_array()[0].at(part).as_int64();
}

TEST(WalletCheck, IsSoundWhenEveryProofIsUnspent) {
  Wallet wallet;
  for (uint32_t n = 0; n < 250; ++n) wallet.state.wallet().add(kPurse, proof_of(n, 2));
  const auto report = wallet.check([](size_t) { return ProofState::Unspent; });
  EXPECT_EQ(wallet.questions, 3u);
  EXPECT_TRUE(report.at("sound").as_bool());
  EXPECT_TRUE(report.at("complete").as_bool());
  EXPECT_EQ(of(report, "unspent_msat"), 500'000);
}

TEST(WalletCheck, FindsWhatSomebodyElseSpent) {
  Wallet wallet;
  wallet.state.wallet().add(kPurse, proof_of(1, 4));
  wallet.state.wallet().add(kPurse, proof_of(2, 8));
  const auto report =
      wallet.check([](size_t i) { return i == 0 ? ProofState::Spent : ProofState::Pending; });
  EXPECT_FALSE(report.at("sound").as_bool());
  EXPECT_EQ(of(report, "spent_msat"), 4'000);
  EXPECT_EQ(of(report, "pending_msat"), 8'000);
}

TEST(WalletCheck, WhatAnOperationHoldsOrTakesMeanwhileIsInDoubtAndNotLost) {
  Wallet wallet;
  wallet.state.wallet().add(kPurse, proof_of(1, 4));
  wallet.state.wallet().add(kPurse, proof_of(2, 8));
  wallet.state.wallet().reserve(kPurse, proof_of(1, 4).secret);
  const auto report = wallet.check([&](size_t) {
    wallet.state.wallet().reserve(kPurse, proof_of(2, 8).secret);
    return ProofState::Spent;
  });
  EXPECT_TRUE(report.at("sound").as_bool());
  EXPECT_EQ(of(report, "in_doubt_msat"), 12'000);
}

TEST(WalletCheck, NoAnswerIsNoFinding) {
  Wallet wallet;
  wallet.state.wallet().add(kPurse, proof_of(1, 4));
  const auto report = wallet.check([](size_t) { return std::nullopt; });
  EXPECT_TRUE(report.at("sound").as_bool());
  EXPECT_FALSE(report.at("complete").as_bool());
  EXPECT_EQ(of(report, "unanswered_msat"), 4'000);
}

TEST(WalletCheck, AnEmptyWalletIsSoundAndAsksNobody) {
  Wallet wallet;
  EXPECT_TRUE(wallet.check([](size_t) { return ProofState::Spent; }).at("sound").as_bool());
  EXPECT_EQ(wallet.questions, 0u);
}

}  // namespace
}  // namespace paygress::daemon
