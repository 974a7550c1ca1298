// Refunds, early ends and late engines: the numbered flaws of docs/money.md that are about money
// that goes back, each as one history. Those about requests are in identity_test.cpp, those about
// redeeming in tests/sim/redeem.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "core/cashu/token.h"
#include "tests/sim/provider/rig.h"

namespace paygress::sim {
namespace {

using ::testing::IsEmpty;

bool is_interim(const market::Reply& reply) {
  const auto* error = std::get_if<market::ErrorReply>(&reply);
  return error != nullptr && error->interim.value_or(false);
}

struct Refund : ::testing::Test {
  Rig rig;
  void SetUp() override {
    rig.start();
    rig.run_for(Seconds{2});
  }

  // The replies that are final; the interim ones are counted.
  size_t interims = 0;
  std::vector<market::Reply> finals(const Identity& who, Seconds within = Seconds{5}) {
    std::vector<market::Reply> found;
    for (const auto& heard : rig.replies(who, within)) {
      const market::Reply reply = parsed(heard);
      if (is_interim(reply))
        ++interims;
      else
        found.push_back(reply);
    }
    return found;
  }
  template <class T>
  T only(const Identity& who, Seconds within = Seconds{5}) {
    const auto all = finals(who, within);
    EXPECT_EQ(all.size(), 1u);
    if (all.size() != 1 || !std::holds_alternative<T>(all[0])) {
      ADD_FAILURE() << (all.empty() ? "no answer" : market::to_json(all[0]));
      return {};
    }
    return std::get<T>(all[0]);
  }
  void stop(const Identity& who, const std::string& pod, uint8_t id) {
    rig.ask(who, market::StopRequest{pod, request_id(id)});
  }
  const lease::Totals& totals() { return rig.core().leases().totals().begin()->second; }
  // Swaps of the provider's own proofs.
  size_t refund_swaps() {
    size_t count = 0;
    for (const auto& batch : rig.ledger())
      for (const auto& record : batch)
        if (const auto* redeem = std::get_if<cashu::RedeemRecord>(&record))
          count += std::holds_alternative<cashu::RefundDone>(*redeem);
    return count;
  }
  template <class R>
  size_t redeem_records() {
    size_t count = 0;
    for (const auto& batch : rig.ledger())
      for (const auto& record : batch)
        if (const auto* redeem = std::get_if<cashu::RedeemRecord>(&record))
          count += std::holds_alternative<R>(*redeem);
    return count;
  }
  // What a token is worth to its owner: unspent and genuine.
  Msat worth(const std::optional<std::string>& text) {
    if (!text) return Msat{-1};
    const auto token = cashu::decode_token(*text).value();
    Msat sum;
    for (const cashu::Proof& proof : token.proofs) {
      EXPECT_TRUE(rig.mint().is_valid(proof));
      EXPECT_EQ(rig.mint().state_of(rig.time(), proof), cashu::ProofState::Unspent);
      sum += Msat{static_cast<int64_t>(proof.amount) * 1000};
    }
    return sum;
  }
  std::vector<std::string> running() { return rig.engine().running_names(rig.now()); }
};

TEST_F(Refund, AStopGivesBackWhatWasNotUsedAndSaysSoAgain) {
  const auto access = rig.buy(rig.alice, 100);  // 99 sat: 990 s
  rig.run_for(Seconds{300});
  stop(rig.alice, access.pod_npub, 1);
  const auto first = only<market::StatusReply>(rig.alice);
  EXPECT_EQ(first.status, "Stopped");
  EXPECT_THAT(running(), IsEmpty());
  EXPECT_EQ(worth(first.refund_token), first.refund_msat);
  EXPECT_EQ(totals().given, first.refund_msat);
  EXPECT_GE(*first.refund_msat, Msat{66'000});  // some 305 s are used, and the fee is 1 sat
  EXPECT_LE(*first.refund_msat, Msat{68'000});

  // Flaw 18: again with another id, and the status after the end.
  stop(rig.alice, access.pod_npub, 2);
  EXPECT_EQ(only<market::StatusReply>(rig.alice).refund_token, first.refund_token);
  rig.ask(rig.alice, market::StatusRequest{access.pod_npub, request_id(3)});
  EXPECT_EQ(only<market::StatusReply>(rig.alice).refund_token, first.refund_token);
  EXPECT_EQ(refund_swaps(), 1u);
  // Nobody else hears of it.
  stop(rig.bob, access.pod_npub, 4);
  EXPECT_EQ(only<market::ErrorReply>(rig.bob).error_type, "not_found");
}

// The pod's name is another owner's by now, and so may be the workload's.
TEST(RefundByName, IsToldToTheOneWhoHadThePodBefore) {
  provider::Settings settings = rig_settings();
  settings.ranges.number_last = settings.ranges.number_first;
  Rig rig(settings);
  rig.start();
  rig.run_for(Seconds{2});
  const auto pod = [&](const Identity& who, uint8_t id) {
    market::SpawnRequest request = rig.spawn();
    request.workload_id = "shop";
    request.request_id = request_id(id);
    rig.ask(who, request);
    return std::get<market::AccessDetails>(parsed(rig.replies(who).at(0))).pod_npub;
  };
  const std::string name = pod(rig.alice, 1);
  rig.ask(rig.alice, market::StopRequest{name, request_id(2)});
  rig.run_for(Seconds{60});
  rig.replies(rig.alice);
  ASSERT_EQ(pod(rig.bob, 3), name);
  for (const std::string& called : {name, std::string("shop"), request_id(1).hex()}) {
    rig.ask(rig.alice, market::StatusRequest{called, {}});
    const auto heard = rig.replies(rig.alice);
    ASSERT_EQ(heard.size(), 1u) << called;
    const auto reply = parsed(heard[0]);
    ASSERT_TRUE(std::holds_alternative<market::StatusReply>(reply)) << called;
    EXPECT_TRUE(std::get<market::StatusReply>(reply).refund_token) << called;
  }
  rig.ask(rig.bob, market::StatusRequest{name, {}});
  EXPECT_FALSE(std::get<market::StatusReply>(parsed(rig.replies(rig.bob).at(0))).refund_token);
  // After a restart, and from a snapshot, too.
  rig.restart();
  rig.run_for(Seconds{5});
  rig.replies(rig.alice);
  rig.ask(rig.alice, market::StatusRequest{name, {}});
  EXPECT_TRUE(std::get<market::StatusReply>(parsed(rig.replies(rig.alice).at(0))).refund_token);
}

TEST_F(Refund, TheSameStopHasTheSameAnswerAfterARestartAndWhenItIsOld) {  // flaw 1
  const auto access = rig.buy(rig.alice, 100);
  const market::StopRequest request{access.pod_npub, request_id(1)};
  const UnixSeconds dated = rig.now().wall;
  rig.ask(rig.alice, request, provider::Transport::Nip17, dated);
  const auto first = only<market::StatusReply>(rig.alice);
  rig.restart();
  rig.run_for(Seconds{900});
  finals(rig.alice);
  rig.ask(rig.alice, request, provider::Transport::Nip17, dated);
  EXPECT_EQ(only<market::StatusReply>(rig.alice), first);
  // One never seen before is refused when it is old.
  rig.ask(rig.alice, market::StopRequest{access.pod_npub, request_id(9)},
          provider::Transport::Nip17, dated);
  EXPECT_EQ(only<market::ErrorReply>(rig.alice).error_type, "request_expired");
}

// The top-up's money is on its way when the lease's end begins: it is time that runs, or a token.
TEST_F(Refund, ATopUpThatRacesAStopComesBackWithItOrByItself) {
  for (const Seconds later : {Seconds{0}, Seconds{1}, Seconds{20}}) {
    const auto access = rig.buy(rig.alice, 100);
    const Msat given_before = totals().given;
    rig.run_for(Seconds{100});
    rig.hold_outputs = true;
    rig.ask(rig.alice, market::TopUpRequest{access.pod_npub, rig.spawn(200).cashu_token, {}});
    rig.run_for(later);
    stop(rig.alice, access.pod_npub, static_cast<uint8_t>(20 + later.value));
    rig.run_for(Seconds{30});
    rig.hold_outputs = false;
    rig.release();
    rig.run_for(Seconds{60});
    rig.hold_outputs = false;
    rig.release();
    rig.run_for(Seconds{300});
    const Msat back = totals().given - given_before;
    EXPECT_GE(back, Msat{(99 + 199 - 20) * 1000}) << "all but what ran, and the mint's fees";
    EXPECT_LT(back, Msat{(99 + 199) * 1000});
    EXPECT_EQ(totals().claims, totals().paid) << "nothing is owed any more";
    finals(rig.alice);
  }
}

TEST_F(Refund, NothingGoesBackWhileTheObjectMayStillRun) {  // flaw 2
  const auto access = rig.buy(rig.alice, 100);
  rig.engine_away = true;
  stop(rig.alice, access.pod_npub, 1);
  EXPECT_THAT(finals(rig.alice, Seconds{120}), IsEmpty());
  EXPECT_EQ(interims, 1u);  // flaw 20: one, after 8 s
  EXPECT_EQ(refund_swaps(), 0u);
  EXPECT_EQ(totals().claims, Msat{0});
  EXPECT_FALSE(running().empty());
  rig.engine_away = false;
  const auto end = only<market::StatusReply>(rig.alice, Seconds{300});
  EXPECT_THAT(running(), IsEmpty());
  EXPECT_EQ(worth(end.refund_token), end.refund_msat);
  EXPECT_GE(*end.refund_msat, Msat{95'000});  // the meter stood since the request
}

TEST_F(Refund, ACreateThatComesLateRunsForNobody) {  // flaws 3 and 4
  rig.engine().plan_fault(workload::Verb::Create, BackendFault::Late);
  auto request = rig.spawn(100);
  request.request_id = request_id(1);
  rig.ask(rig.alice, request);
  rig.run_for(Seconds{30});
  stop(rig.alice, request_id(1).hex(), 2);
  const auto all = finals(rig.alice, Seconds{400});  // before the late create is carried out
  ASSERT_EQ(all.size(), 2u);
  const lease::Lease& ended = (*rig.core().leases().leases().begin()).second;
  ASSERT_EQ(ended.phase, lease::Phase::Ended);
  EXPECT_EQ(ended.statement->used, Seconds{0});
  // Its port, number and capacity are nobody else's until that create cannot come any more.
  EXPECT_EQ(rig.core().leases().allocator().size(), 1u);
  const std::string name = "paygress-" + ended.terms.lease.hex().substr(0, 12) + "-g1";
  rig.run_for(Seconds{120});
  EXPECT_EQ(rig.engine().running(name, rig.now()), workload::Running::Stopped);
  rig.run_for(Seconds{1'500});
  EXPECT_EQ(rig.engine().running(name, rig.now()), workload::Running::Absent);
  EXPECT_EQ(rig.core().leases().allocator().size(), 0u);
}

TEST_F(Refund, WhatTheEngineStoppedEarlierIsNotCharged) {  // flaw 11
  const auto access = rig.buy(rig.alice, 100);
  rig.run_for(Seconds{100});
  rig.engine_away = true;
  ASSERT_TRUE(rig.engine().exit_workload(running().at(0), 0, rig.now()));
  rig.run_for(Seconds{400});
  stop(rig.alice, access.pod_npub, 1);
  EXPECT_THAT(finals(rig.alice, Seconds{30}), IsEmpty());
  rig.engine_away = false;
  const auto end = only<market::StatusReply>(rig.alice, Seconds{300});
  EXPECT_GE(*end.refund_msat, Msat{86'000});  // some 105 s
}

TEST_F(Refund, AnExpiredLeaseEndsWhenTheEngineIsBack) {  // flaw 10
  const auto access = rig.buy(rig.alice, 20);
  rig.engine_away = true;
  rig.run_for(Seconds{3'600});
  EXPECT_EQ((*rig.core().leases().leases().begin()).second.phase, lease::Phase::Running);
  rig.engine_away = false;
  rig.run_for(Seconds{400});
  const lease::Lease& lease = (*rig.core().leases().leases().begin()).second;
  EXPECT_EQ(lease.phase, lease::Phase::Ended);
  EXPECT_EQ(lease.end_reason, lease::EndReason::Expired);
  EXPECT_EQ(lease.statement->used, lease.bought);
  EXPECT_THAT(running(), IsEmpty());
}

TEST_F(Refund, AStopBeforeThePaymentIsThroughGivesItBack) {  // flaw 17
  rig.mint().plan_fault(cashu::Endpoint::Swap, MintFault::DropAnswer);
  for (int i = 0; i < 2; ++i)
    rig.mint().plan_fault(cashu::Endpoint::Restore, MintFault::Unreachable);
  auto request = rig.spawn(100);
  request.request_id = request_id(1);
  rig.ask(rig.alice, request);
  rig.run_for(Seconds{10});
  stop(rig.alice, request_id(1).hex(), 2);
  const auto all = finals(rig.alice, Seconds{120});
  ASSERT_EQ(all.size(), 2u);
  EXPECT_THAT(running(), IsEmpty());
  const auto& spawned = std::get<market::ErrorReply>(all[0]);
  const auto& stopped = std::get<market::StatusReply>(all[1]);
  EXPECT_EQ(spawned.error_type, "race_lost");
  EXPECT_EQ(spawned.token_state, market::TokenState::Taken);
  EXPECT_EQ(spawned.refund_token, stopped.refund_token);
  EXPECT_EQ(spawned.details, stopped.refund_token);
  EXPECT_EQ(worth(stopped.refund_token), stopped.refund_msat);
  EXPECT_EQ(refund_swaps(), 1u);
}

TEST_F(Refund, AStopOfATokenThatWasNotTakenIsAnsweredWithNothing) {
  auto request = rig.spawn(100);
  request.request_id = request_id(1);
  rig.mint().hold_pending(cashu::decode_token(request.cashu_token).value().proofs,
                          rig.time() + micros(Seconds{20}));
  rig.mint().spend_elsewhere(rig.time(), cashu::decode_token(request.cashu_token).value().proofs);
  rig.ask(rig.alice, request);
  rig.run_for(Seconds{5});
  rig.mint().spend_elsewhere(rig.time() + micros(Seconds{20}),
                             cashu::decode_token(request.cashu_token).value().proofs);
  stop(rig.alice, request_id(1).hex(), 2);
  const auto all = finals(rig.alice, Seconds{900});
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(std::get<market::ErrorReply>(all[0]).error_type, "token_already_spent");
  EXPECT_EQ(std::get<market::StatusReply>(all[1]).refund_msat, Msat{0});
  EXPECT_FALSE(std::get<market::StatusReply>(all[1]).refund_token);
}

// Alice's reservation is durable and her request is not, when the process dies; Bob has a copy of
// her token and asks first. Whatever his payment comes to is not hers.
struct LostRequest : Refund {
  market::SpawnRequest request;

  void SetUp() override {
    Refund::SetUp();
    request = rig.spawn(100);
    request.request_id = request_id(1);
    rig.crash_after_batches = rig.ledger().size() + 1;
    rig.ask(rig.alice, request);
    rig.run_for(Seconds{5});
    ASSERT_TRUE(rig.up());
    ASSERT_EQ(lease().phase, lease::Phase::Void);
    ASSERT_EQ(rig.core().wallet().state().summary(lease().terms.op), nullptr);
    rig.mint().plan_fault(cashu::Endpoint::Swap, MintFault::DropAnswer);
    for (int i = 0; i < 3; ++i)
      rig.mint().plan_fault(cashu::Endpoint::Restore, MintFault::Unreachable);
  }
  const lease::Lease& lease() {
    for (const auto [id, lease] : rig.core().leases().leases())
      if (lease.terms.owner == rig.alice.key) return lease;
    throw std::logic_error("alice has no reservation");
  }
  void bob_pays() {
    request.request_id = request_id(2);
    rig.ask(rig.bob, request);
    rig.run_for(Seconds{8});
    ASSERT_EQ(rig.core().wallet().state().summary(lease().terms.op)->status, cashu::OpStatus::Open);
  }
};

TEST_F(LostRequest, IsNotStoppedByWhatSomebodyElsePaid) {
  bob_pays();
  stop(rig.alice, request_id(1).hex(), 3);
  EXPECT_EQ(only<market::ErrorReply>(rig.alice, Seconds{2}).error_type, "not_found");
  stop(rig.bob, request_id(2).hex(), 4);  // before it is through: it comes back as a token
  ASSERT_EQ(finals(rig.bob, Seconds{200}).size(), 2u);
  stop(rig.alice, request_id(1).hex(), 5);
  const auto again = only<market::ErrorReply>(rig.alice);
  EXPECT_EQ(again.error_type, "not_found");
  EXPECT_FALSE(again.refund_token);
}

TEST_F(LostRequest, ThatItsOwnerSentAgainStopsWhatIsPaid) {
  request.request_id = request_id(2);
  rig.ask(rig.alice, request);
  rig.run_for(Seconds{8});
  stop(rig.alice, request_id(1).hex(), 3);
  const auto all = finals(rig.alice, Seconds{200});
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(std::get<market::ErrorReply>(all[0]).error_type, "race_lost");
  EXPECT_TRUE(std::get<market::StatusReply>(all[1]).refund_token);
}

// A ledger of an earlier version, which took the stop for one that waits for the payment.
TEST_F(LostRequest, WhoseStopWaitsInALedgerIsAnsweredAtTheNextStart) {
  bob_pays();
  provider::RequestOpened waiting;
  waiting.key.bytes[0] = 99;
  waiting.requester = rig.alice.key;
  waiting.request_id = request_id(3);
  waiting.kind = provider::RequestKind::Stop;
  waiting.lease = lease().terms.lease;
  waiting.at = rig.now().wall;
  rig.ledger().push_back({provider::OwnRecord(waiting)});
  rig.restart();
  const auto answer = only<market::StatusReply>(rig.alice, Seconds{10});
  EXPECT_EQ(answer.status, "Stopped");
  EXPECT_FALSE(answer.refund_token);
}

// The refund's swap is carried out, its answer is lost, and the mint's replica lags: SPENT, and
// nothing to be seen. It is ours, and is never made again from other proofs.
TEST_F(Refund, IsNeverMadeAgainFromOtherProofs) {  // flaw 12
  rig.buy(rig.bob, 200);                           // other proofs to be tempted by
  const auto access = rig.buy(rig.alice, 100);
  rig.mint().set_restore_lag(micros(Seconds{1'200}));
  rig.mint().plan_fault(cashu::Endpoint::Swap, MintFault::DropAnswer);
  stop(rig.alice, access.pod_npub, 1);
  const size_t before = rig.mint().swaps().size();
  EXPECT_THAT(finals(rig.alice, Seconds{1'100}), IsEmpty());
  rig.restart();
  const auto end = only<market::StatusReply>(rig.alice, Seconds{900});
  EXPECT_EQ(worth(end.refund_token), end.refund_msat);
  EXPECT_EQ(rig.mint().swaps().size(), before + 1);
  EXPECT_EQ(redeem_records<cashu::RefundOpened>(), 1u);
}

TEST_F(Refund, TheClaimBearsTheFeeThatTheMintTakesInTheEnd) {  // flaws 12 and 14
  rig.buy(rig.bob, 200);
  const auto access = rig.buy(rig.alice, 100);
  rig.mint().plan_fault(cashu::Endpoint::Swap, MintFault::Unreachable);
  rig.mint().plan_fault(cashu::Endpoint::Swap, MintFault::Unreachable);
  stop(rig.alice, access.pod_npub, 1);
  rig.run_for(Seconds{3});
  rig.mint().set_fee(2'000);
  const auto end = only<market::StatusReply>(rig.alice, Seconds{300});
  EXPECT_EQ(worth(end.refund_token), end.refund_msat);
  EXPECT_GE(*end.refund_msat, Msat{95'000});
  EXPECT_LE(*end.refund_msat, Msat{96'000});
  EXPECT_LE(redeem_records<cashu::AttemptMade>(), 2u + 2u);
}

// A provider that has nothing but what it owes can pay all of it, whatever the fee becomes.
TEST_F(Refund, AFeeThatGrowsLeavesEnoughForTheOthers) {
  const auto of_alice = rig.buy(rig.alice, 100);
  const auto of_bob = rig.buy(rig.bob, 100);
  rig.mint().plan_fault(cashu::Endpoint::Swap, MintFault::Unreachable);
  rig.mint().plan_fault(cashu::Endpoint::Swap, MintFault::Unreachable);
  stop(rig.alice, of_alice.pod_npub, 1);
  rig.run_for(Seconds{3});
  rig.mint().set_fee(2'000);
  stop(rig.bob, of_bob.pod_npub, 2);
  const auto alice = only<market::StatusReply>(rig.alice, Seconds{300});
  const auto bob = only<market::StatusReply>(rig.bob, Seconds{300});
  EXPECT_EQ(worth(alice.refund_token), alice.refund_msat);
  EXPECT_EQ(worth(bob.refund_token), bob.refund_msat);
  EXPECT_THAT(rig.core().leases().claims().owed(), IsEmpty());
}

TEST_F(Refund, WhatIsOwedAtAStartIsPaidAsSoonAsTheMintIsRead) {
  const auto access = rig.buy(rig.alice, 100);
  rig.mint().set_reachable(false);
  rig.restart();
  rig.run_for(Seconds{2});
  stop(rig.alice, access.pod_npub, 1);
  EXPECT_THAT(finals(rig.alice, Seconds{40}), IsEmpty());
  EXPECT_EQ(rig.core().leases().claims().owed().size(), 1u);
  rig.mint().set_reachable(true);
  rig.restart();
  const auto end = only<market::StatusReply>(rig.alice, Seconds{5});
  EXPECT_EQ(worth(end.refund_token), end.refund_msat);
}

TEST_F(Refund, AttemptsAreBraked) {  // flaw 14
  const auto access = rig.buy(rig.alice, 100);
  for (int i = 0; i < 200; ++i) rig.mint().refuse_next_swap(11005);
  const size_t before = redeem_records<cashu::AttemptMade>();
  stop(rig.alice, access.pod_npub, 1);
  EXPECT_THAT(finals(rig.alice, Seconds{3'600}), IsEmpty());
  EXPECT_EQ(redeem_records<cashu::AttemptMade>(), before + 1);
}

TEST_F(Refund, WhatIsLeftAtAnyEndComesBackUnlessItIsDust) {  // flaw 13
  rig.stop_process();
  rig.settings().tiers.front().rate_per_second = Msat{12'000};
  rig.settings().minimum_duration = Seconds{5};
  rig.start();
  rig.run_for(Seconds{2});
  const auto access = rig.buy(rig.alice, 100);  // 99 sat: 8 s, 3 sat are left
  rig.run_for(Seconds{60});
  rig.ask(rig.alice, market::StatusRequest{access.pod_npub, {}});
  const auto end = only<market::StatusReply>(rig.alice);
  EXPECT_EQ(end.status, "Expired");
  EXPECT_EQ(end.refund_msat, Msat{2'000});
  EXPECT_EQ(worth(end.refund_token), Msat{2'000});
  EXPECT_EQ(totals().consumed, Msat{96'000});
  // One satoshi is not worth the fee of making a token of it.
  rig.stop_process();
  rig.settings().tiers.front().rate_per_second = Msat{14'000};
  rig.start();
  rig.run_for(Seconds{2});
  rig.buy(rig.alice, 100);  // 7 s, 1 sat is left
  rig.run_for(Seconds{60});
  EXPECT_EQ(totals().kept, Msat{1'000});
  EXPECT_EQ(refund_swaps(), 1u);
}

// The ledger is put back to before the refund: the same claim makes the same token, not another.
TEST_F(Refund, ARolledBackLedgerMakesTheSameTokenAgain) {  // flaw 15
  const auto access = rig.buy(rig.alice, 100);
  stop(rig.alice, access.pod_npub, 1);
  const auto first = only<market::StatusReply>(rig.alice, Seconds{120});
  const size_t swaps = rig.mint().swaps().size();
  rig.stop_process();
  const auto owed = std::ranges::find_if(rig.ledger(), [](const auto& batch) {
    return std::ranges::any_of(batch, [](const provider::Record& record) {
      const auto* of_lease = std::get_if<lease::LeaseRecord>(&record);
      return of_lease != nullptr && std::holds_alternative<lease::ClaimOwed>(*of_lease);
    });
  });
  ASSERT_NE(owed, rig.ledger().end());
  rig.ledger().erase(owed + 1, rig.ledger().end());
  rig.start();
  const auto again = only<market::StatusReply>(rig.alice, Seconds{300});
  EXPECT_EQ(rig.mint().swaps().size(), swaps);
  const auto secrets = [](const market::StatusReply& reply) {
    std::set<std::string> found;
    const cashu::Token token = cashu::decode_token(*reply.refund_token).value();
    for (const auto& proof : token.proofs) found.insert(proof.secret);
    return found;
  };
  EXPECT_EQ(secrets(first), secrets(again));
}

TEST_F(Refund, AVerdictChangesOnceToTheRefund) {  // flaw 6
  rig.mint().plan_fault(cashu::Endpoint::Swap, MintFault::SlowRequest, micros(Seconds{2'000}));
  for (int i = 0; i < 20; ++i)  // more than are sent within the hold
    rig.mint().plan_fault(cashu::Endpoint::Swap, MintFault::Unreachable);
  rig.ask(rig.alice, rig.spawn(100));
  const auto released = only<market::ErrorReply>(rig.alice, Seconds{1'900});
  EXPECT_EQ(released.token_state, market::TokenState::Released);
  const auto refund = only<market::ErrorReply>(rig.alice, Seconds{7'200});
  EXPECT_EQ(refund.token_state, market::TokenState::Taken);
  EXPECT_EQ(worth(refund.refund_token), refund.refund_msat);
}

TEST_F(Refund, ATokenThatItsOwnerSpentIsKnownToBe) {
  const auto access = rig.buy(rig.alice, 100);
  stop(rig.alice, access.pod_npub, 1);
  const auto end = only<market::StatusReply>(rig.alice);
  EXPECT_EQ(rig.core().leases().claims().unredeemed().size(), 1u);
  rig.mint().spend_elsewhere(rig.time(), cashu::decode_token(*end.refund_token).value().proofs);
  rig.run_for(Seconds{4'000});
  EXPECT_THAT(rig.core().leases().claims().unredeemed(), IsEmpty());
}

TEST_F(Refund, TheTokenMayPayForTheNextLease) {
  const auto access = rig.buy(rig.alice, 100);
  stop(rig.alice, access.pod_npub, 1);
  auto request = rig.spawn(1);
  request.cashu_token = *only<market::StatusReply>(rig.alice).refund_token;
  rig.ask(rig.alice, request);
  only<market::AccessDetails>(rig.alice);
  EXPECT_EQ(running().size(), 1u);
}

}  // namespace
}  // namespace paygress::sim
