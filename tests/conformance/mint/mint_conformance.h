// What the redeemer relies on at a mint (NUT-01 to 04, 07, 09, 12), as tests over bytes: on the
// mint model here, and on real mints wherever one can be started.
//
// A program includes this, makes a MintUnderTest of its own, and instantiates MintConformance.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/cashu/curve_work.h"
#include "core/cashu/dhke.h"
#include "core/cashu/keyset.h"
#include "core/cashu/mint_api.h"
#include "core/cashu/token.h"

namespace paygress::conformance {

class MintUnderTest {
 public:
  struct Answer {
    uint32_t status = 0;
    Bytes body;
  };
  virtual ~MintUnderTest() = default;
  virtual Answer request(bool post, const std::string& path, const Bytes& body) = 0;
  // Lets the mint's backend work; called between two looks at an unpaid quote.
  virtual void wait_a_little() = 0;
  // A wallet that never used this mint before, so that its counters begin at 0.
  virtual cashu::WalletSeed fresh_wallet() = 0;
  // The error code that this mint answers where the specification's is `code`: the same, except for
  // differences that are known.
  virtual uint32_t code_for(uint32_t code) const { return code; }
};

using MakeMint = std::function<std::unique_ptr<MintUnderTest>()>;

class MintConformance : public ::testing::TestWithParam<MakeMint> {
 protected:
  static constexpr int kQuoteLooksMax = 200;

  // A maker that has no mint skips the test and returns null.
  void SetUp() override {
    mint_ = GetParam()();
    if (IsSkipped()) return;
    ASSERT_NE(mint_, nullptr);
    seed_ = mint_->fresh_wallet();
    const auto listed = ask(cashu::Endpoint::Keysets);
    const auto keys = ask(cashu::Endpoint::Keys);
    ASSERT_TRUE(std::holds_alternative<cashu::KeysetsAnswer>(listed));
    ASSERT_TRUE(std::holds_alternative<cashu::KeysetsAnswer>(keys));
    for (const auto& keyset : std::get<cashu::KeysetsAnswer>(keys).keysets)
      if (keyset.unit == "sat" && keyset_.id.empty()) keyset_ = keyset;
    ASSERT_FALSE(keyset_.id.empty()) << "no active sat keyset";
    for (const auto& keyset : std::get<cashu::KeysetsAnswer>(listed).keysets) {
      fees_[keyset.id] = keyset.input_fee_ppk;
      if (keyset.id == keyset_.id) keyset_.input_fee_ppk = keyset.input_fee_ppk;
    }
  }

  cashu::MintAnswer ask(cashu::Endpoint endpoint, const Bytes& body = {},
                        const std::string& argument = {}) {
    const auto answer =
        mint_->request(cashu::is_post(endpoint), cashu::endpoint_path(endpoint, argument), body);
    return cashu::parse_answer(endpoint, answer.status, as_text(answer.body));
  }

  // Outputs of this wallet worth `amount`; the counters move on.
  cashu::OutputsReady outputs(const std::vector<cashu::Proof>& inputs, cashu::Amount amount) {
    cashu::MakeOutputs work;
    work.keyset = keyset_.id;
    work.counter_start = counter_;
    work.amounts = cashu::split_amount(amount, keyset_.keys).value();
    work.inputs = inputs;
    counter_ += static_cast<uint32_t>(work.amounts.size());
    return cashu::make_outputs(work, seed_);
  }

  // Checks order, amounts and DLEQ, and unblinds.
  std::vector<cashu::Proof> open(const cashu::OutputsReady& made,
                                 const std::vector<cashu::BlindSignature>& signatures) {
    cashu::OpenSignatures work;
    work.keyset = keyset_.id;
    work.counter_start = counter_ - static_cast<uint32_t>(made.outputs.size());
    work.outputs = made.outputs;
    work.signatures = signatures;
    work.keys = keyset_.keys;
    const auto ready = cashu::open_signatures(work, seed_);
    EXPECT_EQ(ready.problem, "");
    return ready.proofs;
  }

  // NUT-04: quote, wait until paid, mint.
  std::vector<cashu::Proof> funds(cashu::Amount amount) {
    auto answer = ask(cashu::Endpoint::MintQuote, cashu::encode_mint_quote_request(amount, "sat"));
    for (int looks = 0; looks < kQuoteLooksMax; ++looks) {
      const auto* quote = std::get_if<cashu::QuoteAnswer>(&answer);
      if (!quote) break;
      if (quote->state == "PAID") {
        const auto made = outputs({}, amount);
        const auto minted =
            ask(cashu::Endpoint::Mint, cashu::encode_mint_request(quote->quote, made.outputs));
        const auto* signatures = std::get_if<cashu::SwapAnswer>(&minted);
        return signatures ? open(made, signatures->signatures) : std::vector<cashu::Proof>{};
      }
      mint_->wait_a_little();
      answer = ask(cashu::Endpoint::MintQuoteState, {}, std::string(quote->quote));
    }
    return {};
  }

