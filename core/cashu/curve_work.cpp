#include "core/cashu/curve_work.h"

#include <set>

#include "core/base/check.h"
#include "core/cashu/dhke.h"
#include "core/cashu/dleq.h"
#include "core/cashu/mint_api.h"

namespace paygress::cashu {
namespace {

std::string at(std::string_view what, size_t index) {
  return std::string(what) + " " + std::to_string(index);
}

// Output `index` of an attempt: the first ones of a refund come from its claim.
Result<OutputSecret> secret_of(const OutputDeriver& deriver, const WalletSeed& seed,
                               const std::optional<TokenOutputs>& refund, uint32_t counter_start,
                               uint32_t index) {
  const uint32_t of_token = refund ? refund->count : 0;
  if (index < of_token) return refund_output(seed, refund->claim, refund->attempt, index);
  return deriver.at(counter_start + (index - of_token));
}

Result<std::vector<BlindedMessage>> derive_outputs(const MakeOutputs& work,
                                                   const WalletSeed& seed) {
  const auto deriver = OutputDeriver::make(seed, work.keyset);
  if (!deriver) return std::unexpected(deriver.error());
  std::vector<BlindedMessage> outputs;
  outputs.reserve(work.amounts.size());
  uint32_t index = 0;
  for (const Amount amount : work.amounts) {
    const auto output = secret_of(*deriver, seed, work.refund, work.counter_start, index++);
    if (!output) return std::unexpected(output.error());
    const auto blinded = blind(output->secret, output->r);
    if (!blinded) return std::unexpected(blinded.error());
    outputs.push_back({amount, work.keyset, *blinded});
  }
  return outputs;
}

// What must hold before a signature can be unblinded at all; empty when it does.
std::string mismatch(const OpenSignatures& work) {
  if (work.signatures.size() != work.outputs.size())
    return std::to_string(work.signatures.size()) + " signatures for " +
           std::to_string(work.outputs.size()) + " outputs";
  for (size_t i = 0; i < work.outputs.size(); ++i) {
    const BlindedMessage& output = work.outputs[i];
    const BlindSignature& signature = work.signatures[i];
    if (output.keyset != work.keyset) return at("another keyset's output", i);
    if (signature.keyset != output.keyset) return at("another keyset signed output", i);
    if (signature.amount != output.amount) return at("another amount was signed for output", i);
    if (!work.keys.contains(output.amount)) return at("no key for the amount of output", i);
  }
  return {};
}

// The proof of one output. `dleq_problem` is set when the mint did not prove its key.
Result<Proof> open_one(const BlindedMessage& output, const BlindSignature& signature,
                       const Point& key, const OutputSecret& secret, std::string& dleq_problem) {
  const auto again = blind(secret.secret, secret.r);
  if (!again || *again != output.b) return fail("the wallet's seed does not give output");
  const auto c = unblind(signature.c, secret.r, key);
  if (!c) return fail("malformed signature of output");
  Proof proof{output.amount, output.keyset, secret.secret, *c, {}, std::nullopt};
  if (!signature.dleq) {
    dleq_problem = "no DLEQ for output";
  } else if (!verify_signature_dleq(*signature.dleq, key, output.b, signature.c)) {
    dleq_problem = "wrong DLEQ for output";
  } else {
    proof.dleq = Dleq{signature.dleq->e, signature.dleq->s, secret.r};
  }
  return proof;
}

// The checks of a token that need no arithmetic.
std::string cheap_problem(const CheckToken& work) {
  std::set<std::string_view> secrets;
  for (size_t i = 0; i < work.proofs.size(); ++i) {
    const Proof& proof = work.proofs[i];
    const auto keyset = work.keys.find(proof.keyset);
    if (keyset == work.keys.end()) return at("unknown keyset of proof", i);
    if (!keyset->second.contains(proof.amount)) return at("no key for the amount of proof", i);
    if (!secrets.insert(proof.secret).second) return at("repeated secret of proof", i);
  }
  return {};
}

}  // namespace

OutputsReady make_outputs(const MakeOutputs& work, const WalletSeed& seed) {
  OutputsReady ready;
  ready.id = work.id;
  auto outputs = derive_outputs(work, seed);
  if (!outputs) return ready;
  PG_CHECK(outputs->size() == work.amounts.size());
  if (work.refund)
    for (const Proof& input : work.inputs) {
      const auto y = hash_to_curve(input.secret);
      if (!y) return ready;
      ready.points.push_back(y->compressed());
    }
  ready.outputs = std::move(*outputs);
  ready.body = work.melt_quote.empty()
                   ? encode_swap_request(work.inputs, ready.outputs)
                   : encode_melt_request(work.melt_quote, work.inputs, ready.outputs);
  return ready;
}

ProofsReady open_signatures(const OpenSignatures& work, const WalletSeed& seed) {
  ProofsReady ready;
  ready.id = work.id;
  ready.problem = mismatch(work);
  if (!ready.problem.empty()) return ready;
  const auto deriver = OutputDeriver::make(seed, work.keyset);
  if (!deriver) return ready.problem = to_string(deriver.error()), ready;
  std::vector<Proof> proofs;
  proofs.reserve(work.outputs.size());
  std::string dleq_problem;
  for (size_t i = 0; i < work.outputs.size(); ++i) {
    const auto secret =
        secret_of(*deriver, seed, work.refund, work.counter_start, static_cast<uint32_t>(i));
    if (!secret) return ready.problem = to_string(secret.error()), ready;
    const Point& key = work.keys.at(work.outputs[i].amount);
    std::string problem;
    auto proof = open_one(work.outputs[i], work.signatures[i], key, *secret, problem);
    if (!proof) return ready.problem = at(proof.error().message, i), ready;
    if (!problem.empty() && dleq_problem.empty()) dleq_problem = at(problem, i);
    proofs.push_back(std::move(*proof));
  }
  PG_CHECK(proofs.size() == work.signatures.size());
  ready.proofs = std::move(proofs);
  ready.problem = std::move(dleq_problem);
  return ready;
}

TokenChecked check_token(const CheckToken& work) {
  TokenChecked checked;
  checked.id = work.id;
  if (work.keys.empty()) {  // identity alone
    for (const Proof& proof : work.proofs)
      if (const auto y = hash_to_curve(proof.secret)) checked.ys.push_back(y->compressed());
    return checked;
  }
  checked.problem = cheap_problem(work);
  if (!checked.problem.empty()) return checked;
  for (size_t i = 0; i < work.proofs.size(); ++i) {
    const Proof& proof = work.proofs[i];
    // Verifying a DLEQ reads C as well; a point is not unpacked twice.
    const bool provable = proof.dleq && proof.dleq->r;
    if (!provable && !crypto::CurvePoint::parse(proof.c))
      return checked.problem = at("C is not on the curve in proof", i), checked;
    const auto y = hash_to_curve(proof.secret);
    if (!y) return checked.problem = at("no point for the secret of proof", i), checked;
    const Point& key = work.keys.at(proof.keyset).at(proof.amount);
    if (provable && !verify_proof_dleq(*proof.dleq, key, *y, proof.c))
      return checked.problem = at("wrong DLEQ in proof", i), checked;
    checked.ys.push_back(y->compressed());
  }
  return checked;
}

}  // namespace paygress::cashu
