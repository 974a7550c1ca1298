#include "shell/provider/books.h"

#include "core/base/codec.h"

namespace paygress::daemon {
namespace {

// Reading gives nothing away, so nothing of what is sold matters; numbers and ports outside a range
// are kept as they are.
constexpr lease::Ranges kAnyRange{1, 1, 1, 65'535};

}  // namespace

Books::Books() : leases_({}, kAnyRange), workloads_({}, [] { return CallId{}; }) {}

void Books::fold(const provider::Record& record) {
  if (const auto* own = std::get_if<provider::OwnRecord>(&record)) {
    if (const auto* installed = std::get_if<provider::Installed>(own)) installed_ = *installed;
    requests_.apply(*own);
  } else if (const auto* of_lease = std::get_if<lease::LeaseRecord>(&record)) {
    leases_.apply(*of_lease);
  } else if (const auto* of_workload = std::get_if<workload::WorkloadRecord>(&record)) {
    workloads_.apply(*of_workload);
  } else if (const auto* redeem = std::get_if<cashu::RedeemRecord>(&record)) {
    wallet_.apply(*redeem);
  }
}

void Books::settle(lease::Instant now) {
  lease::LeaseStep step;
  leases_.recover(now, step);
}

void Books::check_invariants() const {
  requests_.check_invariants();
  leases_.check_invariants();
  workloads_.check_invariants();
  wallet_.check_invariants();
}

Result<void> each_record(const journal::SealedBatch& batch, const RecordVisitor& visit) {
  const auto where = [&] { return "batch " + std::to_string(batch.sequence); };
  auto records = journal::decode_records(batch.payload);
  if (!records) return fail(to_string(records.error()), where());
  for (const Bytes& bytes : *records) {
    auto record = decode_bytes<provider::Record>(bytes);
    if (!record) return fail("holds a record that this program does not know", where());
    visit(batch.sequence, *record);
  }
  return {};
}

Result<void> each_record(const Scan& scan, const RecordVisitor& visit) {
  return scan([&](const journal::SealedBatch& batch) { return each_record(batch, visit); });
}

}  // namespace paygress::daemon
