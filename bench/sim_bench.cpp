// Simulator events per second with 10, 100 and 1 000 providers, and allocations per event.
#include <benchmark/benchmark.h>

#include "bench/allocations.h"
#include "sim/world/world.h"

namespace {

using namespace paygress::sim;

void events(benchmark::State& state) {
  Scenario scenario;
  scenario.name = "bench";
  scenario.providers = static_cast<size_t>(state.range(0));
  scenario.consumers = 5;
  scenario.length = paygress::Seconds{state.range(1)};
  scenario.settle = paygress::Seconds{state.range(1)};
  uint64_t count = 0;
  uint64_t seed = 0;
  const uint64_t before = paygress::bench::allocations;
  for (auto _ : state) count += World(scenario, ++seed, Tier::Fast).run().events;
  const auto total = static_cast<double>(count);
  state.counters["events"] = benchmark::Counter(total, benchmark::Counter::kIsRate);
  state.counters["allocs_per_event"] =
      static_cast<double>(paygress::bench::allocations - before) / total;
}
BENCHMARK(events)
    ->Args({10, 600})
    ->Args({100, 300})
    ->Args({1000, 60})
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

}  // namespace
