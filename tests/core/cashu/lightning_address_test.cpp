#include "core/cashu/lightning_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace paygress::cashu {
namespace {

using ::testing::HasSubstr;

constexpr const char* kAsked = "https://pay.example/.well-known/lnurlp/me";

std::string pay_request(const std::string& callback, const std::string& rest = "") {
  return R"({"tag":"payRequest","minSendable":1000,"maxSendable":50000,"callback":")" + callback +
         "\"" + rest + "}";
}
template <class T>
std::string problem(const Result<T>& result) {
  return result ? "" : to_string(result.error());
}

TEST(LightningAddress, IsAskedAtItsHost) {
  EXPECT_EQ(lightning_address_url("me@pay.example").value(), kAsked);
  EXPECT_EQ(lightning_address_url("a.b-c_d+e1@Pay.Example:8443").value(),
            "https://pay.example:8443/.well-known/lnurlp/a.b-c_d+e1");
  EXPECT_EQ(lightning_address_url("me@127.0.0.1:9").value(),
            "http://127.0.0.1:9/.well-known/lnurlp/me");
  for (const char* bad : {"", "@", "me", "@pay.example", "me@", "Me@pay.example", "m/e@pay.example",
                          "me@pay.example/x", "me@pay.example?x", "me@pay example", "me@a@b",
                          "me@pay.example:0", "https://me@pay.example", "me%2f@pay.example"})
    EXPECT_FALSE(lightning_address_url(bad).has_value()) << bad;
}

TEST(LightningAddress, AsksForAnInvoiceWhereItIsTold) {
  const auto plain = read_pay_request(kAsked, pay_request("https://x.example/cb")).value();
  EXPECT_EQ(plain.least, Msat{1000});
  EXPECT_EQ(plain.most, Msat{50'000});
  EXPECT_EQ(invoice_url(plain, Msat{1000}).value(), "https://x.example/cb?amount=1000");
  EXPECT_EQ(invoice_url(plain, Msat{50'000}).value(), "https://x.example/cb?amount=50000");
  EXPECT_THAT(problem(invoice_url(plain, Msat{999})), HasSubstr("from 1000 to 50000"));
  EXPECT_FALSE(invoice_url(plain, Msat{50'001}).has_value());
  const auto query = read_pay_request(kAsked, pay_request("https://x.example/cb?id=1")).value();
  EXPECT_EQ(invoice_url(query, Msat{2000}).value(), "https://x.example/cb?id=1&amount=2000");
}

TEST(LightningAddress, TakesNoOtherAnswer) {
  for (const char* callback : {"http://x.example/cb", "http://127.0.0.1/cb", "file:///etc/passwd",
                               "https://x.example/cb#f", "https://x.example/c b", "", "/cb"})
    EXPECT_THAT(problem(read_pay_request(kAsked, pay_request(callback))), HasSubstr("callback"))
        << callback;
  EXPECT_TRUE(read_pay_request("http://127.0.0.1/a", pay_request("http://127.0.0.1/cb")));
  EXPECT_THAT(problem(read_pay_request(kAsked, R"({"status":"ERROR","reason":"no\nsuch"})")),
              HasSubstr("no such"));
  for (const char* body : {"", "[]", "{}", R"({"tag":"withdrawRequest"})",
                           R"({"tag":"payRequest","callback":"https://x.example"})",
                           R"({"tag":"payRequest","callback":"https://x.example",)"
                           R"("minSendable":"1","maxSendable":2})"})
    EXPECT_FALSE(read_pay_request(kAsked, body).has_value()) << body;
  EXPECT_FALSE(read_pay_request(kAsked, std::string(kLnurlBytesMax + 1, ' ')).has_value());
}

TEST(LightningAddress, TakesAnInvoiceOfExactlyTheAmount) {
  const std::string invoice = "lnbc20u1" + std::string(120, 'q');
  const std::string body = R"({"pr":")" + invoice + R"(","routes":[]})";
  EXPECT_EQ(read_invoice(body, Msat{2'000'000}).value(), invoice);
  EXPECT_THAT(problem(read_invoice(body, Msat{2'000'001})), HasSubstr("another amount"));
  const std::string open = R"({"pr":"lnbc1)" + std::string(120, 'q') + R"("})";
  EXPECT_THAT(problem(read_invoice(open, Msat{2'000'000})), HasSubstr("another amount"));
  EXPECT_FALSE(read_invoice(R"({"status":"ERROR","reason":"busy"})", Msat{1}).has_value());
  EXPECT_FALSE(read_invoice(R"({"pr":5})", Msat{1}).has_value());
}

}  // namespace
}  // namespace paygress::cashu
