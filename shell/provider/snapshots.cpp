#include "shell/provider/snapshots.h"

#include <utility>

#include "shell/provider/books.h"

namespace paygress::daemon {
namespace {

constexpr Micros kBetweenSlices = 20'000_us;
constexpr Micros kLedgerBusy = micros(Seconds{1});
constexpr const char* kSliceEnd = "the slice ends here";

Result<void> fold(const journal::SealedBatch& batch, provider::Provider& into) {
  return each_record(batch, [&](uint64_t, const provider::Record& r) { into.fold(r); });
}

}  // namespace

struct Snapshots::Pass {
  std::unique_ptr<provider::Provider> provider;  // null until the first slice
  InstallId install;
  journal::Tip tip;     // the last batch in it
  uint64_t last = 0;    // the batch at which it ends
  uint64_t wanted = 0;  // less than so many batches after the older one are no reason
  std::string older;    // the file to begin with
  std::optional<Error> problem;

  void begin(const Empty& empty, const journal::Tip& end) {
    last = end.sequence;
    provider = empty();
    const auto before = store::read_snapshot(older);
    if (!before || !*before || (*before)->install != install) return;
    if (provider->load((*before)->state))
      tip = (*before)->tip;
    else
      provider = empty();
  }

  void fold_some(store::Ledger& ledger) {
    const uint64_t first = tip.sequence + 1;
    const auto read = ledger.read(first, [&](const journal::SealedBatch& b) -> Result<void> {
      if (b.sequence > last || b.sequence >= first + kBatchesPerSlice) return fail(kSliceEnd);
      tip = {b.sequence, b.hash};
      return fold(b, *provider);
    });
    if (!read && read.error().message != kSliceEnd) problem = read.error();
  }
};

Snapshots::Snapshots(std::string data_dir, uint64_t batches_per_snapshot)
    : path_(std::move(data_dir) + "/" + store::kSnapshotFile),
      batches_per_snapshot_(batches_per_snapshot) {}

std::optional<journal::Tip> Snapshots::read() {
  auto found = store::read_snapshot(path_);
  if (!found) {
    log_.warn("{}; the ledger is read from its beginning", to_string(found.error()));
    return std::nullopt;
  }
  snapshot_ = *std::move(found);
  if (!snapshot_) return std::nullopt;
  return snapshot_->tip;
}

Result<std::unique_ptr<provider::Provider>> Snapshots::open(store::Ledger& ledger,
                                                            const Empty& empty) {
  auto provider = empty();
  const auto snapshot = std::exchange(snapshot_, std::nullopt);
  const bool fits = snapshot && snapshot->install == ledger.header().install &&
                    snapshot->tip.sequence == ledger.resumed_after();
  if (fits) {
    if (auto loaded = provider->load(snapshot->state); loaded) {
      newest_ = snapshot->tip.sequence;
    } else {
      log_.info("the snapshot {}; the ledger is read from its beginning",
                to_string(loaded.error()));
      provider = empty();
    }
  }
  // What the ledger left out when it was opened is followed here, when it is read after all.
  journal::ChainVerifier chain(ledger.header());
  const bool follow = newest_ == 0 && ledger.resumed_after() > 0;
  const auto folded = ledger.read(newest_ + 1, [&](const journal::SealedBatch& b) -> Result<void> {
    if (follow)
      if (auto ok = chain.take(b); !ok) return ok;
    return fold(b, *provider);
  });
  if (!folded) return std::unexpected(folded.error());
  const journal::Tip& end = ledger.acknowledged();
  if (end.sequence >= newest_ + batches_per_snapshot_) {
    write(end, ledger.header().install, provider->snapshot());
    newest_ = end.sequence;
  }
  return provider;
}

void Snapshots::write(const journal::Tip& tip, const InstallId& install, Bytes state) const {
  const auto written = store::write_snapshot(path_, {install, tip, std::move(state)});
  if (written)
    log_.info("{} now stands for {} batches", path_, tip.sequence);
  else
    log_.warn("no snapshot: {}; a start reads more of the ledger", to_string(written.error()));
}

void Snapshots::watch(net::Loop& loop, net::WorkerPool& pool, JournalWriter& writer, Empty empty,
                      Micros look_every) {
  loop_ = &loop;
  pool_ = &pool;
  writer_ = &writer;
  empty_ = std::move(empty);
  queue_ = pool.make_queue(net::WorkerPool::Order::Serial, 1);
  look_every_ = look_every;
  look_later();
}

void Snapshots::look_later() {
  loop_->after(look_every_, [this] { begin(); });
}

void Snapshots::begin() {
  auto pass = std::make_shared<Pass>();
  pass->wanted = newest_ + batches_per_snapshot_;
  pass->older = path_;
  slice(std::move(pass));
}

void Snapshots::slice(std::shared_ptr<Pass> pass) {
  const bool taken = writer_->with_ledger([this, pass, empty = empty_](store::Ledger& ledger) {
    const journal::Tip& end = ledger.acknowledged();
    pass->install = ledger.header().install;
    const bool due = pass->provider != nullptr || end.sequence >= pass->wanted;
    if (due && pass->provider == nullptr) pass->begin(empty, end);
    if (due) pass->fold_some(ledger);
    return [this, pass, due] {
      if (pass->problem) log_.warn("no snapshot: {}", to_string(*pass->problem));
      if (!due || pass->problem) return look_later();
      if (pass->tip.sequence == pass->last) return finish(pass);
      loop_->after(kBetweenSlices, [this, pass] { slice(pass); });
    };
  });
  if (!taken) loop_->after(kLedgerBusy, [this, pass] { slice(pass); });
}

// The ledger is not needed any more: its writer goes on meanwhile.
void Snapshots::finish(std::shared_ptr<Pass> pass) {
  const bool taken = pool_->submit(queue_, [this, pass] {
    write(pass->tip, pass->install, pass->provider->snapshot());
    return [this, pass] {
      newest_ = pass->tip.sequence;
      look_later();
    };
  });
  PG_CHECK(taken);  // there is one at a time
}

}  // namespace paygress::daemon
