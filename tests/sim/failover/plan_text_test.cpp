// The text of a history of the small world: the same history after printing and reading, and what
// is wrong with an edited one is said.
#include <gtest/gtest.h>

#include "sim/members/plan_text.h"
#include "sim/members/world.h"

namespace paygress::sim::members {
namespace {

TEST(MembersText, IsTheSameHistoryAfterPrintingAndReading) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    const Plan plan = failover_plan(seed);
    const auto read = parse_plan(to_text(plan));
    ASSERT_TRUE(read.has_value()) << to_string(read.error()) << "\n" << to_text(plan);
    EXPECT_EQ(to_text(*read), to_text(plan));
    if (seed <= 12) {
      EXPECT_EQ(run(*read).hash, run(plan).hash) << "seed " << seed;
    }
  }
  const Plan fleet = fleet_plan(1, 10, micros(Seconds{10'000}));
  EXPECT_EQ(to_text(parse_plan(to_text(fleet)).value()), to_text(fleet));
}

TEST(MembersText, DrawnHistoriesAreFair) {
  for (uint64_t seed = 1; seed <= 300; ++seed)
    EXPECT_EQ(beyond_budget(failover_plan(seed)), "") << "seed " << seed;
  EXPECT_EQ(beyond_budget(fleet_plan(1, 10, micros(Seconds{86'400}))), "");
}

// Who is left keeps its number, and with it its draws.
TEST(MembersText, NumbersMayHaveGaps) {
  const auto plan = parse_plan(
      "scenario failover seed=3 length=400s\n"
      "provider-4\nprovider-7 boots=2s\nrelay-2\nfault cut-link provider-7 at=9s for=5s "
      "peer=relay-2 way=to\nfrozen provider-4\n");
  ASSERT_TRUE(plan.has_value()) << to_string(plan.error());
  EXPECT_EQ(plan->members, 2u);
  EXPECT_EQ(plan->member_number(1), 7u);
  EXPECT_EQ(plan->boots[1], Micros{2'000'000});
  ASSERT_EQ(plan->faults.size(), 1u);
  EXPECT_EQ(plan->faults[0].member, 1u);
  EXPECT_EQ(plan->faults[0].relay, 0u);
  EXPECT_EQ(plan->lost_members, std::vector<uint32_t>{0});
  EXPECT_TRUE(run(*plan).good());
}

TEST(MembersText, StandbysMakeWorkloads) {
  const auto plan = parse_plan(
      "scenario failover-fleet seed=3\nprovider-0\nprovider-1\nprovider-2\nrelay-0\n"
      "standby provider-1 provider-2\nstandby provider-1 provider-0\n"
      "standby provider-0 provider-2\n");
  ASSERT_TRUE(plan.has_value()) << to_string(plan.error());
  EXPECT_EQ(plan->all_workloads(), (std::vector<std::vector<uint32_t>>{{1, 2, 0}, {0, 2}}));
}

TEST(MembersText, SaysWhichLineIsWrong) {
  const std::string head = "scenario failover seed=7\nprovider-0\nprovider-1\nrelay-0\n";
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"relay-0\n", "line 5: it stands there twice"},
      {"consumer-0\n", "line 5: a plan lists providers and relays"},
      {"fault explode provider-1 at=3s\n", "line 5: no such fault"},
      {"fault crash relay-0 at=3s\n", "line 5: fault crash takes a node it can happen to"},
      {"fault cut-link provider-1 at=3s\n", "line 5: fault cut-link takes a relay as peer"},
      {"fault crash provider-1 when=never\n", "line 5: 'never' is no phase"},
      {"fault crash provider-9 at=3s\n", "line 5: there is no provider-9"},
      {"standby provider-1 provider-1\n", "line 5: it is the primary"},
      {"frozen\n", "line 5: it names nobody"},
      {"scenario failover seed=8\n", "line 5: there is one scenario line"},
  };
  for (const auto& [line, message] : wrong) {
    const auto plan = parse_plan(head + line);
    ASSERT_FALSE(plan.has_value()) << line;
    EXPECT_EQ(plan.error().message.substr(0, message.size()), message);
  }
  for (const char* first : {"off=nothing", "profile=slow", "policy=mine", "liars=9", "leg-max=0s"})
    EXPECT_FALSE(parse_plan("scenario failover " + std::string(first) +
                            "\nprovider-0\nprovider-1\nrelay-0\n")
                     .has_value())
        << first;
  EXPECT_FALSE(parse_plan("").has_value());
  EXPECT_FALSE(parse_plan("scenario failover\nprovider-0\nrelay-0\n").has_value());
}

TEST(MembersText, NamesWhatIsUnfair) {
  const std::string head = "scenario failover seed=7 length=600s";
  const std::string nodes = "\nprovider-0\nprovider-1\nrelay-0\nrelay-1\nrelay-2\n";
  const auto problem = [&](const std::string& more, const std::string& lines) {
    return beyond_budget(parse_plan(head + more + nodes + lines).value());
  };
  EXPECT_EQ(problem("", "frozen relay-0 provider-1\n"), "");
  EXPECT_NE(problem("", "frozen relay-0 relay-1\n"), "");
  EXPECT_NE(problem("", "frozen provider-0 provider-1\n"), "");
  EXPECT_NE(problem(" settle=600s", ""), "");
  EXPECT_NE(problem(" leg-max=8s", ""), "");
  EXPECT_NE(problem("", "fault pause provider-0 at=590s for=20s\n"), "");
}

}  // namespace
}  // namespace paygress::sim::members
