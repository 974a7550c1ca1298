// The mint model, over its bytes interface, behaves as the redeemer relies on.
#include "sim/models/mint.h"
#include "tests/conformance/mint/mint_conformance.h"

namespace paygress::conformance {
namespace {

class MintModelUnderTest final : public MintUnderTest {
 public:
  explicit MintModelUnderTest(uint8_t keyset_version)
      : mint_(settings(keyset_version), sim::real_mint_crypto()) {}
  Answer request(bool post, const std::string& path, const Bytes& body) override {
    auto answer = mint_.handle_http(Micros{0}, post, path, as_text(body));
    return {answer.status, std::move(answer.body)};
  }
  void wait_a_little() override {}
  cashu::WalletSeed fresh_wallet() override { return {}; }

 private:
  static sim::MintSettings settings(uint8_t keyset_version) {
    sim::MintSettings made;
    made.keyset_version = keyset_version;
    made.key_count = 10;
    return made;
  }
  sim::Mint mint_;
};

MakeMint model(uint8_t keyset_version) {
  return [keyset_version] { return std::make_unique<MintModelUnderTest>(keyset_version); };
}
INSTANTIATE_TEST_SUITE_P(Model, MintConformance, ::testing::Values(model(0), model(1)));

}  // namespace
}  // namespace paygress::conformance
