// Where every msat went, one line per movement: what an operator hands to bookkeeping.
#pragma once

#include <boost/json/object.hpp>

#include <optional>
#include <string>
#include <vector>

#include "shell/provider/books.h"

namespace paygress::daemon {

// What one record changed for one mint and unit. The columns are differences, in msat; summed over
// the records of a batch, and so over the ledger, redeemed = consumed + on_leases + owed + kept.
struct Movement {
  uint64_t batch = 0;
  UnixSeconds at;  // of the record, or of the last record before it that has a time
  std::optional<LeaseId> lease;
  std::string mint;
  std::string unit;
  Msat redeemed;
  Msat consumed;
  Msat on_leases;
  Msat owed;
  Msat kept;
  Msat withdrawn;    // by the operator: no part of that sum
  std::string text;  // the record in plain words; holds no secret
};

// Every movement of the ledger, in its order. Error: the ledger cannot be read.
Result<std::vector<Movement>> money_movements(const Scan& scan);

boost::json::object to_json(const std::vector<Movement>& movements);
// RFC 4180 with a header line, from what to_json made. A text field that a spreadsheet would take
// for a formula is written behind an apostrophe.
std::string to_csv(const boost::json::object& movements);

}  // namespace paygress::daemon
