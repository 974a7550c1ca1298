// What a provider is for a spawn request: primary, one of the standbys, or not meant at all
// (network.md 1.6). Keys are compared as keys, however the consumer spelled them.
#pragma once

#include <boost/describe.hpp>

#include <optional>
#include <string>
#include <vector>

#include "core/market/messages.h"

namespace paygress::market {

enum class RoleKind : uint8_t { Primary, Standby, NotAddressed };
BOOST_DESCRIBE_ENUM(RoleKind, Primary, Standby, NotAddressed)

struct Role {
  RoleKind kind = RoleKind::Primary;
  uint32_t index = 0;  // of a standby, from 0, in the request's list
  uint32_t count = 0;  // of standbys in the list
  bool operator==(const Role&) const = default;
};
BOOST_DESCRIBE_STRUCT(Role, (), (kind, index, count))

// Not warm-standby: Primary. Else the primary's key is looked at first, then the list in order; a
// missing or unreadable key is nobody's.
Role role_of(const SpawnRequest& request, const PubKey& self);

// Who the members of a warm-standby workload are, as keys: rank 0 the primary, then the standbys.
struct Members {
  std::vector<PubKey> keys;
  bool operator==(const Members&) const = default;
};
BOOST_DESCRIBE_STRUCT(Members, (), (keys))

// Refuses, naming the field: a missing or unreadable key, a key named twice, more than
// kStandbysMax standbys. PG_CHECKs that the request is a warm-standby one.
inline constexpr size_t kStandbysMax = 16;
Result<Members> members_of(const SpawnRequest& request);

bool is_warm_standby(const SpawnRequest& request);

}  // namespace paygress::market
