// What an operator reads of a mint that is away: once when it stops answering, once when it is
// back.
#include "shell/provider/mint_watch.h"

#include <gtest/gtest.h>

namespace paygress::daemon {
namespace {

using cashu::Endpoint;

constexpr const char* kMint = "https://mint.example";

Now at(int64_t seconds) { return {micros(Seconds{seconds}), UnixSeconds{1'800'000'000 + seconds}}; }

TEST(MintWatch, SaysOnceThatAMintIsAwayAndOnceThatItIsBack) {
  MintWatch watch;
  EXPECT_FALSE(watch.heard(kMint, Endpoint::Info, at(0)));
  EXPECT_TRUE(watch.missed(kMint, Endpoint::Swap, "time-out", at(1)));
  EXPECT_FALSE(watch.missed(kMint, Endpoint::Swap, "refused", at(2)));
  EXPECT_FALSE(watch.missed(kMint, Endpoint::Keysets, "refused", at(3)));
  ASSERT_EQ(watch.silent().size(), 1u);
  EXPECT_EQ(watch.silent().at(kMint).since, at(1).wall);
  EXPECT_EQ(watch.silent().at(kMint).reason, "/v1/swap: time-out");
  EXPECT_FALSE(watch.heard(kMint, Endpoint::Keysets, at(4))) << "swaps still hang";
  EXPECT_TRUE(watch.heard(kMint, Endpoint::Swap, at(5)));
  EXPECT_TRUE(watch.silent().empty());
  EXPECT_FALSE(watch.heard(kMint, Endpoint::Swap, at(6)));
  EXPECT_TRUE(watch.missed(kMint, Endpoint::Info, "refused", at(7))) << "the next time";
}

// A swap that hung is settled by a restore: nobody asks for the swap again.
TEST(MintWatch, WhatNobodyAsksAgainIsForgotten) {
  MintWatch watch;
  EXPECT_TRUE(watch.missed(kMint, Endpoint::Swap, "time-out", at(0)));
  EXPECT_FALSE(watch.heard(kMint, Endpoint::Restore, at(299)));
  EXPECT_TRUE(watch.heard(kMint, Endpoint::Info, at(300)));
}

TEST(MintWatch, WhateverIsOnlyReadIsOneKindOfQuestion) {
  MintWatch watch;
  EXPECT_TRUE(watch.missed(kMint, Endpoint::Keysets, "refused", at(0)));
  EXPECT_TRUE(watch.missed("https://other.example", Endpoint::Info, "refused", at(0)));
  EXPECT_TRUE(watch.heard(kMint, Endpoint::Info, at(1)));
  EXPECT_TRUE(watch.silent().contains("https://other.example"));
}

TEST(MintWatch, AServerInFrontOfAMintThatIsAwayIsNoAnswer) {
  EXPECT_EQ(MintWatch::problem_of(net::Answered{200, {}, {}, {}}), std::nullopt);
  EXPECT_EQ(MintWatch::problem_of(net::Answered{400, {}, {}, {}}), std::nullopt);
  EXPECT_EQ(MintWatch::problem_of(net::Answered{502, {}, {}, {}}), "status 502");
  EXPECT_EQ(MintWatch::problem_of(net::NotSent{"refused"}), "refused");
  EXPECT_EQ(MintWatch::problem_of(net::Uncertain{"time-out"}), "time-out");
}

}  // namespace
}  // namespace paygress::daemon
