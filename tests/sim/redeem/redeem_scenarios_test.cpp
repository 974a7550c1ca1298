// The redeem operation's state table (docs/money.md), one named scenario each.
#include <gtest/gtest.h>

#include "core/base/codec.h"
#include "tests/sim/redeem/redeem_world.h"

namespace paygress::test {
namespace {

using cashu::Endpoint;
using cashu::OpStatus;
using cashu::Verdict;
using sim::MintFault;

constexpr Micros after(int64_t seconds) { return micros(Seconds{seconds}); }
constexpr Micros kReady = after(1);  // the mint has been read by then

// Runs to rest and compares the books.
void settle(RedeemWorld& world, Micros until) {
  world.run_until(until);
  world.audit();
  EXPECT_EQ(world.violation_text(), "");
}

class RedeemScenario : public ::testing::TestWithParam<Tier> {
 protected:
  WorldSettings settings() const {
    WorldSettings made;
    made.tier = GetParam();
    if (made.tier == Tier::Real) made.mint.key_count = 12;
    return made;
  }
};
INSTANTIATE_TEST_SUITE_P(Tiers, RedeemScenario, ::testing::Values(Tier::Fake, Tier::Real),
                         [](const auto& i) { return i.param == Tier::Fake ? "Fake" : "Real"; });

TEST_P(RedeemScenario, A_good_token_becomes_proofs_of_ours) {
  RedeemWorld world(settings());
  world.run_until(kReady);
  const size_t payment = world.pay(world.mint().issue_token(100));  // 3 proofs, 1 sat of fee
  settle(world, after(5));
  EXPECT_EQ(world.status_of_payment(payment), OpStatus::Done);
  const auto redeemed = world.events_of<cashu::Redeemed>();
  ASSERT_EQ(redeemed.size(), 1u);
  EXPECT_EQ(redeemed[0].amount, 99u);
  EXPECT_EQ(redeemed[0].fee, 1u);
  EXPECT_EQ(redeemed[0].value, 99'000_msat);
  EXPECT_FALSE(redeemed[0].late);
  EXPECT_EQ(world.calls_to(Endpoint::Swap), 1u);
  EXPECT_EQ(world.calls_to(Endpoint::Restore), 0u);
}

TEST_P(RedeemScenario, A_version_2_keyset_works_as_well) {
  auto made = settings();
  made.mint.keyset_version = 1;
  RedeemWorld world(made);
  world.run_until(kReady);
  const size_t payment = world.pay(world.mint().issue_token(77));
  settle(world, after(5));
  EXPECT_EQ(world.status_of_payment(payment), OpStatus::Done);
}

TEST_P(RedeemScenario, A_lost_answer_is_found_by_restore) {
  RedeemWorld world(settings());
  world.run_until(kReady);
  world.mint().plan_fault(Endpoint::Swap, MintFault::DropAnswer);
  const size_t payment = world.pay(world.mint().issue_token(100));
  settle(world, after(40));
  EXPECT_EQ(world.status_of_payment(payment), OpStatus::Done);
  EXPECT_EQ(world.calls_to(Endpoint::Swap), 1u);
  EXPECT_EQ(world.calls_to(Endpoint::CheckState), 0u);
  EXPECT_EQ(world.events_of<cashu::InDoubt>().size(), 1u);
}

TEST_P(RedeemScenario, A_server_error_after_the_commit_is_found_by_restore) {
  RedeemWorld world(settings());
  world.run_until(kReady);
  world.mint().plan_fault(Endpoint::Swap, MintFault::ErrorAfter);
  const size_t payment = world.pay(world.mint().issue_token(100));
  settle(world, after(5));
  EXPECT_EQ(world.status_of_payment(payment), OpStatus::Done);
}

TEST_P(RedeemScenario, Bad_proofs_of_the_key_are_not_credited_until_good_ones_come) {
  RedeemWorld world(settings());
  world.run_until(kReady);
  world.mint().plan_fault(Endpoint::Swap, MintFault::BadDleq);
  world.mint().plan_fault(Endpoint::Restore, MintFault::BadDleq);
  const size_t payment = world.pay(world.mint().issue_token(100));
  settle(world, after(30));
  EXPECT_EQ(world.status_of_payment(payment), OpStatus::Done);
  EXPECT_EQ(world.events_of<cashu::Alarm>().size(), 1u);
}

TEST_P(RedeemScenario, A_forged_token_is_refused_before_it_is_sent) {
  RedeemWorld world(settings());
  world.run_until(kReady);
  cashu::Token token = world.mint().issue_token(100);
  token.proofs[0].dleq->s[0] ^= 1;
  const size_t payment = world.pay(token);
  settle(world, after(40));
  EXPECT_TRUE(world.refusal_of_payment(payment).has_value());
  EXPECT_EQ(world.calls_to(Endpoint::Swap), 0u);
}

TEST_P(RedeemScenario, Spent_elsewhere_takes_five_minutes_of_empty_restores) {
  RedeemWorld world(settings());
  world.run_until(kReady);
  const cashu::Token token = world.mint().issue_token(100);
  ASSERT_TRUE(world.mint().spend_elsewhere(world.time(), token.proofs));
  const size_t payment = world.pay(token);
  world.run_until(after(290));
  EXPECT_EQ(world.status_of_payment(payment), OpStatus::Open);
  settle(world, after(320));
  EXPECT_EQ(world.status_of_payment(payment), OpStatus::SpentElsewhere);
  const auto verdicts = world.events_of<cashu::NotTaken>();
  ASSERT_EQ(verdicts.size(), 1u);
  EXPECT_EQ(verdicts[0].verdict, Verdict::SpentElsewhere);
  EXPECT_EQ(world.calls_to(Endpoint::Swap), 1u);  // 11001 with SPENT is not asked again
}

// money-sagas.md flaw 6: the answer changes once, when our outputs appear after all.
TEST_P(RedeemScenario, Outputs_that_appear_after_the_verdict_are_late) {
  auto made = settings();
  made.judge_verdicts = false;  // the replica lags longer than the rule allows for
  RedeemWorld world(made);
  world.run_until(kReady);
  world.mint().set_restore_lag(after(3600));
  world.mint().plan_fault(Endpoint::Swap, MintFault::DropAnswer);
  const size_t payment = world.pay(world.mint().issue_token(100));
  world.run_until(after(1200));
  EXPECT_EQ(world.status_of_payment(payment), OpStatus::SpentElsewhere);
  settle(world, after(7200));
  EXPECT_EQ(world.status_of_payment(payment), OpStatus::Done);
  ASSERT_EQ(world.events_of<cashu::Redeemed>().size(), 1u);
  EXPECT_TRUE(world.events_of<cashu::Redeemed>().at(0).late);
}

TEST_P(RedeemScenario, Rotation_between_preparation_and_post_makes_a_new_attempt) {
  RedeemWorld world(settings());
  world.run_until(kReady);
  const cashu::Token token = world.mint().issue_token(100);
  const std::string rotated = world.mint().rotate(200);
  const size_t payment = world.pay(token);
  settle(world, after(30));
  EXPECT_EQ(world.status_of_payment(payment), OpStatus::Done);
  EXPECT_EQ(world.count_records<cashu::AttemptMade>(), 2u);
  const auto proofs = world.redeemer().state().wallet().proofs({"https://mint.example", "sat"});
  ASSERT_FALSE(proofs.empty());
  EXPECT_EQ(proofs[0].keyset, rotated);
}

// Below: in the fast tier only.
class RedeemFast : public ::testing::Test {
 protected:
  static WorldSettings settings() { return {}; }
};

TEST_F(RedeemFast, A_double_answer_is_credited_once) {
  RedeemWorld world(settings());
  world.run_until(kReady);
  world.mint().plan_fault(Endpoint::Swap, MintFault::DoubleAnswer, after(1));
  world.pay(world.mint().issue_token(100));
  settle(world, after(30));
  EXPECT_EQ(world.events_of<cashu::Redeemed>().size(), 1u);
}

TEST_F(RedeemFast, The_same_token_again_finds_its_operation) {
  RedeemWorld world(settings());
  world.run_until(kReady);
  const cashu::Token token = world.mint().issue_token(100);
  const size_t first = world.pay(token);
  world.run_until(after(3));
  cashu::Token part = token;
  part.proofs.resize(1);  // any overlap counts as known
  const size_t second = world.pay(part);
  settle(world, after(10));
  EXPECT_EQ(world.op_of_payment(first), world.op_of_payment(second));
  EXPECT_EQ(world.refusal_of_payment(second)->reason, cashu::RefusalReason::Known);
  EXPECT_EQ(world.refusal_of_payment(second)->op, world.op_of_payment(first));
  EXPECT_EQ(world.calls_to(Endpoint::Swap), 1u);
}

TEST_F(RedeemFast, Operations_under_way_at_once_share_no_counter) {
  RedeemWorld world(settings());
  world.run_until(kReady);
  for (int i = 0; i < 20; ++i) world.pay(world.mint().issue_token(100));
  settle(world, after(10));  // the world complains when a counter is used twice
  EXPECT_EQ(world.events_of<cashu::Redeemed>().size(), 20u);
  EXPECT_EQ(world.redeemer().state().next_counter(world.mint().active_keyset()), 80u);
}

TEST_F(RedeemFast, The_same_history_twice_gives_the_same_journal) {
  const auto run = [] {
    RedeemWorld world(settings());
    world.run_until(kReady);
    world.mint().set_fault_rates({{{MintFault::DropAnswer, 300'000}}, after(20)});
    for (int i = 0; i < 5; ++i) world.pay(world.mint().issue_token(100));
    world.run_until(after(2000));
    return encode_bytes(world.journal());
  };
  EXPECT_EQ(run(), run());
}

// flaw 22: a 200 after our time-out closes the operation, whatever is under way then.
TEST_F(RedeemFast, A_late_200_closes_the_operation) {
  RedeemWorld world(settings());
  world.run_until(kReady);
  world.mint().set_restore_lag(after(3600));
  world.mint().plan_fault(Endpoint::Swap, MintFault::SlowAnswer, after(45));
  const size_t payment = world.pay(world.mint().issue_token(100));
  world.run_until(after(44));
  EXPECT_EQ(world.status_of_payment(payment), OpStatus::Open);
  settle(world, after(50));
  EXPECT_EQ(world.status_of_payment(payment), OpStatus::Done);
}

// A held invoice: PENDING is a third state; it is waited for, with no verdict, past the hold.
TEST_F(RedeemFast, Pending_is_wait) {
  RedeemWorld world(settings());
  world.run_until(kReady);
  const cashu::Token token = world.mint().issue_token(100);
  world.mint().hold_pending(token.proofs, after(400));
  const size_t payment = world.pay(token);
  world.run_until(after(390));
  EXPECT_EQ(world.status_of_payment(payment), OpStatus::Open);
  settle(world, after(750));
  EXPECT_EQ(world.status_of_payment(payment), OpStatus::Done);
  EXPECT_FALSE(world.events_of<cashu::Redeemed>().at(0).late);
}

TEST_F(RedeemFast, Pending_past_the_hold_is_released_only_five_minutes_after_it_ends) {
  RedeemWorld world(settings());
  world.run_until(kReady);
  const cashu::Token token = world.mint().issue_token(100);
  world.mint().hold_pending(token.proofs, after(4000));
  const size_t payment = world.pay(token);
  world.run_until(after(4000));
  EXPECT_EQ(world.status_of_payment(payment), OpStatus::HoldOver);
  EXPECT_TRUE(world.events_of<cashu::NotTaken>().empty());
  settle(world, after(4290));
  EXPECT_EQ(world.status_of_payment(payment), OpStatus::HoldOver);
  settle(world, after(5000));
  EXPECT_EQ(world.status_of_payment(payment), OpStatus::Released);
}

TEST_F(RedeemFast, An_unreachable_mint_leaves_the_operation_open_for_days) {
  RedeemWorld world(settings());
  world.run_until(kReady);
  world.mint().plan_fault(Endpoint::Swap, MintFault::DropAnswer);
  const size_t payment = world.pay(world.mint().issue_token(100));
  world.run_until(after(2));
  world.mint().set_reachable(false);
  world.run_until(after(2 * 86400));
  EXPECT_EQ(world.status_of_payment(payment), OpStatus::HoldOver);
  EXPECT_EQ(world.events_of<cashu::HoldOver>().size(), 1u);
  EXPECT_LT(world.calls_to(Endpoint::Restore), 700u);  // backs off to 5 minutes
  world.mint().set_reachable(true);
  settle(world, after(2 * 86400 + 400));
  EXPECT_EQ(world.status_of_payment(payment), OpStatus::Done);
  EXPECT_TRUE(world.events_of<cashu::Redeemed>().at(0).late);
}

TEST_F(RedeemFast, Never_arrived_is_released_after_hold_and_five_minutes) {
  RedeemWorld world(settings());
  world.run_until(kReady);
  for (int i = 0; i < 40; ++i) world.mint().plan_fault(Endpoint::Swap, MintFault::Unreachable);
  const size_t payment = world.pay(world.mint().issue_token(100));
  world.run_until(after(895));
  EXPECT_EQ(world.status_of_payment(payment), OpStatus::HoldOver);
  settle(world, after(1300));
  EXPECT_EQ(world.status_of_payment(payment), OpStatus::Released);
  EXPECT_LT(world.calls_to(Endpoint::Swap), 20u);
}

// An error code alone never decides: 10001 with the inputs unspent is asked again.
TEST_F(RedeemFast, A_permanent_refusal_once_is_not_a_verdict) {
  RedeemWorld world(settings());
  world.run_until(kReady);
  world.mint().refuse_next_swap(10001);
  const size_t payment = world.pay(world.mint().issue_token(100));
  settle(world, after(10));
  EXPECT_EQ(world.status_of_payment(payment), OpStatus::Done);
}

TEST_F(RedeemFast, A_permanent_refusal_for_five_minutes_is_released) {
  RedeemWorld world(settings());
  world.run_until(kReady);
  for (int i = 0; i < 100; ++i) world.mint().refuse_next_swap(11013);
  const size_t payment = world.pay(world.mint().issue_token(100));
  world.run_until(after(295));
  EXPECT_EQ(world.status_of_payment(payment), OpStatus::Open);
  settle(world, after(400));
  EXPECT_EQ(world.status_of_payment(payment), OpStatus::Released);
}

TEST_F(RedeemFast, Spent_codes_with_other_meanings_do_not_decide) {
  for (const uint32_t code : {11001u, 11002u, 11003u, 11004u, 10002u, 50000u, 99999u}) {
    RedeemWorld world(settings());
    world.run_until(kReady);
    world.mint().refuse_next_swap(code);
    const size_t payment = world.pay(world.mint().issue_token(100));
    settle(world, after(20));
    EXPECT_EQ(world.status_of_payment(payment), OpStatus::Done) << code;
    EXPECT_EQ(world.count_records<cashu::AttemptMade>(), 1u) << code;
  }
}

TEST_F(RedeemFast, A_fee_that_rose_makes_a_cheaper_attempt) {
  RedeemWorld world(settings());
  world.run_until(kReady);
  const cashu::Token token = world.mint().issue_token(100);
  world.mint().set_fee(2000);
  const size_t payment = world.pay(token);
  settle(world, after(20));
  EXPECT_EQ(world.status_of_payment(payment), OpStatus::Done);
  EXPECT_EQ(world.events_of<cashu::Redeemed>().at(0).amount, 94u);
}

// flaw 14: 11005 for ever must not burn counters.
TEST_F(RedeemFast, No_new_attempt_while_the_keysets_stay_the_same) {
  RedeemWorld world(settings());
  world.run_until(kReady);
  for (int i = 0; i < 100; ++i) world.mint().refuse_next_swap(11005);
  world.pay(world.mint().issue_token(100));
  settle(world, after(1300));
  EXPECT_EQ(world.count_records<cashu::AttemptMade>(), 1u);
  EXPECT_EQ(world.redeemer().state().next_counter(world.mint().active_keyset()), 4u);
}

TEST_F(RedeemFast, At_most_eight_attempts_then_an_alarm) {
  RedeemWorld world(settings());
  world.run_until(kReady);
  const cashu::Token token = world.mint().issue_token(100);
  for (int i = 0; i < 200; ++i) {
    world.mint().refuse_next_swap(12002);
    world.at(after(1 + 2 * i), [](RedeemWorld& w) { w.mint().rotate(100); });
  }
  world.pay(token);
  settle(world, after(500));
  EXPECT_EQ(world.count_records<cashu::AttemptMade>(), cashu::kAttemptsMax);
  EXPECT_EQ(world.events_of<cashu::Alarm>().size(), 1u);
}

// flaw 22: a lagging replica shows a part; signatures of several answers add up.
TEST_F(RedeemFast, Parts_of_a_swap_add_up) {
  RedeemWorld world(settings());
  world.run_until(kReady);
  world.mint().plan_fault(Endpoint::Swap, MintFault::DropAnswer);
  world.mint().cut_restores(1);
  const size_t payment = world.pay(world.mint().issue_token(100));
  world.run_until(after(31));
  EXPECT_EQ(world.status_of_payment(payment), OpStatus::Open);
  world.mint().set_restore_reversed(true);  // the other half next, also cut
  world.mint().cut_restores(1);
  settle(world, after(60));
  EXPECT_EQ(world.status_of_payment(payment), OpStatus::Done);
  EXPECT_EQ(world.events_of<cashu::Alarm>().size(), 1u);
}

TEST_F(RedeemFast, A_request_carried_out_after_our_time_out_is_not_lost) {
  RedeemWorld world(settings());
  world.run_until(kReady);
  world.mint().plan_fault(Endpoint::Swap, MintFault::SlowRequest, after(34));
  const size_t payment = world.pay(world.mint().issue_token(100));
  settle(world, after(120));
  EXPECT_EQ(world.status_of_payment(payment), OpStatus::Done);
}

TEST_F(RedeemFast, Garbage_is_no_answer) {
  for (const Endpoint endpoint : {Endpoint::Swap, Endpoint::Restore, Endpoint::CheckState}) {
    RedeemWorld world(settings());
    world.run_until(kReady);
    if (endpoint != Endpoint::Swap) world.mint().plan_fault(Endpoint::Swap, MintFault::Unreachable);
    world.mint().plan_fault(endpoint, MintFault::Garbage);
    const size_t payment = world.pay(world.mint().issue_token(100));
    settle(world, after(120));
    EXPECT_EQ(world.status_of_payment(payment), OpStatus::Done);
  }
}

TEST_F(RedeemFast, An_inactive_keysets_token_is_taken) {
  RedeemWorld world(settings());
  const cashu::Token token = world.mint().issue_token(100);
  const std::string rotated = world.mint().rotate(100);
  world.run_until(after(700));  // the next reading sees the rotation
  const size_t payment = world.pay(token);
  settle(world, after(710));
  EXPECT_EQ(world.status_of_payment(payment), OpStatus::Done);
  EXPECT_EQ(world.count_records<cashu::AttemptMade>(), 1u);
  EXPECT_EQ(world.redeemer().state().next_counter(rotated), 4u);
}

TEST_F(RedeemFast, A_mint_without_restore_is_refused) {
  auto made = settings();
  made.mint.nuts = {7, 12};
  RedeemWorld world(made);
  world.run_until(kReady);
  const size_t payment = world.pay(world.mint().issue_token(100));
  settle(world, after(5));
  EXPECT_EQ(world.refusal_of_payment(payment)->reason, cashu::RefusalReason::MintUnsuitable);
}

TEST_F(RedeemFast, A_mint_that_comes_up_later_is_read_then) {
  RedeemWorld world(settings());
  world.crash();  // the asks of the first start are lost
  world.mint().set_reachable(false);
  world.crash();
  const size_t payment = world.pay(world.mint().issue_token(100));
  world.run_until(after(120));
  EXPECT_EQ(world.refusal_of_payment(payment)->reason, cashu::RefusalReason::MintNotReady);
  world.mint().set_reachable(true);
  settle(world, after(300));
  EXPECT_EQ(world.status_of_payment(payment), OpStatus::Done);
}

// The keyset an attempt was made on may be retired, and its keys must be read again, after a crash.
TEST_F(RedeemFast, Recovery_reads_the_keys_of_a_retired_keyset) {
  RedeemWorld world(settings());
  world.run_until(kReady);
  world.mint().plan_fault(Endpoint::Swap, MintFault::DropAnswer);
  const size_t payment = world.pay(world.mint().issue_token(100));
  world.run_until(after(5));
  world.mint().rotate(100);
  world.crash();
  settle(world, after(60));
  EXPECT_EQ(world.status_of_payment(payment), OpStatus::Done);
}

TEST_F(RedeemFast, After_seven_days_only_the_secrets_are_remembered) {
  RedeemWorld world(settings());
  world.run_until(kReady);
  const cashu::Token token = world.mint().issue_token(100);
  ASSERT_TRUE(world.mint().spend_elsewhere(world.time(), token.proofs));
  const size_t payment = world.pay(token);
  settle(world, after(8 * 86400));
  EXPECT_EQ(world.count_records<cashu::OpForgotten>(), 1u);
  EXPECT_TRUE(world.redeemer().state().live().empty());
  EXPECT_EQ(world.status_of_payment(payment), OpStatus::SpentElsewhere);
}

// Across a restart only the human clock tells how much of the hold is left; a clock that was set
// back cannot make it longer than it was.
TEST_F(RedeemFast, A_restart_never_lengthens_the_hold) {
  RedeemWorld world(settings());
  world.run_until(kReady);
  for (int i = 0; i < 100; ++i) world.mint().plan_fault(Endpoint::Swap, MintFault::Unreachable);
  const size_t payment = world.pay(world.mint().issue_token(100));
  world.run_until(after(100));
  world.shift_wall(Seconds{-86400});
  world.crash();
  world.run_until(after(700));
  EXPECT_EQ(world.status_of_payment(payment), OpStatus::Open);
  settle(world, after(720));
  EXPECT_EQ(world.status_of_payment(payment), OpStatus::HoldOver);
}

TEST_F(RedeemFast, A_human_clock_that_jumps_changes_no_verdict_in_one_process) {
  RedeemWorld world(settings());
  world.run_until(kReady);
  const cashu::Token token = world.mint().issue_token(100);
  world.mint().hold_pending(token.proofs, after(300));
  const size_t payment = world.pay(token);
  world.run_until(after(100));
  world.shift_wall(Seconds{86400});
  world.run_until(after(200));
  EXPECT_EQ(world.status_of_payment(payment), OpStatus::Open);
  world.shift_wall(Seconds{-10 * 86400});
  settle(world, after(700));
  EXPECT_EQ(world.status_of_payment(payment), OpStatus::Done);
}

}  // namespace
}  // namespace paygress::test
