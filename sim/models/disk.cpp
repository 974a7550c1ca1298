#include "sim/models/disk.h"

#include <algorithm>

#include "core/base/planted.h"

namespace paygress::sim {
namespace {

constexpr size_t pages_of(size_t size) { return (size + kDiskPageBytes - 1) / kDiskPageBytes; }

}  // namespace

void Disk::mark_dirty(size_t from, size_t to) {
  PG_CHECK(from <= to && to <= cached_.size());
  dirty_.resize(pages_of(cached_.size()), false);
  for (size_t page = from / kDiskPageBytes; page < pages_of(to); ++page) dirty_[page] = true;
  dirty_from_ = std::min(dirty_from_, from / kDiskPageBytes);
}

void Disk::write_back(size_t page) {
  const size_t from = page * kDiskPageBytes;
  const size_t to = std::min(from + kDiskPageBytes, cached_.size());
  PG_CHECK(from <= to);
  if (durable_.size() < to) durable_.resize(to, 0);
  std::copy(cached_.begin() + static_cast<ptrdiff_t>(from),
            cached_.begin() + static_cast<ptrdiff_t>(to),
            durable_.begin() + static_cast<ptrdiff_t>(from));
}

bool Disk::fails_now() {
  const uint64_t index = operations_++;
  if (!fail_at_) return false;
  return span_ == FaultSpan::ForEver ? index >= *fail_at_ : index == *fail_at_;
}

Result<void> Disk::write(size_t offset, ByteView bytes) {
  const bool fails = fails_now();
  const size_t taken = fails ? stream_.below(bytes.size() + 1) : bytes.size();
  const size_t end = offset + taken;
  if (end > cached_.size()) {
    const size_t old_size = cached_.size();
    cached_.resize(end, 0);
    mark_dirty(std::min(old_size, offset), end);
    resized_ = true;
  }
  std::copy_n(bytes.begin(), taken, cached_.begin() + static_cast<ptrdiff_t>(offset));
  if (taken > 0) mark_dirty(offset, end);
  if (fails) return fail("no space left on device");
  return {};
}

Result<void> Disk::truncate(size_t size) {
  PG_CHECK(size <= cached_.size());
  if (fails_now()) return fail("input/output error");
  cached_.resize(size);
  dirty_.resize(pages_of(size), false);
  resized_ = true;
  return {};
}

Result<void> Disk::rewrite() {
  if (fails_now()) return fail("input/output error");
  mark_dirty(0, cached_.size());
  resized_ = true;
  return {};
}

Result<void> Disk::sync() {
  const bool fails = fails_now();
  if (!fails) {
    for (size_t page = dirty_from_; page < dirty_.size(); ++page)
      if (dirty_[page]) write_back(page);
    durable_.resize(cached_.size(), 0);
  }
  // A failed sync leaves the pages clean too: the kernel will not try them again.
  for (size_t page = dirty_from_; page < dirty_.size(); ++page) dirty_[page] = false;
  dirty_from_ = dirty_.size();
  resized_ = false;
  if (fails) return fail("input/output error");
  return {};
}

// Everything up to some byte that was not durable reached the disk.
void Disk::keep_tail(bool garbage) {
  const size_t from = std::min(durable_.size(), cached_.size());
  const size_t cut = from + stream_.below(cached_.size() - from + 1);
  for (size_t page = 0; page < pages_of(cut); ++page)
    if (dirty_[page]) write_back(page);
  durable_.resize(cut, 0);
  if (!garbage) return;
  for (size_t i = cut; i < cached_.size(); ++i)
    durable_.push_back(static_cast<uint8_t>(stream_.next()));
}

void Disk::keep_random_pages() {
  durable_.resize(cached_.size(), 0);
  for (size_t page = 0; page < dirty_.size(); ++page)
    if (dirty_[page] && stream_.below(2) == 0) write_back(page);
}

void Disk::crash(CrashLoss loss) {
  const bool pending = resized_ || std::ranges::find(dirty_, true) != dirty_.end();
  if (pending && loss != CrashLoss::Everything) {
    if (loss == CrashLoss::Nothing) {
      for (size_t page = 0; page < dirty_.size(); ++page)
        if (dirty_[page]) write_back(page);
      durable_.resize(cached_.size(), 0);
    } else if (loss == CrashLoss::RandomPages) {
      keep_random_pages();
    } else {
      keep_tail(loss == CrashLoss::GarbageTail);
    }
  }
  restore(std::move(durable_));
}

void Disk::restore(Bytes copy) {
  durable_ = std::move(copy);
  cached_ = durable_;
  dirty_.assign(pages_of(cached_.size()), false);
  dirty_from_ = dirty_.size();
  resized_ = false;
  has_writer_ = false;
  fail_at_.reset();
}

Result<std::unique_ptr<DiskStorage>> DiskStorage::open(Disk& disk, const InstallId& install) {
  if (!disk.acquire_writer()) return fail("the journal is open in another process");
  auto storage = std::unique_ptr<DiskStorage>(new DiskStorage(disk, {}));
  const auto settle = [&](const journal::Header& header) -> Result<std::unique_ptr<DiskStorage>> {
    if (auto ok = disk.rewrite(); !ok) return std::unexpected(ok.error());
    if (auto ok = disk.sync(); !ok) return std::unexpected(ok.error());
    storage->header_ = header;
    return std::move(storage);
  };
  auto found = journal::recover(disk.content(), {});
  if (found) {
    if (found->good_bytes < disk.content().size())
      if (auto ok = disk.truncate(found->good_bytes); !ok) return std::unexpected(ok.error());
    return settle(found->header);
  }
  // A crash while the header was made: no batch can have been acknowledged before it was durable.
  if (disk.content().size() > journal::kHeaderBytes) return std::unexpected(found.error());
  const journal::Header header{journal::kFormatVersion, install};
  if (auto ok = disk.truncate(0); !ok) return std::unexpected(ok.error());
  if (auto ok = disk.append(journal::encode_header(header)); !ok)
    return std::unexpected(ok.error());
  return settle(header);
}

DiskStorage::~DiskStorage() { disk_.release_writer(); }

Result<void> DiskStorage::write(const journal::SealedBatch& batch) {
  return disk_.append(journal::encode_frame(batch));
}

Result<void> DiskStorage::sync() {
  if (planted(Bug::journal_no_sync)) return {};
  return disk_.sync();
}

Result<void> DiskStorage::scan(uint64_t from, const journal::Visitor& visit) {
  return journal::scan(disk_.content(), [&](const journal::SealedBatch& batch) {
    return batch.sequence >= from ? visit(batch) : Result<void>{};
  });
}

}  // namespace paygress::sim
