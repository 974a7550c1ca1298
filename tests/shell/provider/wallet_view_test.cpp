// What the wallet's verbs say to a person.
#include "shell/provider/wallet_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace paygress::daemon {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr const char* kMint = "https://mint.example";

TEST(RestoreText, SaysWhyAMintWasNotSearched) {
  const std::vector<provider::WalletSearched> searched = {{kMint, false, {}}};
  const SilentMints silent = {{kMint, {UnixSeconds{1'800'000'000}, "/v1/restore: refused"}}};
  EXPECT_THAT(restore_text(restore_json(searched, silent, false)),
              HasSubstr("not searched to its end: it does not answer (/v1/restore: refused)"));
  EXPECT_THAT(restore_text(restore_json(searched, {}, false)), HasSubstr("it refused a question"));
  const auto whole = restore_json({{kMint, true, {}}}, silent, false);
  EXPECT_TRUE(whole.at("mints").as_array()[0].at("problem").is_null());
  EXPECT_EQ(restore_text(whole), "nothing was found\n");
}

TEST(HistoryText, HasAHeaderAndTheFees) {
  EXPECT_EQ(history_text(to_json(std::vector<WalletEntry>())), "nothing came in or left yet\n");
  const std::string text = history_text(to_json(std::vector<WalletEntry>{
      {1, UnixSeconds{1'800'000'000}, "received", kMint, "sat", Msat{299'000}, Msat{1500},
       Msat{299'000}, "0123456789abcdef", ""}}));
  EXPECT_THAT(text, StartsWith("WHEN "));
  EXPECT_THAT(text, HasSubstr("  1.500  "));
  EXPECT_THAT(text, Not(HasSubstr("msat")));
}

}  // namespace
}  // namespace paygress::daemon
