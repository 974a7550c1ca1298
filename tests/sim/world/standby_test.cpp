// Warm-standby workloads in the whole market: bought, taken over, topped up, ended, with money.
#include <gtest/gtest.h>

#include "sim/world/world.h"

namespace paygress::sim {
namespace {

const std::string kHead =
    "scenario x seed=7 profile=fast length=1200s settle=1800s\nrelay-0\nrelay-1\nrelay-2\n"
    "provider-1\nprovider-2\nprovider-3\nconsumer-0\n";
// 7 000 s each: it outlives the history.
const std::string kBuy = "buy consumer-0 provider-1 at=60s sats=700 standby=provider-2,provider-3";

RunResult sound(const std::string& lines) {
  const auto plan = parse_plan(kHead + lines + "\n");
  EXPECT_TRUE(plan.has_value()) << lines << to_string(plan.error());
  RunResult result = World(*plan).run();
  for (const Violation& v : result.violations)
    ADD_FAILURE() << lines << ": " << v.rule << ": " << v.detail << " at " << to_text(v.at);
  return result;
}

uint64_t count(const RunResult& result, std::string_view mark) {
  const auto it = result.marks.find(mark);
  return it == result.marks.end() ? 0 : it->second;
}

TEST(StandbySets, AreBoughtAtEveryMemberAndNobodyTakesOverFromAHealthyOne) {
  const RunResult result = sound(kBuy + " top-ups=1");
  EXPECT_EQ(count(result, "set built"), 1u);
  EXPECT_EQ(count(result, "lease"), 3u);
  EXPECT_EQ(count(result, "standby topped up"), 2u);
  EXPECT_EQ(count(result, "promoted"), 0u);
}

TEST(StandbySets, AreChosenFromTheMarketToo) {
  const RunResult result = sound("buy consumer-0 provider-1 at=60s sats=700 standbys=2");
  EXPECT_EQ(count(result, "set built"), 1u);
  EXPECT_EQ(count(result, "lease"), 3u);
}

TEST(StandbySets, AreTakenOverAndTheirOwnerIsToldWhere) {
  for (const char* fault :
       {"host-loss provider-1 at=400s for=300s", "crash provider-1 at=400s for=300s",
        "pause provider-1 at=400s for=300s", "hang provider-1 at=400s for=300s",
        "cut provider-1 at=400s for=300s"}) {
    const RunResult result = sound(kBuy + "\nfault " + fault);
    EXPECT_EQ(count(result, "promoted"), 1u) << fault;
    EXPECT_EQ(count(result, "superseded"), 1u) << fault;
    EXPECT_EQ(count(result, "notice delivered"), 1u) << fault;
  }
}

TEST(StandbySets, AZombieFindsItselfFenced) {
  const RunResult result = sound(kBuy + "\nfault pause provider-1 at=400s for=300s");
  EXPECT_EQ(count(result, "zombie fenced"), 1u);
  EXPECT_EQ(count(result, "fenced"), 1u);
}

TEST(StandbySets, HalfOfOneIsGivenBack) {
  const RunResult result = sound(kBuy + "\nfault crash provider-3 at=55s for=600s");
  EXPECT_EQ(count(result, "set not built"), 1u);
  EXPECT_EQ(count(result, "set built"), 0u);
  // The part that had confirmed, and the one whose word came late.
  EXPECT_EQ(count(result, "half a set given back"), 2u);
  EXPECT_GE(count(result, "refund"), 2u);
}

// With too few of the relays it keeps no promise; it says so on the one that it has.
TEST(StandbySets, WhoRefusesIsReplacedUnlessItsOwnerNamedIt) {
  const std::string trouble =
      "\nfault cut provider-2 at=10s peer=relay-0 for=900s"
      "\nfault cut provider-2 at=10s peer=relay-1 for=900s"
      "\nfault cut provider-3 at=10s peer=relay-0 for=400s"
      "\nfault cut provider-3 at=10s peer=relay-1 for=400s";
  const RunResult named =
      sound("buy consumer-0 provider-1 at=300s sats=700 standby=provider-2" + trouble);
  EXPECT_EQ(count(named, "refused standby_unavailable"), 1u);
  EXPECT_EQ(count(named, "set repaired"), 0u);
  const RunResult chosen = sound("buy consumer-0 provider-1 at=300s sats=700 standbys=1" + trouble);
  EXPECT_EQ(count(chosen, "set repaired"), 1u);
}

TEST(StandbySets, AreEndedHolderLastAndPaidBack) {
  const RunResult result = sound(kBuy + " stop=500s\nfault host-loss provider-1 at=300s for=60s");
  EXPECT_EQ(count(result, "set ended"), 1u);
  EXPECT_EQ(count(result, "stop"), 3u);
  EXPECT_EQ(count(result, "revoked at its end"), 1u);
  EXPECT_EQ(count(result, "refund"), 3u);
}

// The primary's time is over first: its top-up was the smallest.
TEST(StandbySets, WhoseHoldersLeaseEndsGoOnElsewhere) {
  const RunResult result =
      sound("buy consumer-0 provider-1 at=60s sats=60 top-ups=1 standby=provider-2,provider-3");
  EXPECT_EQ(count(result, "set built"), 1u);
  EXPECT_GE(count(result, "revoked at its end"), 1u);
  EXPECT_GE(count(result, "promoted"), 1u);
  EXPECT_GE(count(result, "notice delivered"), 1u);
}

// The two are one workload, whatever each calls its lease.
TEST(StandbySets, TwoProvidersThatRunOneAreTwoCopies) {
  Copies copies;
  EXPECT_EQ(copies.update({Role::Provider, 1}, {{"a", "workload"}}), "");
  EXPECT_NE(copies.update({Role::Provider, 2}, {{"b", "workload"}}), "");
  EXPECT_EQ(copies.update({Role::Provider, 1}, {}), "");
}

}  // namespace
}  // namespace paygress::sim
