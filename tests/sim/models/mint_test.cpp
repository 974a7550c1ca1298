// The mint model: its books, its faults, and the fast tier's algebra.
#include "sim/models/mint.h"

#include <gtest/gtest.h>

#include "core/cashu/keyset.h"
#include "sim/models/fake_curve.h"

namespace paygress::sim {
namespace {

using cashu::Endpoint;
using cashu::ProofState;

constexpr uint64_t kWallet = 3;

struct FastMint : ::testing::Test {
  Mint mint{{}, fake_mint_crypto()};
  uint32_t counter = 0;

  cashu::OutputsReady outputs(const std::vector<cashu::Proof>& inputs, cashu::Amount amount) {
    const auto keysets = std::get<cashu::KeysetsAnswer>(mint.keys()).keysets;
    cashu::MakeOutputs work;
    work.keyset = mint.active_keyset();
    work.counter_start = counter;
    work.amounts = cashu::split_amount(amount, keysets.at(0).keys).value();
    work.inputs = inputs;
    counter += static_cast<uint32_t>(work.amounts.size());
    return fake_make_outputs(work, kWallet);
  }
  cashu::MintCall swap_call(const cashu::OutputsReady& made) {
    cashu::MintCall call;
    call.mint = mint.settings().url;
    call.endpoint = Endpoint::Swap;
    call.body = made.body;
    return call;
  }
};

TEST_F(FastMint, Issues_what_it_accepts) {
  const auto proofs = mint.issue(100);
  ASSERT_EQ(proofs.size(), 3u);
  cashu::CheckToken work;
  work.proofs = proofs;
  work.keys[mint.active_keyset()] = std::get<cashu::KeysetsAnswer>(mint.keys()).keysets.at(0).keys;
  EXPECT_EQ(fake_check_token(work).problem, "");
  for (const auto& proof : proofs) EXPECT_TRUE(mint.is_valid(proof));
  work.proofs[1].dleq->e[31] ^= 1;
  EXPECT_NE(fake_check_token(work).problem, "");
  EXPECT_EQ(mint.circulation(), 100u);
}

TEST_F(FastMint, Books_every_swap_with_inputs_outputs_and_fee) {
  const auto proofs = mint.issue(100);
  const auto made = outputs(proofs, 99);
  const auto delivered = mint.serve(5_us, swap_call(made));
  ASSERT_EQ(delivered.size(), 1u);
  ASSERT_TRUE(std::holds_alternative<cashu::SwapAnswer>(delivered[0].answer));
  ASSERT_EQ(mint.swaps().size(), 2u);  // the issuance is the first
  const MintSwap& swap = mint.swaps()[1];
  EXPECT_EQ(swap.at, 5_us);
  EXPECT_EQ(swap.fee, 1u);
  EXPECT_EQ(swap.inputs.size(), 3u);
  EXPECT_EQ(swap.outputs, made.outputs);
  EXPECT_EQ(mint.circulation(), 99u);
  EXPECT_EQ(mint.state_of(6_us, proofs[0]), ProofState::Spent);
  mint.check_invariants();
}

TEST_F(FastMint, Pays_an_invoice_once_and_books_what_that_cost) {
  const std::string invoice = make_invoice(Msat{100'000}, 7);
  const auto quote = std::get<cashu::QuoteAnswer>(mint.melt_quote(invoice, "sat"));
  EXPECT_EQ(quote.amount, 100u);
  EXPECT_EQ(quote.fee_reserve, 3u);
  const auto other = std::get<cashu::QuoteAnswer>(mint.melt_quote(invoice, "sat"));
  const auto inputs = mint.issue(128);
  cashu::MakeOutputs work;
  work.keyset = mint.active_keyset();
  work.amounts.assign(5, 1);
  const auto blanks = fake_make_outputs(work, kWallet).outputs;

  mint.set_lightning(Lightning::Fails);
  EXPECT_EQ(std::get<cashu::MintError>(mint.melt(1_us, quote.quote, inputs, blanks)).code, 20004u);
  EXPECT_EQ(mint.state_of(1_us, inputs[0]), ProofState::Unspent);
  mint.set_lightning(Lightning::Hangs);
  EXPECT_EQ(std::get<cashu::QuoteAnswer>(mint.melt(1_us, quote.quote, inputs, blanks)).state,
            "PENDING");
  EXPECT_EQ(mint.state_of(1_us, inputs[0]), ProofState::Pending);
  EXPECT_TRUE(
      std::holds_alternative<cashu::MintError>(mint.melt(1_us, quote.quote, inputs, blanks)));
  mint.settle_lightning(2_us, true);
  EXPECT_EQ(mint.state_of(2_us, inputs[0]), ProofState::Spent);
  const auto paid = std::get<cashu::QuoteAnswer>(mint.melt_quote_state(quote.quote));
  EXPECT_EQ(paid.state, "PAID");
  ASSERT_TRUE(paid.change);
  cashu::Amount change = 0;
  for (const auto& signature : *paid.change) change += signature.amount;
  EXPECT_EQ(change, 128u - 100 - 1 - 1) << "half of the reserve, and the fee of one input";
  EXPECT_EQ(mint.swaps().back().paid, 101u);
  EXPECT_EQ(mint.circulation(), change);
  mint.check_invariants();
  // Not again, by another quote and with other proofs.
  EXPECT_EQ(std::get<cashu::MintError>(mint.melt(3_us, other.quote, mint.issue(128), blanks)).code,
            20006u);
  EXPECT_EQ(mint.times_paid(invoice), 1u);
}

TEST_F(FastMint, A_fault_loses_the_answer_but_not_the_swap) {
  const auto proofs = mint.issue(100);
  const auto made = outputs(proofs, 99);
  mint.plan_fault(Endpoint::Swap, MintFault::DropAnswer);
  EXPECT_TRUE(mint.serve(0_us, swap_call(made)).empty());
  EXPECT_TRUE(mint.is_signed(made.outputs[0].b));
}

TEST_F(FastMint, An_unreachable_mint_does_nothing) {
  const auto made = outputs(mint.issue(100), 99);
  mint.set_reachable(false);
  EXPECT_TRUE(mint.serve(0_us, swap_call(made)).empty());
  EXPECT_FALSE(mint.is_signed(made.outputs[0].b));
}

TEST_F(FastMint, A_slow_request_is_carried_out_later) {
  const auto made = outputs(mint.issue(100), 99);
  mint.plan_fault(Endpoint::Swap, MintFault::SlowRequest, 1000_us);
  EXPECT_TRUE(mint.serve(10_us, swap_call(made)).empty());
  EXPECT_EQ(mint.next_deadline(), 1010_us);
  mint.advance(1009_us);
  EXPECT_FALSE(mint.is_signed(made.outputs[0].b));
  mint.advance(1010_us);
  EXPECT_TRUE(mint.is_signed(made.outputs[0].b));
  EXPECT_FALSE(mint.next_deadline().has_value());
}

// Taken before a rotation, carried out after it; what it would refuse is refused at once.
TEST_F(FastMint, A_stalled_mint_carries_out_later_what_it_has_taken) {
  const auto proofs = mint.issue(100);
  const auto first = outputs(proofs, 99);
  mint.set_stalled(true);
  EXPECT_TRUE(mint.serve(0_us, swap_call(first)).empty());
  mint.rotate(100);
  const auto refused = mint.serve(1_us, swap_call(first));
  ASSERT_EQ(refused.size(), 1u);
  EXPECT_EQ(std::get<cashu::MintError>(refused[0].answer).code, 12002u);
  EXPECT_TRUE(mint.serve(2_us, swap_call(outputs(proofs, 99))).empty());
  EXPECT_EQ(mint.state_of(2_us, proofs[0]), ProofState::Unspent);
  mint.set_stalled(false);
  mint.carry_out_stalled(3_us);
  EXPECT_TRUE(mint.is_signed(first.outputs[0].b));
  EXPECT_EQ(mint.state_of(3_us, proofs[0]), ProofState::Spent);
  EXPECT_EQ(mint.swaps().size(), 2u) << "the issuance, and the swap that was taken first";
  mint.check_invariants();
}

TEST_F(FastMint, A_mint_that_refuses_says_its_code_until_it_does_not) {
  const auto proofs = mint.issue(100);
  const auto made = outputs(proofs, 99);
  mint.set_refusing(11005);
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(std::get<cashu::MintError>(mint.serve(0_us, swap_call(made))[0].answer).code, 11005u);
  mint.set_refusing(0);
  const auto taken = mint.serve(1_us, swap_call(made));
  EXPECT_TRUE(std::holds_alternative<cashu::SwapAnswer>(taken[0].answer));
}

TEST_F(FastMint, A_lagging_replica_hides_fresh_signatures) {
  const auto made = outputs(mint.issue(100), 99);
  mint.serve(0_us, swap_call(made));
  mint.set_restore_lag(100_us);
  EXPECT_TRUE(std::get<cashu::RestoreAnswer>(mint.restore(99_us, made.outputs)).outputs.empty());
  EXPECT_EQ(std::get<cashu::RestoreAnswer>(mint.restore(100_us, made.outputs)).outputs.size(),
            made.outputs.size());
}

TEST_F(FastMint, Pending_proofs_are_refused_until_they_are_free) {
  const auto proofs = mint.issue(100);
  mint.hold_pending(proofs, 50_us);
  EXPECT_EQ(mint.state_of(49_us, proofs[0]), ProofState::Pending);
  const auto refused = mint.swap(49_us, proofs, outputs(proofs, 99).outputs);
  EXPECT_EQ(std::get<cashu::MintError>(refused).code, 11002u);
  EXPECT_EQ(mint.state_of(50_us, proofs[0]), ProofState::Unspent);
}

TEST_F(FastMint, Rotation_retires_the_keyset_for_outputs_only) {
  const auto proofs = mint.issue(100);
  const auto old = outputs(proofs, 99);
  const std::string fresh = mint.rotate(100);
  EXPECT_EQ(std::get<cashu::MintError>(mint.swap(0_us, proofs, old.outputs)).code, 12002u);
  EXPECT_TRUE(std::holds_alternative<cashu::SwapAnswer>(
      mint.swap(0_us, proofs, outputs(proofs, 99).outputs)));
  EXPECT_EQ(std::get<cashu::KeysetsAnswer>(mint.keysets()).keysets.size(), 2u);
  EXPECT_EQ(std::get<cashu::KeysetsAnswer>(mint.keys()).keysets.at(0).id, fresh);
}

TEST_F(FastMint, Refuses_what_does_not_balance) {
  const auto proofs = mint.issue(100);
  for (const cashu::Amount amount : {98u, 100u}) {
    const auto answer = mint.swap(0_us, proofs, outputs(proofs, amount).outputs);
    EXPECT_EQ(std::get<cashu::MintError>(answer).code, 11005u);
  }
  EXPECT_EQ(mint.circulation(), 100u);
}

TEST_F(FastMint, The_same_seed_has_the_same_faults) {
  MintFaultRates rates;
  rates.ppm = {{MintFault::DropAnswer, 300'000}, {MintFault::SlowAnswer, 300'000}};
  Mint other({}, fake_mint_crypto());
  mint.set_fault_rates(rates);
  other.set_fault_rates(rates);
  cashu::MintCall call;
  call.endpoint = Endpoint::Keys;
  size_t lost = 0;
  for (int i = 0; i < 200; ++i) {
    const auto a = mint.serve(0_us, call);
    const auto b = other.serve(0_us, call);
    ASSERT_EQ(a.size(), b.size());
    if (a.empty())
      ++lost;
    else
      ASSERT_EQ(a[0].after, b[0].after);
  }
  EXPECT_GT(lost, 20u);
  EXPECT_LT(lost, 120u);
}

TEST(FakeCurve, Is_a_group_without_secrets) {
  const uint64_t p = (uint64_t{1} << 61) - 1;
  EXPECT_EQ(fake_add(p - 1, 1), 0u);
  EXPECT_EQ(fake_subtract(0, 1), p - 1);
  EXPECT_EQ(fake_multiply(p - 1, p - 1), 1u);
  EXPECT_EQ(fake_log(fake_point(p - 1)), p - 1);
}

}  // namespace
}  // namespace paygress::sim
