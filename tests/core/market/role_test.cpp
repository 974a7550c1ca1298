// Role detection (network.md 1.6) with keys compared as keys.
#include "core/market/role.h"

#include <gtest/gtest.h>

#include "core/nostr/nip19.h"
#include "tests/core/market/sample.h"

namespace paygress::market {
namespace {

using namespace testing;

SpawnRequest warm(std::optional<std::string> primary, std::vector<std::string> standbys) {
  SpawnRequest m = sample_spawn();
  m.primary_npub = std::move(primary);
  m.replication->standby_providers = std::move(standbys);
  return m;
}

TEST(Roles, WithoutWarmStandbyEverybodyIsPrimary) {
  SpawnRequest m = warm(kHexB, {kHexC});
  m.replication.reset();
  EXPECT_EQ(role_of(m, key(kHexA)).kind, RoleKind::Primary);
  m.replication = ReplicationMode{ReplicationKind::Checkpointed, {}};
  EXPECT_EQ(role_of(m, key(kHexA)).kind, RoleKind::Primary);
}

TEST(Roles, ThePrimaryIsFoundInEverySpelling) {
  for (const std::string& text :
       {kHexA, nostr::to_npub(key(kHexA)), "nostr:" + nostr::to_npub(key(kHexA))})
    EXPECT_EQ(role_of(warm(text, {kHexB}), key(kHexA)), (Role{RoleKind::Primary, 0, 1})) << text;
}

TEST(Roles, AStandbyIsItsFirstPlaceInTheList) {
  const auto m = warm(kHexA, {"placeholder", nostr::to_npub(key(kHexB)), kHexC, kHexB});
  EXPECT_EQ(role_of(m, key(kHexB)), (Role{RoleKind::Standby, 1, 4}));
  EXPECT_EQ(role_of(m, key(kHexC)), (Role{RoleKind::Standby, 2, 4}));
}

TEST(Roles, AKeyThatIsBothIsPrimary) {
  EXPECT_EQ(role_of(warm(kHexA, {kHexA}), key(kHexA)).kind, RoleKind::Primary);
}

TEST(Roles, OthersAreNotAddressed) {
  EXPECT_EQ(role_of(warm(kHexA, {kHexB}), key(kHexC)).kind, RoleKind::NotAddressed);
  EXPECT_EQ(role_of(warm(std::nullopt, {}), key(kHexC)).kind, RoleKind::NotAddressed);
  EXPECT_EQ(role_of(warm("", {""}), key(kHexC)).kind, RoleKind::NotAddressed);
}

TEST(Members, AreThePrimaryThenTheStandbysAsKeys) {
  const auto members = members_of(warm(nostr::to_npub(key(kHexA)), {kHexB, kHexC}));
  ASSERT_TRUE(members);
  EXPECT_EQ(members->keys, (std::vector<PubKey>{key(kHexA), key(kHexB), key(kHexC)}));
}

TEST(Members, AKeyNamedTwiceIsRefusedInWhateverSpelling) {
  const auto twice = members_of(warm(kHexA, {kHexB, nostr::to_npub(key(kHexB))}));
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().where, "replication.standby_providers[1]");
  const auto both = members_of(warm(kHexA, {nostr::to_npub(key(kHexA))}));
  ASSERT_FALSE(both);
  EXPECT_EQ(both.error().where, "replication.standby_providers[0]");
}

TEST(Members, MissingUnreadableOrTooManyKeysAreRefused) {
  EXPECT_EQ(members_of(warm(std::nullopt, {kHexB})).error().where, "primary_npub");
  EXPECT_EQ(members_of(warm("npub1a", {kHexB})).error().where, "primary_npub");
  EXPECT_EQ(members_of(warm(kHexA, {"npub1b"})).error().where, "replication.standby_providers[0]");
  EXPECT_EQ(
      members_of(warm(kHexA, std::vector<std::string>(kStandbysMax + 1, kHexB))).error().where,
      "replication.standby_providers");
}

}  // namespace
}  // namespace paygress::market
