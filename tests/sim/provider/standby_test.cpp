// Warm standby through whole providers: bought, taken over, fenced, restarted, ended. The rules of
// fail-over have their own tests; these show that what carries them out does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/sim/provider/cluster.h"

namespace paygress::sim {
namespace {

using testing::IsEmpty;
using testing::UnorderedElementsAre;

// Silence, D, a few round trips, the start, and what a heartbeat may have been late.
constexpr Seconds kTakeOver{260};

class Standby : public testing::Test {
 protected:
  explicit Standby(size_t providers = 3) : cluster(providers) {
    cluster.start_all();
    cluster.run_for(Seconds{20});
  }
  void buy() {
    ASSERT_TRUE(cluster.buy_all());
    ASSERT_TRUE(cluster.run_until([&] { return cluster.running().contains(0); }, Seconds{60}));
    cluster.run_for(Seconds{200});  // every relay has been unbroken for the silence
    ASSERT_THAT(cluster.running(), UnorderedElementsAre(0));
  }
  testing::AssertionResult taken_over_by(size_t i, Seconds within = kTakeOver) {
    const auto runs = [&] { return cluster.running() == std::set<size_t>{i}; };
    if (!cluster.run_until(runs, within))
      return testing::AssertionFailure() << "member " << i << " does not run";
    cluster.run_for(Seconds{10});
    return testing::AssertionSuccess();
  }
  void TearDown() override { EXPECT_LE(cluster.most_at_once(), 1u) << "two copies ran"; }
  std::optional<failover::ReplicaStatus> status(size_t i) {
    const auto lease = cluster.core(i).failover().lease_of(cluster.workload);
    return lease ? cluster.core(i).failover().status(*lease) : std::nullopt;
  }
  const lease::Lease& lease(size_t i) {
    return *cluster.core(i).leases().by_workload_id(cluster.workload);
  }
  market::StatusReply ask_status(size_t i) {
    cluster.ask(i, market::StatusRequest{cluster.workload, {}});
    const size_t before = cluster.of_type<market::StatusReply>(i).size();
    EXPECT_TRUE(cluster.run_until(
        [&] { return cluster.of_type<market::StatusReply>(i).size() > before; }, Seconds{20}));
    return cluster.of_type<market::StatusReply>(i).back();
  }

