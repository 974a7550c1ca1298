// What the `ledger` verbs find, from a ledger that is only read.
#pragma once

#include <boost/json/object.hpp>

#include <string>
#include <vector>

#include "shell/provider/books.h"
#include "shell/store/snapshot_file.h"

namespace paygress::daemon {

struct MoneyLine {  // of one mint and unit, in msat
  std::string mint;
  std::string unit;
  lease::Totals totals;
  int64_t wallet = 0;
  int64_t left = 0;      // refund tokens, withdrawals, and the mint's fees on them
  int64_t restored = 0;  // found at the mint by the seed alone
  int64_t lost = 0;      // spent by a life of this ledger that is lost
};

struct Verification {
  uint64_t batches = 0;
  uint64_t records = 0;
  std::vector<MoneyLine> money;
  std::vector<std::string> problems;  // empty: sound
};

// Follows the chain, compares it with the high-water mark, folds every record again, checks every
// rule of the books, and that a snapshot is what the records before it make. A record that
// contradicts the earlier ones ends the process through the check handler: nothing after it means
// anything.
Verification verify_ledger(const journal::Header& header, const std::optional<journal::Tip>& mark,
                           const std::optional<store::Snapshot>& snapshot, const Scan& scan);
boost::json::object to_json(const Verification& found);

// The snapshot that is there; none when it is damaged: no start would use it.
std::optional<store::Snapshot> usable_snapshot(const std::string& data_dir);

// A ledger that nobody writes at the moment.
struct ClosedLedger {
  std::shared_ptr<journal::Storage> storage;
  journal::Header header;
  std::optional<journal::Tip> mark;
  std::optional<store::Snapshot> snapshot;
  Scan scan;
};
Result<ClosedLedger> open_closed_ledger(const std::string& data_dir);

}  // namespace paygress::daemon
