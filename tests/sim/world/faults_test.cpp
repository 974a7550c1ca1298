// Each kind of fault does to the world what its name says: seen by a mark that a calm history does
// not have, and survived.
#include <gtest/gtest.h>

#include "sim/world/world.h"

namespace paygress::sim {
namespace {

const std::string kCalm =
    "scenario x seed=7 liars=1\nrelay-0\nrelay-1\nrelay-2\nprovider-1\nprovider-2\nconsumer-0\n"
    "buy consumer-0 provider-1 at=30s sats=100 top-ups=1\n"
    "buy consumer-0 provider-2 at=200s sats=100\n";

RunResult run(const std::string& text) {
  const auto plan = parse_plan(text);
  EXPECT_TRUE(plan.has_value()) << text << to_string(plan.error());
  return World(*plan).run();
}

struct Expected {
  std::string lines;
  std::string mark;
};

TEST(Faults, DoWhatTheirNameSays) {
  const RunResult calm = run(kCalm);
  ASSERT_TRUE(calm.violations.empty());
  const std::vector<Expected> all = {
      {"fault crash provider-1 at=31s for=20s", "crash"},
      {"fault crash provider-1 at=25s for=20s step=0", "crash before commit"},
      {"fault crash provider-1 at=25s for=20s step=1 again=2", "crash in recovery"},
      {"fault pause provider-1 at=20s for=90s", "zombie woke"},
      {"fault hang provider-1 at=20s for=90s", "hang"},
      {"fault host-loss provider-1 at=40s for=60s", "host lost"},
      {"fault clock-step provider-1 at=40s seconds=-20", "clock went back"},
      {"fault break provider-1 at=40s", "link broken"},
      {"fault cut provider-1 at=25s peer=relay-0 for=200s way=to", "frame lost"},
      {"fault clog consumer-0 at=25s for=60s", "burst"},
      {"fault lose provider-1 at=5s for=300s ppm=400000", "frame lost"},
      {"fault double provider-1 at=5s for=300s ppm=900000", "frame doubled"},
      {"fault restart relay-1 at=25s for=20s", "relay restarted"},
      {"fault forget relay-1 at=25s for=20s", "relay forgot"},
      {"fault ack-and-drop relay-1 at=25s for=200s", "relay lied"},
      {"fault flood relay-1 at=25s count=50", "flood"},
      {"fault replay-old relay-1 at=50s count=50", "old events replayed"},
      {"fault fail-sync provider-1 at=25s", "disk failed"},
      {"fault fail-write provider-1 at=25s", "disk failed"},
      {"fault mint-drop-answer mint at=25s count=2", "mint answer lost"},
      {"fault mint-stall mint at=25s for=60s", "interim answer"},
      {"fault mint-refuse mint at=25s for=60s code=11005", "interim answer"},
      {"fault mint-pending mint at=25s for=60s", "interim answer"},
      {"fault mint-fee-swing mint at=25s for=60s ppk=1500", "fault mint-fee-swing"},
      {"fault copied-token provider-1 at=60s count=1", "fault copied-token"},
      {"fault engine-answer-lost provider-1 at=25s count=1", "engine answer lost"},
      {"fault workload-exits provider-1 at=60s count=1", "workload died"},
      {"fault forge provider-1 at=25s count=3", "forged event dropped"},
      {"fault spent-token provider-1 at=25s count=1", "stranger refused"},
      {"frozen relay-1", "frozen"},
      {"fault host-loss provider-2 at=40s for=60s\nfrozen provider-2", "thawed"},
  };
  for (const Expected& one : all) {
    EXPECT_FALSE(calm.marks.contains(one.mark)) << one.mark;
    const RunResult result = run(kCalm + one.lines + "\n");
    for (const Violation& v : result.violations)
      ADD_FAILURE() << one.lines << ": " << v.rule << ": " << v.detail;
    EXPECT_TRUE(result.marks.contains(one.mark)) << one.lines << " makes no '" << one.mark << "'";
    EXPECT_NE(result.hash, calm.hash) << one.lines << " changes nothing";
  }
}

// Liveness is not cheated: what is due from somebody in the core must come although the rest is
// broken for ever, and the names of who still waits are told.
TEST(Faults, WhatIsPendingIsNamed) {
  const RunResult result =
      run("scenario x seed=7 settle=300s\nrelay-0\nprovider-1\nconsumer-0\n"
          "buy consumer-0 provider-1 at=3500s sats=100\n"
          "fault cut provider-1 at=3000s peer=relay-0 for=700s\nfrozen relay-0\n");
  ASSERT_FALSE(result.violations.empty());
  EXPECT_EQ(result.violations.front().rule, "unanswered");
  EXPECT_NE(result.violations.front().detail.find("consumer-0 asked provider-1"),
            std::string::npos);
}

}  // namespace
}  // namespace paygress::sim
