// How a mint model signs: for real, or in the fast tier's small group.
#include <algorithm>

#include "core/base/check.h"
#include "core/base/codec.h"
#include "core/cashu/dhke.h"
#include "core/cashu/dleq.h"
#include "core/crypto/hash.h"
#include "core/crypto/point.h"
#include "sim/models/fake_curve.h"
#include "sim/models/mint.h"

namespace paygress::sim {
namespace {

// A payer's secret and blinding factor, from a number of its own.
struct Payer {
  std::string secret;
  crypto::Digest r{};
};

Payer payer(uint64_t number) {
  const Bytes name = encode_bytes(number);
  return {to_hex(crypto::sha256({as_bytes("payer secret"), name})),
          crypto::sha256({as_bytes("payer blinding factor"), name})};
}

class RealMintCrypto final : public MintCrypto {
 public:
  cashu::Point public_key(const cashu::Scalar& k) const override {
    const auto point = crypto::CurvePoint::generator_times(k);
    PG_CHECK(point.has_value());
    return point->compressed();
  }
  std::optional<cashu::BlindSignature> sign(const cashu::Scalar& k,
                                            const cashu::BlindedMessage& output) const override {
    const auto c = cashu::sign_blinded(k, output.b);
    if (!c) return std::nullopt;
    const auto dleq = cashu::make_dleq(k, output.b, *c);
    if (!dleq) return std::nullopt;
    return cashu::BlindSignature{output.amount, output.keyset, *c, *dleq};
  }
  bool verify(const cashu::Scalar& k, const cashu::Proof& proof) const override {
    return cashu::verify_unblinded(k, proof.secret, proof.c);
  }
  std::optional<cashu::Point> y_of(const std::string& secret) const override {
    const auto y = cashu::hash_to_curve(secret);
    return y ? std::optional(y->compressed()) : std::nullopt;
  }
  cashu::Proof issue(const cashu::Scalar& k, cashu::Amount amount, const std::string& keyset,
                     uint64_t number) const override {
    const Payer who = payer(number);
    const auto blinded = cashu::blind(who.secret, who.r);
    PG_CHECK(blinded.has_value());
    const auto signature = sign(k, {amount, keyset, *blinded});
    PG_CHECK(signature.has_value());
    const auto c = cashu::unblind(signature->c, who.r, public_key(k));
    PG_CHECK(c.has_value());
    return {amount, keyset, who.secret,
            *c,     {},     cashu::Dleq{signature->dleq->e, signature->dleq->s, who.r}};
  }
  bool reads_real_points() const override { return true; }
};

class FakeMintCrypto final : public MintCrypto {
 public:
  cashu::Point public_key(const cashu::Scalar& k) const override { return fake_point(log_of(k)); }
  std::optional<cashu::BlindSignature> sign(const cashu::Scalar& k,
                                            const cashu::BlindedMessage& output) const override {
    const cashu::Point c = fake_point(fake_multiply(log_of(k), fake_log(output.b)));
    return cashu::BlindSignature{output.amount, output.keyset, c,
                                 fake_dleq(public_key(k), output.b, c)};
  }
  bool verify(const cashu::Scalar& k, const cashu::Proof& proof) const override {
    return fake_log(proof.c) ==
           fake_multiply(log_of(k), fake_log(fake_hash_to_curve(proof.secret)));
  }
  std::optional<cashu::Point> y_of(const std::string& secret) const override {
    return fake_hash_to_curve(secret);
  }
  cashu::Proof issue(const cashu::Scalar& k, cashu::Amount amount, const std::string& keyset,
                     uint64_t number) const override {
    const std::string secret = "payer-" + std::to_string(number);
    cashu::Scalar r{};
    for (size_t i = 0; i < 7; ++i) r[31 - i] = static_cast<uint8_t>(mix64(number) >> (8 * i));
    cashu::Point wide{};
    std::copy(r.begin(), r.end(), wide.begin() + 1);
    const cashu::Point blinded =
        fake_point(fake_add(fake_log(fake_hash_to_curve(secret)), fake_log(wide)));
    const auto signature = sign(k, {amount, keyset, blinded});
    const uint64_t y = fake_log(fake_hash_to_curve(secret));
    return {amount, keyset,
            secret, fake_point(fake_multiply(log_of(k), y)),
            {},     cashu::Dleq{signature->dleq->e, signature->dleq->s, r}};
  }
  bool reads_real_points() const override { return false; }

 private:
  static uint64_t log_of(const cashu::Scalar& k) {
    cashu::Point wide{};
    std::copy(k.begin(), k.end(), wide.begin() + 1);
    return fake_log(wide);
  }
};

}  // namespace

std::unique_ptr<MintCrypto> real_mint_crypto() { return std::make_unique<RealMintCrypto>(); }
std::unique_ptr<MintCrypto> fake_mint_crypto() { return std::make_unique<FakeMintCrypto>(); }

}  // namespace paygress::sim
