// Offers from several relays, and the ways to name a provider (network.md 1.4, section 7).
#include "core/consumer/directory.h"

#include <gtest/gtest.h>

#include "core/crypto/schnorr.h"
#include "core/nostr/drafts.h"
#include "core/nostr/nip19.h"

namespace paygress::consumer {
namespace {

constexpr UnixSeconds kNow{1'800'000'000};

struct Seller {
  SecretKey secret;
  PubKey key;

  explicit Seller(uint8_t number) {
    secret.bytes.fill(number);
    key = crypto::Keypair::from(secret)->public_key();
  }
  nostr::VerifiedEvent sign(const nostr::Draft& draft) const {
    return nostr::verify(nostr::sign(secret, draft, {})).value();
  }
  nostr::VerifiedEvent offer(const std::string& name, uint64_t rate, UnixSeconds at) const {
    market::Offer offer;
    offer.provider_npub = key;
    offer.hostname = name;
    offer.specs = {{"basic", "Basic", "", 1000, 1024, rate, std::nullopt}};
    return sign(market::offer_draft(offer, at));
  }
  nostr::VerifiedEvent heartbeat(UnixSeconds at) const {
    market::Heartbeat beat;
    beat.provider_npub = key;
    beat.timestamp = at;
    return sign(market::heartbeat_draft(beat, at));
  }
};

TEST(Directory, NewestOfferCountsWhateverTheOrderOfRelays) {
  const Seller seller(1);
  for (const bool old_first : {true, false}) {
    Directory directory;
    const auto older = seller.offer("Old", 10, kNow);
    const auto newer = seller.offer("New", 20, UnixSeconds{kNow.value + 1});
    directory.add(old_first ? older : newer, "ws://a");
    directory.add(old_first ? newer : older, "ws://b");
    const auto found = directory.find("new");
    ASSERT_TRUE(found);
    EXPECT_EQ((*found)->cheapest()->rate_msats_per_sec, 20u);
    EXPECT_EQ((*found)->seen_on.size(), 2u);
    EXPECT_FALSE(directory.find("old"));
  }
}

TEST(Directory, ProviderIsFoundByKeyNpubPrefixAndName) {
  const Seller seller(2);
  const Seller other(3);
  Directory directory;
  directory.add(seller.offer("SwiftOwl", 10, kNow), "ws://a");
  directory.add(other.offer("Twin", 10, kNow), "ws://a");
  const std::string hex = seller.key.hex();
  const std::string npub = nostr::to_npub(seller.key);
  for (const std::string& who : {hex, npub, "nostr:" + npub, hex.substr(0, 8), npub.substr(0, 14),
                                 std::string("swiftOWL")}) {
    const auto found = directory.find(who);
    ASSERT_TRUE(found) << who;
    EXPECT_EQ((*found)->key, seller.key);
  }
  EXPECT_FALSE(directory.find("nobody").has_value());
  EXPECT_FALSE(directory.find("nobody").error().ambiguous);
  EXPECT_FALSE(directory.find(Seller(4).key.hex()).has_value());
  EXPECT_EQ(directory.short_id(seller.key), hex.substr(0, 8));
}

TEST(Directory, TwoOfOneNameAreAmbiguous) {
  Directory directory;
  directory.add(Seller(2).offer("Twin", 10, kNow), "ws://a");
  directory.add(Seller(3).offer("twin", 10, kNow), "ws://a");
  const auto found = directory.find("Twin");
  ASSERT_FALSE(found);
  EXPECT_TRUE(found.error().ambiguous);
}

TEST(Directory, OnlineForTwoMinutesAfterAHeartbeatInEitherOrder) {
  const Seller seller(5);
  Directory directory;
  directory.add(seller.heartbeat(kNow), "ws://a");
  directory.add(seller.offer("Owl", 10, kNow), "ws://a");
  const auto* listing = *directory.find("owl");
  EXPECT_TRUE(listing->online(UnixSeconds{kNow.value + 119}));
  EXPECT_FALSE(listing->online(UnixSeconds{kNow.value + 120}));
  directory.add(seller.heartbeat(UnixSeconds{kNow.value + 60}), "ws://a");
  directory.add(seller.heartbeat(UnixSeconds{kNow.value + 10}), "ws://b");  // late: changes nothing
  EXPECT_TRUE(listing->online(UnixSeconds{kNow.value + 179}));
}

TEST(Directory, CheapestFirst) {
  Directory directory;
  directory.add(Seller(6).offer("Dear", 200, kNow), "ws://a");
  directory.add(Seller(7).offer("Cheap", 50, kNow), "ws://a");
  EXPECT_EQ(directory.by_price().front()->offer.hostname, "Cheap");
}

TEST(Directory, InboxListSaysWhereToWrite) {
  const Seller seller(8);
  Directory directory;
  directory.add(seller.offer("Owl", 10, kNow), "ws://seen");
  const auto* listing = *directory.find("owl");
  EXPECT_EQ(directory.write_relays(*listing), std::vector<std::string>{"ws://seen"});
  directory.add(seller.sign(nostr::inbox_relays_draft({"ws://inbox"}, kNow)), "ws://seen");
  EXPECT_EQ(directory.write_relays(*listing), std::vector<std::string>{"ws://inbox"});
}

}  // namespace
}  // namespace paygress::consumer
