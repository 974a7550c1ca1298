// What one input costs a provider with 1, 1 000 and 1 000 000 leases of which one is due: the
// lease's end is looked at, seen, and its workload stopped and removed. `to_1k` is the ratio to the
// cost with 1 000 leases (goal: at most 3), `allocs` the allocations per input.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <map>

#include "bench/allocations.h"
#include "core/provider/provider.h"

namespace {

using namespace paygress;
using namespace paygress::provider;

constexpr int kEnding = 200;  // leases that end during the measurement, a second apart
constexpr Seconds kFirstEnd{10'000};

template <class Id>
Id id_of(uint64_t n) {
  Id id;  // spread like a hash, as real ids are
  for (size_t i = 0; i < 16; ++i)
    id.bytes[i] = static_cast<uint8_t>(mix64(n * 2 + i / 8) >> (8 * (i % 8)));
  return id;
}

Settings settings() {
  Settings s;
  s.self = id_of<PubKey>(0);
  s.name = "bench";
  s.tiers = {{"basic", "Basic", "", 1, 1, 1, Msat{1}}};
  s.mints = {"https://mint.example"};
  s.relays = {"wss://relay.example"};
  s.ranges.number_first = 1;
  s.ranges.number_last = 3'000'000;
  s.sold = {10'000'000, 10'000'000, 10'000'000};
  return s;
}

class Shop {
 public:
  explicit Shop(uint64_t leases) : provider_(settings(), entropy_, 1) {
    machine_.bytes[0] = 1;
    const uint64_t ending = std::min<uint64_t>(leases, kEnding);
    for (uint64_t n = 1; n <= leases + kEnding - ending; ++n) fold(n, n <= kEnding);
    Boot boot{id_of<InstallId>(1), machine_, "seed"};
    take(provider_.start(now_, boot).value());
    // After a start every workload is looked at once; then the sights are recorded.
    settle();
    pass(micros(Seconds{120}));
    settle();
    now_.mono = Micros{0} + micros(kFirstEnd - Seconds{1});
    take(provider_.step(now_, Tick{}));
    settle();
    calls_.clear();
  }

  // One lease comes to its end. Returns the number of inputs.
  int end_one() {
    int inputs = 1;
    pass(Micros{1'000'000});
    while (!calls_.empty()) {
      const workload::Call call = std::move(calls_.back());
      calls_.pop_back();
      if (call.verb == workload::Verb::List) continue;
      answer(call);
      ++inputs;
    }
    return inputs;
  }

 private:
  void fold(uint64_t n, bool ends) {
    const auto at = UnixSeconds{1'780'000'000};
    lease::LeaseReserved terms;
    terms.lease = id_of<LeaseId>(n);
    terms.op = id_of<OpId>(n);
    terms.owner = id_of<PubKey>(n % 1000);
    terms.number = static_cast<uint32_t>(n);
    terms.tier = settings().tiers[0];
    terms.image = "debian:12";
    terms.at = at;
    workload::Spec spec;
    spec.image = terms.image;
    spec.labels.lease = terms.lease;
    const Seconds bought =
        ends ? kFirstEnd + Seconds{static_cast<int64_t>(n)} - Seconds{1} : Seconds{1'000'000'000};
    const lease::Lot lot{"https://mint.example", "sat", Msat{bought.value}};
    provider_.fold(lease::LeaseRecord(terms));
    provider_.fold(
        lease::LeaseRecord(lease::LeasePaid{terms.lease, terms.op, lot, bought, Msat{0}, at}));
    provider_.fold(workload::WorkloadRecord(workload::WorkloadWanted{spec, {}, at}));
    provider_.fold(workload::WorkloadRecord(workload::WorkloadGeneration{terms.lease, 1, at}));
    provider_.fold(workload::WorkloadRecord(
        workload::WorkloadMoved{terms.lease, workload::State::Live, at, 0, ""}));
    provider_.fold(
        lease::LeaseRecord(lease::LeaseStarted{terms.lease, {machine_, Micros{0}, at}, true}));
  }
  void pass(Micros time) {
    now_.mono += time;
    take(provider_.step(now_, Tick{}));
  }
  void take(Step step) {
    for (Effect& effect : step.effects)
      if (auto* call = std::get_if<workload::Call>(&effect)) calls_.push_back(std::move(*call));
  }
  void answer(const workload::Call& call) {
    workload::Answer answer;
    answer.id = call.id;
    answer.verb = call.verb;
    answer.name = call.name;
    answer.outcome = workload::Outcome::Done;
    if (call.verb == workload::Verb::Inspect) {
      workload::Object& object = answer.objects.emplace_back();
      object.name = call.name;
      object.running = workload::Running::Running;
    }
    take(provider_.step(now_, answer));
  }
  void settle() {
    while (!calls_.empty()) {
      const workload::Call call = std::move(calls_.back());
      calls_.pop_back();
      if (call.verb != workload::Verb::List) answer(call);
    }
  }

  SeededEntropy entropy_{1, 1, "bench"};
  lease::BootId machine_;
  Provider provider_;
  Now now_{Micros{1'000'000}, UnixSeconds{1'780'000'000}};
  std::vector<workload::Call> calls_;
};

void step_with_one_due(benchmark::State& state) {
  using Clock = std::chrono::steady_clock;
  static std::map<int64_t, double> cost;
  Shop shop(static_cast<uint64_t>(state.range(0)));
  int64_t inputs = 0;
  std::vector<double> per_input;  // seconds, of each lease that ended
  const uint64_t before = bench::allocations;
  for (auto _ : state) {
    const Clock::time_point from = Clock::now();
    const int of_this_end = shop.end_one();
    per_input.push_back(std::chrono::duration<double>(Clock::now() - from).count() / of_this_end);
    inputs += of_this_end;
  }
  state.counters["inputs"] = static_cast<double>(inputs) / kEnding;
  state.counters["allocs"] =
      static_cast<double>(bench::allocations - before) / static_cast<double>(inputs);
  // The median: what another program on the machine interrupts does not count.
  const auto middle = per_input.begin() + kEnding / 2;
  std::nth_element(per_input.begin(), middle, per_input.end());
  cost[state.range(0)] = *middle;
  state.counters["per_input"] = *middle;
  if (cost.contains(1000)) state.counters["to_1k"] = *middle / cost[1000];
}
BENCHMARK(step_with_one_due)->Arg(1)->Arg(1000)->Arg(1'000'000)->Iterations(kEnding);

}  // namespace
