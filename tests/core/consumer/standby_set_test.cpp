// Which providers a warm-standby workload is asked of, and who holds it.
#include "core/consumer/standby_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/crypto/schnorr.h"
#include "core/nostr/drafts.h"

namespace paygress::consumer {
namespace {

using ::testing::ElementsAre;
constexpr UnixSeconds kSetNow{1'800'000'000};
constexpr const char* kWorkload = "0011223344556677";

struct Member {
  SecretKey secret;
  PubKey key;
  market::Offer offer;

  Member(uint8_t number, uint64_t rate, std::optional<std::string> profile = "default",
         std::optional<std::string> place = {}) {
    secret.bytes.fill(number);
    key = crypto::Keypair::from(secret)->public_key();
    offer.provider_npub = key;
    offer.hostname = "seller-" + std::to_string(number);
    offer.specs = {{"basic", "Basic", "", 1000, 1024, rate, std::nullopt}};
    offer.profile = std::move(profile);
    offer.location = std::move(place);
  }
  nostr::VerifiedEvent sign(const nostr::Draft& draft) const {
    return nostr::verify(nostr::sign(secret, draft, {})).value();
  }
  void enter(Directory& directory, bool online = true) const {
    directory.add(sign(market::offer_draft(offer, kSetNow)), "ws://seen");
    market::Heartbeat beat;
    beat.provider_npub = key;
    beat.timestamp = kSetNow;
    if (online) directory.add(sign(market::heartbeat_draft(beat, kSetNow)), "ws://seen");
  }
  nostr::VerifiedEvent promotes(std::optional<uint64_t> epoch, int64_t after,
                                std::optional<bool> withdrawn = {}) const {
    const UnixSeconds at{kSetNow.value + after};
    return sign(market::promotion_draft({kWorkload, key, at, 1, epoch, withdrawn}, at));
  }
  nostr::VerifiedEvent revokes(std::optional<uint64_t> epoch, int64_t after) const {
    const UnixSeconds at{kSetNow.value + after};
    market::Revocation m;
    m.workload_id = kWorkload;
    m.primary_provider_npub = key;
    m.reason = "fenced";
    m.revoked_at = at;
    m.epoch = epoch;
    return sign(market::revocation_draft(m, at));
  }
};

class StandbySet : public ::testing::Test {
 protected:
  SetMember member(const Member& seller) {
    const Listing* listing = directory.find(seller.key.hex()).value();
    return {listing, &listing->offer.specs.front()};
  }
  std::vector<PubKey> choose(const Member& primary, size_t count,
                             const std::set<PubKey>& refused = {}) {
    std::vector<PubKey> keys;
    const auto chosen = choose_standbys(directory, member(primary), count, refused, kSetNow);
    if (chosen)
      for (const SetMember& one : *chosen) keys.push_back(one.listing->key);
    return keys;
  }
  Directory directory;
};

TEST_F(StandbySet, ThePrimarysProfileIsPreferredThenAnyThenNone) {
  const Member primary(1, 10, "fast");
  const Member none(2, 1, std::nullopt);
  const Member other(3, 5, "default");
  const Member same(4, 9, "fast");
  for (const Member* s : {&primary, &none, &other, &same}) s->enter(directory);
  EXPECT_THAT(choose(primary, 3), ElementsAre(same.key, other.key, none.key));
  EXPECT_THAT(choose(primary, 1, {same.key}), ElementsAre(other.key));
}

TEST_F(StandbySet, AnotherPlaceIsPreferredToALowerPrice) {
  const Member primary(1, 10, "default", "Berlin");
  const Member near(2, 1, "default", "Berlin");
  const Member far(3, 9, "default", "Oslo");
  const Member far_too(4, 8, "default", "Oslo");
  for (const Member* s : {&primary, &near, &far, &far_too}) s->enter(directory);
  EXPECT_THAT(choose(primary, 3), ElementsAre(far_too.key, near.key, far.key));
}

TEST_F(StandbySet, WhoIsOfflineOrTooSmallIsNotAsked) {
  const Member primary(1, 10);
  const Member offline(2, 1);
  Member small(3, 1);
  small.offer.specs[0].memory_mb = 512;
  Member large(4, 1);
  large.offer.specs.push_back({"big", "Big", "", 4000, 8192, 90, std::nullopt});
  large.offer.specs[0].cpu_millicores = 500;
  for (const Member* s : std::initializer_list<const Member*>{&primary, &small, &large})
    s->enter(directory);
  offline.enter(directory, false);
  EXPECT_THAT(choose(primary, 1), ElementsAre(large.key));
  const auto two = choose_standbys(directory, member(primary), 2, {}, kSetNow);
  ASSERT_FALSE(two.has_value());
  EXPECT_THAT(two.error(), ::testing::HasSubstr("1 other providers"));
  EXPECT_EQ(tier_for(*member(large).listing, *member(primary).tier)->id, "big");
}

TEST_F(StandbySet, RelaysThatMoreMembersNameComeFirst) {
  Member a(1, 1), b(2, 1), c(3, 1);
  a.offer.relays = {"wss://a", "wss://ab", "wss://abc"};
  b.offer.relays = {"wss://ab", "wss://abc", "wss://b"};
  c.offer.relays = {"wss://abc"};
  for (const Member* s : {&a, &b, &c}) s->enter(directory);
  const std::vector<SetMember> all = {member(a), member(b), member(c)};
  EXPECT_THAT(relay_set(all), ElementsAre("wss://abc", "wss://ab", "wss://a"));
  EXPECT_THAT(relay_set({member(c)}), ElementsAre("wss://abc"));
  EXPECT_EQ(guarantee_of(all), "fenced");
}

TEST_F(StandbySet, AnOldPeerLowersTheGuarantee) {
  const Member ours(1, 1);
  const Member old(2, 1, std::nullopt);
  for (const Member* s : {&ours, &old}) s->enter(directory);
  EXPECT_EQ(guarantee_of({member(ours), member(old)}), "old-standby");
  EXPECT_EQ(guarantee_of({member(old), member(ours)}), "old-primary");
}

TEST(HolderView, FollowsPromotionsInAnyOrder) {
  const Member a(1, 1), b(2, 1), c(3, 1), stranger(9, 1);
  const market::Members members{{a.key, b.key, c.key}};
  std::vector<nostr::VerifiedEvent> said = {a.revokes(0, 1), b.promotes(1, 2), b.revokes(1, 3),
                                            c.promotes(2, 4), stranger.promotes(9, 5)};
  for (int round = 0; round < 5; ++round) {
    HolderView view(kWorkload, members);
    EXPECT_EQ(view.holder().key, a.key);
    for (const auto& event : said) view.add(event);
    EXPECT_EQ(view.holder().key, c.key);
    EXPECT_EQ(view.holder().epoch, 2u);
    EXPECT_FALSE(view.holder().revoked);
    std::ranges::rotate(said, said.begin() + 1);
  }
}

TEST(HolderView, AWithdrawnPromotionHoldsNothing) {
  const Member a(1, 1), b(2, 1);
  HolderView view(kWorkload, {{a.key, b.key}});
  view.add(b.promotes(1, 2, true));
  view.add(b.promotes(1, 1));
  EXPECT_EQ(view.holder().key, a.key);
  view.add(a.revokes(0, 3));
  EXPECT_TRUE(view.holder().revoked);
}

TEST(HolderView, TwoPromotionsOfOneEpochAreAContradiction) {
  const Member a(1, 1), b(2, 1), c(3, 1);
  HolderView view(kWorkload, {{a.key, b.key, c.key}});
  view.add(b.promotes(1, 1));
  view.add(c.promotes(1, 1));
  EXPECT_EQ(view.holder().key, std::nullopt);
  view.add(c.promotes(3, 2));
  EXPECT_EQ(view.holder().key, c.key);
}

}  // namespace
}  // namespace paygress::consumer
