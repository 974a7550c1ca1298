// What the records of fail-over made, as one value: for a snapshot.
#pragma once

#include <boost/describe.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/failover/records.h"

namespace paygress::failover {

struct Remembered {  // of one lease
  Terms terms;
  bool armed = false;
  uint64_t highest = 0;
  std::optional<uint64_t> claimed;
  std::optional<uint64_t> hold;
  std::optional<uint64_t> ended;
  std::optional<Superseded> superseded;
  bool leaving = false;
};
BOOST_DESCRIBE_STRUCT(Remembered, (),
                      (terms, armed, highest, claimed, hold, ended, superseded, leaving))

struct Memory {
  std::vector<std::string> relays;  // in the order of their numbers
  std::map<std::string, LeaseId> workloads;
  std::map<LeaseId, Remembered> leases;
};
BOOST_DESCRIBE_STRUCT(Memory, (), (relays, workloads, leases))

}  // namespace paygress::failover