  Cluster cluster;
};

TEST_F(Standby, OnlyThePrimaryRunsAndTheOthersKeepASlot) {
  buy();
  const auto primary = cluster.of_type<market::AccessDetails>(0);
  ASSERT_EQ(primary.size(), 1u);
  EXPECT_EQ(primary[0].pod_npub, "container-1000");
  EXPECT_GT(primary[0].node_port, 0);
  for (const size_t i : {1u, 2u}) {
    const auto standby = cluster.of_type<market::AccessDetails>(i);
    ASSERT_EQ(standby.size(), 1u);
    EXPECT_EQ(standby[0].pod_npub, "standby-slot-" + cluster.workload);
    EXPECT_EQ(standby[0].node_port, 0);
    EXPECT_THAT(standby[0].template_ports, IsEmpty());
    ASSERT_EQ(standby[0].instructions.size(), 3u);
    EXPECT_NE(standby[0].instructions[0].find("index " + std::to_string(i - 1) + "/2"),
              std::string::npos);
    EXPECT_EQ(lease(i).phase, lease::Phase::Running) << "the slot's clock runs";
    EXPECT_EQ(cluster.core(i).leases().allocator().size(), 1u) << "number, ports and capacity";
    EXPECT_EQ(cluster.core(i).workloads().running_count(), 0u);
  }
  const auto reply = ask_status(1);
  EXPECT_EQ(reply.role, "standby");
  EXPECT_EQ(reply.epoch, 0u);
  EXPECT_EQ(reply.holder, cluster.key(0));
  EXPECT_EQ(reply.guarantee, "fenced");
  EXPECT_EQ(ask_status(0).role, "primary");
}

TEST_F(Standby, AKilledDaemonIsFrozenByItsGuardAndTheFirstStandbyTakesOver) {
  buy();
  cluster.kill(0);
  ASSERT_TRUE(taken_over_by(1));
  const auto told = cluster.of_type<market::AccessDetails>(1);
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[1].pod_npub, "container-1000");
  EXPECT_GT(told[1].node_port, 0);
  EXPECT_EQ(told[1].epoch, 1u);
  EXPECT_EQ(told[1].host_address, "203.0.113.1");
  EXPECT_EQ(told[1].ssh_password, lease(1).terms.password);
  EXPECT_EQ(ask_status(2).holder, cluster.key(1));
  // The one that comes back is superseded: nothing of it runs, and its copy goes.
  cluster.start(0);
  cluster.run_for(Seconds{300});
  EXPECT_THAT(cluster.running(), UnorderedElementsAre(1));
  EXPECT_THAT(cluster.objects(0), IsEmpty());
  EXPECT_EQ(lease(0).phase, lease::Phase::Running) << "in line again: a reservation";
}

TEST_F(Standby, APrimaryWithoutRelaysFencesItselfAndDeletesItsCopyWhenSuperseded) {
  buy();
  cluster.cut(0, true);
  ASSERT_TRUE(taken_over_by(1));
  EXPECT_EQ(lease(0).phase, lease::Phase::Down) << "its owner does not pay for our downtime";
  cluster.cut(0, false);
  cluster.run_for(Seconds{400});
  EXPECT_THAT(cluster.running(), UnorderedElementsAre(1));
  EXPECT_THAT(cluster.objects(0), IsEmpty());
  // And behind the new holder it can take over again.
  cluster.lose_host(1);
  cluster.run_for(Seconds{10});
  EXPECT_TRUE(taken_over_by(0));
  EXPECT_EQ(status(0)->epoch, 2u);
}

TEST_F(Standby, AHungDaemonIsFencedByItsGuardAndFindsItselfSuperseded) {
  buy();
  cluster.hang(0, true);
  ASSERT_TRUE(taken_over_by(1));
  cluster.hang(0, false);
  cluster.run_for(Seconds{300});
  EXPECT_THAT(cluster.running(), UnorderedElementsAre(1));
  EXPECT_EQ(lease(0).phase, lease::Phase::Running) << "in line again: a reservation";
  // What the guard froze is not paid for, though nobody was there to see it.
  const auto left = [&](size_t i) {
    return cluster.core(i).leases().remaining(lease(i), cluster.now());
  };
  EXPECT_GT(left(0), left(2) + Seconds{40});
}

// Until then a reservation is paid for, and from then on the copy.
TEST_F(Standby, NobodyPaysWhileTheCopyOfATakeOverIsBeingMade) {
  buy();
  cluster.engine(1).plan_fault(workload::Verb::Create, BackendFault::Late);
  cluster.lose_host(0);
  ASSERT_TRUE(
      cluster.run_until([&] { return status(1)->phase == failover::Phase::Holding; }, kTakeOver));
  cluster.run_for(Seconds{60});
  EXPECT_EQ(lease(1).phase, lease::Phase::Down);
  ASSERT_TRUE(cluster.run_until([&] { return cluster.running().contains(1); }, Seconds{900}));
  cluster.run_for(Seconds{5});
  EXPECT_EQ(lease(1).phase, lease::Phase::Running);
}

// It dies when its engine has started the copy and it has not heard so.
TEST_F(Standby, WhoDiesBeforeItTellsItsOwnerTellsItAfterTheRestart) {
  buy();
  cluster.lose_host(0);
  ASSERT_TRUE(cluster.run_until([&] { return cluster.running().contains(1); }, kTakeOver));
  cluster.kill(1);
  cluster.run_for(Seconds{5});
  ASSERT_EQ(cluster.of_type<market::AccessDetails>(1).size(), 1u) << "only of the reservation";
  cluster.start(1);
  cluster.run_for(Seconds{60});
  EXPECT_EQ(status(1)->epoch, 1u) << "it goes on";
  ASSERT_EQ(cluster.of_type<market::AccessDetails>(1).size(), 2u);
  EXPECT_EQ(cluster.of_type<market::AccessDetails>(1)[1].epoch, 1u);
  // Once, whatever happens later.
  cluster.kill(1);
  cluster.start(1);
  cluster.run_for(Seconds{120});
  EXPECT_EQ(status(1)->epoch, 1u);
  EXPECT_EQ(cluster.of_type<market::AccessDetails>(1).size(), 2u);
}

TEST_F(Standby, ALostHostIsTakenOverFrom) {
  buy();
  cluster.lose_host(0);
  ASSERT_TRUE(taken_over_by(1));
  cluster.start(0);
  cluster.run_for(Seconds{300});
  EXPECT_THAT(cluster.running(), UnorderedElementsAre(1));
}

// Rule 8: it never stopped running, and the guard's deadline has not passed.
TEST_F(Standby, ARestartedDaemonGoesOnAtItsEpoch) {
  buy();
  cluster.kill(0);
  cluster.run_for(Seconds{5});
  cluster.start(0);
  cluster.run_for(Seconds{400});
  EXPECT_THAT(cluster.running(), UnorderedElementsAre(0));
  EXPECT_EQ(status(0)->phase, failover::Phase::Holding);
  EXPECT_EQ(status(0)->epoch, 0u);
  EXPECT_EQ(lease(0).phase, lease::Phase::Running);
}

TEST_F(Standby, AStandbyThatWasRestartedStillTakesOver) {
  buy();
  cluster.kill(1);
  cluster.start(1);
  cluster.run_for(Seconds{200});
  cluster.lose_host(0);
  EXPECT_TRUE(taken_over_by(1));
}

TEST_F(Standby, AReservationOutlivesItsMachineAndIsPaidForAgain) {
  buy();
  cluster.lose_host(1);
  cluster.run_for(Seconds{100});
  const Seconds before = cluster.core(0).leases().remaining(lease(0), cluster.now());
  cluster.start(1);
  cluster.run_for(Seconds{60});
  EXPECT_EQ(lease(1).phase, lease::Phase::Running);
  // But for the time without it.
  EXPECT_GT(cluster.core(1).leases().remaining(lease(1), cluster.now()), before - Seconds{60});
}

TEST_F(Standby, TheEndOfAllLeasesLeavesNothingBehind) {
  ASSERT_TRUE(cluster.buy_all(40));  // 400 s
  ASSERT_TRUE(cluster.run_until([&] { return cluster.running().contains(0); }, Seconds{60}));
  cluster.run_for(Seconds{900});
  EXPECT_THAT(cluster.running(), IsEmpty());
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(lease(i).phase, lease::Phase::Ended) << i;
    EXPECT_THAT(cluster.objects(i), IsEmpty());
    EXPECT_EQ(cluster.core(i).leases().allocator().size(), 0u) << "ports are free";
    EXPECT_THAT(cluster.core(i).failover().leases(), IsEmpty());
    EXPECT_EQ(cluster.core(i).workloads().size(), 0u);
  }
}

