#include "core/cashu/mint_url.h"

#include <gtest/gtest.h>

#include <vector>

namespace paygress::cashu {
namespace {

std::string normal(std::string_view url) {
  const auto result = normalise_mint_url(url);
  return result ? *result : "refused: " + result.error().message;
}

TEST(MintUrl, OneMintHasOneSpelling) {
  for (const char* url : {"https://mint.example/Bitcoin", "HTTPS://Mint.EXAMPLE/Bitcoin",
                          "https://mint.example:443/Bitcoin", "https://mint.example/Bitcoin/",
                          "https://mint.example:443/Bitcoin//"})
    EXPECT_EQ(normal(url), "https://mint.example/Bitcoin") << url;
  EXPECT_EQ(normal("https://8333.space:3338"), "https://8333.space:3338");
  EXPECT_EQ(normal("https://mint.example:80/"), "https://mint.example:80");
  EXPECT_EQ(normal("http://127.0.0.1:80"), "http://127.0.0.1");
  EXPECT_EQ(normal("https://[2001:DB8::1]:8443/x"), "https://[2001:db8::1]:8443/x");
  EXPECT_NE(normal("https://mint.example/bitcoin"), normal("https://mint.example/Bitcoin"));
}

TEST(MintUrl, PlainHttpOnlyForLoopbackAndOnion) {
  for (const char* url : {"http://localhost:3338", "http://127.0.0.1:3338", "http://127.1.2.3",
                          "http://[::1]:3338", "http://abcdef.onion"})
    EXPECT_TRUE(normalise_mint_url(url)) << url;
  for (const char* url : {"http://mint.example", "http://127.0.0.1.example", "http://128.0.0.1",
                          "http://localhost.example", "http://onion", "http://.onion",
                          "http://127.0.0.256", "http://[::2]", "http://xonion"})
    EXPECT_FALSE(normalise_mint_url(url)) << url;
}

TEST(MintUrl, RefusesWhatCouldMeanAnotherHost) {
  for (const char* url : {"",
                          "mint.example",
                          "https://",
                          "https:///path",
                          "ftp://mint.example",
                          "https://user@mint.example",
                          "https://mint.example@evil.example",
                          "https://mint.example?x=1",
                          "https://mint.example/#f",
                          "https://mint.example\\evil",
                          "https://mint.example /",
                          "https://mint.example\n",
                          "https://mint.example:0",
                          "https://mint.example:65536",
                          "https://mint.example:",
                          "https://mint.example:+1",
                          "https://mint.example.",
                          "https://mint..example",
                          "https://mint.example/../x",
                          "https://mint.example/./x",
                          "https://mint.example/%2E%2e/x",
                          "https://[::1",
                          "https://[]:1",
                          "https://[::1]x",
                          "https://m\xc3\xadnt.example"})
    EXPECT_FALSE(normalise_mint_url(url)) << url;
  EXPECT_FALSE(normalise_mint_url("https://mint.example/" + std::string(512, 'a')));
}

// The result is a fixed point: what was normalised once is not changed by doing it again.
TEST(MintUrl, NormalisingTwiceChangesNothing) {
  for (const char* url : {"HTTPS://A.B:443/c/", "http://LOCALHOST:80//", "https://[::F]:1/P/Q//"}) {
    const auto once = normalise_mint_url(url).value();
    EXPECT_EQ(normalise_mint_url(once).value(), once);
  }
}

// The existing network's rule touches less: default ports and queries stay.
TEST(MintUrl, ExistingNetworkForm) {
  EXPECT_EQ(existing_network_mint_url("HTTPS://Mint.Example:443/Path//").value(),
            "https://mint.example:443/Path");
  EXPECT_EQ(existing_network_mint_url("http://Mint.Example/P?Q=1").value(),
            "http://mint.example/P?Q=1");
  EXPECT_FALSE(existing_network_mint_url("mint.example"));
  EXPECT_FALSE(existing_network_mint_url("https://"));
  EXPECT_FALSE(existing_network_mint_url("://x"));
}

TEST(MintUrl, AllowedOnlyWhenListed) {
  const std::vector<std::string> allowed = {"not a url", "https://Mint.Example/"};
  EXPECT_TRUE(is_mint_allowed("https://mint.example:443", allowed));
  EXPECT_FALSE(is_mint_allowed("https://mint.example/other", allowed));
  EXPECT_FALSE(is_mint_allowed("not a url", allowed));
  EXPECT_FALSE(is_mint_allowed("https://mint.example", {}));
}

}  // namespace
}  // namespace paygress::cashu
