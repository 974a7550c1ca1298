// The human-readable part of an invoice (BOLT 11): what it asks for, and what is no invoice.
#include "core/cashu/invoice.h"

#include <gtest/gtest.h>

#include <string>

#include "core/base/random.h"

namespace paygress::cashu {
namespace {

// Of BOLT 11's examples: the data is as there, in parts.
const std::string kData =
    "pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq"
    "5rqwzqfqqqsyqcyq5rqwzqfqypqdq5xysxxatsyp3k7enxv4jsxqzpu9qrsgquk0rl77nj30yxdy8j9vdx85fkpmdl"
    "a2087ne0xh8nhedh8w27kyke0lp53ut353s06fv3qfegext0eh0ymjpf39tuven09sam30g4vgpfna3rh";

std::optional<Msat> amount(const std::string& prefix) {
  const auto read = invoice_amount(prefix + "1" + kData);
  EXPECT_TRUE(read.has_value()) << prefix;
  return read ? *read : std::optional<Msat>{};
}
bool refused(const std::string& invoice) { return !invoice_amount(invoice).has_value(); }
bool refused_prefix(const std::string& prefix) { return refused(prefix + "1" + kData); }

TEST(Invoice, SaysItsAmountInItsPrefix) {
  EXPECT_EQ(amount("lnbc2500u"), Msat{250'000'000});
  EXPECT_EQ(amount("lnbc20m"), Msat{2'000'000'000});
  EXPECT_EQ(amount("lnbc25m"), Msat{2'500'000'000});
  EXPECT_EQ(amount("lnbc9678785340p"), Msat{967'878'534});
  EXPECT_EQ(amount("lntb20m"), Msat{2'000'000'000});
  EXPECT_EQ(amount("lntbs10n"), Msat{1'000});
  EXPECT_EQ(amount("lnbcrt10p"), Msat{1});
  EXPECT_EQ(amount("lnbc1"), Msat{100'000'000'000});
  EXPECT_EQ(amount("lnbc21000000"), Msat{2'100'000'000'000'000'000});
  EXPECT_EQ(amount("lnbc"), std::nullopt);
  EXPECT_EQ(amount("lnbcrt"), std::nullopt);
}

TEST(Invoice, MayBeInUpperCaseAndNotInBoth) {
  std::string upper = "LNBC2500U1" + kData;
  for (char& c : upper)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  EXPECT_EQ(invoice_amount(upper).value(), Msat{250'000'000});
  EXPECT_TRUE(refused("LNBC2500U1" + kData));
}

TEST(Invoice, IsRefusedWhenItsPrefixIsNotOne) {
  for (const char* prefix : {"",
                             "ln",
                             "lnxx10u",
                             "bc10u",
                             "lnbc0",
                             "lnbc0u",
                             "lnbc01u",
                             "lnbcu",
                             "lnbc10x",
                             "lnbc10uu",
                             "lnbc1p",
                             "lnbc11p",
                             "lnbc-10u",
                             "lnbc+10u",
                             "lnbc1.5u",
                             "lnbc10 u",
                             "lnbc21000001",
                             "lnbc99999999999999999999u",
                             "lnbc92233720368547758m",
                             "lnbc18446744073709551617n"})
    EXPECT_TRUE(refused_prefix(prefix)) << prefix;
  EXPECT_TRUE(refused(""));
  EXPECT_TRUE(refused("lnbc10u"));
  EXPECT_TRUE(refused("lnbc10u1" + kData.substr(0, 116)));
  EXPECT_FALSE(refused("lnbc10u1" + kData.substr(0, 117)));
  EXPECT_TRUE(refused("lnbc10u1" + kData + "b"));
  EXPECT_TRUE(refused("lnbc10u1" + kData + "\n"));
  EXPECT_TRUE(refused("lightning:lnbc10u1" + kData));
}

// Whatever is done to a prefix: it is refused, or its amount is what its digits say.
TEST(Invoice, OfRandomPrefixesIsReadByTheRulesAlone) {
  RandomStream random(1, 2, "invoices");
  const std::string letters = "0123456789munpabcrtsl ";
  size_t read = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::string tail;
    for (uint64_t n = random.below(8); n > 0; --n)
      tail.push_back(letters[random.below(letters.size())]);
    const auto got = invoice_amount("lnbcrt" + tail + "1" + kData);
    const size_t digits = std::min(tail.find_first_not_of("0123456789"), tail.size());
    const std::string unit = tail.substr(digits);
    const uint64_t number = digits == 0 ? 0 : std::stoull(tail.substr(0, digits));
    const uint64_t tenths = unit.empty()  ? 1'000'000'000'000
                            : unit == "m" ? 1'000'000'000
                            : unit == "u" ? 1'000'000
                            : unit == "n" ? 1'000
                            : unit == "p" ? 1
                                          : 0;
    const bool well_formed = tail.empty() || (number > 0 && tail.front() != '0' && tenths > 0 &&
                                              number * tenths % 10 == 0 &&
                                              number * tenths / 10 <= 2'100'000'000'000'000'000);
    ASSERT_EQ(got.has_value(), well_formed) << tail;
    if (!got || !*got) continue;
    ++read;
    ASSERT_EQ((*got)->value, static_cast<int64_t>(number * tenths / 10)) << tail;
  }
  EXPECT_GT(read, 1'000u);
}

}  // namespace
}  // namespace paygress::cashu