// Whoever was paid for longer runs it, and does not wait for the silence (180 s) to do so.
TEST_F(Standby, TheHoldersLeaseIsStoppedAndAStandbyHearsOfIt) {
  buy();
  cluster.ask(0, market::StopRequest{cluster.workload, {}});
  ASSERT_TRUE(taken_over_by(1, Seconds{60}));
  EXPECT_EQ(lease(0).phase, lease::Phase::Ended);
  EXPECT_THAT(cluster.objects(0), IsEmpty());
  EXPECT_THAT(cluster.core(0).failover().leases(), IsEmpty()) << "the word was taken";
  EXPECT_EQ(status(1)->epoch, 1u);
}

TEST_F(Standby, ASlotThatIsGivenUpIsPaidBackButForTheTimeThatItWasKept) {
  buy();
  cluster.run_for(Seconds{300});
  const Msat used{lease(1).terms.tier.rate_per_second.value * 600};  // at most 600 s were kept
  cluster.ask(1, market::StopRequest{cluster.workload, {}});
  ASSERT_TRUE(cluster.run_until([&] { return !cluster.of_type<market::StatusReply>(1).empty(); },
                                Seconds{60}));
  const auto reply = cluster.of_type<market::StatusReply>(1).back();
  ASSERT_TRUE(reply.refund_token && reply.refund_msat);
  EXPECT_GT(*reply.refund_msat, lease(1).paid - used);
  EXPECT_LT(*reply.refund_msat, lease(1).paid);
  EXPECT_EQ(lease(1).phase, lease::Phase::Ended);
  EXPECT_THAT(cluster.running(), UnorderedElementsAre(0)) << "the others are not touched by it";
  cluster.lose_host(0);
  EXPECT_TRUE(taken_over_by(2));
}

