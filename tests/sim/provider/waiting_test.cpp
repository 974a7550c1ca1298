// Requests that come before their mint is read, and requests that come too often.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/sim/provider/rig.h"

namespace paygress::sim {
namespace {

using market::AccessDetails;
using market::ErrorReply;

// Null unless there is exactly one reply, and of this kind.
template <class Reply>
std::optional<Reply> only(const std::vector<Rig::Heard>& heard) {
  if (heard.size() != 1) return std::nullopt;
  const auto reply = market::parse_reply(heard[0].text);
  const auto* wanted = std::get_if<Reply>(&reply.value());
  return wanted == nullptr ? std::nullopt : std::optional(*wanted);
}

TEST(Waiting, ARequestBeforeTheMintIsReadIsServedOnceItIs) {
  Rig rig;
  rig.mint().set_reachable(false);
  rig.start();
  rig.run_for(Seconds{1});
  rig.ask(rig.alice, rig.spawn());
  EXPECT_THAT(rig.replies(rig.alice, Seconds{5}), testing::IsEmpty());
  EXPECT_EQ(rig.token_calls(), 0u);
  EXPECT_EQ(rig.core().counters().waited, 1u);
  rig.mint().set_reachable(true);
  EXPECT_TRUE(only<AccessDetails>(rig.replies(rig.alice, provider::kPatience)));
  EXPECT_EQ(rig.engine().running_names(rig.now()).size(), 1u);
}

TEST(Waiting, ATopUpRightAfterARestartIsServed) {
  Rig rig;
  rig.start();
  rig.run_for(Seconds{2});
  const AccessDetails bought = rig.buy(rig.alice);
  rig.mint().set_reachable(false);
  rig.restart();
  rig.run_for(Seconds{1});
  rig.ask(rig.alice, market::TopUpRequest{bought.pod_npub, rig.spawn(50).cashu_token, {}});
  rig.mint().set_reachable(true);
  EXPECT_TRUE(only<market::TopUpReply>(rig.replies(rig.alice, provider::kPatience)));
}

TEST(Waiting, TheSameRequestWaitsOnce) {
  Rig rig;
  rig.mint().set_reachable(false);
  rig.start();
  rig.run_for(Seconds{1});
  market::SpawnRequest request = rig.spawn();
  request.request_id.emplace().bytes[0] = 7;
  rig.ask(rig.alice, request);
  rig.ask(rig.alice, request);
  rig.mint().set_reachable(true);
  EXPECT_TRUE(only<AccessDetails>(rig.replies(rig.alice, provider::kPatience)));
  EXPECT_EQ(rig.core().counters().waited, 1u);
}

TEST(Waiting, PatienceEndsWithARefusalThatLeavesTheTokenAlone) {
  Rig rig;
  rig.mint().set_reachable(false);
  rig.start();
  rig.run_for(Seconds{1});
  rig.ask(rig.alice, rig.spawn());
  EXPECT_THAT(rig.replies(rig.alice, provider::kPatience - Seconds{1}), testing::IsEmpty());
  const auto error = only<ErrorReply>(rig.replies(rig.alice));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->error_type, "mint_network_error");
  EXPECT_EQ(error->token_state, market::TokenState::Untouched);
  EXPECT_EQ(rig.token_calls(), 0u);
}

// What waits is no record: a crash forgets it, and its relays bring it again.
TEST(Waiting, ACrashForgetsWhoWaits) {
  Rig rig;
  rig.mint().set_reachable(false);
  rig.start();
  rig.run_for(Seconds{1});
  const auto sent = rig.ask(rig.alice, rig.spawn());
  rig.mint().set_reachable(true);
  rig.restart();
  rig.run_for(Seconds{5});
  EXPECT_FALSE(rig.core().delivered(sent.event.id));
  rig.deliver(sent.event);
  EXPECT_TRUE(only<AccessDetails>(rig.replies(rig.alice)));
}

TEST(Waiting, TheRoomIsBounded) {
  Rig rig;
  rig.mint().set_reachable(false);
  rig.start();
  rig.run_for(Seconds{1});
  for (size_t i = 0; i < provider::kWaitingMax; ++i)
    rig.ask(Identity(Tier::Fast, 600 + i / 16), rig.spawn());
  EXPECT_EQ(rig.core().counters().waited, provider::kWaitingMax);
  rig.ask(rig.alice, rig.spawn());
  EXPECT_EQ(rig.core().counters().waited, provider::kWaitingMax);
  EXPECT_TRUE(only<ErrorReply>(rig.replies(rig.alice)));
}

TEST(TooManyRequests, AreCountedAndAnsweredOnceAMinute) {
  Rig rig;
  rig.start();
  rig.run_for(Seconds{2});
  for (uint32_t i = 0; i < provider::kRequestsPerMinute; ++i)
    rig.ask(rig.alice, market::StatusRequest{"container-1000", {}});
  rig.replies(rig.alice, Seconds{30});
  const auto calls = rig.token_calls();
  const market::SpawnRequest second = rig.spawn();
  rig.ask(rig.alice, rig.spawn());
  rig.ask(rig.alice, second);
  const auto error = only<ErrorReply>(rig.replies(rig.alice));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->error_type, "rate_limited");
  EXPECT_EQ(error->token_state, market::TokenState::Untouched);
  EXPECT_EQ(error->retry_after_secs, 60u);
  EXPECT_EQ(rig.token_calls(), calls);
  EXPECT_EQ(rig.core().counters().over_limit, 2u);
  rig.run_for(Seconds{60});
  rig.ask(rig.alice, second);  // nothing was said of it: it may be sent again
  EXPECT_TRUE(only<AccessDetails>(rig.replies(rig.alice)));
}

TEST(Status, ALeaseThatIsNotPaidYetIsNotRunning) {
  Rig rig;
  rig.start();
  rig.run_for(Seconds{2});
  rig.hold_outputs = true;
  rig.ask(rig.alice, rig.spawn());
  rig.run_for(Seconds{1});
  rig.ask(rig.alice, market::StatusRequest{"container-1000", {}});
  const auto error = only<ErrorReply>(rig.replies(rig.alice));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->error_type, "not_found");
  EXPECT_EQ(error->retry_after_secs, 10u);
  rig.release();
  rig.replies(rig.alice);
  rig.ask(rig.alice, market::StatusRequest{"container-1000", {}});
  const auto status = only<market::StatusReply>(rig.replies(rig.alice));
  ASSERT_TRUE(status);
  EXPECT_EQ(status->status, "Running");
}

}  // namespace
}  // namespace paygress::sim
