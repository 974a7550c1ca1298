// Same request, same answer (money-sagas.md flaws 1, 6, 7, 8 and 20; decisions.md "Requests").
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/cashu/token.h"
#include "tests/sim/provider/rig.h"

namespace paygress::sim {
namespace {

using provider::Transport;

// Tokens that the mint saw swapped: as many as there were purchases.
size_t receives(Rig& rig) {
  const auto& swaps = rig.mint().swaps();
  return static_cast<size_t>(
      std::ranges::count_if(swaps, [](const MintSwap& s) { return !s.inputs.empty(); }));
}

const lease::Totals& totals(Rig& rig) { return rig.core().leases().totals().begin()->second; }

struct RequestIdentity : ::testing::Test {
  Rig rig;
  void SetUp() override {
    rig.start();
    rig.run_for(Seconds{2});
  }
};

TEST_F(RequestIdentity, AskedAgainInEveryWayThereIsOneLeaseAndOneAnswer) {
  for (const bool with_id : {false, true}) {
    for (const Transport transport : {Transport::Nip17, Transport::Nip04}) {
      SCOPED_TRACE(with_id ? "with request_id" : "without request_id");
      auto request = rig.spawn();
      if (with_id) request.request_id = request_id(transport == Transport::Nip17 ? 1 : 2);
      const UnixSeconds dated = rig.now().wall;
      const auto sent = rig.ask(rig.alice, request, transport, dated);
      auto first = rig.replies(rig.alice);
      ASSERT_EQ(first.size(), 1u);
      ASSERT_TRUE(std::holds_alternative<market::AccessDetails>(parsed(first[0])));
      EXPECT_EQ(market::request_id_of(parsed(first[0])), request.request_id);
      const size_t calls = rig.token_calls();
      rig.deliver(sent.event);  // the same wrap
      EXPECT_TRUE(rig.replies(rig.alice).empty());
      rig.run_for(Seconds{700});                             // older than any new request may be
      rig.ask(rig.alice, request, Transport::Nip17, dated);  // re-wrapped
      auto again = rig.replies(rig.alice);
      ASSERT_EQ(again.size(), 1u);
      EXPECT_EQ(again[0].text, first[0].text);
      rig.restart();
      rig.run_for(Seconds{2});
      rig.ask(rig.alice, request, Transport::Nip17, dated);
      again = rig.replies(rig.alice);
      ASSERT_EQ(again.size(), 1u);
      EXPECT_EQ(again[0].text, first[0].text);
      EXPECT_EQ(rig.token_calls(), calls);
    }
  }
  EXPECT_EQ(receives(rig), 4u);
}

TEST_F(RequestIdentity, TheTokenAloneIsIdentityToo) {
  const auto request = rig.spawn();
  rig.ask(rig.alice, request);
  const auto first = rig.replies(rig.alice);
  ASSERT_EQ(first.size(), 1u);
  rig.run_for(Seconds{60});
  rig.ask(rig.alice, request);  // a new message: another rumor id
  auto again = rig.replies(rig.alice);
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].text, first[0].text);
  // Also when the request would be refused for another reason: the token is not untouched.
  rig.step(provider::Drain{true});
  rig.ask(rig.alice, request, Transport::Nip17, rig.now().wall - Seconds{5'000});
  again = rig.replies(rig.alice);
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].text, first[0].text);
  auto with_id = request;
  with_id.request_id = request_id(9);
  rig.ask(rig.alice, with_id);
  again = rig.replies(rig.alice);
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(market::request_id_of(parsed(again[0])), request_id(9));
  EXPECT_EQ(receives(rig), 1u);
}

