// The tools on histories of the small world (sim/members).
#include <gtest/gtest.h>

#include "sim/tools/diff.h"
#include "sim/tools/report.h"
#include "sim/tools/shrink.h"

namespace paygress::sim {
namespace {

const Family& failover() { return *find_family("failover"); }

TEST(MembersFamily, HoldsWhereNothingIsPlanted) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    const auto result = failover().run(failover().draw(seed, Tier::Fast, Bug::none), nullptr);
    ASSERT_TRUE(result.has_value()) << to_string(result.error());
    EXPECT_TRUE(result->violations.empty())
        << "seed " << seed << " " << result->violations.front().detail;
    EXPECT_GT(result->events, 100u);
  }
  const Family& fleet = *find_family("failover-fleet");
  const auto day = fleet.run(fleet.draw(1, Tier::Fast, Bug::none), nullptr);
  ASSERT_TRUE(day.has_value());
  EXPECT_TRUE(day->violations.empty());
  EXPECT_GT(day->marks.find("took over")->second, 10u);
}

// A rule of fail-over that is off, in a history that misses it: named, small, and still fair.
TEST(MembersFamily, ShrinksWhatARuleThatIsOffLetsHappen) {
  std::string text = failover().draw(3, Tier::Fast, Bug::none);
  text.replace(text.find(" seed="), 6, " off=self_fencing seed=");
  const auto small = shrink(failover(), text, 60);
  ASSERT_TRUE(small.has_value()) << to_string(small.error());
  EXPECT_EQ(small->rule, "false-promotion");
  EXPECT_LE(small->lines_after, 8u) << small->text;
  EXPECT_EQ(failover().unfair(small->text), "");
}

TEST(MembersFamily, TellsWhereTwoHistoriesDiffer) {
  const std::string text = failover().draw(2, Tier::Fast, Bug::none);
  const auto same = compare(text, text);
  ASSERT_TRUE(same.has_value());
  EXPECT_TRUE(same->same);
  const auto other = compare(text, text + "fault host-loss provider-0 at=50s for=20s\n");
  ASSERT_TRUE(other.has_value());
  EXPECT_FALSE(other->same);
}

TEST(MembersFamily, ShowsTwoCopiesOnAPage) {
  const auto page = report_html(
      "scenario failover seed=1 length=900s policy=timeout-only\nprovider-0\nprovider-1\n"
      "relay-0\nfault cut-member provider-0 at=200s for=600s\n");
  ASSERT_TRUE(page.has_value()) << to_string(page.error());
  for (const char* part : {">provider-0<", ">relay-0<", "class=\"fault\"", "class=\"runs\"",
                           "two-copies", "fault cut-member provider-0"})
    EXPECT_NE(page->find(part), std::string::npos) << part;
}

}  // namespace
}  // namespace paygress::sim
