// Kinds, tags in emission order, d tags and authorship (network.md 1.1 to 1.4; failover.md, "Wire
// additions").
#include "core/market/events.h"

#include <gtest/gtest.h>

#include "core/nostr/nip19.h"
#include "tests/core/market/sample.h"

namespace paygress::market {
namespace {

using namespace testing;
using nostr::Tag;
using Tags = std::vector<Tag>;

constexpr UnixSeconds kAt{1'785'000'061};

// The secret keys 1 and 2 belong to kHexA and kHexB.
SecretKey secret(uint8_t last) {
  SecretKey key;
  key.bytes[31] = last;
  return key;
}

nostr::VerifiedEvent signed_by(uint8_t last, const nostr::Draft& draft) {
  auto event = nostr::verify(nostr::sign(secret(last), draft, {}));
  EXPECT_TRUE(event);
  return *event;
}

Revocation sample_revocation() {
  Revocation m;
  m.workload_id = "w";
  m.primary_provider_npub = key(kHexA);
  m.standby_providers = {nostr::to_npub(key(kHexB)), "placeholder", kHexA, kHexC};
  m.reason = "heartbeat-quorum-lost-past-t2";
  m.revoked_at = kAt;
  return m;
}
Promotion sample_promotion() { return {"w", key(kHexA), kAt, 1, 2, std::nullopt}; }
Claim sample_claim() { return {"w", 2, key(kHexA), 1, kAt, false, 1}; }

TEST(EventTags, Section12Offer) {
  const auto draft = offer_draft(sample_offer(), kAt);
  EXPECT_EQ(draft.kind, 38383);
  EXPECT_EQ(draft.created_at, kAt);
  EXPECT_EQ(draft.content, to_json(sample_offer()));
  EXPECT_EQ(
      draft.tags,
      (Tags{{"t", "paygress"}, {"t", "compute"}, {"d", "paygress:offer:v1:" + kHexA}, {"v", "1"}}));
}

TEST(EventTags, Section12HeartbeatsHaveNoPTag) {
  const auto stored = heartbeat_draft(sample_heartbeat(), kAt);
  EXPECT_EQ(stored.kind, 38384);
  EXPECT_EQ(stored.tags, (Tags{{"t", "paygress-heartbeat"},
                               {"d", "paygress:heartbeat:v1:" + kHexA + ":29750001"},
                               {"v", "1"}}));
  const auto ephemeral = ephemeral_heartbeat_draft(sample_heartbeat(), kAt);
  EXPECT_EQ(ephemeral.kind, 20384);
  EXPECT_EQ(ephemeral.tags, (Tags{{"t", "paygress-heartbeat"}, {"v", "1"}}));
  EXPECT_EQ(ephemeral.content, stored.content);
}

TEST(EventTags, Section12HeartbeatBucketIsTheMinute) {
  EXPECT_TRUE(heartbeat_d(key(kHexA), {0}).ends_with(":0"));
  EXPECT_TRUE(heartbeat_d(key(kHexA), {59}).ends_with(":0"));
  EXPECT_TRUE(heartbeat_d(key(kHexA), {60}).ends_with(":1"));
}

TEST(EventTags, Section12RevocationNamesReadableStandbysButNotTheAuthor) {
  const auto draft = revocation_draft(sample_revocation(), kAt);
  EXPECT_EQ(draft.kind, 38385);
  EXPECT_EQ(draft.tags, (Tags{{"t", "paygress"},
                              {"t", "paygress-revocation"},
                              {"d", "paygress:revocation:v1:" + kHexA + ":w"},
                              {"v", "1"},
                              {"workload", "w"},
                              {"p", kHexB},
                              {"p", kHexC}}));
}

TEST(EventTags, Section12PromotionAndOurClaim) {
  const auto promotion = promotion_draft(sample_promotion(), kAt);
  EXPECT_EQ(promotion.kind, 38386);
  EXPECT_EQ(promotion.tags, (Tags{{"t", "paygress"},
                                  {"t", "paygress-promoted"},
                                  {"d", "paygress:promoted:v1:w"},
                                  {"v", "1"},
                                  {"workload", "w"}}));
  const auto claim = claim_draft(sample_claim(), kAt);
  EXPECT_EQ(claim.kind, 38387);
  EXPECT_EQ(claim.tags, (Tags{{"t", "paygress"},
                              {"t", "paygress-claim"},
                              {"d", "paygress:claim:v1:w"},
                              {"v", "1"},
                              {"workload", "w"}}));
}

TEST(EventReading, EveryEventIsReadBack) {
  EXPECT_EQ(read_offer(signed_by(1, offer_draft(sample_offer(), kAt))), sample_offer());
  const auto beat = sample_heartbeat();
  EXPECT_EQ(read_heartbeat(signed_by(1, heartbeat_draft(beat, kAt))), beat);
  EXPECT_EQ(read_heartbeat(signed_by(1, ephemeral_heartbeat_draft(beat, kAt))), beat);
  EXPECT_EQ(read_revocation(signed_by(1, revocation_draft(sample_revocation(), kAt))),
            sample_revocation());
  EXPECT_EQ(read_promotion(signed_by(1, promotion_draft(sample_promotion(), kAt))),
            sample_promotion());
  EXPECT_EQ(read_claim(signed_by(1, claim_draft(sample_claim(), kAt))), sample_claim());
}

TEST(EventReading, Section13NobodySpeaksForAnotherKey) {
  const auto where = [](const auto& result) {
    return result ? std::string("accepted") : result.error().where;
  };
  EXPECT_EQ(where(read_offer(signed_by(2, offer_draft(sample_offer(), kAt)))), "provider_npub");
  EXPECT_EQ(where(read_heartbeat(signed_by(2, heartbeat_draft(sample_heartbeat(), kAt)))),
            "provider_npub");
  EXPECT_EQ(where(read_revocation(signed_by(2, revocation_draft(sample_revocation(), kAt)))),
            "primary_provider_npub");
  EXPECT_EQ(where(read_promotion(signed_by(2, promotion_draft(sample_promotion(), kAt)))),
            "new_primary_npub");
  EXPECT_EQ(where(read_claim(signed_by(2, claim_draft(sample_claim(), kAt)))), "claimant");
}

TEST(EventReading, AnotherKindIsRefused) {
  auto draft = promotion_draft(sample_promotion(), kAt);
  draft.kind = kClaimKind;
  EXPECT_FALSE(read_promotion(signed_by(1, draft)));
  draft = heartbeat_draft(sample_heartbeat(), kAt);
  draft.kind = 1;
  EXPECT_FALSE(read_heartbeat(signed_by(1, draft)));
}

TEST(EventReading, AFailoverEventMustStandUnderItsOwnD) {
  const auto moved = [](nostr::Draft draft) {
    for (Tag& tag : draft.tags)
      if (tag[0] == "d") tag[1] += "x";
    return signed_by(1, draft);
  };
  EXPECT_FALSE(read_promotion(moved(promotion_draft(sample_promotion(), kAt))));
  EXPECT_FALSE(read_claim(moved(claim_draft(sample_claim(), kAt))));
  EXPECT_FALSE(read_revocation(moved(revocation_draft(sample_revocation(), kAt))));
}

TEST(EventReading, Section13AnNpubInTheBodyIsTheSameKey) {
  auto draft = offer_draft(sample_offer(), kAt);
  draft.content.replace(draft.content.find(kHexA), 64, nostr::to_npub(key(kHexA)));
  EXPECT_EQ(read_offer(signed_by(1, draft)), sample_offer());
}

TEST(EventFilters, Section14AskForWhatTheTagsSay) {
  const auto promotion = *signed_by(1, promotion_draft(sample_promotion(), kAt));
  const auto claim = *signed_by(1, claim_draft(sample_claim(), kAt));
  const auto revocation = *signed_by(1, revocation_draft(sample_revocation(), kAt));
  const auto takeovers = takeovers_filter({key(kHexA)}, "w");
  EXPECT_TRUE(nostr::matches(takeovers, promotion));
  EXPECT_TRUE(nostr::matches(takeovers, claim));
  EXPECT_FALSE(nostr::matches(takeovers_filter({key(kHexB)}, "w"), promotion));
  EXPECT_FALSE(nostr::matches(takeovers_filter({key(kHexA)}, "v"), claim));
  EXPECT_TRUE(nostr::matches(revocations_filter({key(kHexA)}, "w"), revocation));
  EXPECT_FALSE(nostr::matches(revocations_filter({key(kHexA)}, "v"), revocation));
  EXPECT_TRUE(nostr::matches(offers_filter(), *signed_by(1, offer_draft(sample_offer(), kAt))));
  const auto beat = *signed_by(1, heartbeat_draft(sample_heartbeat(), kAt));
  EXPECT_TRUE(nostr::matches(heartbeats_filter({key(kHexA)}, kAt), beat));
  EXPECT_FALSE(nostr::matches(heartbeats_filter({key(kHexA)}, {kAt.value + 1}), beat));
}

// failover.md, "Wire additions": first 16 hex of SHA-256("paygress-hold-v1" || 00 || workload_id).
TEST(HoldTags, AreTheStartOfTheHash) {
  EXPECT_EQ(hold_tag("550e8400-e29b-41d4-a716-446655440000").hex(), "cc9a4d2d8d1c535e");
}

}  // namespace
}  // namespace paygress::market