TEST_F(RequestIdentity, AnotherKeyHearsThatTheTokenIsSpent) {
  const auto request = rig.spawn();
  rig.ask(rig.alice, request);
  rig.replies(rig.alice);
  rig.ask(rig.bob, request);
  auto error = rig.error(rig.bob);
  EXPECT_EQ(error.error_type, "token_already_spent");
  EXPECT_EQ(error.token_state, market::TokenState::SpentElsewhere);
  EXPECT_FALSE(error.refund_token || error.refund_msat);
  // In a top-up of its own lease as well, and while the provider sells nothing.
  rig.buy(rig.bob);
  rig.step(provider::Drain{true});
  rig.ask(rig.bob, market::TopUpRequest{"container-77", request.cashu_token, {}});
  error = rig.error(rig.bob);
  EXPECT_EQ(error.error_type, "token_already_spent");
}

TEST_F(RequestIdentity, TwoKeysWithOneTokenAtTheSameInstant) {
  const auto request = rig.spawn();
  rig.hold_checks = true;
  rig.ask(rig.alice, request);
  rig.ask(rig.bob, request);
  rig.run_for(Seconds{1});
  rig.release();
  const auto alice = rig.replies(rig.alice);
  ASSERT_EQ(alice.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<market::AccessDetails>(parsed(alice[0])));
  EXPECT_EQ(rig.error(rig.bob).error_type, "token_already_spent");
  EXPECT_EQ(receives(rig), 1u);
}

// Wherever the process dies, and though both ask again.
TEST(RequestIdentityAtACrash, TwoKeysWithOneTokenLeaveNoReservationBehind) {
  size_t died = 0;
  for (uint64_t offset = 0; offset < 40; ++offset) {
    Rig rig;
    rig.start();
    rig.run_for(Seconds{2});
    const auto request = rig.spawn();
    rig.hold_checks = true;
    const uint64_t first = rig.boundaries();
    rig.crash_at = {first + offset};
    rig.ask(rig.alice, request);
    rig.ask(rig.bob, request);
    rig.run_for(Seconds{1});
    rig.hold_checks = false;
    if (rig.up()) rig.release();
    rig.run_for(Seconds{60});
    rig.ask(rig.alice, request);
    rig.ask(rig.bob, request);
    rig.run_for(Seconds{60});
    ASSERT_TRUE(rig.up()) << offset;
    died += rig.boundaries() > first + offset;
    EXPECT_EQ(rig.core().leases().allocator().size(), 1u) << offset;
    for (const auto [id, lease] : rig.core().leases().leases())
      EXPECT_NE(lease.phase, lease::Phase::Reserved) << offset;
  }
  EXPECT_GT(died, 20u);
}

TEST_F(RequestIdentity, OneKeyWithOneTokenTwiceAtTheSameInstantHasOneLease) {
  const auto request = rig.spawn();
  rig.hold_checks = true;
  rig.ask(rig.alice, request, Transport::Nip17, rig.now().wall);
  rig.ask(rig.alice, request, Transport::Nip17, rig.now().wall - Seconds{1});
  rig.run_for(Seconds{1});
  rig.release();
  for (const auto& heard : rig.replies(rig.alice)) {
    const auto reply = parsed(heard);
    const auto* error = std::get_if<market::ErrorReply>(&reply);
    if (error == nullptr) continue;
    EXPECT_EQ(error->error_type, "token_pending") << heard.text;
    EXPECT_TRUE(error->interim.value_or(false));
  }
  EXPECT_EQ(receives(rig), 1u);
}

