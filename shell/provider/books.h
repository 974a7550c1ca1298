// The ledger folded for reading: the machines that keep durable state, without a provider around
// them, so that it needs neither the config nor the key.
#pragma once

#include <functional>
#include <optional>

#include "core/cashu/redeem_state.h"
#include "core/journal/journal.h"
#include "core/lease/lease_book.h"
#include "core/provider/records.h"
#include "core/provider/request_book.h"
#include "core/workload/supervisor.h"

namespace paygress::daemon {

class Books {
 public:
  Books();

  void fold(const provider::Record& record);
  // A lease that ran in an earlier boot of the machine stands still since it was last seen.
  void settle(lease::Instant now);
  // A broken invariant ends the process through the check handler.
  void check_invariants() const;

  const std::optional<provider::Installed>& installed() const { return installed_; }
  const lease::LeaseBook& leases() const { return leases_; }
  const cashu::RedeemState& wallet() const { return wallet_; }
  const workload::Supervisor& workloads() const { return workloads_; }

 private:
  std::optional<provider::Installed> installed_;
  lease::LeaseBook leases_;
  cashu::RedeemState wallet_;
  workload::Supervisor workloads_;
  provider::RequestBook requests_;
};

// Every batch of a ledger, in order; may be called again.
using Scan = std::function<Result<void>(const journal::Visitor&)>;
using RecordVisitor = std::function<void(uint64_t sequence, const provider::Record&)>;

// The records of one batch. Error: not records that this program knows.
Result<void> each_record(const journal::SealedBatch& batch, const RecordVisitor& visit);
Result<void> each_record(const Scan& scan, const RecordVisitor& visit);

}  // namespace paygress::daemon
