// A mint that we did not write, over HTTP.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "shell/base/entropy.h"
#include "shell/net/http_client.h"
#include "tests/conformance/mint/mint_conformance.h"
#include "tests/peers/peers.h"

namespace paygress::peers {

// Where nutshell's error codes differ from the specification's (NUTs, error_codes.md). No code is a
// verdict to us, so no difference of codes can cost money.
inline const std::map<uint32_t, uint32_t> kKnownCodes{
    {11005, 11000},  // an unbalanced swap: its code for "transaction error", the reason in words
};

class ForeignMint final : public conformance::MintUnderTest {
 public:
  explicit ForeignMint(std::string url) : url_(std::move(url)) {}

  // The mint whose address is in `variable`; without one the test is skipped.
  static std::unique_ptr<MintUnderTest> find(const char* variable) {
    std::string url = peers::find(variable);
    if (!url.empty()) return std::make_unique<ForeignMint>(std::move(url));
    skip_absent();
    return nullptr;
  }
  const std::string& url() const { return url_; }

  Answer request(bool post, const std::string& path, const Bytes& body) override {
    net::HttpCall call;
    call.method = post ? "POST" : "GET";
    call.url = url_ + path;
    if (post) call.headers = {{"Content-Type", "application/json"}};
    call.body = std::string(as_text(body));
    std::optional<net::HttpOutcome> outcome;
    client_.start(std::move(call), [&](net::HttpOutcome got) { outcome = std::move(got); });
    loop_.run_until([&] { return outcome.has_value(); }, kPatience);
    const auto* answered = outcome ? std::get_if<net::Answered>(&*outcome) : nullptr;
    if (answered == nullptr) return {};
    const ByteView bytes = as_bytes(answered->body);
    return {static_cast<uint32_t>(answered->status), Bytes(bytes.begin(), bytes.end())};
  }
  void wait_a_little() override {
    loop_.run_until([] { return false; }, 20_ms);
  }
  cashu::WalletSeed fresh_wallet() override {
    ByteArray<64> seed;
    shell::OsEntropy().fill(seed);
    return cashu::WalletSeed(seed);
  }
  uint32_t code_for(uint32_t code) const override {
    const auto known = kKnownCodes.find(code);
    return known == kKnownCodes.end() ? code : known->second;
  }

 private:
  static constexpr Micros kPatience = 40'000_ms;  // above the client's own time-out

  std::string url_;
  net::Loop loop_;
  net::HttpClient client_{loop_};
};

// Both mints of run.sh, for INSTANTIATE_TEST_SUITE_P.
inline auto foreign_mints() {
  return ::testing::Values(
      conformance::MakeMint([] { return ForeignMint::find("PAYGRESS_PEER_MINT"); }),
      conformance::MakeMint([] { return ForeignMint::find("PAYGRESS_PEER_MINT_FEE"); }));
}
inline std::string foreign_mint_name(const ::testing::TestParamInfo<conformance::MakeMint>& mint) {
  return mint.index == 0 ? "NoFee" : "Fee100ppk";
}

}  // namespace paygress::peers
