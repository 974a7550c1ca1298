#include "core/cashu/condition.h"

#include <gtest/gtest.h>

#include "core/cashu/token.h"
#include "tests/core/cashu/support.h"

namespace paygress::cashu {
namespace {

// NUT-11 tests: every secret there is locked, whatever its tags and witness.
TEST(Condition, EverySecretOfNut11IsLocked) {
  const auto file = test::vectors("nut_json_blocks.json");
  size_t seen = 0;
  const auto check = [&](const boost::json::value& proof) {
    const std::string secret = test::str(proof.at("secret"));
    const auto kind = spending_condition(secret);
    EXPECT_TRUE(kind == "P2PK" || kind == "HTLC") << secret;
    ++seen;
  };
  for (const auto& block : file.at("NUT-11").as_array()) {
    const auto* json = block.at("json").if_object();
    if (json == nullptr) continue;
    if (json->contains("secret")) check(block.at("json"));
    if (const auto* inputs = json->if_contains("inputs"))
      for (const auto& input : inputs->as_array()) check(input);
  }
  for (const auto& block : file.at("NUT-28").as_array())
    if (const auto* json = block.at("json").if_object()) check(*json);
  EXPECT_GE(seen, 20U);
}

// NUT-10: a secret is well-known only as ["KIND", {...}]; a mint takes anything else as plain.
TEST(Condition, PlainSecrets) {
  for (const char* secret :
       {"", "407915bc212be61a77e3e6d2aeb4c727980bda51cd06a6afc29e2861768a7837", "[", "[]", "[1,{}]",
        R"(["P2PK"])", R"(["P2PK",[]])", R"({"P2PK":{}})", R"("P2PK")", R"(["P2PK",{},1])"})
    EXPECT_EQ(spending_condition(secret), std::nullopt) << secret;
  EXPECT_EQ(spending_condition(R"( ["HTLC", {"nonce":"1"}])"), "HTLC");
  EXPECT_EQ(spending_condition(R"(["NEW",{}])"), "NEW") << "an unknown kind is locked as well";
}

TEST(Condition, LockedTokenIsRefusedWithTheKind) {
  Token token;
  token.proofs.resize(2);
  token.proofs[0].secret = "plain";
  EXPECT_TRUE(check_unlocked({token.mint, "", "", {token.proofs[0]}}));
  token.proofs[1].secret = R"(["P2PK",{"nonce":"00","data":"02","tags":[]}])";
  const auto refused = check_unlocked(token);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("P2PK"), std::string::npos);
  EXPECT_EQ(refused.error().where, "proofs[1]");
}

}  // namespace
}  // namespace paygress::cashu
