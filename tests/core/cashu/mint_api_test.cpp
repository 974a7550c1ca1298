// The wallet's side (mint_api.h) and the mint's side (mint_wire.h) against each other and against
// what mints in the field send.
#include "core/cashu/mint_api.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "core/cashu/mint_wire.h"
#include "tests/core/cashu/support.h"

namespace paygress::cashu {
namespace {

const std::string kPoint = "02698c4e2b5f9534cd0687d87513c759790cf829aa5739184a3e3735471fbda904";
constexpr char kId[] = "009a1f293253e41e";

template <class T>
T read(Endpoint endpoint, const Bytes& body) {
  const auto answer = parse_answer(endpoint, 200, as_text(body));
  PG_CHECK(std::holds_alternative<T>(answer));
  return std::get<T>(answer);
}

bool no_reply(Endpoint endpoint, std::string_view body, uint32_t status = 200) {
  return std::holds_alternative<NoReply>(parse_answer(endpoint, status, body));
}

TEST(MintApi, PathsAndMethodsMeanTheSameOnBothSides) {
  for (int i = 0; i <= static_cast<int>(Endpoint::Melt); ++i) {
    const auto endpoint = static_cast<Endpoint>(i);
    const bool has_argument = endpoint_path(endpoint).ends_with('/');
    const std::string argument = has_argument ? "a b/c?%" : "";
    const auto route = route_request(is_post(endpoint), endpoint_path(endpoint, argument));
    ASSERT_TRUE(route) << i;
    EXPECT_EQ(route->endpoint, endpoint);
    EXPECT_EQ(route->argument, argument);
  }
  EXPECT_EQ(endpoint_path(Endpoint::KeysById, kId), "/v1/keys/009a1f293253e41e");
  EXPECT_EQ(endpoint_path(Endpoint::MintQuoteState, "a/b"), "/v1/mint/quote/bolt11/a%2Fb");
  for (const char* path : {"", "/", "/v1/swap/", "/v1/keys/", "/v1/keys/a/b", "/v1/keys/%zz"})
    EXPECT_FALSE(route_request(false, path)) << path;
  EXPECT_FALSE(route_request(false, "/v1/swap"));
}

TEST(MintApi, RequestsComeBack) {
  const test::TinyMint mint;
  const std::vector<Proof> inputs = {mint.issue(2, "one"), mint.issue(4, "t\"wo\n")};
  const std::vector<BlindedMessage> outputs = {{2, kId, inputs[0].c}, {4, kId, inputs[1].c}};
  const auto swap = parse_swap_request(as_text(encode_swap_request(inputs, outputs))).value();
  EXPECT_EQ(swap.outputs, outputs);
  ASSERT_EQ(swap.inputs.size(), 2U);
  EXPECT_EQ(swap.inputs[1].secret, inputs[1].secret);
  EXPECT_FALSE(swap.inputs[1].dleq);
  const std::vector<Point> ys = {inputs[0].c, inputs[1].c};
  EXPECT_EQ(parse_check_request(as_text(encode_check_request(ys))).value(), ys);
  EXPECT_EQ(parse_restore_request(as_text(encode_restore_request(outputs))).value(), outputs);
  const auto quote =
      parse_mint_quote_request(as_text(encode_mint_quote_request(64, "sat"))).value();
  EXPECT_EQ(quote.amount, 64U);
  EXPECT_EQ(quote.unit, "sat");
  const auto issue = parse_mint_request(as_text(encode_mint_request("q", outputs))).value();
  EXPECT_EQ(issue.quote, "q");
  EXPECT_EQ(issue.outputs, outputs);
}

TEST(MintApi, AnswersComeBack) {
  const test::TinyMint mint;
  const std::vector<BlindedMessage> outputs = {{2, mint.keyset.id, mint.keyset.keys.at(2)}};
  const std::vector<BlindSignature> signatures = {mint.sign(outputs[0])};
  EXPECT_EQ(read<SwapAnswer>(Endpoint::Swap, write_signatures({signatures})).signatures,
            signatures);
  EXPECT_EQ(read<SwapAnswer>(Endpoint::Mint, write_signatures({signatures})).signatures,
            signatures);
  const auto restored =
      read<RestoreAnswer>(Endpoint::Restore, write_restored({outputs, signatures}));
  EXPECT_EQ(restored.outputs, outputs);
  EXPECT_EQ(restored.signatures, signatures);
  Keyset keyset = mint.keyset;
  keyset.input_fee_ppk = 100;
  keyset.final_expiry = UnixSeconds{2'059'210'353};
  EXPECT_EQ(read<KeysetsAnswer>(Endpoint::Keys, write_keys({{keyset}})).keysets.at(0), keyset);
  EXPECT_EQ(read<KeysetsAnswer>(Endpoint::KeysById, write_keys({{keyset}})).keysets.at(0), keyset);
  keyset.active = false;
  keyset.keys.clear();
  EXPECT_EQ(read<KeysetsAnswer>(Endpoint::Keysets, write_keysets({{keyset}})).keysets.at(0),
            keyset);
  const Point y = mint.keyset.keys.at(1);
  for (const auto state : {ProofState::Unspent, ProofState::Pending, ProofState::Spent}) {
    const auto check = read<CheckAnswer>(Endpoint::CheckState, write_states({{{y, state}}}));
    ASSERT_EQ(check.states.size(), 1U);
    EXPECT_EQ(check.states[0].y, y);
    EXPECT_EQ(check.states[0].state, state);
  }
  const auto info = read<InfoAnswer>(Endpoint::Info, write_info({"A mint", {4, 7, 9, 12}}));
  EXPECT_EQ(info.name, "A mint");
  EXPECT_EQ(info.nuts, (std::vector<uint32_t>{4, 7, 9, 12}));
  const auto quote = read<QuoteAnswer>(Endpoint::MintQuote,
                                       write_quote({"q", "ln", "PAID", 5, 0, {}, {}, {}}, "sat"));
  EXPECT_EQ(quote.quote + quote.request + quote.state, "qlnPAID");
  EXPECT_EQ(quote.amount, 5U);
}

TEST(MintApi, AMeltIsReadOnBothSides) {
  const test::TinyMint mint;
  const std::vector<BlindedMessage> blanks = {{1, mint.keyset.id, mint.keyset.keys.at(2)},
                                              {1, mint.keyset.id, mint.keyset.keys.at(1)}};
  const Proof input{2, mint.keyset.id, "secret", mint.keyset.keys.at(1), {}, std::nullopt};
  const Bytes body = encode_melt_request("q", std::vector<Proof>{input}, blanks);
  const auto request = parse_melt_request(as_text(body)).value();
  EXPECT_EQ(request.quote, "q");
  EXPECT_EQ(request.inputs, std::vector<Proof>{input});
  EXPECT_EQ(request.outputs, blanks);
  const auto asked = parse_melt_quote_request(as_text(encode_melt_quote_request("ln", "sat")));
  EXPECT_EQ(asked.value().invoice + asked.value().unit, "lnsat");

  const std::vector<BlindSignature> change = {mint.sign({2, mint.keyset.id, blanks[0].b})};
  const QuoteAnswer paid{"q", "ln", "PAID", 5, 3, UnixSeconds{1'800'000'000}, "aa", change};
  for (const Endpoint endpoint : {Endpoint::MeltQuote, Endpoint::MeltQuoteState, Endpoint::Melt}) {
    const auto answer = read<QuoteAnswer>(endpoint, write_melt_quote(paid, "sat"));
    EXPECT_EQ(answer.state, "PAID");
    EXPECT_EQ(answer.amount + answer.fee_reserve, 8U);
    EXPECT_EQ(answer.expiry, UnixSeconds{1'800'000'000});
    EXPECT_EQ(answer.preimage, "aa");
    EXPECT_EQ(answer.change, change);
  }
  // What is null is not there; an empty list is one.
  const auto state = [](std::string_view change_member) {
    const std::string text = R"({"quote":"q","amount":5,"fee_reserve":3,"state":"PAID",)"
                             R"("expiry":null,"payment_preimage":null,"change":)";
    return std::get<QuoteAnswer>(
        parse_answer(Endpoint::MeltQuoteState, 200, text + std::string(change_member) + "}"));
  };
  EXPECT_EQ(state("null").change, std::nullopt);
  EXPECT_EQ(state("null").expiry, std::nullopt);
  EXPECT_EQ(state("[]").change, std::vector<BlindSignature>{});
  EXPECT_TRUE(no_reply(Endpoint::Melt, R"({"quote":"q","state":"PAID","change":[{}]})"));
  EXPECT_TRUE(no_reply(Endpoint::Melt, R"({"quote":"q","state":"PAID","fee_reserve":-1})"));
}

TEST(MintApi, ErrorsKeepTheirTextAndCode) {
  const auto answer =
      std::get<MintError>(parse_answer(Endpoint::Swap, 400, as_text(write_error(11001, "spent"))));
  EXPECT_EQ(answer.http_status, 400U);
  EXPECT_EQ(answer.code, 11001U);
  EXPECT_EQ(answer.detail, "spent");
  // Bodies of web frameworks: a list, nothing, a page.
  const auto listed = std::get<MintError>(
      parse_answer(Endpoint::Swap, 422, R"({"detail":[{"loc":["body"],"msg":"bad"}]})"));
  EXPECT_EQ(listed.detail, R"([{"loc":["body"],"msg":"bad"}])");
  EXPECT_FALSE(listed.code);
  for (const char* body : {"", "<html>", "[]", R"({"detail":null,"code":"x"})", R"({"code":-1})"}) {
    const auto bare = std::get<MintError>(parse_answer(Endpoint::Swap, 502, body));
    EXPECT_EQ(bare.http_status, 502U);
    EXPECT_EQ(bare.detail, "");
    EXPECT_FALSE(bare.code);
  }
}

TEST(MintApi, ErrorTextIsOneBoundedLineOfWholeCharacters) {
  std::string text = "a\n";
  while (text.size() <= kDetailBytesMax) text += "\xe2\x82\xac";
  const auto error =
      std::get<MintError>(parse_answer(Endpoint::Swap, 400, as_text(write_error(1, text))));
  EXPECT_LE(error.detail.size(), kDetailBytesMax);
  EXPECT_GT(error.detail.size(), kDetailBytesMax - 3);
  EXPECT_TRUE(is_utf8(error.detail));
  EXPECT_EQ(error.detail.substr(0, 2), "a ");
}

// An answer we cannot read may follow a swap that happened: it is no reply, never an error.
TEST(MintApi, UnreadableSuccessIsNoReply) {
  for (const char* body :
       {"", "null", "[]", "{}", "<html>", R"({"signatures":null})", R"({"signatures":{}})",
        R"({"signatures":[7]})", R"({"signatures":[]} x)"})
    EXPECT_TRUE(no_reply(Endpoint::Swap, body)) << body;
  EXPECT_FALSE(no_reply(Endpoint::Swap, R"({"signatures":[]})"));
  for (const uint32_t status : {0U, 100U, 199U, 301U, 307U, 399U, 600U})
    EXPECT_TRUE(no_reply(Endpoint::Swap, R"({"signatures":[]})", status)) << status;
  const std::string big = R"({"signatures":[],"x":")" + std::string(kAnswerBytesMax, 'x') + "\"}";
  EXPECT_TRUE(no_reply(Endpoint::Swap, big));
  std::string deep = R"({"signatures":[],"x":)" + std::string(100'000, '[');
  EXPECT_TRUE(no_reply(Endpoint::Swap, deep));
}

std::string signature(const std::string& amount, const std::string& id, const std::string& c) {
  return R"({"signatures":[{"amount":)" + amount + R"(,"id":")" + id + R"(","C_":")" + c + "\"}]}";
}

TEST(MintApi, SignaturesAreReadStrictly) {
  EXPECT_FALSE(no_reply(Endpoint::Swap, signature("1", kId, kPoint)));
  EXPECT_FALSE(no_reply(Endpoint::Swap, signature("9223372036854775808", kId, kPoint)));
  for (const char* amount : {"-1", "1.0", "1e2", "\"1\"", "null", "18446744073709551616", "true"})
    EXPECT_TRUE(no_reply(Endpoint::Swap, signature(amount, kId, kPoint))) << amount;
  // NUT-01's malformed keys, as points: a byte short, uncompressed, off the curve.
  EXPECT_TRUE(no_reply(Endpoint::Swap, signature("1", kId, kPoint.substr(2))));
  EXPECT_TRUE(
      no_reply(Endpoint::Swap, signature("1", kId, "04" + kPoint.substr(2) + kPoint.substr(2))));
  EXPECT_TRUE(no_reply(Endpoint::Swap, signature("1", kId, "02" + std::string(64, 'f'))));
  EXPECT_TRUE(no_reply(Endpoint::Swap, signature("1", std::string(67, '0'), kPoint)));
}

TEST(MintApi, RestoreTakesBothNamesAndDemandsParallelLists) {
  const std::string output = R"({"amount":1,"id":"009a1f293253e41e","B_":")" + kPoint + "\"}";
  const std::string answer = R"({"amount":1,"id":"009a1f293253e41e","C_":")" + kPoint + "\"}";
  for (const char* name : {"signatures", "promises"}) {
    const std::string body =
        R"({"outputs":[)" + output + R"(],")" + name + R"(":[)" + answer + "]}";
    EXPECT_FALSE(no_reply(Endpoint::Restore, body)) << name;
  }
  EXPECT_TRUE(no_reply(Endpoint::Restore, R"({"outputs":[)" + output + R"(],"signatures":[]})"));
  EXPECT_TRUE(no_reply(Endpoint::Restore, R"({"outputs":[)" + output + "]}"));
  EXPECT_FALSE(no_reply(Endpoint::Restore, R"({"outputs":[],"signatures":[]})"));
}

// Version 02 and base64 keysets at a mint must not make its other keysets unusable.
TEST(MintApi, ForeignKeysetsAreLeftOut) {
  const std::string body = R"({"keysets":[{"id":"02aaaaaaaaaaaaaa","unit":"sat","active":true},)"
                           R"({"id":"I2yN+iRYfkzT","unit":"sat","active":false},)"
                           R"({"id":"009a1f293253e41e","unit":"sat","active":true,)"
                           R"("input_fee_ppk":null,"final_expiry":null}]})";
  const auto answer = std::get<KeysetsAnswer>(parse_answer(Endpoint::Keysets, 200, body));
  ASSERT_EQ(answer.keysets.size(), 1U);
  EXPECT_EQ(answer.keysets[0].id, kId);
  EXPECT_EQ(answer.keysets[0].input_fee_ppk, 0U);
  EXPECT_FALSE(answer.keysets[0].final_expiry);
}

TEST(MintApi, KeysOfOlderMintsAreActiveAndAmountsAreNumbers) {
  const auto body = [](const std::string& keys) {
    return R"({"keysets":[{"id":"009a1f293253e41e","unit":"sat","keys":{)" + keys + "}}]}";
  };
  const auto answer =
      std::get<KeysetsAnswer>(parse_answer(Endpoint::Keys, 200, body("\"1\":\"" + kPoint + "\"")));
  EXPECT_TRUE(answer.keysets.at(0).active);
  for (const char* amount : {"0", "01", "-1", "1.0", "x", "", "18446744073709551616", " 1"})
    EXPECT_TRUE(
        no_reply(Endpoint::Keys, body("\"" + std::string(amount) + "\":\"" + kPoint + "\"")))
        << amount;
  EXPECT_TRUE(no_reply(Endpoint::Keys, body("\"1\":\"" + kPoint.substr(2) + "\"")));
  EXPECT_TRUE(no_reply(Endpoint::Keysets, body("\"1\":\"" + kPoint + "\""))) << "no active member";
}

// NUT-06: settings in their three shapes, and what is switched off.
TEST(MintApi, InfoListsWhatIsSupported) {
  const char* body = R"({"name":"m","nuts":{"4":{"methods":[],"disabled":false},
    "5":{"methods":[],"disabled":true},"7":{"supported":true},"9":{"supported":false},
    "17":{"supported":[{"method":"bolt11"}]},"x":{"supported":true},"12":true}})";
  const auto info = std::get<InfoAnswer>(parse_answer(Endpoint::Info, 200, body));
  EXPECT_EQ(info.nuts, (std::vector<uint32_t>{4, 7, 17}));
  EXPECT_TRUE(no_reply(Endpoint::Info, R"({"name":"m"})"));
}

TEST(MintApi, QuotesOfOlderMintsSayPaid) {
  const auto state = [](std::string_view body) {
    return std::get<QuoteAnswer>(parse_answer(Endpoint::MintQuoteState, 200, body)).state;
  };
  EXPECT_EQ(state(R"({"quote":"q","request":"ln","paid":true})"), "PAID");
  EXPECT_EQ(state(R"({"quote":"q","request":"ln","paid":false,"state":null})"), "UNPAID");
  EXPECT_EQ(state(R"({"quote":"q","request":"ln","paid":true,"state":"ISSUED"})"), "ISSUED");
  EXPECT_TRUE(no_reply(Endpoint::MintQuoteState, R"({"quote":"q","request":"ln"})"));
}

// NUT-11 tests: the swap requests there, with their witnesses.
TEST(MintApi, SpecificationsRequestsAreRead) {
  const auto file = test::vectors("nut_json_blocks.json");
  size_t swaps = 0;
  for (const auto& block : file.at("NUT-11").as_array()) {
    const auto* json = block.at("json").if_object();
    if (json == nullptr || !json->contains("inputs") || json->contains("quote")) continue;
    const std::string body(boost::json::serialize(*json));
    const auto request = parse_swap_request(body);
    ASSERT_TRUE(request) << to_string(request.error());
    EXPECT_EQ(request->inputs.size(), json->at("inputs").as_array().size());
    EXPECT_EQ(request->outputs.size(), json->at("outputs").as_array().size());
    EXPECT_EQ(request->inputs[0].witness.empty(),
              !json->at("inputs").at(0).as_object().contains("witness"));
    ++swaps;
  }
  EXPECT_GE(swaps, 6U);
}

TEST(MintApi, RequestsAreBoundedAndErrorsNameTheMember) {
  const auto refused = parse_swap_request(
      R"({"inputs":[{"amount":1,"id":"009a1f293253e41e","secret":"s","C":"02"}],"outputs":[]})");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().where, "inputs[0].C");
  std::string many = R"({"Ys":[)";
  for (size_t i = 0; i <= kRequestItemsMax; ++i) many += (i == 0 ? "\"" : ",\"") + kPoint + "\"";
  EXPECT_FALSE(parse_check_request(many + "]}"));
  EXPECT_FALSE(parse_check_request(R"({"Ys":["02"]})"));
  EXPECT_FALSE(parse_restore_request(std::string(kRequestBytesMax + 1, ' ')));
}

}  // namespace
}  // namespace paygress::cashu
