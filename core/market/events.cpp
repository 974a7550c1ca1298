#include "core/market/events.h"

#include "core/base/check.h"
#include "core/nostr/nip19.h"

namespace paygress::market {
namespace {

using nostr::Draft;
using nostr::Tag;
using nostr::VerifiedEvent;

constexpr std::string_view kMarketTopic = "paygress";

std::string d_tag(std::string_view name, uint8_t version, std::string_view rest) {
  std::string d = "paygress:";
  d += name;
  d += ":v" + std::to_string(version) + ":";
  d += rest;
  return d;
}

Tag topic(std::string_view value) { return {"t", std::string(value)}; }
Tag version_tag(uint8_t version) { return {"v", std::to_string(version)}; }

// The common start of the events that are about one workload.
std::vector<Tag> workload_tags(std::string_view second_topic, std::string d, uint8_t version,
                               const std::string& workload_id) {
  return {topic(kMarketTopic),
          topic(second_topic),
          {"d", std::move(d)},
          version_tag(version),
          {"workload", workload_id}};
}

Result<void> check_kind(const VerifiedEvent& event, uint16_t kind) {
  if (event->kind != kind)
    return fail("kind " + std::to_string(event->kind) + " instead of " + std::to_string(kind));
  return {};
}

Result<void> check_author(const VerifiedEvent& event, const PubKey& named, const char* field) {
  if (named != event->pubkey) return fail("is not the key that signed the event", field);
  return {};
}

Result<void> check_d(const VerifiedEvent& event, const std::string& expected) {
  const std::string* d = nostr::tag_value(event->tags, "d");
  if (d == nullptr || *d != expected) return fail("the d tag is not that of the content");
  return {};
}

// Parses the content and keeps it only if every check of it holds.
template <class T, class... Check>
Result<T> read_event(const VerifiedEvent& event, uint16_t kind,
                     Result<T> (*parse)(std::string_view), Check... check) {
  if (auto ok = check_kind(event, kind); !ok) return std::unexpected(ok.error());
  auto message = parse(event->content);
  if (!message) return message;
  Result<void> all;
  (void)((all = check(*message), all.has_value()) && ...);
  if (!all) return std::unexpected(all.error());
  return message;
}

}  // namespace

std::string offer_d(const PubKey& provider, uint8_t version) {
  return d_tag("offer", version, provider.hex());
}

std::string heartbeat_d(const PubKey& provider, UnixSeconds timestamp, uint8_t version) {
  PG_CHECK(timestamp.value >= 0);
  const int64_t bucket = timestamp.value / kHeartbeatBucketSeconds;
  return d_tag("heartbeat", version, provider.hex() + ":" + std::to_string(bucket));
}

std::string revocation_d(const PubKey& holder, std::string_view workload_id, uint8_t version) {
  return d_tag("revocation", version, holder.hex() + ":" + std::string(workload_id));
}

std::string promotion_d(std::string_view workload_id, uint8_t version) {
  return d_tag("promoted", version, workload_id);
}

std::string claim_d(std::string_view workload_id, uint8_t version) {
  return d_tag("claim", version, workload_id);
}

Draft offer_draft(const Offer& m, UnixSeconds created_at) {
  return {created_at,
          nostr::kind::kOffer,
          {topic(kMarketTopic),
           topic("compute"),
           {"d", offer_d(m.provider_npub, m.version)},
           version_tag(m.version)},
          to_json(m)};
}

Draft heartbeat_draft(const Heartbeat& m, UnixSeconds created_at) {
  return {created_at,
          nostr::kind::kHeartbeat,
          {topic("paygress-heartbeat"),
           {"d", heartbeat_d(m.provider_npub, m.timestamp, m.version)},
           version_tag(m.version)},
          to_json(m)};
}

Draft ephemeral_heartbeat_draft(const Heartbeat& m, UnixSeconds created_at) {
  return {created_at,
          nostr::kind::kHeartbeatEphemeral,
          {topic("paygress-heartbeat"), version_tag(m.version)},
          to_json(m)};
}

Draft revocation_draft(const Revocation& m, UnixSeconds created_at) {
  const std::string d = revocation_d(m.primary_provider_npub, m.workload_id, m.version);
  auto tags = workload_tags("paygress-revocation", d, m.version, m.workload_id);
  for (const std::string& standby : m.standby_providers) {
    const auto key = nostr::parse_public_key(standby);
    if (key && *key != m.primary_provider_npub) tags.push_back({"p", key->hex()});
  }
  return {created_at, nostr::kind::kRevocation, std::move(tags), to_json(m)};
}

Draft promotion_draft(const Promotion& m, UnixSeconds created_at) {
  return {created_at, nostr::kind::kPromotion,
          workload_tags("paygress-promoted", promotion_d(m.workload_id, m.version), m.version,
                        m.workload_id),
          to_json(m)};
}

Draft claim_draft(const Claim& m, UnixSeconds created_at) {
  return {
      created_at, kClaimKind,
      workload_tags("paygress-claim", claim_d(m.workload_id, m.version), m.version, m.workload_id),
      to_json(m)};
}

Result<Offer> read_offer(const VerifiedEvent& event) {
  return read_event<Offer>(event, nostr::kind::kOffer, parse_offer, [&](const Offer& m) {
    return check_author(event, m.provider_npub, "provider_npub");
  });
}

Result<Heartbeat> read_heartbeat(const VerifiedEvent& event) {
  const bool ephemeral = event->kind == nostr::kind::kHeartbeatEphemeral;
  const uint16_t kind = ephemeral ? nostr::kind::kHeartbeatEphemeral : nostr::kind::kHeartbeat;
  return read_event<Heartbeat>(event, kind, parse_heartbeat, [&](const Heartbeat& m) {
    return check_author(event, m.provider_npub, "provider_npub");
  });
}

Result<Revocation> read_revocation(const VerifiedEvent& event) {
  return read_event<Revocation>(
      event, nostr::kind::kRevocation, parse_revocation,
      [&](const Revocation& m) {
        return check_author(event, m.primary_provider_npub, "primary_provider_npub");
      },
      [&](const Revocation& m) {
        return check_d(event, revocation_d(m.primary_provider_npub, m.workload_id, m.version));
      });
}

Result<Promotion> read_promotion(const VerifiedEvent& event) {
  return read_event<Promotion>(
      event, nostr::kind::kPromotion, parse_promotion,
      [&](const Promotion& m) {
        return check_author(event, m.new_primary_npub, "new_primary_npub");
      },
      [&](const Promotion& m) { return check_d(event, promotion_d(m.workload_id, m.version)); });
}

Result<Claim> read_claim(const VerifiedEvent& event) {
  return read_event<Claim>(
      event, kClaimKind, parse_claim,
      [&](const Claim& m) { return check_author(event, m.claimant, "claimant"); },
      [&](const Claim& m) { return check_d(event, claim_d(m.workload_id, m.version)); });
}

nostr::Filter offers_filter() {
  nostr::Filter filter;
  filter.kinds = {nostr::kind::kOffer};
  filter.tags["t"] = {std::string(kMarketTopic)};
  return filter;
}

nostr::Filter heartbeats_filter(std::vector<PubKey> authors, UnixSeconds since) {
  nostr::Filter filter;
  filter.authors = std::move(authors);
  filter.kinds = {nostr::kind::kHeartbeat};
  filter.since = since;
  return filter;
}

nostr::Filter takeovers_filter(std::vector<PubKey> members, std::string_view workload_id) {
  nostr::Filter filter;
  filter.authors = std::move(members);
  filter.kinds = {nostr::kind::kPromotion, kClaimKind};
  filter.tags["d"] = {promotion_d(workload_id), claim_d(workload_id)};
  return filter;
}

nostr::Filter revocations_filter(const std::vector<PubKey>& members, std::string_view workload_id) {
  nostr::Filter filter;
  filter.authors = members;
  filter.kinds = {nostr::kind::kRevocation};
  for (const PubKey& member : members)
    filter.tags["d"].push_back(revocation_d(member, workload_id));
  return filter;
}

}  // namespace paygress::market
