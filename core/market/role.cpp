#include "core/market/role.h"

#include <algorithm>

#include "core/base/check.h"
#include "core/nostr/nip19.h"

namespace paygress::market {
namespace {

bool names(const std::string& text, const PubKey& self) {
  const auto key = nostr::parse_public_key(text);
  return key && *key == self;
}

}  // namespace

bool is_warm_standby(const SpawnRequest& request) {
  return request.replication && request.replication->mode == ReplicationKind::WarmStandby;
}

Role role_of(const SpawnRequest& request, const PubKey& self) {
  if (!is_warm_standby(request)) return {RoleKind::Primary, 0, 0};
  const auto& standbys = request.replication->standby_providers;
  const auto count = static_cast<uint32_t>(standbys.size());
  if (request.primary_npub && names(*request.primary_npub, self))
    return {RoleKind::Primary, 0, count};
  for (uint32_t i = 0; i < count; ++i)
    if (names(standbys[i], self)) return {RoleKind::Standby, i, count};
  return {RoleKind::NotAddressed, 0, count};
}

Result<Members> members_of(const SpawnRequest& request) {
  PG_CHECK(is_warm_standby(request));
  const std::string list = "replication.standby_providers";
  const auto& standbys = request.replication->standby_providers;
  if (standbys.size() > kStandbysMax)
    return fail("more than " + std::to_string(kStandbysMax) + " standbys", list);
  if (!request.primary_npub) return fail("is required for warm-standby", "primary_npub");
  Members members;
  const auto primary = nostr::parse_public_key(*request.primary_npub);
  if (!primary) return fail("is no public key", "primary_npub");
  members.keys.push_back(*primary);
  for (size_t i = 0; i < standbys.size(); ++i) {
    const std::string where = list + "[" + std::to_string(i) + "]";
    const auto key = nostr::parse_public_key(standbys[i]);
    if (!key) return fail("is no public key", where);
    if (std::find(members.keys.begin(), members.keys.end(), *key) != members.keys.end())
      return fail("names a member twice", where);
    members.keys.push_back(*key);
  }
  PG_CHECK(members.keys.size() == standbys.size() + 1);
  return members;
}

}  // namespace paygress::market
