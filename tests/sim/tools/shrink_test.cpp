// A failing history becomes a small one that fails in the same way, and stays fair.
#include "sim/tools/shrink.h"
#include "sim/models/rule_switch.h"

#include <gtest/gtest.h>

#include "sim/tools/diff.h"
#include "sim/tools/report.h"
#include "sim/world/scenario.h"

namespace paygress::sim {
namespace {

std::unique_ptr<const Family> broken_family() {
  Scenario scenario = *find_scenario("mint-trouble");
  RuleSwitch::off(scenario.policies.redeem.restore);
  return market_family(scenario);
}

TEST(Shrink, KeepsTheRuleAndLittleElse) {
  const auto family = broken_family();
  std::string text;
  for (uint64_t seed = 1; seed <= 100 && text.empty(); ++seed) {
    text = family->draw(seed, Tier::Fast, Bug::none);
    if (family->run(text, nullptr)->violations.empty()) text.clear();
  }
  ASSERT_FALSE(text.empty()) << "the rule that is off is not missed";
  const auto small = shrink(*family, text, 120);
  ASSERT_TRUE(small.has_value()) << to_string(small.error());
  EXPECT_LE(small->lines_after, 8u) << small->text;
  EXPECT_LT(small->lines_after, small->lines_before);
  const auto again = family->run(small->text, nullptr);
  ASSERT_FALSE(again->violations.empty());
  EXPECT_EQ(again->violations.front().rule, small->rule);
  EXPECT_EQ(family->unfair(small->text), "");
}

TEST(Shrink, RefusesWhatDoesNotFail) {
  const Family& family = *find_family("first-lease");
  EXPECT_FALSE(shrink(family, family.draw(1, Tier::Fast, Bug::none), 10).has_value());
  EXPECT_FALSE(shrink(family, "scenario first-lease seed=x\n", 10).has_value());
}

TEST(Diff, NamesTheFirstStepThatDiffers) {
  const Family& family = *find_family("first-lease");
  const std::string text = family.draw(1, Tier::Fast, Bug::none);
  const auto same = compare(text, text);
  ASSERT_TRUE(same.has_value());
  EXPECT_TRUE(same->same);
  EXPECT_GT(same->step, 100u);
  const auto other = compare(text, text + "fault break provider-1 at=100s\n");
  ASSERT_TRUE(other.has_value());
  EXPECT_FALSE(other->same);
  EXPECT_NE(other->second.find("LinkLost"), std::string::npos) << other->second;
  EXPECT_TRUE(other->second.starts_with("100s provider-1")) << other->second;
}

TEST(Report, IsOnePageWithALaneForEachNode) {
  const Family& family = *find_family("first-lease");
  const std::string text =
      family.draw(1, Tier::Fast, Bug::none) + "fault pause provider-1 at=100s for=20s\n";
  const auto page = report_html(text);
  ASSERT_TRUE(page.has_value()) << to_string(page.error());
  for (const char* part : {"<svg", ">provider-1<", ">relay-0<", ">consumer-0<", "class=\"fault\"",
                           "class=\"runs\"", "fault pause provider-1 at=100s for=20s"})
    EXPECT_NE(page->find(part), std::string::npos) << part;
  for (const char* part : {"http://", "https://", "src=", "<script"})
    EXPECT_EQ(page->find(part), std::string::npos) << part;
}

}  // namespace
}  // namespace paygress::sim
