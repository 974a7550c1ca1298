// Vouches for events without cryptography: the fast tier of the simulator, and tests of machines
// that are handed verified events. Never linked into a program that talks to real relays.
#pragma once

#include <memory>
#include <utility>

#include "core/nostr/event.h"

namespace paygress::nostr {

struct ModelWitness {
  static VerifiedEvent vouch(Event event) {
    return VerifiedEvent(std::make_shared<const Event>(std::move(event)));
  }
};

}  // namespace paygress::nostr
