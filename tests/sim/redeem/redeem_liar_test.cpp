// A mint that lies about everything it can: no lie ends the process, is credited, or makes money
// appear. What a lie can do is delay, and a verdict that the truth later corrects.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/sim/redeem/redeem_histories.h"

namespace paygress::test {
namespace {

class Liar {
 public:
  explicit Liar(uint64_t seed) : dice_(seed, 0, "liar") {}

  void operator()(sim::MintAnswer& answer) {
    if (!dice_.chance_ppm(400'000)) return;
    if (dice_.chance_ppm(150'000)) {
      const uint32_t codes[] = {10001, 11001, 11002, 11003, 11005, 12001, 12002, 50000, 0};
      answer = cashu::MintError{400, codes[dice_.below(std::size(codes))], "no"};
    }
    std::visit([this](auto& truth) { twist(truth); }, answer);
  }

 private:
  template <class T>
  void twist(T&) {}
  void twist(cashu::CheckAnswer& answer) {
    for (auto& entry : answer.states) {
      entry.state = static_cast<cashu::ProofState>(dice_.below(3));
      if (dice_.chance_ppm(50'000)) entry.y[7] ^= 1;
    }
    twist_list(answer.states);
  }
  void twist(cashu::SwapAnswer& answer) { twist_signatures(answer.signatures); }
  void twist(cashu::RestoreAnswer& answer) {
    twist_list(answer.outputs);
    if (dice_.chance_ppm(500'000)) answer.signatures.resize(answer.outputs.size());
    twist_signatures(answer.signatures);
  }
  void twist(cashu::KeysetsAnswer& answer) {
    for (auto& keyset : answer.keysets) {
      if (dice_.chance_ppm(200'000)) keyset.input_fee_ppk = dice_.below(5000);
      if (dice_.chance_ppm(200'000)) keyset.active = !keyset.active;
      if (dice_.chance_ppm(200'000)) keyset.unit = "msat";
      if (dice_.chance_ppm(100'000)) keyset.id = "00ffffffffffffff";
      if (dice_.chance_ppm(100'000)) keyset.id = "not an id";
      if (dice_.chance_ppm(100'000) && !keyset.keys.empty()) keyset.keys.begin()->second[5] ^= 1;
      if (dice_.chance_ppm(100'000)) keyset.final_expiry = UnixSeconds::max();
      if (dice_.chance_ppm(100'000)) keyset.input_fee_ppk = ~uint64_t{0};
    }
    twist_list(answer.keysets);
  }
  void twist(cashu::InfoAnswer& answer) { twist_list(answer.nuts); }

  void twist_signatures(std::vector<cashu::BlindSignature>& signatures) {
    for (auto& signature : signatures) {
      if (dice_.chance_ppm(100'000)) signature.c[20] ^= 1;
      if (dice_.chance_ppm(100'000)) signature.amount = dice_.next();
      if (dice_.chance_ppm(100'000)) signature.dleq.reset();
      if (dice_.chance_ppm(100'000)) signature.keyset = "00ffffffffffffff";
    }
    twist_list(signatures);
  }
  template <class T>
  void twist_list(std::vector<T>& list) {
    if (list.empty()) return;
    if (dice_.chance_ppm(100'000)) list.pop_back();
    if (dice_.chance_ppm(100'000) && !list.empty()) list.push_back(list.front());
    if (dice_.chance_ppm(100'000)) std::reverse(list.begin(), list.end());
    if (dice_.chance_ppm(20'000)) list.clear();
  }

  RandomStream dice_;
};

TEST(RedeemLiar, No_lie_loses_or_makes_money) {
  for (uint64_t seed = 0; seed < 600 / PAYGRESS_THINNED && !::testing::Test::HasFailure(); ++seed) {
    RandomStream dice(seed, 1, "liar history");
    WorldSettings settings;
    settings.judge_verdicts = false;
    settings.mint.seed = seed;
    settings.mint.keyset_version = static_cast<uint8_t>(seed % 2);
    RedeemWorld world(settings);
    world.run_until(after(1));
    world.lie_with(Liar(seed));
    world.crash_at_boundary(world.boundaries() + dice.below(200));
    for (int i = 0; i < 3; ++i) {
      const cashu::Token token = world.mint().issue_token(20 + dice.below(500));
      world.at(after(dice.between(1, 900)), [token](RedeemWorld& w) { w.pay(token); });
    }
    world.at(after(3000), [](RedeemWorld& w) { w.lie_with({}); });
    world.run_until(after(9000));
    world.audit();
    EXPECT_EQ(world.violation_text(), "") << "seed " << seed;
    EXPECT_EQ(world.open_operations(), 0u) << "seed " << seed;
  }
}

}  // namespace
}  // namespace paygress::test
