// A Lightning address over HTTP, on loopback: the two questions, and answers that are none.
#include "shell/provider/lightning_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>

#include "shell/net/http_server.h"

namespace paygress::daemon {
namespace {

using ::testing::HasSubstr;

constexpr Micros kPatience = 30'000'000_us;

struct Receiver : ::testing::Test {
  net::Loop loop;
  net::HttpClient http{loop};
  std::unique_ptr<net::HttpServer> server;
  std::map<std::string, net::HttpResponse> answers;  // by path
  std::vector<std::string> asked;                    // targets
  const std::string invoice = "lnbcrt20u1" + std::string(120, 'q');

  void SetUp() override {
    net::ServerHandlers handlers;
    handlers.on_request = [this](const net::HttpRequest& request, net::Responder responder) {
      asked.push_back(request.target);
      const auto known = answers.find(std::string(request.path()));
      responder(known == answers.end() ? net::HttpResponse::text(404, "no\n") : known->second);
    };
    auto listening = net::HttpServer::listen(loop, {}, std::move(handlers));
    ASSERT_TRUE(listening.has_value());
    server = std::move(*listening);
    pay_request(url() + "/cb?k=v");
    answers["/cb"] = net::HttpResponse::json(200, R"({"pr":")" + invoice + R"(","routes":[]})");
  }
  std::string host() { return "127.0.0.1:" + std::to_string(server->port()); }
  std::string url() { return "http://" + host(); }
  void pay_request(const std::string& callback) {
    answers["/.well-known/lnurlp/me"] = net::HttpResponse::json(
        200, R"({"tag":"payRequest","minSendable":1000,"maxSendable":3000000,"callback":")" +
                 callback + R"("})");
  }
  Result<std::string> fetch(Msat amount) {
    std::optional<Result<std::string>> got;
    fetch_invoice(http, "me@" + host(), amount, [&](Result<std::string> r) { got = std::move(r); });
    loop.run_until([&] { return got.has_value(); }, kPatience);
    return got ? *got : fail("no end");
  }
  std::string problem(Msat amount) {
    const auto got = fetch(amount);
    return got ? "" : to_string(got.error());
  }
};

TEST_F(Receiver, IsAskedTwiceAndGivesAnInvoice) {
  const auto got = fetch(Msat{2'000'000});
  ASSERT_TRUE(got.has_value()) << to_string(got.error());
  EXPECT_EQ(*got, invoice);
  EXPECT_EQ(asked, (std::vector<std::string>{"/.well-known/lnurlp/me", "/cb?k=v&amount=2000000"}));
}

TEST_F(Receiver, ThatGivesNoneIsNotAskedFurther) {
  EXPECT_THAT(problem(Msat{1'000'000}), HasSubstr("another amount"));
  EXPECT_THAT(problem(Msat{4'000'000}), HasSubstr("from 1000 to 3000000"));
  answers["/cb"] = net::HttpResponse::text(503, "busy\n");
  EXPECT_THAT(problem(Msat{2'000'000}), HasSubstr("503"));
  pay_request("ftp://" + host() + "/cb");
  EXPECT_THAT(problem(Msat{2'000'000}), HasSubstr("callback"));
  answers.clear();
  asked.clear();
  EXPECT_THAT(problem(Msat{2'000'000}), HasSubstr("404"));
  EXPECT_EQ(asked.size(), 1U);
  answers["/.well-known/lnurlp/me"] = net::HttpResponse::text(200, std::string(2 * 64 * 1024, ' '));
  EXPECT_THAT(problem(Msat{2'000'000}), HasSubstr("does not answer"));
}

TEST_F(Receiver, ThatIsNotThereIsSaidSo) {
  const std::string gone = "me@" + host();
  server.reset();
  std::optional<Result<std::string>> got;
  fetch_invoice(http, gone, Msat{1000}, [&](Result<std::string> r) { got = std::move(r); });
  loop.run_until([&] { return got.has_value(); }, kPatience);
  ASSERT_TRUE(got && !*got);
  EXPECT_THAT(to_string(got->error()), HasSubstr("does not answer"));
}

}  // namespace
}  // namespace paygress::daemon