  cashu::Amount after_fee(const std::vector<cashu::Proof>& inputs) {
    return cashu::total(inputs).value() - cashu::swap_fee(inputs, fees_).value();
  }

  static std::vector<cashu::Point> ys(const std::vector<cashu::Proof>& proofs) {
    std::vector<cashu::Point> points;
    for (const auto& proof : proofs)
      points.push_back(cashu::hash_to_curve(proof.secret)->compressed());
    return points;
  }

  // Every proof's state is this one, and the answer covers exactly what was asked.
  void expect_state(const std::vector<cashu::Proof>& proofs, cashu::ProofState state) {
    const auto asked = ys(proofs);
    const auto answer = ask(cashu::Endpoint::CheckState, cashu::encode_check_request(asked));
    const auto* checked = std::get_if<cashu::CheckAnswer>(&answer);
    ASSERT_NE(checked, nullptr);
    ASSERT_EQ(checked->states.size(), asked.size());
    for (size_t i = 0; i < asked.size(); ++i) {
      EXPECT_EQ(checked->states[i].y, asked[i]);
      EXPECT_EQ(checked->states[i].state, state);
    }
  }

  cashu::RestoreAnswer restored(const std::vector<cashu::BlindedMessage>& asked) {
    const auto answer = ask(cashu::Endpoint::Restore, cashu::encode_restore_request(asked));
    const auto* found = std::get_if<cashu::RestoreAnswer>(&answer);
    EXPECT_NE(found, nullptr);
    return found ? *found : cashu::RestoreAnswer{};
  }

  void expect_refused(const cashu::MintAnswer& answer, std::optional<uint32_t> code) {
    const auto* error = std::get_if<cashu::MintError>(&answer);
    ASSERT_NE(error, nullptr);
    EXPECT_GE(error->http_status, 400u);
    if (code) {
      EXPECT_EQ(error->code, mint_->code_for(*code));
    }
  }

