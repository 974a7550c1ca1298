// What is refused before a token is touched, and what a good one is worth.
#include "core/cashu/token_quote.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/core/cashu/support.h"

namespace paygress::cashu {
namespace {

constexpr UnixSeconds kQuotedOn{1'800'000'000};
const std::string kQuotingMint = "https://mint.example";

class TokenQuoteTest : public ::testing::Test {
 protected:
  TokenQuoteTest() : book_({kQuotingMint}) { announce(tiny_.keyset); }

  void announce(const Keyset& keyset, std::vector<uint32_t> nuts = {7, 9, 12}) {
    book_.begin_reading(kQuotingMint);
    book_.on_answer({kQuotingMint, Endpoint::Info, {}}, InfoAnswer{"mint", std::move(nuts)});
    Keyset listed = keyset;
    listed.keys.clear();
    book_.on_answer({kQuotingMint, Endpoint::Keysets, {}}, KeysetsAnswer{{listed}});
    book_.on_answer({kQuotingMint, Endpoint::Keys, {}}, KeysetsAnswer{{keyset}});
  }
  Token token(const std::vector<Amount>& amounts) const {
    Token made{kQuotingMint, "usd", {}, {}};  // the unit in the token's text does not count
    for (const Amount amount : amounts)
      made.proofs.push_back(
          {amount, tiny_.keyset.id, "secret " + std::to_string(made.proofs.size()), {}, {}, {}});
    return made;
  }
  std::optional<RefusalReason> refusal(const Token& asked) const {
    const auto quote = quote_token(book_, asked, kQuotedOn);
    return quote ? std::nullopt : std::optional(quote.error().reason);
  }

  test::TinyMint tiny_;
  MintBook book_;
};

TEST_F(TokenQuoteTest, A_good_token_is_worth_its_net_value_in_the_keysets_unit) {
  tiny_.keyset.input_fee_ppk = 100;
  announce(tiny_.keyset);
  const auto quote = quote_token(book_, token({4, 32, 64}), kQuotedOn);
  ASSERT_TRUE(quote.has_value());
  EXPECT_EQ(quote->unit, "sat");
  EXPECT_EQ(quote->face, 100u);
  EXPECT_EQ(quote->fee, 1u);
  EXPECT_EQ(quote->net, 99u);
  EXPECT_EQ(quote->value, 99'000_msat);
}

TEST_F(TokenQuoteTest, An_msat_keyset_is_counted_in_msat) {
  tiny_.keyset.unit = "msat";
  announce(tiny_.keyset);
  const auto quote = quote_token(book_, token({64}), kQuotedOn);
  ASSERT_TRUE(quote.has_value());
  EXPECT_EQ(quote->value, 64_msat);
}

TEST_F(TokenQuoteTest, A_mints_address_is_compared_in_its_normal_form) {
  Token asked = token({64});
  asked.mint = "HTTPS://Mint.Example:443/";
  EXPECT_EQ(refusal(asked), std::nullopt);
  asked.mint = "https://other.example";
  EXPECT_EQ(refusal(asked), RefusalReason::MintNotAccepted);
}

TEST_F(TokenQuoteTest, A_mint_that_was_not_read_is_not_ready) {
  book_ = MintBook({kQuotingMint});
  EXPECT_EQ(refusal(token({64})), RefusalReason::MintNotReady);
  announce(tiny_.keyset, {7, 12});
  EXPECT_EQ(refusal(token({64})), RefusalReason::MintUnsuitable);
}

// NUT-00: a V4 token may name a version 2 keyset by its first 8 bytes.
TEST_F(TokenQuoteTest, A_short_keyset_id_is_resolved) {
  tiny_ = test::TinyMint("v2", KeysetVersion::V2);
  announce(tiny_.keyset);
  Token asked = token({64});
  asked.proofs[0].keyset = asked.proofs[0].keyset.substr(0, 16);
  const auto quote = quote_token(book_, asked, kQuotedOn);
  ASSERT_TRUE(quote.has_value());
  EXPECT_EQ(quote->proofs[0].keyset, tiny_.keyset.id);
}

TEST_F(TokenQuoteTest, Malformed_tokens_are_refused) {
  EXPECT_EQ(refusal(token({})), RefusalReason::Malformed);
  EXPECT_EQ(refusal(token({3})), RefusalReason::Malformed);  // no key for 3
  EXPECT_EQ(refusal(token(std::vector<Amount>(kProofsMax + 1, 1))), RefusalReason::Malformed);
  EXPECT_EQ(refusal(token(std::vector<Amount>(kProofsMax, 1))), std::nullopt);
  Token twice = token({1, 1});
  twice.proofs[1].secret = twice.proofs[0].secret;
  EXPECT_EQ(refusal(twice), RefusalReason::Malformed);
  Token unknown = token({64});
  unknown.proofs[0].keyset = "00ffffffffffffff";
  EXPECT_EQ(refusal(unknown), RefusalReason::UnknownKeyset);
}

TEST_F(TokenQuoteTest, Locked_tokens_are_refused) {  // NUT-10
  Token locked = token({64});
  locked.proofs[0].secret = R"(["P2PK",{"nonce":"00","data":"02aa","tags":[]}])";
  EXPECT_EQ(refusal(locked), RefusalReason::SpendingConditions);
}

TEST_F(TokenQuoteTest, A_token_that_the_fee_eats_is_too_small) {
  tiny_.keyset.input_fee_ppk = 1000;
  announce(tiny_.keyset);
  EXPECT_EQ(refusal(token({1})), RefusalReason::TooSmall);
  EXPECT_EQ(refusal(token({2})), std::nullopt);
}

TEST_F(TokenQuoteTest, Other_units_are_refused) {
  tiny_.keyset.unit = "usd";
  announce(tiny_.keyset);
  EXPECT_EQ(refusal(token({64})), RefusalReason::UnitUnsupported);
}

TEST_F(TokenQuoteTest, A_keyset_that_soon_expires_is_refused) {
  tiny_.keyset.final_expiry = kQuotedOn + Seconds{3600};
  announce(tiny_.keyset);
  EXPECT_EQ(refusal(token({64})), RefusalReason::UnknownKeyset);
}

TEST(ValueOf, Refuses_what_does_not_fit) {
  const Amount most = static_cast<Amount>(std::numeric_limits<int64_t>::max());
  EXPECT_EQ(value_of(most, "msat"), Msat{std::numeric_limits<int64_t>::max()});
  EXPECT_EQ(value_of(most + 1, "msat"), std::nullopt);
  EXPECT_EQ(value_of(most / 1000 + 1, "sat"), std::nullopt);
  EXPECT_EQ(value_of(1, "usd"), std::nullopt);
}

}  // namespace
}  // namespace paygress::cashu
