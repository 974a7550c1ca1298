// The cryptography of a simulated world, in two tiers (scenario.h). Everything that the shell does
// with keys around Provider::step is done here, inline.
#pragma once

#include <memory>
#include <optional>

#include "core/provider/pure_work.h"
#include "sim/models/mint.h"
#include "sim/models/relay.h"
#include "sim/world/fault_plan.h"

namespace paygress::sim {

// Somebody's keys. `number` distinguishes them; the same number is the same key in every run.
struct Identity {
  uint64_t number = 0;
  crypto::Keypair keypair;
  PubKey key;
  std::string key_hex;
  Identity(Tier tier, uint64_t number);
};

class Cryptography {
 public:
  virtual ~Cryptography() = default;
  virtual nostr::Event sign(const Identity& who, const nostr::Draft& draft, Entropy& entropy) = 0;
  // A private message from `from` to `to`. `rumor_at` is its own time.
  virtual nostr::Event seal(const Identity& from, const PubKey& to, provider::Transport transport,
                            const EventId& reply_to, std::string_view json, UnixSeconds rumor_at,
                            UnixSeconds now, Entropy& entropy) = 0;
  // Text of a private message to `me`, and who wrote it. Nothing when it is not for us or is
  // forged.
  struct Opened {
    PubKey sender;
    EventId message;
    UnixSeconds created_at;
    std::string text;
  };
  virtual std::optional<Opened> open(const Identity& me, const nostr::VerifiedEvent& event) = 0;
  // What a relay does with an event, and a client with what a relay sends.
  virtual Result<void> check(const nostr::Event& event) = 0;
  virtual Result<nostr::VerifiedEvent> verify(nostr::Event event) = 0;
  virtual cashu::OutputsReady make_outputs(const cashu::MakeOutputs& work, const Identity& who) = 0;
  virtual cashu::ProofsReady open_signatures(const cashu::OpenSignatures& work,
                                             const Identity& who) = 0;
  virtual cashu::TokenChecked check_token(const cashu::CheckToken& work) = 0;
  virtual std::shared_ptr<const MintCrypto> mint_crypto() = 0;
};

std::unique_ptr<Cryptography> make_cryptography(Tier tier);

}  // namespace paygress::sim
