#include "tests/sim/redeem/redeem_histories.h"

namespace paygress::test {
namespace {

using sim::MintFault;

sim::MintFaultRates fault_rates(RandomStream& dice, bool harsh) {
  sim::MintFaultRates rates;
  for (const MintFault fault :
       {MintFault::Unreachable, MintFault::DropAnswer, MintFault::ErrorAfter,
        MintFault::DoubleAnswer, MintFault::SlowRequest, MintFault::SlowAnswer, MintFault::Garbage,
        MintFault::WrongAmounts, MintFault::BadDleq})
    if (dice.chance_ppm(500'000)) rates.ppm[fault] = static_cast<uint32_t>(dice.below(80'000));
  rates.delay_max = after(dice.between(1, harsh ? 1500 : 90));
  return rates;
}

void refuse_swaps(sim::Mint& mint, RandomStream& dice) {
  const uint32_t code = dice.chance_ppm(500'000) ? 11005 : 12002;
  for (uint64_t i = 1 + dice.below(30); i > 0; --i) mint.refuse_next_swap(code);
}

void one_mood(RedeemWorld& world, RandomStream& dice, const cashu::Token& token, bool harsh) {
  switch (dice.below(9)) {
    case 0: return world.mint().set_restore_lag(after(dice.between(1, harsh ? 1800 : 200)));
    case 1: world.mint().rotate(dice.below(400)); return;
    case 2:
      return world.mint().hold_pending(token.proofs, world.time() + after(dice.between(1, 1500)));
    case 3: world.mint().spend_elsewhere(world.time(), token.proofs); return;
    case 4: return world.mint().set_fee(dice.below(400));
    case 5: return world.mint().cut_restores(dice.below(4));
    case 6: return world.mint().set_reachable(false);
    case 7: return refuse_swaps(world.mint(), dice);
    default: return world.mint().set_restore_reversed(true);
  }
}

}  // namespace

std::string random_history(uint64_t seed, const cashu::RedeemPolicy& policy) {
  RandomStream dice(seed, 0, "redeem history");
  WorldSettings settings;
  // Harsh: lags and delays beyond what a verdict waits for. It may then be wrong, but is corrected.
  const bool harsh = dice.chance_ppm(400'000);
  settings.policy = policy;
  settings.judge_verdicts = !harsh;
  settings.mint.seed = seed;
  settings.mint.input_fee_ppk = dice.below(300);
  RedeemWorld world(settings);
  world.run_until(after(1));
  world.mint().set_fault_rates(fault_rates(dice, harsh));
  for (uint64_t i = 1 + dice.below(4); i > 0; --i)
    world.crash_at_boundary(world.boundaries() + dice.below(120));
  for (uint64_t i = 1 + dice.below(5); i > 0; --i) {
    const cashu::Token token = world.mint().issue_token(20 + dice.below(500));
    world.at(after(dice.between(1, 900)), [token](RedeemWorld& w) { w.pay(token); });
    if (dice.chance_ppm(600'000)) {
      const uint64_t mood = dice.next();
      world.at(after(dice.between(1, 1000)), [token, mood, harsh](RedeemWorld& w) {
        RandomStream of_mood(mood, 0, "mood");
        one_mood(w, of_mood, token, harsh);
      });
    }
  }
  world.at(after(1200), [](RedeemWorld& w) {
    w.mint().set_fault_rates({});
    w.mint().set_reachable(true);
    w.mint().set_restore_lag({});
    w.mint().cut_restores(0);
  });
  world.run_until(after(harsh ? 9000 : 4000));
  world.audit();
  std::string wrong = world.violation_text();
  if (world.open_operations() > 0) wrong += "an operation is still open; ";
  return wrong;
}

}  // namespace paygress::test
