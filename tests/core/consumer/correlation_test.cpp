// Replies of the existing network name no request (network.md 1.5): what may be taken for ours.
#include "core/consumer/correlation.h"

#include <gtest/gtest.h>

namespace paygress::consumer {
namespace {

constexpr UnixSeconds kAsked{1'800'000'000};

Awaited awaited(RequestKind kind = RequestKind::Spawn) {
  Awaited a;
  a.provider.bytes.fill(1);
  a.request.bytes.fill(2);
  a.kind = kind;
  a.asked_at = kAsked;
  EventId event;
  event.bytes.fill(3);
  a.sent = {event};
  return a;
}

market::Reply access(std::optional<market::RequestId> id) {
  market::AccessDetails details;
  details.request_id = id;
  return details;
}

market::Reply error(std::optional<market::RequestId> id, bool interim) {
  market::ErrorReply reply;
  reply.error_type = "token_pending";
  reply.request_id = id;
  if (interim) reply.interim = true;
  return reply;
}

TEST(Correlation, RequestIdDecidesWhereThereIsOne) {
  const Awaited a = awaited();
  market::RequestId other;
  EXPECT_EQ(match(a, a.provider, kAsked, nullptr, access(a.request)), Match::Final);
  EXPECT_EQ(match(a, a.provider, kAsked, nullptr, access(other)), Match::No);
  // The answer to an earlier sending of the same request is its answer, whenever it was written.
  EXPECT_EQ(match(a, a.provider, UnixSeconds{1}, nullptr, access(a.request)), Match::Final);
  const std::string foreign(64, 'f');
  EXPECT_EQ(match(a, a.provider, kAsked, &foreign, access(a.request)), Match::Final);
}

TEST(Correlation, OnlyTheProviderAnswers) {
  const Awaited a = awaited();
  PubKey stranger;
  EXPECT_EQ(match(a, stranger, kAsked, nullptr, access(a.request)), Match::No);
}

TEST(Correlation, EventTagDecidesWithoutRequestId) {
  const Awaited a = awaited();
  const std::string ours = a.sent.begin()->hex();
  const std::string other(64, '0');
  const std::string broken = "x";
  EXPECT_EQ(match(a, a.provider, UnixSeconds{1}, &ours, access({})), Match::Final);
  EXPECT_EQ(match(a, a.provider, kAsked, &other, access({})), Match::No);
  EXPECT_EQ(match(a, a.provider, kAsked, &broken, access({})), Match::No);
}

TEST(Correlation, OldProviderIsBelievedByShapeAndTime) {
  const Awaited a = awaited();
  EXPECT_EQ(match(a, a.provider, kAsked, nullptr, access({})), Match::Final);
  EXPECT_EQ(match(a, a.provider, UnixSeconds{kAsked.value - 3600}, nullptr, access({})), Match::No);
  EXPECT_EQ(match(a, a.provider, kAsked, nullptr, market::StatusReply{}), Match::No);
  EXPECT_EQ(match(awaited(RequestKind::Status), a.provider, kAsked, nullptr, market::StatusReply{}),
            Match::Final);
  EXPECT_EQ(match(a, a.provider, UnixSeconds{INT64_MAX}, nullptr, access({})), Match::Final);
  EXPECT_EQ(match(a, a.provider, UnixSeconds{INT64_MIN}, nullptr, access({})), Match::No);
}

// A provider of ours answers with the id. What it writes without one is news of a take-over.
TEST(Correlation, UnaskedLettersAreNoAnswer) {
  market::AccessDetails took_over;
  took_over.epoch = 1;
  market::StatusReply superseded;
  superseded.state = "watching";
  const Awaited spawn = awaited();
  const Awaited status = awaited(RequestKind::Status);
  EXPECT_EQ(match(spawn, spawn.provider, kAsked, nullptr, took_over), Match::No);
  EXPECT_EQ(match(status, status.provider, kAsked, nullptr, superseded), Match::No);
  took_over.request_id = spawn.request;
  superseded.request_id = status.request;
  EXPECT_EQ(match(spawn, spawn.provider, kAsked, nullptr, took_over), Match::Final);
  EXPECT_EQ(match(status, status.provider, kAsked, nullptr, superseded), Match::Final);
}

TEST(Correlation, InterimAnswerIsNotFinal) {
  const Awaited a = awaited();
  EXPECT_EQ(match(a, a.provider, kAsked, nullptr, error(a.request, true)), Match::Interim);
  EXPECT_EQ(match(a, a.provider, kAsked, nullptr, error(a.request, false)), Match::Final);
}

TEST(Correlation, KindOfRequest) {
  EXPECT_EQ(kind_of(market::SpawnRequest{}), RequestKind::Spawn);
  EXPECT_EQ(kind_of(market::TopUpRequest{}), RequestKind::TopUp);
  EXPECT_EQ(kind_of(market::StatusRequest{}), RequestKind::Status);
  EXPECT_EQ(kind_of(market::StopRequest{}), RequestKind::Status);
}

}  // namespace
}  // namespace paygress::consumer