TEST_F(RequestIdentity, RequestsSideBySideEachHaveTheirOwnLeaseAndPort) {
  rig.hold_outputs = true;
  std::set<uint16_t> ports;
  rig.ask(rig.alice, rig.spawn());
  rig.ask(rig.bob, rig.spawn());
  rig.ask(rig.bob, rig.spawn());
  rig.run_for(Seconds{1});
  rig.release();
  rig.run_for(Seconds{5});
  for (const auto* who : {&rig.alice, &rig.bob})
    for (const auto& heard : rig.replies(*who))
      ports.insert(std::get<market::AccessDetails>(parsed(heard)).node_port);
  EXPECT_THAT(ports, ::testing::ElementsAre(30'000, 30'001, 30'002));
}

TEST_F(RequestIdentity, AWorkloadIdCannotBeTakenByRequestsSideBySide) {
  rig.hold_checks = true;
  for (const auto* who : {&rig.alice, &rig.bob}) {
    auto request = rig.spawn();
    request.workload_id = "shop";
    rig.ask(*who, request);
  }
  rig.release();
  EXPECT_EQ(rig.replies(rig.alice).size(), 1u);
  EXPECT_EQ(rig.error(rig.bob).error_type, "invalid_request");
  EXPECT_EQ(rig.core().leases().by_workload_id("shop")->terms.owner, rig.alice.key);
}

TEST_F(RequestIdentity, WhileTheMintIsSilentAnInterimAnswerIsGiven) {
  rig.mint().set_reachable(false);
  const auto request = rig.spawn();
  const UnixSeconds dated = rig.now().wall;
  rig.ask(rig.alice, request, Transport::Nip17, dated);
  const auto heard = rig.replies(rig.alice, Seconds{60});
  ASSERT_EQ(heard.size(), 1u);  // one, and not before 8 s of doubt (flaw 20)
  const auto word = std::get<market::ErrorReply>(parsed(heard[0]));
  EXPECT_EQ(word.error_type, "token_pending");
  EXPECT_EQ(word.token_state, market::TokenState::InDoubt);
  EXPECT_EQ(word.interim, true);
  rig.mint().set_reachable(true);
  const auto final = rig.replies(rig.alice, Seconds{120});
  ASSERT_EQ(final.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<market::AccessDetails>(parsed(final[0])));
}

TEST_F(RequestIdentity, AReleasedTokenIsTheSendersAgain) {
  rig.mint().set_reachable(false);
  const auto request = rig.spawn();
  rig.ask(rig.alice, request);
  rig.replies(rig.alice, Seconds{700});
  rig.mint().set_reachable(true);
  const auto heard = rig.replies(rig.alice, Seconds{900});
  ASSERT_EQ(heard.size(), 1u);
  const auto error = std::get<market::ErrorReply>(parsed(heard[0]));
  EXPECT_EQ(error.error_type, "mint_network_error");
  EXPECT_EQ(error.token_state, market::TokenState::Released);
  const auto token = cashu::decode_token(request.cashu_token).value();
  EXPECT_EQ(rig.mint().state_of(rig.now().mono, token.proofs[0]), cashu::ProofState::Unspent);
  EXPECT_EQ(rig.core().leases().allocator().size(), 0u);
}

TEST_F(RequestIdentity, MoneyThatArrivesAfterTheHoldIsOwedBack) {
  // The swap reaches the mint, nothing is heard of it until the hold is over.
  rig.mint().plan_fault(cashu::Endpoint::Swap, MintFault::SlowRequest, Micros{650'000'000});
  for (int i = 0; i < 16; ++i) {
    rig.mint().plan_fault(cashu::Endpoint::Restore, MintFault::Unreachable);
    rig.mint().plan_fault(cashu::Endpoint::Swap, MintFault::Unreachable);
  }
  rig.ask(rig.alice, rig.spawn());
  const auto heard = rig.replies(rig.alice, Seconds{6'000});
  ASSERT_GE(heard.size(), 1u);
  const auto error = std::get<market::ErrorReply>(parsed(heard.back()));
  EXPECT_EQ(error.error_type, "race_lost");
  EXPECT_EQ(error.token_state, market::TokenState::Taken);
  EXPECT_EQ(error.refund_msat, totals(rig).given);
  EXPECT_TRUE(error.refund_token.has_value());
  EXPECT_GT(totals(rig).claims, Msat{0});
}

TEST_F(RequestIdentity, AWorkloadThatNeverStartsIsOwedBack) {
  rig.engine().set_fault_rates({{BackendFault::Refused, 1'000'000}});
  rig.ask(rig.alice, rig.spawn());
  rig.run_for(Seconds{1'500});
  rig.engine().set_fault_rates({});
  const auto heard = rig.replies(rig.alice, Seconds{900});
  ASSERT_EQ(heard.size(), 1u);
  const auto error = std::get<market::ErrorReply>(parsed(heard[0]));
  EXPECT_EQ(error.error_type, "backend_error");
  EXPECT_EQ(error.token_state, market::TokenState::Taken);
  EXPECT_EQ(error.refund_msat, totals(rig).given);
  EXPECT_EQ(totals(rig).claims, totals(rig).redeemed);
}

TEST_F(RequestIdentity, ATopUpThatComesTooLateIsOwedBack) {
  const auto access = rig.buy(rig.alice, 20);  // some 190 s
  rig.run_for(Seconds{150});
  rig.mint().set_reachable(false);
  rig.ask(rig.alice, market::TopUpRequest{access.pod_npub, rig.spawn(50).cashu_token, {}});
  rig.replies(rig.alice, Seconds{200});  // the end, and the grace of 60 s (flaw 19)
  rig.mint().set_reachable(true);
  const auto heard = rig.replies(rig.alice, Seconds{120});
  ASSERT_EQ(heard.size(), 1u);
  const auto error = std::get<market::ErrorReply>(parsed(heard[0]));
  EXPECT_EQ(error.error_type, "race_lost");
  EXPECT_EQ(error.token_state, market::TokenState::Taken);
  EXPECT_GT(error.refund_msat.value_or(Msat{0}), Msat{40'000});
}

TEST_F(RequestIdentity, ATopUpUnderWayAtTheEndIsStillInTime) {
  const auto access = rig.buy(rig.alice, 20);
  rig.run_for(Seconds{150});
  rig.mint().set_reachable(false);
  rig.ask(rig.alice, market::TopUpRequest{access.pod_npub, rig.spawn(50).cashu_token, {}});
  rig.replies(rig.alice, Seconds{60});  // past the end by less than 60 s
  rig.mint().set_reachable(true);
  const auto heard = rig.replies(rig.alice, Seconds{40});
  ASSERT_EQ(heard.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<market::TopUpReply>(parsed(heard[0]))) << heard[0].text;
}

TEST_F(RequestIdentity, StatusTellsOnlyTheOwnerWhateverTheLeaseIsCalled) {
  auto request = rig.spawn();
  request.workload_id = "shop";
  rig.ask(rig.alice, request);
  rig.replies(rig.alice);
  for (const std::string& pod :
       {std::string("container-1000"), std::string("1000"), std::string("standby-slot-shop"),
        std::string("shop"), rig.alice.key.hex()}) {
    SCOPED_TRACE(pod);
    rig.ask(rig.alice, market::StatusRequest{pod, request_id(3)});
    const auto heard = rig.replies(rig.alice);
    ASSERT_EQ(heard.size(), 1u);
    const auto status = std::get<market::StatusReply>(parsed(heard[0]));
    EXPECT_EQ(status.status, "Running");
    EXPECT_EQ(status.pod_id, "1000");
    EXPECT_EQ(status.request_id, request_id(3));
    rig.ask(rig.bob, market::StatusRequest{pod, {}});
    EXPECT_EQ(rig.error(rig.bob).error_type, "not_found");
  }
  for (const char* pod : {"", "container-", "container-99999999999", "1001", "nobody"}) {
    rig.ask(rig.alice, market::StatusRequest{pod, {}});
    EXPECT_EQ(rig.error(rig.alice).error_type, "not_found") << pod;
  }
}

TEST_F(RequestIdentity, AVoidReservationDoesNotHideTheNewestLease) {
  rig.buy(rig.alice);
  rig.mint().set_reachable(false);
  rig.ask(rig.alice, rig.spawn());
  rig.replies(rig.alice, Seconds{700});  // the hold is over: void
  rig.ask(rig.alice, market::StatusRequest{rig.alice.key.hex(), {}});
  const auto heard = rig.replies(rig.alice);
  ASSERT_EQ(heard.size(), 1u);
  EXPECT_EQ(std::get<market::StatusReply>(parsed(heard[0])).pod_id, "1000");
}

TEST_F(RequestIdentity, ARequestTooOldOrTooNewIsNotAnsweredWhenItIsAStatus) {
  rig.ask(rig.alice, market::StatusRequest{"1000", {}}, Transport::Nip17,
          rig.now().wall - Seconds{601});
  EXPECT_TRUE(rig.replies(rig.alice).empty());
  rig.ask(rig.alice, market::StatusRequest{"1000", {}}, Transport::Nip17,
          rig.now().wall - Seconds{600});
  EXPECT_EQ(rig.error(rig.alice).error_type, "not_found");
}

TEST_F(RequestIdentity, AReplyToKind4NamesTheRequest) {
  const auto sent = rig.ask(rig.alice, rig.spawn(), Transport::Nip04);
  const auto heard = rig.replies(rig.alice);
  ASSERT_EQ(heard.size(), 1u);
  EXPECT_EQ(heard[0].event.kind, nostr::kind::kEncryptedDirect);
  const std::string* e = nostr::tag_value(heard[0].event.tags, "e");
  ASSERT_NE(e, nullptr);
  EXPECT_EQ(*e, sent.event.id.hex());
}

TEST_F(RequestIdentity, AnUnreadableBodyIsAnsweredOnceAMinuteAndNothingIsQuoted) {
  for (int i = 0; i < 5; ++i)
    rig.ask_text(rig.alice, "{\"hunter2\": \"hunter2\", \"n\":" + std::to_string(i) + "}");
  auto heard = rig.replies(rig.alice);
  ASSERT_EQ(heard.size(), 1u);
  EXPECT_EQ(std::get<market::ErrorReply>(parsed(heard[0])).error_type, "invalid_request");
  EXPECT_THAT(heard[0].text, ::testing::Not(::testing::HasSubstr("hunter2")));
  rig.run_for(Seconds{60});
  rig.ask_text(rig.alice, "[]");
  EXPECT_EQ(rig.replies(rig.alice).size(), 1u);
}

TEST_F(RequestIdentity, OneKeyAsksThirtyTimesAMinuteAndIsToldOnceThatItWasMore) {
  const auto ask = [&](const Identity& who, int n) {
    rig.ask(who, market::StatusRequest{std::to_string(n), {}});
  };
  for (int i = 0; i < 40; ++i) ask(rig.alice, i);
  ask(rig.bob, 1);
  EXPECT_EQ(rig.replies(rig.alice, Seconds{30}).size(), 31u);
  EXPECT_EQ(rig.replies(rig.bob).size(), 1u);
  rig.run_for(Seconds{60});
  ask(rig.alice, 99);
  EXPECT_EQ(rig.replies(rig.alice).size(), 1u);
}

TEST_F(RequestIdentity, BlockedKeysAndOurOwnAreNotHeard) {
  rig.settings().blocked = {rig.bob.key};
  rig.restart();
  rig.run_for(Seconds{2});
  const size_t batches = rig.ledger().size();
  rig.ask(rig.bob, rig.spawn());
  rig.ask(Identity(Tier::Fast, 1), rig.spawn());
  EXPECT_TRUE(rig.replies(rig.bob, Seconds{1}).empty());
  EXPECT_EQ(rig.token_calls(), 0u);
  EXPECT_EQ(rig.ledger().size(), batches);
}

TEST_F(RequestIdentity, AnAnswerThatNoRelayTookIsSentAfterARestart) {
  rig.ask(rig.alice, rig.spawn());
  const auto answered = [](const provider::Record& record) {
    const auto* own = std::get_if<provider::OwnRecord>(&record);
    return own != nullptr && std::holds_alternative<provider::RequestAnswered>(*own);
  };
  while (std::ranges::none_of(rig.ledger().back(), answered)) rig.run_one();
  EXPECT_TRUE(rig.replies(rig.alice, Seconds{0}).empty());
  rig.restart();
  EXPECT_GE(rig.replies(rig.alice).size(), 1u);
}

}  // namespace
}  // namespace paygress::sim
