// A plan survives being printed and read, says what is wrong with an edited one, and is fair.
#include <gtest/gtest.h>

#include <set>

#include "sim/world/fault_budget.h"
#include "sim/world/swarm.h"

namespace paygress::sim {
namespace {

TEST(PlanText, EveryDrawnPlanIsTheSameAfterPrintingAndReading) {
  for (const Scenario& scenario : scenarios())
    for (uint64_t seed = 1; seed <= 50; ++seed) {
      const Plan plan = draw_plan(scenario, seed, Tier::Fast);
      const auto read = parse_plan(to_text(plan));
      ASSERT_TRUE(read.has_value()) << to_string(read.error()) << "\n" << to_text(plan);
      EXPECT_EQ(*read, plan) << to_text(plan);
    }
}

TEST(PlanText, TimesAreExactAndShort) {
  EXPECT_EQ(to_text(Micros{402'500'000}), "402.5s");
  EXPECT_EQ(to_text(Micros{-3'000'000}), "-3s");
  EXPECT_EQ(to_text(Micros{1}), "0.000001s");
  for (const char* text : {"402.5s", "-3s", "0.000001s", "0s"})
    EXPECT_EQ(to_text(parse_time(text).value()), text);
  EXPECT_EQ(parse_time("250ms"), Micros{250'000});
  for (const char* text :
       {"", "s", "1", "1.s", ".5s", "1.0000001s", "1m", "--1s", "9999999999999s"})
    EXPECT_FALSE(parse_time(text).has_value()) << text;
}

TEST(PlanText, CommentsAndEmptyLinesAreNothing) {
  const auto plan = parse_plan("# found by a sweep\n\nscenario x seed=7 # here\n  relay-0\n");
  ASSERT_TRUE(plan.has_value()) << to_string(plan.error());
  EXPECT_EQ(plan->seed, 7u);
  EXPECT_EQ(plan->relays, std::vector<uint32_t>{0});
}

TEST(PlanText, SaysWhichLineIsWrong) {
  const std::string head = "scenario x seed=7\nrelay-0\nprovider-1\nconsumer-0\n";
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"relay-0\n", "line 5: it stands there twice"},
      {"relay-x\n", "line 5: 'relay-x' is no node"},
      {"buy consumer-0 provider-2 at=3s\n", "line 5: there is no provider-2"},
      {"buy consumer-0 at=3s\n", "line 5: buy takes a consumer and a provider"},
      {"buy consumer-0 provider-1 standby=provider-1\n", "line 5: standby takes other providers"},
      {"buy consumer-0 provider-1 standby=relay-0\n", "line 5: standby takes other providers"},
      {"buy consumer-0 provider-1 standby=provider-2\n", "line 5: there is no provider-2"},
      {"buy consumer-0 provider-1 standby=provider-2,\n", "line 5: 'provider-2,' is no value"},
      {"buy consumer-0 provider-1 standby=provider-2 standbys=1\n", "line 5: standby names them"},
      {"buy consumer-0 provider-1 standbys=1 nip04=yes\n", "line 5: a warm-standby workload"},
      {"withdraw at=3s\n", "line 5: withdraw takes a provider"},
      {"withdraw provider-2 at=3s\n", "line 5: there is no provider-2"},
      {"fault explode provider-1 at=3s\n", "line 5: no such fault"},
      {"fault crash relay-0 at=3s\n", "line 5: fault crash takes a node it can happen to"},
      {"fault crash provider-1 at=3\n", "line 5: '3' is no value for at"},
      {"fault crash provider-1 when=3s\n", "line 5: 'when' is no key of this line"},
      {"fault crash provider-1 at=3s at=4s\n", "line 5: 'at' stands there twice"},
      {"fault crash provider-1 soon\n", "line 5: 'soon' is not key=value"},
      {"frozen relay-9\n", "line 5: there is no relay-9"},
      {"relay-1 clock-drift=3\n", "line 5: only a provider has settings"},
  };
  for (const auto& [line, message] : wrong) {
    const auto plan = parse_plan(head + line);
    ASSERT_FALSE(plan.has_value()) << line;
    EXPECT_EQ(plan.error().message.substr(0, message.size()), message);
  }
  EXPECT_FALSE(parse_plan("").has_value());
  EXPECT_FALSE(parse_plan("relay-0\n").has_value());
}

TEST(FaultBudget, DrawnPlansAreFair) {
  for (const Scenario& scenario : scenarios())
    for (uint64_t seed = 1; seed <= 200; ++seed)
      EXPECT_EQ(beyond_budget(draw_plan(scenario, seed, Tier::Fast)), "");
}

TEST(FaultBudget, NamesWhatIsUnfair) {
  const std::string head = "scenario x seed=7 liars=1\nrelay-0\nrelay-1\nrelay-2\nprovider-1\n";
  const auto problem = [&](const std::string& lines) {
    return beyond_budget(parse_plan(head + lines).value());
  };
  const std::string lie = "fault ack-and-drop relay-0 at=100s for=60s\n";
  EXPECT_EQ(problem(lie), "");
  EXPECT_EQ(problem(lie + "fault forget relay-1 at=900s for=5s\n"), "");
  EXPECT_NE(problem(lie + "fault forget relay-1 at=130s for=5s\n"), "");
  EXPECT_NE(problem("fault clock-drift provider-1 at=1s ppm=-1001\n"), "");
  EXPECT_NE(problem("fault crash provider-1 at=3600s\n"), "");
  EXPECT_EQ(problem("frozen relay-0\n"), "");
  EXPECT_NE(problem("frozen relay-0\nfrozen relay-1\n"), "");
  EXPECT_NE(problem("frozen provider-1\n"), "");
}

TEST(Swarm, SeedsDifferInTheKindsOfTheirFaults) {
  const Scenario& everything = *find_scenario("everything");
  std::set<FaultKind> all;
  std::set<std::set<FaultKind>> mixes;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    std::set<FaultKind> mix;
    const Plan plan = draw_plan(everything, seed, Tier::Fast);
    for (const Fault& fault : plan.faults) mix.insert(fault.kind);
    all.insert(mix.begin(), mix.end());
    mixes.insert(mix);
  }
  EXPECT_EQ(all.size(), everything.faults.size());  // every kind is drawn by some seed
  EXPECT_GT(mixes.size(), 190u);
}

}  // namespace
}  // namespace paygress::sim
