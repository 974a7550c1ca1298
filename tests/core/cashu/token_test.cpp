#include "core/cashu/token.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <limits>

#include "tests/core/cashu/support.h"

namespace paygress::cashu {
namespace {

using test::str;

constexpr char kShortKeyset[] = "009a1f293253e41e";

Proof sample_proof(const std::string& secret, Amount amount = 1) {
  Proof proof{amount, kShortKeyset, secret, {}, {}, std::nullopt};
  proof.c.fill(7);
  proof.c[0] = 0x02;
  return proof;
}

Token sample_token() {
  return {"https://mint.example", "sat", "hello", {sample_proof("a", 1), sample_proof("b", 4)}};
}

std::string refusal(std::string_view text) {
  const auto token = decode_token(text);
  return token ? "accepted" : to_string(token.error());
}

std::string v3(std::string_view json) {
  return "cashuA" + to_base64(as_bytes(json), Base64::UrlSafe, false);
}
std::string v4(std::string_view hex) {
  return "cashuB" + to_base64(from_hex(hex).value(), Base64::UrlSafe, false);
}

void expect_same(const Token& token, const boost::json::value& decoded) {
  const auto& object = decoded.as_object();
  size_t index = 0;
  if (object.contains("token")) {
    const auto& entry = decoded.at("token").at(0);
    EXPECT_EQ(token.mint, str(entry.at("mint")));
    EXPECT_EQ(token.unit, str(decoded.at("unit")));
    EXPECT_EQ(token.memo, str(decoded.at("memo")));
    for (const auto& proof : entry.at("proofs").as_array()) {
      const Proof& read = token.proofs.at(index++);
      EXPECT_EQ(read.amount, proof.at("amount").to_number<uint64_t>());
      EXPECT_EQ(read.keyset, str(proof.at("id")));
      EXPECT_EQ(read.secret, str(proof.at("secret")));
      EXPECT_EQ(read.c, test::point(proof.at("C")));
    }
  } else {
    EXPECT_EQ(token.mint, str(decoded.at("m")));
    EXPECT_EQ(token.unit, str(decoded.at("u")));
    for (const auto& group : decoded.at("t").as_array())
      for (const auto& proof : group.at("p").as_array()) {
        const Proof& read = token.proofs.at(index++);
        EXPECT_EQ(read.amount, proof.at("a").to_number<uint64_t>());
        EXPECT_EQ(read.keyset, str(group.at("i").at("h")));
        EXPECT_EQ(read.secret, str(proof.at("s")));
        EXPECT_EQ(read.c, test::point(proof.at("c").at("h")));
      }
  }
  EXPECT_EQ(index, token.proofs.size());
}

// NUT-00 tests: V3 and V4 tokens, padded and not, one wrong prefix, one in the raw form.
TEST(Token, Vectors) {
  const auto file = test::vectors("nut00_tokens.json");
  size_t accepted = 0;
  for (const auto& v : file.as_array()) {
    const auto* raw = v.as_object().if_contains("raw_hex");
    // The raw form is "craw" || "B" || CBOR; its CBOR is that of a V4 text.
    const std::string text = raw != nullptr ? v4(str(*raw).substr(10)) : str(v.at("serialized"));
    const auto token = decode_token(text);
    ASSERT_EQ(token.has_value(), v.at("valid").as_bool()) << text;
    if (!token) continue;
    expect_same(*token, v.at("decoded"));
    ++accepted;
    for (const auto version : {TokenVersion::V3, TokenVersion::V4})
      EXPECT_EQ(decode_token(encode_token(*token, version).value()).value(), *token);
  }
  EXPECT_EQ(accepted, 6U);
}

// The specification's own V4 text is what we write, but for padding.
TEST(Token, WritesTheSpecificationsV4Bytes) {
  const auto file = test::vectors("nut00_tokens.json");
  const std::string text = str(file.at(1).at("serialized"));
  EXPECT_EQ(encode_token(decode_token(text).value(), TokenVersion::V4).value(), text);
}

TEST(Token, PrefixesSpaceAndEitherAlphabetAreRead) {
  const Token token = sample_token();
  for (const auto version : {TokenVersion::V3, TokenVersion::V4}) {
    const std::string text = encode_token(token, version).value();
    for (const char* prefix : {"", "cashu:", "cashu://", "web+cashu:", "web+cashu://", " \n\t"})
      EXPECT_EQ(decode_token(prefix + text + "\n").value(), token) << prefix;
    std::string standard = text;
    std::ranges::replace(standard, '-', '+');
    std::ranges::replace(standard, '_', '/');
    EXPECT_EQ(decode_token(standard).value(), token);
    EXPECT_FALSE(decode_token("cashu:cashu:" + text));
    EXPECT_FALSE(decode_token(text + "!"));
  }
  EXPECT_NE(refusal("cashuC0000").find("version"), std::string::npos);
  EXPECT_FALSE(decode_token(""));
  EXPECT_FALSE(decode_token("cashuA"));
  EXPECT_FALSE(decode_token("cashuB"));
}

constexpr char kProofJson[] =
    R"({"amount":1,"id":"009a1f293253e41e","secret":"s1",)"
    R"("C":"020000000000000000000000000000000000000000000000000000000000000001"})";
constexpr char kOtherProofJson[] =
    R"({"amount":2,"id":"009a1f293253e41e","secret":"s2",)"
    R"("C":"020000000000000000000000000000000000000000000000000000000000000001",)"
    R"("dleq":null,"witness":null,"new":{"x":[1]}})";

std::string entry(const std::string& mint, const std::string& proofs) {
  return R"({"mint":")" + mint + R"(","proofs":[)" + proofs + "]}";
}

TEST(Token, V3OfOneMintInSeveralEntriesIsOneToken) {
  const std::string text = v3(R"({"token":[)" + entry("https://a.example", kProofJson) + "," +
                              entry("https://A.example/", kOtherProofJson) + "]}");
  const auto token = decode_token(text);
  ASSERT_TRUE(token) << token.error().message;
  EXPECT_EQ(token->proofs.size(), 2U);
  EXPECT_EQ(token->unit, "");
  EXPECT_EQ(total(token->proofs).value(), 3U);
}

TEST(Token, V3OfSeveralMintsIsRefused) {
  EXPECT_NE(refusal(v3(R"({"token":[)" + entry("https://a.example", kProofJson) + "," +
                       entry("https://b.example", kOtherProofJson) + "]}"))
                .find("several mints"),
            std::string::npos);
  EXPECT_FALSE(decode_token(v3(R"({"token":[)" + entry("", kProofJson) + "," +
                               entry("https://b.example", kOtherProofJson) + "]}")));
}

TEST(Token, V3WithWrongMembersIsRefused) {
  const auto with_proof = [](const std::string& from, const std::string& to) {
    std::string proof = kProofJson;
    const size_t at = proof.find(from);
    PG_CHECK(at != std::string::npos);
    proof.replace(at, from.size(), to);
    return refusal(v3(R"({"token":[)" + entry("https://a.example", proof) + "]}"));
  };
  EXPECT_EQ(with_proof("1", "1"), "accepted");
  EXPECT_EQ(with_proof(":1,", ":9223372036854775808,"), "accepted") << "2^63 is a real amount";
  for (const char* amount :
       {":0,", ":-1,", ":1.0,", ":1e3,", ":\"1\",", ":18446744073709551616,", ":null,", ":true,"})
    EXPECT_NE(with_proof(":1,", amount), "accepted") << amount;
  EXPECT_NE(with_proof("009a1f293253e41e", "029a1f293253e41e").find("02"), std::string::npos);
  EXPECT_NE(with_proof("009a1f293253e41e", "I2yN+iRYfkzT").find("base64"), std::string::npos);
  EXPECT_NE(with_proof("0200", "0400"), "accepted");
  EXPECT_NE(with_proof("0200", "02"), "accepted");
  EXPECT_NE(with_proof("\"s1\"", "\"\""), "accepted");
  EXPECT_NE(with_proof("\"s1\"", "7"), "accepted");
  for (const char* json : {"", "[]", "{}", R"({"token":[]})", R"({"token":{}})", R"({"token":[7]})",
                           R"({"token":[{"mint":"https://a.example","proofs":[]}]})"})
    EXPECT_NE(refusal(v3(json)), "accepted") << json;
}

// {"t":[{"i":h'009a1f293253e41e',"p":[{"a":1,"s":"s","c":h'02..'}]}],"m":"m","u":"sat"} in parts.
constexpr char kC[] = "5821020000000000000000000000000000000000000000000000000000000000000001";
std::string group(const std::string& proofs) { return "a2616948009a1f293253e41e6170" + proofs; }

TEST(Token, V4WithWrongCborIsRefused) {
  const std::string proof = "a36161016173617361" + std::string("63") + kC;
  const std::string good = "a3617481" + group("81" + proof) + "616d616d617563736174";
  ASSERT_EQ(refusal(v4(good)), "accepted");
  EXPECT_NE(refusal(v4(good + "00")).find("after the token"), std::string::npos);
  // Twice "u"; an unknown key; an unknown key with a tag; "t" of indefinite length.
  EXPECT_NE(refusal(v4("a4" + good.substr(2) + "617563736174")).find("duplicate"),
            std::string::npos);
  EXPECT_EQ(refusal(v4("a4" + good.substr(2) + "61788201a0")), "accepted");
  EXPECT_NE(refusal(v4("a4" + good.substr(2) + "6178c001")).find("tags"), std::string::npos);
  EXPECT_NE(
      refusal(v4("a361749f" + group("81" + proof) + "ff616d616d617563736174")).find("indefinite"),
      std::string::npos);
  // An amount that is negative, or text; an id of another size; a C of 32 bytes; no C.
  EXPECT_NE(refusal(v4("a3617481" + group("81a36161206173617361" + std::string("63") + kC) +
                       "616d616d617563736174")),
            "accepted");
  EXPECT_NE(refusal(v4("a3617481a2616947009a1f293253e4617081" + proof + "616d616d617563736174")),
            "accepted");
  EXPECT_NE(refusal(v4("a3617481" + group("81a261610161736173") + "616d616d617563736174"))
                .find("lacks c"),
            std::string::npos);
  for (size_t cut = 0; cut < good.size(); cut += 2)
    EXPECT_NE(refusal(v4(good.substr(0, cut))), "accepted") << cut;
}

// A V4 token may carry the first 8 bytes of a "01" id (NUT-02 "Short keyset IDs").
TEST(Token, V4CarriesShortAndLongKeysetIds) {
  Token token = sample_token();
  token.proofs[0].keyset = "01aaaaaaaaaaaaaa";
  token.proofs[1].keyset = "01" + std::string(64, 'b');
  EXPECT_EQ(decode_token(encode_token(token, TokenVersion::V4).value()).value(), token);
  token.proofs[0].keyset = "02aaaaaaaaaaaaaa";
  EXPECT_FALSE(encode_token(token, TokenVersion::V4));
}

TEST(Token, CapsAreNamedInTheRefusal) {
  Token token = sample_token();
  token.proofs.clear();
  for (size_t i = 0; i < kProofsMax; ++i) token.proofs.push_back(sample_proof(std::to_string(i)));
  const std::string v4_text = encode_token(token, TokenVersion::V4).value();
  EXPECT_EQ(decode_token(v4_text)->proofs.size(), kProofsMax);
  EXPECT_NE(refusal(std::string(kTokenBytesMax + 1, 'x')).find("262144 bytes"), std::string::npos);
  token = sample_token();
  token.proofs[0].secret = std::string(kSecretBytesMax, 's');
  EXPECT_TRUE(encode_token(token, TokenVersion::V3));
  token.proofs[0].secret += 's';
  EXPECT_NE(encode_token(token, TokenVersion::V3).error().message.find("1024 bytes"),
            std::string::npos);
  std::string many;
  for (size_t i = 0; i <= kProofsMax; ++i) {
    std::string proof = kProofJson;
    proof.replace(proof.find("s1"), 2, std::to_string(i));
    many += (i == 0 ? "" : ",") + proof;
  }
  EXPECT_NE(refusal(v3(R"({"token":[)" + entry("https://a.example", many) + "]}")).find("256"),
            std::string::npos);
}

TEST(Token, RepeatedSecretsAndSumsBeyond64BitsAreRefused) {
  Token token = sample_token();
  token.proofs[1].secret = token.proofs[0].secret;
  EXPECT_FALSE(encode_token(token, TokenVersion::V4));
  token = sample_token();
  token.proofs[0].amount = std::numeric_limits<Amount>::max();
  token.proofs[1].amount = 1;
  EXPECT_FALSE(total(token.proofs));
  EXPECT_FALSE(encode_token(token, TokenVersion::V4));
}

Token arbitrary_token() {
  Token token{
      "https://mint.example/" + *rc::gen::container<std::string>(rc::gen::inRange('a', 'z')),
      *rc::gen::element<std::string>("sat", "msat", ""),
      *rc::gen::element<std::string>("", "memo", "\xe2\x82\xac \"\\\n"),
      {}};
  const auto count = *rc::gen::inRange<size_t>(1, 12);
  for (size_t i = 0; i < count; ++i) {
    Proof proof =
        sample_proof(std::to_string(i) + *rc::gen::element<std::string>("", "\xc3\xbc", "\\\""));
    proof.amount = *rc::gen::inRange<Amount>(1, Amount{1} << 40);
    if (i > count / 2) proof.keyset = "01" + std::string(64, 'c');
    proof.c[32] = *rc::gen::arbitrary<uint8_t>();
    if (*rc::gen::arbitrary<bool>()) {
      proof.dleq.emplace();
      proof.dleq->e[0] = *rc::gen::arbitrary<uint8_t>();
      if (*rc::gen::arbitrary<bool>()) proof.dleq->r = test::small_scalar(9);
    }
    if (*rc::gen::arbitrary<bool>()) proof.witness = R"({"signatures":[]})";
    token.proofs.push_back(std::move(proof));
  }
  return token;
}

TEST(Token, EveryTokenComesBackInBothVersions) {
  EXPECT_TRUE(rc::check([] {
    const Token token = arbitrary_token();
    for (const auto version : {TokenVersion::V3, TokenVersion::V4}) {
      const std::string text = encode_token(token, version).value();
      RC_ASSERT(decode_token(text).value() == token);
    }
  }));
}

// One changed byte of the payload: refused, or a token that is well-formed and comes back.
TEST(Token, MutatedTokensAreRefusedOrStillWellFormed) {
  EXPECT_TRUE(rc::check([] {
    const auto version = *rc::gen::element(TokenVersion::V3, TokenVersion::V4);
    std::string text = encode_token(arbitrary_token(), version).value();
    auto bytes = from_base64(std::string_view(text).substr(6), Base64::UrlSafe, Padding::Optional);
    bytes->at(*rc::gen::inRange<size_t>(0, bytes->size())) = *rc::gen::arbitrary<uint8_t>();
    const auto token = decode_token(text.substr(0, 6) + to_base64(*bytes, Base64::UrlSafe, false));
    if (!token) return;
    RC_ASSERT(!token->proofs.empty() && total(token->proofs).has_value());
    RC_ASSERT(decode_token(encode_token(*token, TokenVersion::V3).value()).value() == *token);
  }));
}

}  // namespace
}  // namespace paygress::cashu
