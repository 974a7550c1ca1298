// The public events of the market: drafts to be signed, and what a verified event says.
//
// Tags stand in the order in which the existing network emits them (docs/messages.md). A tag `p`
// with the author's own key is never written: the network's library drops it, so nobody may filter
// heartbeats by it.
//
// Reading refuses, with the reason: another kind, content that is no such message, and content that
// speaks for a key other than the signer's. For fail-over events it also refuses a `d` tag that is
// not the content's own, because relays replace and answer by `d`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/market/messages.h"
#include "core/nostr/event.h"
#include "core/nostr/filter.h"

namespace paygress::market {

inline constexpr uint16_t kClaimKind = 38387;           // additive, addressable
inline constexpr int64_t kHeartbeatBucketSeconds = 60;  // one stored heartbeat per bucket

// --- d tags ------------------------------------------------------------------------------------
std::string offer_d(const PubKey& provider, uint8_t version = kSchemaVersion);
// PG_CHECKs that `timestamp` is not negative.
std::string heartbeat_d(const PubKey& provider, UnixSeconds timestamp,
                        uint8_t version = kSchemaVersion);
std::string revocation_d(const PubKey& holder, std::string_view workload_id,
                         uint8_t version = kSchemaVersion);
std::string promotion_d(std::string_view workload_id, uint8_t version = kSchemaVersion);
std::string claim_d(std::string_view workload_id, uint8_t version = kSchemaVersion);

// --- drafts; the author is the key that the content names ----------------------------------------
nostr::Draft offer_draft(const Offer& m, UnixSeconds created_at);
nostr::Draft heartbeat_draft(const Heartbeat& m, UnixSeconds created_at);            // 38384
nostr::Draft ephemeral_heartbeat_draft(const Heartbeat& m, UnixSeconds created_at);  // 20384
// One `p` per readable standby, in list order, as hex, except the author; others are left out.
nostr::Draft revocation_draft(const Revocation& m, UnixSeconds created_at);
nostr::Draft promotion_draft(const Promotion& m, UnixSeconds created_at);
nostr::Draft claim_draft(const Claim& m, UnixSeconds created_at);

// --- reading -----------------------------------------------------------------------------------
Result<Offer> read_offer(const nostr::VerifiedEvent& event);
Result<Heartbeat> read_heartbeat(const nostr::VerifiedEvent& event);  // either kind
Result<Revocation> read_revocation(const nostr::VerifiedEvent& event);
Result<Promotion> read_promotion(const nostr::VerifiedEvent& event);
Result<Claim> read_claim(const nostr::VerifiedEvent& event);

// --- what to ask relays for (network.md 1.4) -----------------------------------------------------
nostr::Filter offers_filter();
nostr::Filter heartbeats_filter(std::vector<PubKey> authors, UnixSeconds since);
// Promotions and claims of one workload by its members.
nostr::Filter takeovers_filter(std::vector<PubKey> members, std::string_view workload_id);
// Revocations of one workload by its members.
nostr::Filter revocations_filter(const std::vector<PubKey>& members, std::string_view workload_id);

}  // namespace paygress::market
