// A request when nobody is there to carry it.
#include "shell/client/exchange.h"

#include <gtest/gtest.h>

#include "shell/base/clock.h"
#include "tests/shell/temporary_directory.h"

namespace paygress::client {
namespace {

TEST(Exchange, WithoutAnyRelayItFailsAtOnceAndSaysThatNothingWasSent) {
  const test::TemporaryDirectory directory;
  const auto identity = load_identity(directory.path());
  ASSERT_TRUE(identity.has_value());
  consumer::RequestMade request;
  request.provider = identity->key.public_key();
  request.relays = {"ws://127.0.0.1:1"};  // nothing listens on a port of the system's
  request.json =
      market::to_json(market::Request{market::StatusRequest{"container-1", request.request}});
  net::Loop loop;
  const Micros before = shell::now().mono;
  const auto answer = exchange(loop, *identity, request, Seconds{30}, [](const auto&) {});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ExitCode::Failed);
  EXPECT_TRUE(answer.error().message.starts_with("no relay could be reached: ws://127.0.0.1:1"))
      << answer.error().message;
  EXPECT_NE(answer.error().advice.find("Nothing was sent"), std::string::npos);
  EXPECT_LT(shell::now().mono - before, micros(Seconds{5}));
}

}  // namespace
}  // namespace paygress::client
