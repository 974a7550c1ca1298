// One history gives the same decisions with typed messages and with production's codecs and keys.
#include <gtest/gtest.h>

#include "sim/members/event.h"
#include "sim/members/world.h"

namespace paygress::sim::members {
namespace {

TEST(Tiers, DecideTheSame) {
  uint32_t promotions = 0;
  for (const uint64_t seed : {1, 2, 3, 9, 19}) {
    Plan plan = failover_plan(seed);
    const Verdict typed = run(plan);
    plan.tier = Tier::Real;
    const Verdict encoded = run(plan);
    EXPECT_EQ(encoded.hash, typed.hash) << "seed " << seed;
    EXPECT_EQ(encoded.events, typed.events);
    EXPECT_EQ(encoded.marks, typed.marks);
    EXPECT_TRUE(encoded.findings.empty());
    promotions += typed.promotions;
  }
  EXPECT_GT(promotions, 3u);
}

Sent a_claim() {
  Sent event;
  event.heard.author = key_of(2);
  event.heard.created_at = {1'800'000'000};
  event.heard.message = market::Claim{"w0", 4, key_of(2), 1, {}, false, 1};
  return event;
}

TEST(Tiers, TheRealOneReadsWhatTheBytesSay) {
  const auto codec = make_codec(Tier::Real, 1);
  Sent event = a_claim();
  codec->seal(event, 2);
  const auto* heard = codec->open(event);
  ASSERT_NE(heard, nullptr);
  EXPECT_EQ(heard->author, key_of(2));
  EXPECT_EQ(heard->event, event.heard.event);
  EXPECT_EQ(std::get<market::Claim>(heard->message).epoch, 4u);

  const size_t at = event.text.find("\\\"epoch\\\":4");
  ASSERT_NE(at, event.text.npos) << event.text;
  event.text[at + 10] = '5';
  EXPECT_EQ(codec->open(event), nullptr) << "somebody changed it on its way";
}

}  // namespace
}  // namespace paygress::sim::members
