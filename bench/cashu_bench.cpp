// Receiving a token of ten proofs with DLEQ: decode, check, and open the swap's signatures. Beside
// each stands the curve arithmetic alone that it cannot avoid; the counter `x_curve` is the ratio.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <limits>

#include "core/cashu/curve_work.h"
#include "core/cashu/dhke.h"
#include "core/cashu/dleq.h"
#include "core/cashu/keyset.h"
#include "core/cashu/token.h"
#include "core/crypto/hash.h"

namespace paygress::cashu {
namespace {

constexpr size_t kProofs = 10;

struct Fixture {
  std::map<Amount, Scalar> secrets;
  std::map<Amount, Point> keys;
  std::string id;
  WalletSeed seed = seed_from_key("bench");
  Token token;
  std::string v4;
  CheckToken check;
  OpenSignatures open;

  Fixture() {
    for (size_t bit = 0; bit < kProofs; ++bit) {
      const Amount amount = Amount{1} << bit;
      secrets[amount] = crypto::sha256(as_bytes(std::to_string(amount)));
      keys[amount] = crypto::CurvePoint::generator_times(secrets[amount]).value().compressed();
    }
    id = keyset_id_v1(keys);
    const auto payer = OutputDeriver::make(seed_from_key("payer"), id).value();
    token = {"https://mint.example", "sat", "", {}};
    std::vector<Amount> amounts;
    for (const auto& [amount, key] : keys) {
      const auto output = payer.at(static_cast<uint32_t>(amounts.size())).value();
      token.proofs.push_back(issue(amount, output));
      amounts.push_back(amount);
    }
    v4 = encode_token(token, TokenVersion::V4).value();
    check = {{}, token.proofs, {{id, keys}}};
    const auto ready = make_outputs({{}, {}, id, 0, amounts, token.proofs, {}, {}}, seed);
    open = {{}, {}, id, 0, ready.outputs, {}, keys, {}};
    for (const auto& output : ready.outputs) open.signatures.push_back(sign(output));
  }

  BlindSignature sign(const BlindedMessage& output) const {
    const Scalar& k = secrets.at(output.amount);
    const Point c = sign_blinded(k, output.b).value();
    return {output.amount, output.keyset, c, make_dleq(k, output.b, c).value()};
  }

  Proof issue(Amount amount, const OutputSecret& output) const {
    const auto signature = sign({amount, id, blind(output.secret, output.r).value()});
    Proof proof{amount, id, output.secret, {}, {}, signature.dleq};
    proof.c = unblind(signature.c, output.r, keys.at(amount)).value();
    proof.dleq->r = output.r;
    return proof;
  }
};

const Fixture& fixture() {
  static const Fixture made;
  return made;
}

// The arithmetic of one received proof's DLEQ (NUT-12): 2 generator multiplications, 4 others, 4
// sums, and the hash to the curve; no parsing, no comparison, no book-keeping.
void dleq_arithmetic(const Proof& proof, const crypto::CurvePoint& key,
                     const crypto::CurvePoint& c) {
  const Dleq& dleq = *proof.dleq;
  const auto y = hash_to_curve(proof.secret).value();
  const auto b = y.plus(crypto::CurvePoint::generator_times(*dleq.r).value()).value();
  const auto signature = c.plus(key.times(*dleq.r).value()).value();
  const auto r1 =
      crypto::CurvePoint::generator_times(dleq.s).value().plus(key.times(dleq.e).value().negated());
  const auto r2 = b.times(dleq.s).value().plus(signature.times(dleq.e).value().negated());
  benchmark::DoNotOptimize(r1);
  benchmark::DoNotOptimize(r2);
}

double seconds_per_call(const auto& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
  return spent.count();
}

void receive_token(benchmark::State& state) {
  const Fixture& f = fixture();
  std::vector<std::pair<crypto::CurvePoint, crypto::CurvePoint>> points;
  for (const Proof& proof : f.token.proofs)
    points.emplace_back(crypto::CurvePoint::parse(f.keys.at(proof.amount)).value(),
                        crypto::CurvePoint::parse(proof.c).value());
  const auto floor = [&] {
    for (size_t i = 0; i < points.size(); ++i)
      dleq_arithmetic(f.token.proofs[i], points[i].first, points[i].second);
  };
  const auto receive = [&] {
    const auto token = decode_token(f.v4);
    const auto checked = check_token({{}, token->proofs, f.check.keys});
    if (!checked.problem.empty()) state.SkipWithError(checked.problem.c_str());
    benchmark::DoNotOptimize(checked);
  };
  // Alternating, and the fastest of each: a busy machine then spoils neither.
  double receive_seconds = std::numeric_limits<double>::max();
  double floor_seconds = receive_seconds;
  for (auto _ : state) {
    const double spent = seconds_per_call(receive);
    floor_seconds = std::min(floor_seconds, seconds_per_call(floor));
    receive_seconds = std::min(receive_seconds, spent);
    state.SetIterationTime(spent);
  }
  state.counters["x_curve"] = receive_seconds / floor_seconds;
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kProofs));
}
BENCHMARK(receive_token)->UseManualTime()->Unit(benchmark::kMicrosecond);

void decode_v4(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(decode_token(fixture().v4));
}
BENCHMARK(decode_v4)->Unit(benchmark::kMicrosecond);

void make_ten_outputs(benchmark::State& state) {
  const Fixture& f = fixture();
  MakeOutputs work{{}, {}, f.id, 0, {}, f.token.proofs, {}, {}};
  for (const auto& [amount, key] : f.keys) work.amounts.push_back(amount);
  for (auto _ : state) benchmark::DoNotOptimize(make_outputs(work, f.seed));
}
BENCHMARK(make_ten_outputs)->Unit(benchmark::kMicrosecond);

void open_ten_signatures(benchmark::State& state) {
  const Fixture& f = fixture();
  for (auto _ : state) {
    const auto ready = open_signatures(f.open, f.seed);
    if (!ready.problem.empty()) state.SkipWithError(ready.problem.c_str());
    benchmark::DoNotOptimize(ready);
  }
}
BENCHMARK(open_ten_signatures)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace paygress::cashu
