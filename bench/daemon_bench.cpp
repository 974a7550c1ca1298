// How many spawns a daemon sustains: its own journal on a real disk with full sync, real
// cryptography, mint and engine that answer at once. `to_floor` compares with what cannot be less:
// the curve work of the spawns, spread over the workers, and their share of one group commit.
// `restart_us` is what each lease adds to the next start, which reads its `ledger_bytes` again.
// With 5 ms added to each sync, more than 200 spawns a second are only possible in groups.
//
// The ledgers go below TMPDIR; name a directory on the disk that is to be measured.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <filesystem>

#include "bench/daemon/daemon_rig.h"
#include "core/base/check.h"

namespace {

using namespace paygress;
using namespace paygress::bench;

// Removed at the end, with the ledger in it.
class Directory {
 public:
  Directory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "paygress-bench-XXXXXX");
    PG_CHECK(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

double per_spawn(Micros time, const LoadResult& result) {
  return static_cast<double>(time.value) / static_cast<double>(result.answered);
}

double p99_ms(std::vector<Micros> times) {
  if (times.empty()) return 0;
  std::ranges::sort(times);
  return static_cast<double>(times[times.size() * 99 / 100].value) / 1000;
}

void spawns(benchmark::State& state) {
  for (auto _ : state) {
    const Directory directory;
    LoadOptions options;
    options.directory = directory.path();
    options.sync_delay = Micros{state.range(0)};
    const LoadResult r = run_load(options);
    const double spawns_per_sync =
        static_cast<double>(r.answered) / static_cast<double>(std::max<uint64_t>(1, r.syncs.syncs));
    const double floor = per_spawn(r.crypto, r) / workers() +
                         static_cast<double>(r.sync_alone.value) / spawns_per_sync;
    state.counters["per_s"] = 1e6 / per_spawn(r.wall, r);
    state.counters["to_floor"] = per_spawn(r.wall, r) / floor;
    state.counters["crypto_us"] = per_spawn(r.crypto, r);
    state.counters["core_us"] = per_spawn(r.core, r);
    state.counters["frames_us"] = per_spawn(r.messages, r);
    state.counters["sync_us"] = per_spawn(r.syncs.spent, r);
    state.counters["per_sync"] = spawns_per_sync;
    state.counters["status_p99_ms"] = p99_ms(r.status);
    state.counters["lease_bytes"] = static_cast<double>(r.bytes_per_lease);
    state.counters["ledger_bytes"] =
        static_cast<double>(r.ledger_bytes) / static_cast<double>(r.answered);
    state.counters["restart_us"] = per_spawn(r.restart, r);
  }
}
BENCHMARK(spawns)->ArgName("sync_delay_us")->Arg(0)->Arg(5000)->Iterations(1)->UseRealTime();

}  // namespace
