// A crash at every boundary between a decision, its record and its effect, together with everything
// that can happen to a call; and random histories of many tokens, faults and crashes. In the end
// the wallet is what the mint's books say, and every credit happened once.
#include <gtest/gtest.h>

#include "tests/sim/redeem/redeem_histories.h"

namespace paygress::test {
namespace {

using cashu::Endpoint;
using cashu::OpStatus;
using sim::MintFault;

enum class Mood { Calm, Lagging, Rotating, Pending, Stolen, DearFee };
struct Case {
  MintFault fault = MintFault::None;
  Mood mood = Mood::Calm;
};

void set_mood(RedeemWorld& world, Mood mood, const cashu::Token& token) {
  if (mood == Mood::Lagging) world.mint().set_restore_lag(after(60));
  if (mood == Mood::Rotating) world.mint().rotate(300);
  if (mood == Mood::Pending) world.mint().hold_pending(token.proofs, after(90));
  if (mood == Mood::Stolen) world.mint().spend_elsewhere(world.time(), token.proofs);
  if (mood == Mood::DearFee) world.mint().set_fee(1500);
}

// One token, one fault of the first swap, one mood; two crashes. Returns the boundaries passed.
uint64_t run(const Case& c, uint64_t first_crash, uint64_t gap, Tier tier = Tier::Fake) {
  WorldSettings settings;
  settings.tier = tier;
  if (tier == Tier::Real) settings.mint.key_count = 8;
  RedeemWorld world(settings);
  world.run_until(after(1));
  const uint64_t start = world.boundaries();
  world.crash_at_boundary(start + first_crash);
  world.crash_at_boundary(start + first_crash + gap);
  const cashu::Token token = world.mint().issue_token(100);
  set_mood(world, c.mood, token);
  world.mint().plan_fault(Endpoint::Swap, c.fault, after(20));
  const size_t payment = world.pay(token);
  world.run_until(after(3600));
  world.audit();
  EXPECT_EQ(world.violation_text(), "") << "crash at " << first_crash << " and " << gap << " later";
  EXPECT_EQ(world.open_operations(), 0u);
  const auto expected = c.mood == Mood::Stolen ? OpStatus::SpentElsewhere : OpStatus::Done;
  EXPECT_EQ(world.status_of_payment(payment), expected) << "crash at " << first_crash;
  return world.boundaries() - start;
}

class RedeemCrash : public ::testing::TestWithParam<Mood> {};
INSTANTIATE_TEST_SUITE_P(Moods, RedeemCrash,
                         ::testing::Values(Mood::Calm, Mood::Lagging, Mood::Rotating, Mood::Pending,
                                           Mood::Stolen, Mood::DearFee));

TEST_P(RedeemCrash, At_every_boundary_with_every_fault) {
  for (const MintFault fault :
       {MintFault::None, MintFault::Unreachable, MintFault::DropAnswer, MintFault::ErrorAfter,
        MintFault::DoubleAnswer, MintFault::SlowRequest, MintFault::SlowAnswer, MintFault::Garbage,
        MintFault::WrongAmounts, MintFault::BadDleq}) {
    const uint64_t boundaries = run({fault, GetParam()}, 1'000'000, 1);
    for (uint64_t first = 0; first < std::min<uint64_t>(boundaries, 40); ++first) {
      run({fault, GetParam()}, first, 1 + first % 11);
      if (HasFailure()) return;
    }
  }
}

TEST(RedeemCrashReal, At_every_boundary_with_a_lost_answer) {
  for (uint64_t first = 0; first < 24; ++first)
    run({MintFault::DropAnswer, Mood::Calm}, first, 5, Tier::Real);
}

// After 20 harsh minutes and the hold's end no operation is open and the books agree.
TEST(RedeemHistories, Random) {
  for (uint64_t seed = 0; seed < 1500 / PAYGRESS_THINNED && !HasFailure(); ++seed)
    EXPECT_EQ(random_history(seed, {}), "") << "seed " << seed;
}

}  // namespace
}  // namespace paygress::test
