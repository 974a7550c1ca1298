// An event on its way between members, and what carries it.
//
// In the fast tier a reader is handed the typed message itself. In the real tier the author makes
// the event of it with production's codec and key, relays carry its text, and every reader verifies
// and parses that text again: what a reader is told is what the bytes say.
#pragma once

#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>

#include <memory>
#include <optional>
#include <string>

#include "core/base/random.h"
#include "core/failover/inputs.h"
#include "sim/members/plan.h"

namespace paygress::sim::members {

inline constexpr uint32_t kEveryWorkload = ~uint32_t{0};

struct Sent : boost::intrusive_ref_counter<Sent, boost::thread_unsafe_counter> {
  failover::Heard heard;
  uint32_t author = 0;                 // the member's place
  uint32_t workload = kEveryWorkload;  // of a claim, promotion or revocation
  uint64_t run = 0;                    // of the author's daemon
  failover::PublishNo publish;         // its number in that run
  uint32_t number = 0;                 // among all of its author's events
  std::string text;                    // real tier
};
using EventRef = boost::intrusive_ptr<const Sent>;

// The key of a member's provider: the same in both tiers, for decisions must not differ.
const PubKey& key_of(uint32_t number);

class Codec {
 public:
  virtual ~Codec() = default;
  // Sets the event's id, and what is carried.
  virtual void seal(Sent& event, uint32_t author_number) = 0;
  // What a reader of it is told, until the next call. Nothing: it refuses it.
  virtual const failover::Heard* open(const Sent& event) = 0;
};
std::unique_ptr<Codec> make_codec(Tier tier, uint64_t seed);

}  // namespace paygress::sim::members
