#include "sim/members/event.h"

#include <deque>

#include "core/crypto/schnorr.h"
#include "core/market/events.h"

namespace paygress::sim::members {
namespace {

struct Identity {
  crypto::Keypair pair;
  PubKey key;
};

// Made once for all histories of the process: a key costs as much as many events.
const Identity& identity(uint32_t number) {
  static std::deque<Identity> all;
  while (all.size() <= number) {
    SecretKey secret;
    SeededEntropy(all.size(), 0, "member keys").fill(secret.bytes);
    secret.bytes[0] = 1;  // below the group order
    const auto pair = crypto::Keypair::from(secret).value();
    all.push_back({pair, pair.public_key()});
  }
  return all[number];
}

class Typed final : public Codec {
 public:
  void seal(Sent& event, uint32_t author_number) override {
    const uint64_t mixed = mix64(uint64_t{author_number} << 32 | event.number);
    for (size_t i = 0; i < 8; ++i)
      event.heard.event.bytes[i] = static_cast<uint8_t>(mixed >> (8 * i));
  }
  const failover::Heard* open(const Sent& event) override { return &event.heard; }
};

class Encoded final : public Codec {
 public:
  explicit Encoded(uint64_t seed) : entropy_(seed, 0, "signatures") {}

  void seal(Sent& event, uint32_t author_number) override {
    const UnixSeconds at = event.heard.created_at;
    ByteArray<32> aux;
    entropy_.fill(aux);
    const nostr::Event made =
        nostr::sign(identity(author_number).pair, draft_of(event.heard, at), aux);
    event.heard.event = made.id;
    event.text = nostr::to_json(made);
  }

  const failover::Heard* open(const Sent& event) override {
    opened_ = read(event);
    return opened_ ? &*opened_ : nullptr;
  }

 private:
  static std::optional<failover::Heard> read(const Sent& event) {
    auto parsed = nostr::parse_event(event.text);
    if (!parsed) return std::nullopt;
    const auto verified = nostr::verify(*std::move(parsed));
    if (!verified) return std::nullopt;
    failover::Heard heard{(*verified)->pubkey, (*verified)->created_at, (*verified)->id, {}};
    const auto told = [&](auto message) {
      if (!message) return std::optional<failover::Heard>{};
      heard.message = *std::move(message);
      return std::optional(std::move(heard));
    };
    switch ((*verified)->kind) {
      case nostr::kind::kHeartbeat: return told(market::read_heartbeat(*verified));
      case nostr::kind::kPromotion: return told(market::read_promotion(*verified));
      case nostr::kind::kRevocation: return told(market::read_revocation(*verified));
      case market::kClaimKind: return told(market::read_claim(*verified));
      default: return std::nullopt;
    }
  }

  static nostr::Draft draft_of(const failover::Heard& heard, UnixSeconds at) {
    if (const auto* beat = std::get_if<market::Heartbeat>(&heard.message)) {
      market::Heartbeat m = *beat;
      m.timestamp = at;
      return market::heartbeat_draft(m, at);
    }
    if (const auto* claim = std::get_if<market::Claim>(&heard.message)) {
      market::Claim m = *claim;
      m.claimed_at = at;
      return market::claim_draft(m, at);
    }
    if (const auto* promotion = std::get_if<market::Promotion>(&heard.message)) {
      market::Promotion m = *promotion;
      m.promoted_at = at;
      return market::promotion_draft(m, at);
    }
    market::Revocation m = std::get<market::Revocation>(heard.message);
    m.revoked_at = at;
    return market::revocation_draft(m, at);
  }

  SeededEntropy entropy_;
  std::optional<failover::Heard> opened_;
};

}  // namespace

const PubKey& key_of(uint32_t number) { return identity(number).key; }

std::unique_ptr<Codec> make_codec(Tier tier, uint64_t seed) {
  if (tier == Tier::Real) return std::make_unique<Encoded>(seed);
  return std::make_unique<Typed>();
}

}  // namespace paygress::sim::members
