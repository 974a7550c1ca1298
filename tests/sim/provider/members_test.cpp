// An engine that is a cluster of machines, and one that says by itself what ended.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/sim/provider/rig.h"

namespace paygress::sim {
namespace {

size_t placements(Rig& rig) {
  size_t found = 0;
  for (const auto& batch : rig.ledger())
    for (const provider::Record& record : batch)
      if (const auto* of_lease = std::get_if<lease::LeaseRecord>(&record))
        found += std::holds_alternative<lease::LeasePlaced>(*of_lease);
  return found;
}

const lease::Lease& lease_of(Rig& rig, const Identity& who) {
  return *rig.core().leases().newest_of(who.key);
}

struct OnMembers : ::testing::Test {
  OnMembers() {
    rig.engine().set_members({{"n1", "203.0.113.11"}, {"n2", "203.0.113.12"}});
    rig.start();
    rig.run_for(Seconds{2});
  }
  Rig rig;
};

TEST_F(OnMembers, EveryBuyerIsToldOfTheMachineThatHasIt) {
  EXPECT_EQ(rig.buy(rig.alice).host_address, "203.0.113.11");
  const auto bobs = rig.buy(rig.bob);
  EXPECT_EQ(bobs.host_address, "203.0.113.12");
  ASSERT_FALSE(bobs.instructions.empty());
  EXPECT_THAT(bobs.instructions, ::testing::Contains(::testing::HasSubstr("203.0.113.12")));
  EXPECT_EQ(placements(rig), 2u);
  // Another process reads it and records it no second time.
  rig.restart();
  rig.run_for(Seconds{30});
  EXPECT_EQ(placements(rig), 2u);
  EXPECT_EQ(lease_of(rig, rig.bob).node, "n2");
  EXPECT_EQ(lease_of(rig, rig.bob).address, "203.0.113.12");
}

// Nobody knows what became of it: it is neither made anew elsewhere nor taken for gone, and what
// its owner gets back is settled when it can be seen again.
TEST_F(OnMembers, AMachineThatIsCutOffKeepsItsLeases) {
  rig.buy(rig.alice, 1000);
  rig.buy(rig.bob, 10);  // 100 s
  const std::vector<std::string> both = rig.engine().running_names(rig.now());
  ASSERT_EQ(both.size(), 2u);
  rig.engine().set_cut_off({"n2"});
  rig.run_for(Seconds{300});
  EXPECT_EQ(rig.engine().running_names(rig.now()), both);
  EXPECT_NE(lease_of(rig, rig.bob).phase, lease::Phase::Ended);
  EXPECT_EQ(lease_of(rig, rig.alice).phase, lease::Phase::Running);
  rig.engine().set_cut_off({});
  rig.run_for(Seconds{400});
  EXPECT_EQ(rig.engine().running_names(rig.now()).size(), 1u);
  EXPECT_EQ(lease_of(rig, rig.bob).phase, lease::Phase::Ended);
  EXPECT_EQ(lease_of(rig, rig.alice).phase, lease::Phase::Running);
  rig.core().check_invariants();
}

// The list is asked for once a minute; the engine's word comes at once.
TEST(EngineWord, OfAnEndStopsTheMeterAtOnce) {
  for (const bool told : {false, true}) {
    Rig rig;
    rig.start();
    rig.run_for(Seconds{2});
    rig.buy(rig.alice, 1000);
    rig.run_for(Seconds{70});
    const auto running = rig.engine().running_names(rig.now());
    ASSERT_EQ(running.size(), 1u);
    ASSERT_TRUE(rig.engine().exit_workload(running[0], 3, rig.now()));
    const auto words = rig.engine().take_noticed();
    ASSERT_EQ(words.size(), 1u);
    EXPECT_EQ(words[0].lease, rig.engine().spec(running[0], rig.now())->labels.lease);
    if (told) rig.step(words[0]);
    rig.run_for(Seconds{1});
    EXPECT_EQ(lease_of(rig, rig.alice).phase, told ? lease::Phase::Down : lease::Phase::Running);
  }
}

}  // namespace
}  // namespace paygress::sim
