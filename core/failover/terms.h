// What is agreed about one warm-standby workload, frozen when its reservation is confirmed.
#pragma once

#include <boost/describe.hpp>

#include <string>
#include <vector>

#include "core/base/ids.h"
#include "core/failover/profile.h"

namespace paygress::failover {

struct Member {
  PubKey key;
  // Its offer carries a profile. Others give what the existing network gives: no fence of their
  // own, heartbeats that name nothing, revocations and promotions without an epoch.
  bool knows_rules = true;

  bool operator==(const Member&) const = default;
};
BOOST_DESCRIBE_STRUCT(Member, (), (key, knows_rules))

struct Terms {
  std::string workload_id;
  std::vector<Member> members;      // in rank order: the primary, then its standbys
  uint32_t rank = 0;                // ours in `members`
  std::vector<std::string> relays;  // URLs, each once; 1 to 32
  Profile profile;
  Quorums quorums;

  bool operator==(const Terms&) const = default;
};
BOOST_DESCRIBE_STRUCT(Terms, (), (workload_id, members, rank, relays, profile, quorums))

// What a lease's fail-over promises; shown in offers, status and doctor.
//   Fenced      every member follows the rules: never two copies
//   OldPrimary  the primary is not fenced: two copies while it is cut off and alive
//   OldStandby  a standby does not claim: we are fenced in time, but two such may both take over
enum class Guarantee : uint8_t { Fenced, OldPrimary, OldStandby };
BOOST_DESCRIBE_ENUM(Guarantee, Fenced, OldPrimary, OldStandby)
Guarantee guarantee_of(const Terms& terms);
std::string_view to_text(Guarantee guarantee);  // "fenced", "old-primary", "old-standby"

// Error, naming the field: no relays or too many, fewer than two members, a rank outside of them,
// quorums that do not fit the relays, a profile that does not hold.
Result<void> check_terms(const Terms& terms);

}  // namespace paygress::failover
