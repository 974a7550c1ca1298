#include "sim/models/fake_curve.h"

#include <set>

#include "core/base/random.h"
#include "core/cashu/mint_api.h"

namespace paygress::sim {
namespace {

constexpr uint64_t kPrime = (uint64_t{1} << 61) - 1;

struct FakeSecret {
  std::string secret;
  uint64_t r = 0;
};

FakeSecret derive(uint64_t wallet_seed, const std::string& keyset, uint32_t counter) {
  const uint64_t root = mix64(wallet_seed ^ mix64(name64(keyset) + counter));
  ByteArray<32> bytes{};
  for (size_t word = 0; word < 4; ++word) {
    const uint64_t bits = mix64(root + word + 1);
    for (size_t i = 0; i < 8; ++i) bytes[word * 8 + i] = static_cast<uint8_t>(bits >> (8 * i));
  }
  return {to_hex(bytes), 1 + mix64(root ^ 0x72) % (kPrime - 1)};
}

// As in core/cashu/curve_work.cpp: the first outputs of a refund come from its claim.
FakeSecret derive(uint64_t wallet_seed, const std::string& keyset, uint32_t counter_start,
                  const std::optional<cashu::TokenOutputs>& refund, uint32_t index) {
  const uint32_t of_token = refund ? refund->count : 0;
  if (index < of_token)
    return derive(wallet_seed, "refund " + refund->claim.hex() + std::to_string(refund->attempt),
                  index);
  return derive(wallet_seed, keyset, counter_start + (index - of_token));
}

cashu::Point blind(const FakeSecret& secret) {
  return fake_point(fake_add(fake_log(fake_hash_to_curve(secret.secret)), secret.r));
}

// Whether C_ = kB_: with generator 1 the key IS its logarithm.
bool is_signed(const cashu::Point& key, const cashu::Point& blinded,
               const cashu::Point& signature) {
  return fake_multiply(fake_log(key), fake_log(blinded)) == fake_log(signature);
}

cashu::Scalar scalar_of(uint64_t value) {
  cashu::Scalar scalar{};
  for (size_t i = 0; i < 8; ++i) scalar[31 - i] = static_cast<uint8_t>(value >> (8 * i));
  return scalar;
}

uint64_t number_of(ByteView bytes) {
  uint64_t value = 0;
  for (uint8_t byte : bytes.last(8)) value = value << 8 | byte;
  return value % kPrime;
}

}  // namespace

uint64_t fake_log(const cashu::Point& point) { return number_of(point); }

cashu::Point fake_point(uint64_t log) {
  cashu::Point point{};
  point[0] = 2;
  for (size_t i = 0; i < 8; ++i) point[32 - i] = static_cast<uint8_t>(log >> (8 * i));
  return point;
}

uint64_t fake_multiply(uint64_t a, uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<uint64_t>(static_cast<Wide>(a) * b % kPrime);
}
uint64_t fake_add(uint64_t a, uint64_t b) { return (a + b) % kPrime; }
uint64_t fake_subtract(uint64_t a, uint64_t b) { return (a + kPrime - b) % kPrime; }

cashu::Point fake_hash_to_curve(std::string_view secret) {
  return fake_point(1 + name64(secret) % (kPrime - 1));
}

cashu::Dleq fake_dleq(const cashu::Point& key, const cashu::Point& blinded,
                      const cashu::Point& signature) {
  const uint64_t e = mix64(fake_log(key) ^ mix64(fake_log(blinded) ^ mix64(fake_log(signature))));
  return {scalar_of(e | 1), scalar_of(mix64(e) | 1), std::nullopt};
}

cashu::OutputsReady fake_make_outputs(const cashu::MakeOutputs& work, uint64_t wallet_seed) {
  cashu::OutputsReady ready;
  ready.id = work.id;
  uint32_t index = 0;
  for (const cashu::Amount amount : work.amounts)
    ready.outputs.push_back(
        {amount, work.keyset,
         blind(derive(wallet_seed, work.keyset, work.counter_start, work.refund, index++))});
  if (work.refund)
    for (const cashu::Proof& input : work.inputs)
      ready.points.push_back(fake_hash_to_curve(input.secret));
  ready.body = work.melt_quote.empty()
                   ? cashu::encode_swap_request(work.inputs, ready.outputs)
                   : cashu::encode_melt_request(work.melt_quote, work.inputs, ready.outputs);
  return ready;
}

cashu::ProofsReady fake_open_signatures(const cashu::OpenSignatures& work, uint64_t wallet_seed) {
  cashu::ProofsReady ready;
  ready.id = work.id;
  if (work.signatures.size() != work.outputs.size())
    return ready.problem = "wrong number of signatures", ready;
  std::vector<cashu::Proof> proofs;
  for (size_t i = 0; i < work.outputs.size(); ++i) {
    const cashu::BlindedMessage& output = work.outputs[i];
    const cashu::BlindSignature& signature = work.signatures[i];
    const auto key = work.keys.find(output.amount);
    if (signature.amount != output.amount || signature.keyset != output.keyset ||
        key == work.keys.end())
      return ready.problem = "another amount or keyset was signed", ready;
    const FakeSecret secret =
        derive(wallet_seed, work.keyset, work.counter_start, work.refund, static_cast<uint32_t>(i));
    if (blind(secret) != output.b) return ready.problem = "not our output", ready;
    const cashu::Dleq dleq = fake_dleq(key->second, output.b, signature.c);
    if (!signature.dleq || *signature.dleq != dleq ||
        !is_signed(key->second, output.b, signature.c))
      return ready.problem = "wrong DLEQ", ready;
    const uint64_t c =
        fake_subtract(fake_log(signature.c), fake_multiply(secret.r, fake_log(key->second)));
    proofs.push_back({output.amount,
                      output.keyset,
                      secret.secret,
                      fake_point(c),
                      {},
                      cashu::Dleq{dleq.e, dleq.s, scalar_of(secret.r)}});
  }
  ready.proofs = std::move(proofs);
  return ready;
}

cashu::TokenChecked fake_check_token(const cashu::CheckToken& work) {
  cashu::TokenChecked checked;
  checked.id = work.id;
  if (work.keys.empty()) {  // identity alone
    for (const cashu::Proof& proof : work.proofs)
      checked.ys.push_back(fake_hash_to_curve(proof.secret));
    return checked;
  }
  std::set<std::string_view> secrets;
  for (const cashu::Proof& proof : work.proofs) {
    const auto keyset = work.keys.find(proof.keyset);
    if (keyset == work.keys.end() || !keyset->second.contains(proof.amount))
      return checked.problem = "unknown keyset or amount", checked;
    if (!secrets.insert(proof.secret).second) return checked.problem = "repeated secret", checked;
    const cashu::Point y = fake_hash_to_curve(proof.secret);
    const cashu::Point& key = keyset->second.at(proof.amount);
    if (proof.dleq && proof.dleq->r) {
      const uint64_t r = number_of(*proof.dleq->r);
      const cashu::Point blinded = fake_point(fake_add(fake_log(y), r));
      const cashu::Point signature =
          fake_point(fake_add(fake_log(proof.c), fake_multiply(r, fake_log(key))));
      const cashu::Dleq expected = fake_dleq(key, blinded, signature);
      if (proof.dleq->e != expected.e || proof.dleq->s != expected.s ||
          !is_signed(key, blinded, signature))
        return checked.problem = "wrong DLEQ", checked;
    }
    checked.ys.push_back(y);
  }
  return checked;
}

}  // namespace paygress::sim
