// Simulator events per second with 10, 100 and 1 000 providers, and allocations per event.
#include <benchmark/benchmark.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "sim/world/world.h"

namespace {
std::atomic<uint64_t> allocations{0};
}  // namespace

// Not inlined: the compiler would see malloc's memory given to a delete expression.
[[gnu::noinline]] void* operator new(size_t size) {
  ++allocations;
  if (void* p = std::malloc(size)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, size_t) noexcept { std::free(p); }

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
  const uint64_t before = allocations;
  for (auto _ : state) count += World(scenario, ++seed, Tier::Fast).run().events;
  const auto total = static_cast<double>(count);
  state.counters["events"] = benchmark::Counter(total, benchmark::Counter::kIsRate);
  state.counters["allocs_per_event"] = static_cast<double>(allocations - before) / total;
}
BENCHMARK(events)->Args({10, 600})->Args({100, 300})->Args({1000, 60})->Iterations(1)->Unit(
    benchmark::kMillisecond);

}  // namespace
