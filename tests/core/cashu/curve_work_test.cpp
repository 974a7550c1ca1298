#include "core/cashu/curve_work.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <functional>

#include "core/cashu/mint_wire.h"
#include "core/cashu/token.h"
#include "tests/core/cashu/support.h"

namespace paygress::cashu {
namespace {

// A whole receive at a mint that signs: what came in, what was asked, what came out.
struct Receive {
  test::TinyMint mint;
  WalletSeed seed = seed_from_key("test");
  std::vector<Proof> inputs;
  MakeOutputs make;
  OutputsReady ready;
  OpenSignatures open;

  explicit Receive(KeysetVersion version = KeysetVersion::V1, Amount amount = 13)
      : mint("mint", version) {
    const auto parts = split_amount(amount, mint.keyset.keys).value();
    for (const Amount part : parts)
      inputs.push_back(mint.issue(part, "in " + std::to_string(part)));
    make = {CallId{7}, {}, mint.keyset.id, 40, parts, inputs, {}, {}};
    ready = make_outputs(make, seed);
    open = {CallId{8}, {}, mint.keyset.id, 40, ready.outputs, {}, mint.keyset.keys, {}};
    for (const BlindedMessage& output : ready.outputs) open.signatures.push_back(mint.sign(output));
  }
};

// NUT-03: amounts are conserved from inputs to proofs, each proof is the mint's, for both keyset
// versions and every amount.
TEST(CurveWork, ReceiveConservesTheAmount) {
  EXPECT_TRUE(rc::check([] {
    const auto version = *rc::gen::element(KeysetVersion::V1, KeysetVersion::V2);
    const Amount amount = *rc::gen::inRange<Amount>(1, 65536);
    const Receive receive(version, amount);
    const auto opened = open_signatures(receive.open, receive.seed);
    RC_ASSERT(opened.problem.empty());
    RC_ASSERT(total(opened.proofs).value() == amount);
    RC_ASSERT(total(receive.inputs).value() == amount);
    for (const Proof& proof : opened.proofs) {
      const Point& key = receive.mint.keyset.keys.at(proof.amount);
      RC_ASSERT(verify_unblinded(receive.mint.secrets.at(proof.amount), proof.secret, proof.c));
      RC_ASSERT(verify_proof_dleq(*proof.dleq, key, proof.secret, proof.c));
    }
  }));
}

TEST(CurveWork, OutputsAreThoseOfTheSeedAndTheCounters) {
  const Receive receive;
  EXPECT_EQ(receive.ready.id, CallId{7});
  const auto deriver = OutputDeriver::make(receive.seed, receive.mint.keyset.id).value();
  ASSERT_EQ(receive.ready.outputs.size(), 3U);
  for (uint32_t i = 0; i < 3; ++i) {
    const auto output = deriver.at(40 + i).value();
    EXPECT_EQ(receive.ready.outputs[i].b, blind(output.secret, output.r).value());
    EXPECT_EQ(receive.ready.outputs[i].amount, receive.make.amounts[i]);
  }
  const auto again = make_outputs(receive.make, receive.seed);
  EXPECT_EQ(again.body, receive.ready.body);
}

// NUT-12: r would tell the mint which token this was.
TEST(CurveWork, TheBodyHoldsNoDleq) {
  const Receive receive;
  const std::string_view body = as_text(receive.ready.body);
  ASSERT_TRUE(receive.inputs[0].dleq && receive.inputs[0].dleq->r);
  EXPECT_EQ(body.find("dleq"), std::string_view::npos);
  EXPECT_EQ(body.find(to_hex(*receive.inputs[0].dleq->r)), std::string_view::npos);
  const auto request = parse_swap_request(body).value();
  EXPECT_EQ(request.outputs, receive.ready.outputs);
  ASSERT_EQ(request.inputs.size(), receive.inputs.size());
  EXPECT_EQ(request.inputs[0].secret, receive.inputs[0].secret);
}

TEST(CurveWork, NothingIsMadeForAnUnknownKeysetOrCounter) {
  Receive receive;
  receive.make.counter_start = 0x7fff'ffff;
  EXPECT_TRUE(make_outputs(receive.make, receive.seed).outputs.empty());
  EXPECT_TRUE(make_outputs(receive.make, receive.seed).body.empty());
  receive.make.counter_start = 0;
  receive.make.keyset = "02" + receive.make.keyset.substr(2);
  EXPECT_TRUE(make_outputs(receive.make, receive.seed).outputs.empty());
}

using Change = std::function<void(Receive&)>;

TEST(CurveWork, AnswersThatDoNotFitAreRefusedWhole) {
  const std::pair<const char*, Change> changes[] = {
      {"fewer", [](Receive& r) { r.open.signatures.pop_back(); }},
      {"more", [](Receive& r) { r.open.signatures.push_back(r.open.signatures[0]); }},
      {"none", [](Receive& r) { r.open.signatures.clear(); }},
      {"another amount", [](Receive& r) { r.open.signatures[1].amount = 8; }},
      {"another keyset", [](Receive& r) { r.open.signatures[1].keyset = "00ffffffffffffff"; }},
      {"another order", [](Receive& r) { std::ranges::reverse(r.open.signatures); }},
      {"not a point", [](Receive& r) { r.open.signatures[1].c[0] = 0; }},
      {"no key", [](Receive& r) { r.open.keys.erase(4); }},
      {"other counters", [](Receive& r) { ++r.open.counter_start; }},
      {"other seed", [](Receive& r) { r.seed = seed_from_key("other"); }}};
  for (const auto& [name, change] : changes) {
    Receive receive;
    change(receive);
    const auto opened = open_signatures(receive.open, receive.seed);
    EXPECT_FALSE(opened.problem.empty()) << name;
    EXPECT_TRUE(opened.proofs.empty()) << name;
  }
}

// The inputs are gone when a mint signs without proof: the proofs are kept aside, not dropped.
TEST(CurveWork, SignaturesWithoutAValidDleqAreQuarantined) {
  const std::pair<const char*, Change> changes[] = {
      {"missing", [](Receive& r) { r.open.signatures[1].dleq.reset(); }},
      {"wrong", [](Receive& r) { r.open.signatures[1].dleq->s[3] ^= 1; }},
      {"another signature", [](Receive& r) { r.open.signatures[1].c = r.open.signatures[0].c; }},
      {"another key", [](Receive& r) {
         r.open.signatures[1].c = sign_blinded(r.mint.secrets.at(8), r.open.outputs[1].b).value();
       }}};
  for (const auto& [name, change] : changes) {
    Receive receive;
    change(receive);
    const auto opened = open_signatures(receive.open, receive.seed);
    EXPECT_NE(opened.problem.find("output 1"), std::string::npos) << name;
    ASSERT_EQ(opened.proofs.size(), 3U) << name;
    EXPECT_FALSE(opened.proofs[1].dleq) << name;
  }
}

CheckToken check_of(const Receive& receive) {
  return {CallId{9}, receive.inputs, {{receive.mint.keyset.id, receive.mint.keyset.keys}}};
}

TEST(CurveWork, GoodTokenGivesItsYsInOrder) {
  const Receive receive;
  CheckToken work = check_of(receive);
  work.proofs[0].dleq.reset();
  work.proofs[1].dleq->r.reset();
  const auto checked = check_token(work);
  EXPECT_EQ(checked.id, CallId{9});
  EXPECT_EQ(checked.problem, "");
  ASSERT_EQ(checked.ys.size(), 3U);
  for (size_t i = 0; i < 3; ++i)
    EXPECT_EQ(checked.ys[i], hash_to_curve(work.proofs[i].secret).value().compressed());
}

TEST(CurveWork, BadTokensAreRefusedWithTheProofsNumber) {
  const std::pair<const char*, std::function<void(CheckToken&)>> changes[] = {
      {"unknown keyset", [](CheckToken& w) { w.proofs[1].keyset = "00ffffffffffffff"; }},
      {"no such amount", [](CheckToken& w) { w.proofs[1].amount = 3; }},
      {"another amount", [](CheckToken& w) { w.proofs[1].amount = 8; }},
      {"repeated secret", [](CheckToken& w) { w.proofs[1].secret = w.proofs[0].secret; }},
      {"another secret", [](CheckToken& w) { w.proofs[1].secret += "x"; }},
      {"another C", [](CheckToken& w) { w.proofs[1].c = w.proofs[0].c; }},
      {"wrong s", [](CheckToken& w) { w.proofs[1].dleq->s[0] ^= 1; }},
      {"wrong r", [](CheckToken& w) { w.proofs[1].dleq->r->at(31) ^= 1; }},
      {"off the curve", [](CheckToken& w) {
         w.proofs[1].dleq.reset();
         w.proofs[1].c.fill(0xff);
         w.proofs[1].c[0] = 0x02;
       }}};
  for (const auto& [name, change] : changes) {
    CheckToken work = check_of(Receive());
    change(work);
    const auto checked = check_token(work);
    EXPECT_NE(checked.problem.find("proof 1"), std::string::npos)
        << name << ": " << checked.problem;
  }
}

}  // namespace
}  // namespace paygress::cashu