  std::unique_ptr<MintUnderTest> mint_;
  cashu::WalletSeed seed_;
  cashu::Keyset keyset_;
  std::map<std::string, uint64_t> fees_;
  uint32_t counter_ = 0;
};

// NUT-06: what the redeemer refuses to do without.
TEST_P(MintConformance, Supports_state_check_restore_and_dleq) {
  const auto answer = ask(cashu::Endpoint::Info);
  const auto* info = std::get_if<cashu::InfoAnswer>(&answer);
  ASSERT_NE(info, nullptr);
  for (const uint32_t nut : {7u, 9u, 12u})
    EXPECT_NE(std::find(info->nuts.begin(), info->nuts.end(), nut), info->nuts.end()) << nut;
}

// NUT-02: ids are derived from the keys; one keyset can be asked for by its id.
TEST_P(MintConformance, Keyset_ids_are_those_of_the_keys) {
  EXPECT_TRUE(cashu::check_keyset_id(keyset_).has_value()) << keyset_.id;
  const auto answer = ask(cashu::Endpoint::KeysById, {}, keyset_.id);
  const auto* one = std::get_if<cashu::KeysetsAnswer>(&answer);
  ASSERT_NE(one, nullptr);
  ASSERT_EQ(one->keysets.size(), 1u);
  EXPECT_EQ(one->keysets[0].keys, keyset_.keys);
}

// NUT-03 and NUT-12: signatures in order, provably with the published keys.
TEST_P(MintConformance, A_swap_spends_the_inputs_and_signs_the_outputs) {
  const auto inputs = funds(64);
  ASSERT_FALSE(inputs.empty());
  expect_state(inputs, cashu::ProofState::Unspent);
  const auto made = outputs(inputs, after_fee(inputs));
  const auto answer = ask(cashu::Endpoint::Swap, made.body);
  const auto* swapped = std::get_if<cashu::SwapAnswer>(&answer);
  ASSERT_NE(swapped, nullptr);
  const auto proofs = open(made, swapped->signatures);
  ASSERT_EQ(proofs.size(), made.outputs.size());
  expect_state(inputs, cashu::ProofState::Spent);
  expect_state(proofs, cashu::ProofState::Unspent);
}

TEST_P(MintConformance, A_second_swap_of_the_inputs_is_refused) {
  const auto inputs = funds(64);
  ASSERT_FALSE(inputs.empty());
  ASSERT_TRUE(std::holds_alternative<cashu::SwapAnswer>(
      ask(cashu::Endpoint::Swap, outputs(inputs, after_fee(inputs)).body)));
  const auto second = outputs(inputs, after_fee(inputs));
  expect_refused(ask(cashu::Endpoint::Swap, second.body), 11001);
  EXPECT_TRUE(restored(second.outputs).signatures.empty());
}

// The same bytes again: refused, or (NUT-19) the very same answer; never another signature.
TEST_P(MintConformance, The_same_bytes_again_give_nothing_new) {
  const auto inputs = funds(64);
  ASSERT_FALSE(inputs.empty());
  const auto made = outputs(inputs, after_fee(inputs));
  const auto first = ask(cashu::Endpoint::Swap, made.body);
  ASSERT_TRUE(std::holds_alternative<cashu::SwapAnswer>(first));
  const auto again = ask(cashu::Endpoint::Swap, made.body);
  if (const auto* repeated = std::get_if<cashu::SwapAnswer>(&again)) {
    EXPECT_EQ(open(made, repeated->signatures),
              open(made, std::get<cashu::SwapAnswer>(first).signatures));
  } else {
    EXPECT_TRUE(std::holds_alternative<cashu::MintError>(again));
  }
}

// NUT-09: exactly what was signed comes back, with the same value, and nothing else.
TEST_P(MintConformance, Restore_is_exact) {
  const auto inputs = funds(100);
  ASSERT_FALSE(inputs.empty());
  const auto made = outputs(inputs, after_fee(inputs));
  EXPECT_TRUE(restored(made.outputs).signatures.empty());
  const auto answer = ask(cashu::Endpoint::Swap, made.body);
  ASSERT_TRUE(std::holds_alternative<cashu::SwapAnswer>(answer));
  const auto proofs = open(made, std::get<cashu::SwapAnswer>(answer).signatures);
  const auto found = restored(made.outputs);
  ASSERT_EQ(found.outputs.size(), made.outputs.size());
  ASSERT_EQ(found.signatures.size(), made.outputs.size());
  std::vector<cashu::BlindSignature> ordered;
  for (const auto& output : made.outputs)
    for (size_t i = 0; i < found.outputs.size(); ++i)
      if (found.outputs[i].b == output.b) ordered.push_back(found.signatures[i]);
  const auto again = open(made, ordered);
  ASSERT_EQ(again.size(), proofs.size());
  for (size_t i = 0; i < proofs.size(); ++i) EXPECT_EQ(again[i].c, proofs[i].c);
  const auto never_sent = outputs({}, 7);
  std::vector<cashu::BlindedMessage> mixed = never_sent.outputs;
  mixed.push_back(made.outputs[0]);
  EXPECT_EQ(restored(mixed).outputs.size(), 1u);
}

TEST_P(MintConformance, An_unbalanced_swap_touches_nothing) {
  const auto inputs = funds(64);
  ASSERT_FALSE(inputs.empty());
  for (const cashu::Amount amount : {after_fee(inputs) + 1, after_fee(inputs) - 1}) {
    const auto made = outputs(inputs, amount);
    expect_refused(ask(cashu::Endpoint::Swap, made.body), 11005);
    EXPECT_TRUE(restored(made.outputs).signatures.empty());
  }
  expect_state(inputs, cashu::ProofState::Unspent);
}

TEST_P(MintConformance, Outputs_are_signed_once) {
  const auto first = funds(32);
  const auto second = funds(32);
  ASSERT_FALSE(first.empty() || second.empty());
  const auto made = outputs(first, after_fee(first));
  ASSERT_TRUE(std::holds_alternative<cashu::SwapAnswer>(ask(cashu::Endpoint::Swap, made.body)));
  expect_refused(ask(cashu::Endpoint::Swap, cashu::encode_swap_request(second, made.outputs)), {});
  expect_state(second, cashu::ProofState::Unspent);
}

TEST_P(MintConformance, A_forged_proof_is_refused) {
  auto inputs = funds(64);
  ASSERT_FALSE(inputs.empty());
  inputs[0].secret[0] = inputs[0].secret[0] == '0' ? '1' : '0';
  const auto made = outputs(inputs, after_fee(inputs));
  expect_refused(ask(cashu::Endpoint::Swap, made.body), {});
  EXPECT_TRUE(restored(made.outputs).signatures.empty());
}

TEST_P(MintConformance, A_proof_that_stands_twice_is_refused) {
  auto inputs = funds(64);
  ASSERT_FALSE(inputs.empty());
  inputs.push_back(inputs[0]);
  const auto made = outputs(inputs, after_fee(inputs));
  expect_refused(ask(cashu::Endpoint::Swap, made.body), {});
  inputs.pop_back();
  expect_state(inputs, cashu::ProofState::Unspent);
}

TEST_P(MintConformance, A_body_that_is_not_a_request_is_the_callers_fault) {
  const auto answer =
      mint_->request(true, cashu::endpoint_path(cashu::Endpoint::Swap), Bytes{'{', '}'});
  EXPECT_GE(answer.status, 400u);
  EXPECT_LT(answer.status, 500u);
}

}  // namespace paygress::conformance
