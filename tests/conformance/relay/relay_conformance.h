// What a Nostr relay has to do for us, as behaviours that run against anything that speaks NIP-01:
// the model here, real relays over sockets elsewhere.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/nostr/message.h"

namespace paygress::conformance {

// One relay, empty for our keys, and any number of connections to it.
class RelayUnderTest {
 public:
  virtual ~RelayUnderTest() = default;
  // Opens a connection; its number is used below.
  virtual size_t connect() = 0;
  virtual void send(size_t connection, const nostr::ClientMessage& message) = 0;
  // The next messages for the connection: at least until `enough` says so of all of them together,
  // or the relay has had its time. AUTH challenges and NOTICEs may be among them.
  using Enough = std::function<bool(const std::vector<nostr::WireMessage>&)>;
  virtual std::vector<nostr::WireMessage> receive(size_t connection, const Enough& enough) = 0;
  // A signed event by test author `author` (0, 1, ...), each of which has a key of its own.
  virtual nostr::Event sign(size_t author, const nostr::Draft& draft) = 0;
  // Wall clock of the relay, to within a few seconds.
  virtual UnixSeconds now() const = 0;
  // Different in every run on a relay that keeps what it has: put into d tags and t tags.
  virtual std::string run() const = 0;
};

struct Behaviour {
  std::string name;
  std::string section;
  // Empty, or what went wrong.
  std::function<std::string(RelayUnderTest&)> check;
};

const std::vector<Behaviour>& relay_behaviours();

}  // namespace paygress::conformance
