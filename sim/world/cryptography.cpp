#include "sim/world/cryptography.h"

#include <cstring>

#include "core/base/codec.h"
#include "core/nostr/nip04.h"
#include "sim/models/fake_curve.h"
#include "sim/models/model_witness.h"
#include "sim/world/trace_hash.h"

namespace paygress::sim {
namespace {

SecretKey secret_of(uint64_t number) {
  SecretKey secret;
  for (size_t i = 0; i < 32; i += 8) {
    const uint64_t word = mix64(number * 4 + i / 8 + 1);
    for (size_t k = 0; k < 8; ++k) secret.bytes[i + k] = static_cast<uint8_t>(word >> (8 * k));
  }
  secret.bytes[0] = 1;  // below the group order
  return secret;
}

cashu::WalletSeed seed_of(const Identity& who) {
  cashu::WalletSeed seed;
  for (size_t i = 0; i < seed.bytes.size(); ++i)
    seed.bytes[i] = static_cast<uint8_t>(mix64(who.number * 64 + i));
  return seed;
}

class RealCryptography final : public Cryptography {
 public:
  nostr::Event sign(const Identity& who, const nostr::Draft& draft, Entropy& entropy) override {
    return provider::sign_event({{}, draft}, who.keypair, entropy).event;
  }
  nostr::Event seal(const Identity& from, const PubKey& to, provider::Transport transport,
                    const EventId& reply_to, std::string_view json, UnixSeconds rumor_at,
                    UnixSeconds now, Entropy& entropy) override {
    if (transport == provider::Transport::Nip17) {
      nostr::Draft draft{
          rumor_at, nostr::kind::kPrivateMessage, {{"p", to.hex()}}, std::string(json)};
      const auto rumor = nostr::make_rumor(from.key, std::move(draft));
      return nostr::wrap(rumor, from.keypair, to, now, entropy).value();
    }
    provider::SealReply work{{}, to, transport, reply_to, std::string(json), now};
    return provider::seal_reply(work, from.keypair, entropy).event.value();
  }
  std::optional<Opened> open(const Identity& me, const nostr::VerifiedEvent& event) override {
    if (event->kind == nostr::kind::kEncryptedDirect) {
      auto text = nostr::nip04::open(event, me.keypair);
      if (!text) return std::nullopt;
      return Opened{event->pubkey, event->id, event->created_at, *std::move(text)};
    }
    auto unwrapped = nostr::unwrap(event, me.keypair);
    if (!unwrapped) return std::nullopt;
    return Opened{unwrapped->sender, unwrapped->rumor_id, unwrapped->created_at,
                  std::move(unwrapped->content)};
  }
  Result<void> check(const nostr::Event& event) override {
    auto verified = nostr::verify(event);
    if (!verified) return std::unexpected(verified.error());
    return {};
  }
  Result<nostr::VerifiedEvent> verify(nostr::Event event) override {
    return nostr::verify(std::move(event));
  }
  cashu::OutputsReady make_outputs(const cashu::MakeOutputs& work, const Identity& who) override {
    return cashu::make_outputs(work, seed_of(who));
  }
  cashu::ProofsReady open_signatures(const cashu::OpenSignatures& work,
                                     const Identity& who) override {
    return cashu::open_signatures(work, seed_of(who));
  }
  cashu::TokenChecked check_token(const cashu::CheckToken& work) override {
    return cashu::check_token(work);
  }
  std::shared_ptr<const MintCrypto> mint_crypto() override { return real_mint_crypto(); }
};

// Ids are hashes of the event, signatures hashes of id, author, time and kind: a forged one is told
// from a genuine one, and nothing else. The envelope of a private message is plain.
class FastCryptography final : public Cryptography {
 public:
  nostr::Event sign(const Identity& who, const nostr::Draft& draft, Entropy&) override {
    return finish({{}, who.key, draft.created_at, draft.kind, draft.tags, draft.content, {}});
  }
  nostr::Event seal(const Identity& from, const PubKey& to, provider::Transport transport,
                    const EventId& reply_to, std::string_view json, UnixSeconds rumor_at,
                    UnixSeconds now, Entropy& entropy) override {
    if (transport == provider::Transport::Nip04)
      return finish({{},
                     from.key,
                     now,
                     nostr::kind::kEncryptedDirect,
                     {{"p", to.hex()}, {"e", reply_to.hex()}},
                     std::string(json),
                     {}});
    ByteArray<32> throwaway;
    entropy.fill(throwaway);
    PubKey author;
    author.bytes = throwaway;
    const auto back = static_cast<int64_t>(
        (uint64_t{throwaway[0]} << 16 | uint64_t{throwaway[1]} << 8 | throwaway[2]) % 172'800);
    return finish({{},
                   author,
                   now - Seconds{back},
                   nostr::kind::kGiftWrap,
                   {{"p", to.hex()}},
                   from.key.hex() + std::to_string(rumor_at.value) + ":" + std::string(json),
                   {}});
  }
  std::optional<Opened> open(const Identity& me, const nostr::VerifiedEvent& event) override {
    const std::string* p = nostr::tag_value(event->tags, "p");
    if (p == nullptr || *p != me.key_hex) return std::nullopt;
    if (event->kind == nostr::kind::kEncryptedDirect)
      return Opened{event->pubkey, event->id, event->created_at, event->content};
    const size_t colon = event->content.find(':');
    const auto sender = PubKey::parse(std::string_view(event->content).substr(0, 64));
    if (!sender || colon == std::string::npos) return std::nullopt;
    Opened opened{*sender,
                  {},
                  {std::stoll(event->content.substr(64, colon - 64))},
                  event->content.substr(colon + 1)};
    opened.message = id_of(event->content);
    return opened;
  }
  Result<void> check(const nostr::Event& event) override {
    if (seal_of(event) == event.sig) return {};
    return fail("invalid: forged");
  }
  Result<nostr::VerifiedEvent> verify(nostr::Event event) override {
    if (auto ok = check(event); !ok) return std::unexpected(ok.error());
    return nostr::ModelWitness::vouch(std::move(event));
  }
  cashu::OutputsReady make_outputs(const cashu::MakeOutputs& work, const Identity& who) override {
    return fake_make_outputs(work, who.number);
  }
  cashu::ProofsReady open_signatures(const cashu::OpenSignatures& work,
                                     const Identity& who) override {
    return fake_open_signatures(work, who.number);
  }
  cashu::TokenChecked check_token(const cashu::CheckToken& work) override {
    return fake_check_token(work);
  }
  std::shared_ptr<const MintCrypto> mint_crypto() override { return fake_mint_crypto(); }

 private:
  template <class T>
  static EventId id_of(const T& value) {
    EventId id;
    TraceHash sink;
    encode(sink, value);
    const uint64_t hash = sink.digest();
    for (size_t i = 0; i < id.bytes.size(); ++i)
      id.bytes[i] = static_cast<uint8_t>(mix64(hash + i / 8) >> (8 * (i % 8)));
    return id;
  }
  static nostr::Event finish(nostr::Event event) {
    event.id = {};
    event.sig = {};
    event.id = id_of(event);
    event.sig = seal_of(event);
    return event;
  }
  // Binds the id to its author, time and kind; a relay and a reader check it for every event.
  static Signature seal_of(const nostr::Event& event) {
    uint64_t id = 0;
    uint64_t author = 0;
    std::memcpy(&id, event.id.bytes.data(), sizeof id);
    std::memcpy(&author, event.pubkey.bytes.data(), sizeof author);
    const uint64_t seal = mix64(mix64(id ^ mix64(author)) ^
                                static_cast<uint64_t>(event.created_at.value) ^ event.kind);
    Signature signature;
    std::memcpy(signature.bytes.data(), &seal, sizeof seal);
    return signature;
  }
};

crypto::Keypair keypair_of(uint64_t number) {
  return crypto::Keypair::from(secret_of(number)).value();
}

}  // namespace

Identity::Identity(Tier, uint64_t n)
    : number(n), keypair(keypair_of(n)), key(keypair.public_key()), key_hex(key.hex()) {}

std::unique_ptr<Cryptography> make_cryptography(Tier tier) {
  if (tier == Tier::Real) return std::make_unique<RealCryptography>();
  return std::make_unique<FastCryptography>();
}

}  // namespace paygress::sim