TEST_F(Standby, TheHoldersEndIsSaidWhenItsRelaysCanBeReachedAgain) {
  buy();
  cluster.ask(0, market::StopRequest{cluster.workload, {}});
  ASSERT_TRUE(cluster.run_until([&] { return cluster.running().empty(); }, Seconds{60}));
  cluster.cut(0, true);
  cluster.run_for(Seconds{5});
  cluster.kill(0);
  cluster.start(0);
  cluster.run_for(Seconds{30});
  EXPECT_THAT(cluster.running(), IsEmpty()) << "nobody heard of it";
  cluster.cut(0, false);
  ASSERT_TRUE(taken_over_by(1, Seconds{90}));
  EXPECT_THAT(cluster.core(0).failover().leases(), IsEmpty());
}

TEST_F(Standby, AReservationIsToppedUp) {
  buy();
  const auto before = lease(1).bought;
  market::TopUpRequest more;
  more.pod_npub = "standby-slot-" + cluster.workload;
  more.cashu_token = cluster.request(100).cashu_token;
  cluster.ask(1, more);
  cluster.run_for(Seconds{20});
  EXPECT_EQ(cluster.of_type<market::TopUpReply>(1).size(), 1u);
  EXPECT_GE(lease(1).bought, before + Seconds{900}) << "less the mint's fee";
}

