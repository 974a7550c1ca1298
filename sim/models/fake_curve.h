// The algebra of NUT-00 in the additive group of integers modulo p = 2^61 - 1, with generator 1.
// The discrete logarithm of a number is the number itself, so nothing here is secret; the rest is
// as on the curve: B_ = Y + r, C_ = kB_, C = C_ - rK, and C == kY. Points keep their 33 bytes. For
// the simulator's fast tier: stands in for core/cashu/curve_work.h beside fake_mint_crypto().
#pragma once

#include <string_view>

#include "core/cashu/redeem.h"

namespace paygress::sim {

// Reduces the last 8 bytes; any 33 bytes are a point.
uint64_t fake_log(const cashu::Point& point);
cashu::Point fake_point(uint64_t log);
uint64_t fake_multiply(uint64_t a, uint64_t b);
uint64_t fake_add(uint64_t a, uint64_t b);
uint64_t fake_subtract(uint64_t a, uint64_t b);
cashu::Point fake_hash_to_curve(std::string_view secret);
// A DLEQ that binds key, message and signature.
cashu::Dleq fake_dleq(const cashu::Point& key, const cashu::Point& blinded,
                      const cashu::Point& signature);

// As the functions of the same names in core/cashu/curve_work.h. The seed is a number here.
cashu::OutputsReady fake_make_outputs(const cashu::MakeOutputs& work, uint64_t wallet_seed);
cashu::ProofsReady fake_open_signatures(const cashu::OpenSignatures& work, uint64_t wallet_seed);
cashu::TokenChecked fake_check_token(const cashu::CheckToken& work);

}  // namespace paygress::sim
