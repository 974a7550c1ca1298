// Token strings (NUT-00) between us and a wallet that we did not write (nutshell's), with the mint
// of both between them: what it writes we take, and what we write it takes, V3 and V4.
#include <gtest/gtest.h>

#include <string>

#include "core/cashu/token.h"
#include "tests/peers/command.h"
#include "tests/peers/foreign_mint.h"
#include "tests/peers/peers.h"
#include "tests/peers/receiver.h"
#include "tests/shell/temporary_directory.h"

namespace paygress::conformance {
// Comes with the header of ForeignMint; mint_test.cpp instantiates it.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(MintConformance);
}  // namespace paygress::conformance

namespace paygress::peers {
namespace {

class TheirWallet {
 public:
  TheirWallet(std::string program, std::string mint)
      : program_(std::move(program)), mint_(std::move(mint)) {}
  // Its standard output; remembers the balance that it says last.
  std::string run(const std::string& arguments) {
    std::string said =
        run_command("'" + program_ + "' '" + home_.path() + "' " + mint_ + " " + arguments);
    const std::string label = "Balance: ";
    const size_t at = said.rfind(label);
    if (at == said.npos) {
      ADD_FAILURE() << "no balance in: " << said;
    } else {
      balance_ = std::stoull(said.substr(at + label.size()));
    }
    return said;
  }
  // The token of that many sat, as it writes it.
  std::string send(cashu::Amount amount, cashu::TokenVersion version) {
    const bool v3 = version == cashu::TokenVersion::V3;
    const std::string said =
        run("send --dleq " + std::string(v3 ? "--legacy " : "") + std::to_string(amount));
    const size_t at = said.find(v3 ? "cashuA" : "cashuB");
    if (at == said.npos) {
      ADD_FAILURE() << "no token in: " << said;
      return {};
    }
    return said.substr(at, said.find_first_of(" \r\n", at) - at);
  }
  // Mints that many sat. In two commands: in one, it waits without end for a word of the mint's
  // that came before it listened. An invoice of this mint is paid when it is looked at.
  void mint(cashu::Amount amount) {
    const std::string sat = std::to_string(amount);
    const std::string said = run("invoice --no-check " + sat);
    const std::string label = "--id ";
    const size_t at = said.rfind(label);
    ASSERT_NE(at, said.npos) << "no quote in: " << said;
    const size_t id = at + label.size();
    run("invoice " + sat + " " + said.substr(at, said.find_first_of(" \r\n", id) - at));
  }
  cashu::Amount balance() const { return balance_; }

 private:
  std::string program_;
  std::string mint_;
  test::TemporaryDirectory home_;
  cashu::Amount balance_ = 0;
};

class WalletTokens : public ::testing::TestWithParam<const char*> {};

TEST_P(WalletTokens, Pass_both_ways) {
  PAYGRESS_PEER_OR_SKIP(program, "PAYGRESS_PEER_WALLET");
  PAYGRESS_PEER_OR_SKIP(url, GetParam());
  ForeignMint mint(url);
  TheirWallet theirs(program, url);
  ASSERT_NO_FATAL_FAILURE(theirs.mint(1000));
  ASSERT_EQ(theirs.balance(), 1000u);

  for (const auto version : {cashu::TokenVersion::V4, cashu::TokenVersion::V3}) {
    const std::string text = theirs.send(99, version);
    const auto token = cashu::decode_token(text);
    ASSERT_TRUE(token.has_value()) << text << ": " << to_string(token.error());
    EXPECT_EQ(token->mint, url);
    EXPECT_EQ(token->unit, "sat");
    EXPECT_EQ(cashu::total(token->proofs).value(), 99u);
    for (const auto& proof : token->proofs) EXPECT_TRUE(proof.dleq.has_value());

    Receiver ours(mint, mint.fresh_wallet());
    const auto op = ours.receive(*token);
    ASSERT_TRUE(op.has_value()) << op.error().message;
    ASSERT_EQ(ours.summary(*op).status, cashu::OpStatus::Done);
    EXPECT_EQ(ours.balance(), 99 - ours.summary(*op).fee);

    // Back again: the fee of as many inputs is what their wallet pays for it.
    const cashu::Token back{url, "sat", "back again", ours.proofs()};
    const uint64_t ppk = ours.redeemer().mints().find(url, back.proofs.at(0).keyset)->input_fee_ppk;
    const cashu::Amount fee = (back.proofs.size() * ppk + 999) / 1000;
    const cashu::Amount before = theirs.balance();
    theirs.run("receive " + cashu::encode_token(back, version).value());
    EXPECT_EQ(theirs.balance(), before + ours.balance() - fee);
  }
}

INSTANTIATE_TEST_SUITE_P(Nutshell, WalletTokens,
                         ::testing::Values("PAYGRESS_PEER_MINT", "PAYGRESS_PEER_MINT_FEE"),
                         [](const auto& mint) { return mint.index == 0 ? "NoFee" : "Fee100ppk"; });

}  // namespace
}  // namespace paygress::peers