TEST_F(Standby, WithoutStandbysItIsAPlainLeaseThatRelayTroubleDoesNotHurt) {
  cluster.members = {0};
  ASSERT_TRUE(cluster.buy_all());
  cluster.run_for(Seconds{20});
  cluster.cut(0, true);
  cluster.run_for(Seconds{1'500});
  EXPECT_THAT(cluster.running(), UnorderedElementsAre(0));
  EXPECT_THAT(cluster.core(0).failover().leases(), IsEmpty());
}

TEST_F(Standby, APlainLeaseIsNotHurtByRelayTroubleEither) {
  market::SpawnRequest plain = cluster.request();
  plain.replication.reset();
  plain.workload_id.reset();
  cluster.ask(0, plain);
  cluster.run_for(Seconds{20});
  ASSERT_THAT(cluster.running(), UnorderedElementsAre(0));
  cluster.cut(0, true);
  cluster.run_for(Seconds{1'500});
  EXPECT_THAT(cluster.running(), UnorderedElementsAre(0));
}

// --- the process dies at every moment ------------------------------------------------------------

// The daemon of one member dies when it has written its n-th batch, before the effects of that
// batch, and starts again at once; for every n of a history with a take-over and a way back (every
// third one for the standbys, which takes its time).
class StandbyCrash : public testing::TestWithParam<size_t> {};

TEST_P(StandbyCrash, AtEveryBatchThereIsOneCopyInTheEnd) {
  const size_t dies = GetParam();
  const auto live = [](Cluster& cluster) {
    cluster.start_all();
    cluster.run_for(Seconds{20});
    cluster.buy_all(400);
    cluster.run_for(Seconds{300});
    cluster.cut(0, true);
    cluster.run_for(Seconds{400});
    cluster.cut(0, false);
    cluster.run_for(Seconds{500});
  };
  Cluster whole(3);
  live(whole);
  ASSERT_THAT(whole.running(), UnorderedElementsAre(1));
  const size_t batches = whole.batches(dies);
  ASSERT_GT(batches, 20u);
  for (size_t n = 0; n <= batches; n += (dies == 0 ? 1 : 3) * PAYGRESS_THINNED) {
    SCOPED_TRACE("member " + std::to_string(dies) + ", batch " + std::to_string(n));
    Cluster cluster(3);
    cluster.crash_after(dies, n);
    live(cluster);
    EXPECT_LE(cluster.most_at_once(), 1u);
    // Whatever a crash before the purchase was final left undone, who runs is one.
    EXPECT_TRUE(cluster.run_until([&] { return cluster.running().size() == 1; }, Seconds{900}));
    for (size_t i = 0; i < 3; ++i) {
      cluster.core(i).check_invariants();
      EXPECT_LE(cluster.objects(i).size(), 1u);
    }
    if (HasFailure()) break;
  }
}

INSTANTIATE_TEST_SUITE_P(Members, StandbyCrash, testing::Values(0, 1, 2));

// --- refused before payment ----------------------------------------------------------------------

class StandbyRefused : public Standby {
 protected:
  market::ErrorReply refusal(const market::SpawnRequest& request, size_t i = 0) {
    const size_t calls = cluster.token_calls();
    cluster.ask(i, request);
    cluster.run_for(Seconds{10});
    EXPECT_EQ(cluster.token_calls(), calls) << "the mint hears nothing of it";
    const auto errors = cluster.of_type<market::ErrorReply>(i);
    EXPECT_EQ(errors.size(), 1u);
    if (errors.empty()) return {};
    EXPECT_EQ(errors[0].token_state, market::TokenState::Untouched);
    return errors[0];
  }
};

TEST_F(StandbyRefused, WhoIsNotAMember) {
  cluster.members = {0, 1};
  EXPECT_EQ(refusal(cluster.request(), 2).error_type, "not_addressed");
}

TEST_F(StandbyRefused, WithoutAWorkloadId) {
  auto request = cluster.request();
  request.workload_id.reset();
  EXPECT_EQ(refusal(request).error_type, "missing_workload_id");
}

TEST_F(StandbyRefused, AMemberNamedTwice) {
  auto request = cluster.request();
  request.replication->standby_providers.push_back(request.replication->standby_providers[0]);
  EXPECT_EQ(refusal(request).error_type, "invalid_request");
}

TEST_F(StandbyRefused, RelaysInAPrivateNetwork) {
  auto request = cluster.request();
  request.relays->push_back("ws://127.0.0.1:22");
  EXPECT_EQ(refusal(request).error_type, "invalid_request");
}

TEST_F(StandbyRefused, TooManyRelays) {
  auto request = cluster.request();
  for (int i = 0; i < 9; ++i) request.relays->push_back("wss://r" + std::to_string(i) + ".example");
  EXPECT_EQ(refusal(request).error_type, "invalid_request");
}

TEST_F(StandbyRefused, RelaysThatCannotBeReached) {
  cluster.cut(0, true);
  cluster.run_for(Seconds{120});
  cluster.cut(0, false);
  auto request = cluster.request();
  request.relays = std::vector<std::string>{"wss://gone-1.example", "wss://gone-2.example",
                                            cluster.relay_urls()[0]};
  // Never used before, so not known to be down: taken. Once it is known, refused.
  cluster.ask(0, request);
  cluster.run_for(Seconds{60});
  cluster.workload = "workload-2";
  auto second = cluster.request();
  second.relays = request.relays;
  cluster.ask(0, second);
  cluster.run_for(Seconds{20});
  const auto errors = cluster.of_type<market::ErrorReply>(0);
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0].error_type, "standby_unavailable");
  EXPECT_THAT(cluster.running(), IsEmpty()) << "no heartbeat has its write quorum: it must not run";
}

TEST_F(StandbyRefused, WithoutAWorkingGuard) {
  cluster.say(0, workload::GuardHealth{false, "no cgroup"});
  EXPECT_EQ(refusal(cluster.request()).error_type, "standby_unavailable");
}

TEST_F(StandbyRefused, AWorkloadOfSomebodyElse) {
  buy();
  EXPECT_EQ(refusal(cluster.request()).error_type, "standby_unavailable");
}

}  // namespace
}  // namespace paygress::sim
