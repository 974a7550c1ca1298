// What the tests of core/cashu share: vectors, short forms, a mint of one keyset.
#pragma once

#include <boost/json.hpp>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>

#include "core/base/check.h"
#include "core/cashu/dhke.h"
#include "core/cashu/dleq.h"
#include "core/cashu/keyset.h"
#include "core/cashu/types.h"
#include "core/crypto/hash.h"

namespace paygress::cashu::test {

inline boost::json::value vectors(const std::string& name) {
  std::ifstream file(std::string(PAYGRESS_VECTORS) + "/cashu/" + name);
  PG_CHECK(file.good());
  std::stringstream text;
  text << file.rdbuf();
  return boost::json::parse(text.str());
}

inline std::string str(const boost::json::value& value) {
  const auto& text = value.as_string();
  return {text.data(), text.size()};
}

template <size_t N>
ByteArray<N> bytes(const std::string& hex) {
  const auto read = from_hex(hex);
  PG_CHECK(read.has_value() && read->size() == N);
  ByteArray<N> out;
  std::copy(read->begin(), read->end(), out.begin());
  return out;
}
inline Point point(const boost::json::value& hex) { return bytes<33>(str(hex)); }
inline Scalar scalar(const boost::json::value& hex) { return bytes<32>(str(hex)); }
inline Scalar small_scalar(uint8_t number) {
  Scalar out{};
  out.back() = number;
  return out;
}

inline std::map<Amount, Point> keys_of(const boost::json::value& object) {
  std::map<Amount, Point> keys;
  for (const auto& [amount, key] : object.as_object())
    keys[std::stoull(std::string(amount.data(), amount.size()))] = point(key);
  return keys;
}

// A mint that signs: one key for each power of two below 2^16, derived from a name.
struct TinyMint {
  std::map<Amount, Scalar> secrets;
  Keyset keyset;

  explicit TinyMint(const std::string& name = "mint", KeysetVersion version = KeysetVersion::V1) {
    for (int bit = 0; bit < 16; ++bit) {
      const Amount amount = Amount{1} << bit;
      secrets[amount] = crypto::sha256({as_bytes(name), as_bytes(std::to_string(amount))});
      keyset.keys[amount] =
          crypto::CurvePoint::generator_times(secrets[amount]).value().compressed();
    }
    keyset.unit = "sat";
    keyset.active = true;
    keyset.id = version == KeysetVersion::V1
                    ? keyset_id_v1(keyset.keys)
                    : keyset_id_v2(keyset.keys, keyset.unit, 0, std::nullopt);
  }

  BlindSignature sign(const BlindedMessage& output) const {
    BlindSignature signature{output.amount, output.keyset, {}, std::nullopt};
    const Scalar& k = secrets.at(output.amount);
    signature.c = sign_blinded(k, output.b).value();
    signature.dleq = make_dleq(k, output.b, signature.c).value();
    return signature;
  }

  // A proof as a payer hands it on, with a DLEQ that has r.
  Proof issue(Amount amount, const std::string& secret) const {
    const Scalar r = crypto::sha256({as_bytes("r"), as_bytes(secret)});
    const BlindSignature signed_b = sign({amount, keyset.id, blind(secret, r).value()});
    Proof proof{amount, keyset.id, secret, {}, {}, signed_b.dleq};
    proof.c = unblind(signed_b.c, r, keyset.keys.at(amount)).value();
    proof.dleq->r = r;
    return proof;
  }
};

}  // namespace paygress::cashu::test
