#include "core/journal/journal.h"

#include "core/base/check.h"

namespace paygress::journal {
namespace {

constexpr const char* kPutBack =
    "is not the batch that was acknowledged here: an older copy of the journal was put back and "
    "written on";

// Follows the chain to its end, passes on each batch that fits, and holds what stands at `mark`
// against it.
Result<Tip> follow(Storage& storage, ChainVerifier chain, const std::optional<Tip>& mark,
                   const Visitor& visit) {
  auto scanned =
      storage.scan(chain.tip().sequence + 1, [&](const SealedBatch& batch) -> Result<void> {
        if (auto fits = chain.take(batch); !fits) return fits;
        if (mark && mark->sequence == batch.sequence && mark->hash != batch.hash)
          return fail(kPutBack, "batch " + std::to_string(batch.sequence));
        return visit ? visit(batch) : Result<void>{};
      });
  if (!scanned) return std::unexpected(scanned.error());
  return chain.tip();
}

// Whether the storage holds exactly this batch. What stands beside it is not looked at.
bool holds(Storage& storage, const Tip& tip) {
  if (tip.sequence == 0) return genesis(storage.header()) == tip;
  bool found = false;
  // The error only ends the scan.
  (void)storage.scan(tip.sequence, [&](const SealedBatch& batch) -> Result<void> {
    found = batch.sequence == tip.sequence && batch.hash == tip.hash &&
            ChainVerifier(Tip{tip.sequence - 1, batch.previous}).take(batch).has_value();
    return fail("seen");
  });
  return found;
}

}  // namespace

Journal::Journal(std::unique_ptr<Storage> storage) : storage_(std::move(storage)) {}

Result<std::unique_ptr<Journal>> Journal::open(std::unique_ptr<Storage> storage,
                                               const std::optional<Tip>& mark,
                                               const Visitor& replay,
                                               const std::optional<Tip>& known) {
  PG_CHECK(storage != nullptr);
  if (storage->header().format_version != kFormatVersion)
    return fail("format " + std::to_string(storage->header().format_version) +
                " is not known to this program");
  const Tip start = genesis(storage->header());
  if (mark && mark->sequence == 0 && *mark != start)
    return fail("the high-water mark is of another journal");
  const bool resumes = known && holds(*storage, *known);
  const uint64_t after = resumes ? known->sequence : 0;
  // Where the mark is older than the snapshot the chain between them is followed too: it shows that
  // both are of one journal.
  const Tip from = !resumes ? start : !mark || known->sequence <= mark->sequence ? *known : *mark;
  if (resumes && !holds(*storage, from))
    return fail(kPutBack, "batch " + std::to_string(from.sequence));
  auto tip = follow(*storage, ChainVerifier(from), mark, [&](const SealedBatch& batch) {
    return batch.sequence > after && replay ? replay(batch) : Result<void>{};
  });
  if (!tip) return std::unexpected(tip.error());
  if (mark && mark->sequence > tip->sequence)
    return fail("ends at batch " + std::to_string(tip->sequence) + ", but batch " +
                std::to_string(mark->sequence) +
                " was acknowledged: it was truncated, or an older copy was put back");
  auto journal = std::unique_ptr<Journal>(new Journal(std::move(storage)));
  journal->appended_ = journal->acknowledged_ = *tip;
  journal->resumed_after_ = after;
  return journal;
}

std::unexpected<Error> Journal::fail_for_good(Error error) {
  failure_ = std::move(error);
  return std::unexpected(*failure_);
}

Result<uint64_t> Journal::append(const Records& records) {
  if (failure_) return std::unexpected(*failure_);
  auto payload = encode_records(records);
  if (!payload) return std::unexpected(payload.error());
  const SealedBatch batch = link(appended_, std::move(*payload));
  if (auto written = storage_->write(batch); !written) return fail_for_good(written.error());
  appended_ = {batch.sequence, batch.hash};
  PG_CHECK(appended_.sequence > acknowledged_.sequence);
  return batch.sequence;
}

Result<uint64_t> Journal::commit() {
  if (failure_) return std::unexpected(*failure_);
  if (appended_ == acknowledged_) return acknowledged_.sequence;
  PG_CHECK(appended_.sequence > acknowledged_.sequence);
  if (auto synced = storage_->sync(); !synced) return fail_for_good(synced.error());
  acknowledged_ = appended_;
  return acknowledged_.sequence;
}

Result<void> Journal::read(uint64_t from, const Visitor& visit) {
  const uint64_t last = acknowledged_.sequence;
  if (from > last) return {};
  // A storage that was told more than is acknowledged may show it; nobody may act on it yet.
  return storage_->scan(from, [&](const SealedBatch& batch) -> Result<void> {
    return batch.sequence <= last ? visit(batch) : Result<void>{};
  });
}

Result<Tip> verify(Storage& storage) {
  return follow(storage, ChainVerifier(storage.header()), std::nullopt, {});
}

}  // namespace paygress::journal
