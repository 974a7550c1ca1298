// A mint that we did not write (nutshell), without an input fee and with one: what the redeemer
// relies on there, and the redeemer itself. Money is neither lost nor doubled, whatever becomes of
// the mint's answers (docs/money.md "Redeem operation").
#include <gmock/gmock.h>

#include "core/cashu/invoice.h"
#include "tests/peers/receiver.h"

namespace paygress::peers {
namespace {

using cashu::Proof;
using ::testing::SizeIs;

// A proof without its DLEQ: a mint may prove the same signature anew (NUT-12).
struct Coin {
  cashu::Amount amount;
  std::string keyset;
  std::string secret;
  cashu::Point c;
  auto operator<=>(const Coin&) const = default;
};
std::vector<Coin> coins(const std::vector<Proof>& proofs) {
  std::vector<Coin> made;
  for (const auto& proof : proofs)
    made.push_back({proof.amount, proof.keyset, proof.secret, proof.c});
  std::sort(made.begin(), made.end());
  return made;
}

class RedeemAtMint : public conformance::MintConformance {
 protected:
  ForeignMint& mint() { return dynamic_cast<ForeignMint&>(*mint_); }

  // Of the payer, whose wallet is another than the receiver's.
  cashu::Token token(cashu::Amount amount) {
    cashu::Token made;
    made.mint = mint().url();
    made.unit = "sat";
    made.proofs = funds(amount);
    EXPECT_FALSE(made.proofs.empty());
    return made;
  }
  // The wallet holds exactly `amount`, and the mint says that all of it can be spent.
  void expect_wallet(const Receiver& receiver, cashu::Amount amount) {
    EXPECT_EQ(receiver.balance(), amount);
    const auto proofs = receiver.proofs();
    EXPECT_EQ(cashu::total(proofs).value(), amount);
    if (!proofs.empty()) expect_state(proofs, cashu::ProofState::Unspent);
  }
  // What the mint's answer to the first swap would have been opened to.
  std::vector<Proof> proofs_of_lost(const Receiver& receiver, const cashu::WalletSeed& seed) {
    const auto attempts = Receiver::all<cashu::AttemptMade>(receiver.journal());
    const auto* answer = std::get_if<cashu::SwapAnswer>(&receiver.lost.at(0));
    EXPECT_NE(answer, nullptr) << "the mint did not take the swap";
    if (answer == nullptr) return {};
    const cashu::Attempt& attempt = attempts.at(0).attempt;
    const auto opened = cashu::open_signatures({{},
                                                {},
                                                attempt.keyset,
                                                attempt.counter_start,
                                                attempt.outputs,
                                                answer->signatures,
                                                keyset_.keys,
                                                {}},
                                               seed);
    EXPECT_EQ(opened.problem, "");
    return opened.proofs;
  }
  static auto first_swap() {
    return [first = true](const cashu::MintCall& call) mutable {
      return call.endpoint == cashu::Endpoint::Swap && std::exchange(first, false);
    };
  }
};

// NUT-05, NUT-08, with invoices of the other mint: neither knows the other's.
class PayAtMint : public RedeemAtMint {
 protected:
  std::string invoice(cashu::Amount amount) {
    const bool has_fee = mint().url() == find("PAYGRESS_PEER_MINT_FEE");
    ForeignMint other(find(has_fee ? "PAYGRESS_PEER_MINT" : "PAYGRESS_PEER_MINT_FEE"));
    const auto body = cashu::encode_mint_quote_request(amount, "sat");
    const auto http = other.request(true, "/v1/mint/quote/bolt11", body);
    const auto answer =
        cashu::parse_answer(cashu::Endpoint::MintQuote, http.status, as_text(http.body));
    const auto* quote = std::get_if<cashu::QuoteAnswer>(&answer);
    EXPECT_NE(quote, nullptr) << as_text(http.body);
    return quote == nullptr ? std::string() : quote->request;
  }
  // Of 1000 sat it pays `amount`; what is left must be good.
  void pay(Receiver& receiver, cashu::Amount amount) {
    ASSERT_TRUE(receiver.receive(token(1000)).has_value());
    const cashu::Amount before = receiver.balance();
    const std::string asked = invoice(amount);
    EXPECT_EQ(cashu::invoice_amount(asked).value(), Msat{static_cast<int64_t>(amount) * 1000});
    const ClaimId id{{7}};
    const auto quote = receiver.pay(id, asked, before);
    ASSERT_TRUE(quote.has_value());
    const auto done = Receiver::all<cashu::MeltDone>(receiver.journal());
    ASSERT_THAT(done, SizeIs(1));
    EXPECT_EQ(done[0].end, cashu::MeltEnd::Paid);
    EXPECT_LE(done[0].fee, quote->reserve + 1);
    expect_wallet(receiver, before - amount - done[0].fee);
  }
  static auto first_melt() {
    return [first = true](const cashu::MintCall& call) mutable {
      return call.endpoint == cashu::Endpoint::Melt && std::exchange(first, false);
    };
  }
};

TEST_P(PayAtMint, An_invoice_is_paid_and_the_change_comes_back) {
  Receiver receiver(mint(), mint_->fresh_wallet());
  pay(receiver, 300);
}

TEST_P(PayAtMint, A_lost_answer_is_found_with_its_change) {
  for (const bool dies : {false, true}) {
    Receiver receiver(mint(), mint_->fresh_wallet());
    receiver.loses_answer = first_melt();
    receiver.dies_with_lost_answer = dies;
    pay(receiver, 301);
    EXPECT_THAT(receiver.lost, SizeIs(1));
  }
}

// NUT-02, NUT-03: worth its face less the mint's input fee, which is rounded up once.
TEST_P(RedeemAtMint, A_token_is_worth_its_face_less_the_fee) {
  const auto paid = token(1000);
  Receiver receiver(mint(), mint_->fresh_wallet());
  const auto op = receiver.receive(paid);
  ASSERT_TRUE(op.has_value()) << op.error().message;

  const cashu::Amount fee = cashu::swap_fee(paid.proofs, fees_).value();
  EXPECT_EQ(receiver.summary(*op).status, cashu::OpStatus::Done);
  EXPECT_EQ(receiver.summary(*op).fee, fee);
  const auto redeemed = Receiver::all<cashu::Redeemed>(receiver.events());
  ASSERT_THAT(redeemed, SizeIs(1));
  EXPECT_EQ(redeemed[0].amount, 1000 - fee);
  EXPECT_EQ(redeemed[0].value, Msat{static_cast<int64_t>(1000 - fee) * 1000});
  expect_wallet(receiver, 1000 - fee);
  expect_state(paid.proofs, cashu::ProofState::Spent);
}

// run.sh starts one mint without a fee and one with 100 ppk: neither test means anything if both
// charge the same.
TEST_P(RedeemAtMint, The_fee_is_the_one_that_the_mint_was_started_with) {
  const bool has_fee = mint().url() == find("PAYGRESS_PEER_MINT_FEE");
  EXPECT_EQ(keyset_.input_fee_ppk, has_fee ? 100u : 0u);
}

TEST_P(RedeemAtMint, A_token_is_taken_once_and_known_for_ever) {
  const auto paid = token(100);
  Receiver receiver(mint(), mint_->fresh_wallet());
  const auto first = receiver.receive(paid);
  ASSERT_TRUE(first.has_value()) << first.error().message;
  const auto balance = receiver.balance();
  for (const bool restarted : {false, true}) {
    if (restarted) receiver.restart();
    const auto again = receiver.receive(paid);
    ASSERT_FALSE(again.has_value());
    EXPECT_EQ(again.error().reason, cashu::RefusalReason::Known);
    EXPECT_EQ(again.error().op, *first);
    expect_wallet(receiver, balance);
  }
}

// NUT-07: the inputs are spent and nothing of ours was ever signed.
TEST_P(RedeemAtMint, A_token_that_somebody_else_took_is_spent_elsewhere) {
  const auto paid = token(100);
  Receiver other(mint(), mint_->fresh_wallet());
  ASSERT_TRUE(other.receive(paid).has_value());
  Receiver receiver(mint(), mint_->fresh_wallet());
  const auto op = receiver.receive(paid);
  ASSERT_TRUE(op.has_value()) << op.error().message;
  EXPECT_EQ(receiver.summary(*op).status, cashu::OpStatus::SpentElsewhere);
  EXPECT_THAT(Receiver::all<cashu::Redeemed>(receiver.events()), SizeIs(0));
  expect_wallet(receiver, 0);
}

// NUT-09: the mint signed, its answer was lost, the process lives on.
TEST_P(RedeemAtMint, An_answer_lost_on_the_way_is_restored_to_the_same_proofs) {
  const auto paid = token(777);
  const auto seed = mint_->fresh_wallet();
  Receiver receiver(mint(), seed);
  receiver.loses_answer = first_swap();
  const auto op = receiver.receive(paid);
  ASSERT_TRUE(op.has_value()) << op.error().message;
  ASSERT_THAT(receiver.lost, SizeIs(1));
  EXPECT_EQ(receiver.summary(*op).status, cashu::OpStatus::Done);
  EXPECT_THAT(Receiver::all<cashu::InDoubt>(receiver.events()), SizeIs(1));
  EXPECT_EQ(coins(receiver.proofs()), coins(proofs_of_lost(receiver, seed)));
  expect_wallet(receiver, after_fee(paid.proofs));
}

// The same with a process that dies: what it had recorded before the POST is all that is left.
TEST_P(RedeemAtMint, An_answer_lost_in_a_crash_is_restored_from_the_records) {
  const auto paid = token(777);
  const auto seed = mint_->fresh_wallet();
  Receiver receiver(mint(), seed);
  receiver.loses_answer = first_swap();
  receiver.dies_with_lost_answer = true;
  const auto op = receiver.receive(paid);
  ASSERT_TRUE(op.has_value()) << op.error().message;
  ASSERT_THAT(receiver.lost, SizeIs(1));
  EXPECT_EQ(receiver.summary(*op).status, cashu::OpStatus::Done);
  EXPECT_EQ(coins(receiver.proofs()), coins(proofs_of_lost(receiver, seed)));
  expect_wallet(receiver, after_fee(paid.proofs));
  EXPECT_THAT(Receiver::all<cashu::AttemptMade>(receiver.journal()), SizeIs(1));
}

// Dead before the POST: the recorded bytes were never sent, and are sent after the restart.
TEST_P(RedeemAtMint, A_crash_before_the_swap_loses_nothing) {
  const auto paid = token(100);
  Receiver receiver(mint(), mint_->fresh_wallet());
  const auto op = receiver.begin(paid);
  ASSERT_TRUE(op.has_value()) << op.error().message;
  receiver.drive_until([&] { return receiver.redeemer().state().summary(*op) != nullptr; });
  expect_state(paid.proofs, cashu::ProofState::Unspent);
  receiver.restart();
  receiver.settle(*op);
  EXPECT_EQ(receiver.summary(*op).status, cashu::OpStatus::Done);
  expect_wallet(receiver, after_fee(paid.proofs));
}

// NUT-13: payments one after the other, with a restart between them, never share a counter, so the
// mint signs every output.
TEST_P(RedeemAtMint, Many_payments_add_up) {
  Receiver receiver(mint(), mint_->fresh_wallet());
  cashu::Amount expected = 0;
  for (const cashu::Amount amount : {3u, 64u, 100u, 999u}) {
    const auto paid = token(amount);
    expected += after_fee(paid.proofs);
    const auto op = receiver.receive(paid);
    ASSERT_TRUE(op.has_value()) << op.error().message;
    receiver.restart();
  }
  expect_wallet(receiver, expected);
}

INSTANTIATE_TEST_SUITE_P(Nutshell, RedeemAtMint, foreign_mints(), foreign_mint_name);
INSTANTIATE_TEST_SUITE_P(Nutshell, PayAtMint, foreign_mints(), foreign_mint_name);

}  // namespace
}  // namespace paygress::peers

namespace paygress::conformance {
INSTANTIATE_TEST_SUITE_P(Nutshell, MintConformance, peers::foreign_mints(),
                         peers::foreign_mint_name);
}  // namespace paygress::conformance
