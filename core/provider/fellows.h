// What other providers' offers say of fail-over: one without a profile is of somebody who does not
// know its rules (docs/failover.md). Our own relays are asked when a warm-standby request names
// somebody whose offer was not read lately; the request waits for that.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "core/failover/terms.h"
#include "core/nostr/relay_pool.h"

namespace paygress::provider {

inline constexpr Micros kFellowsQueryTimeout = 5'000_ms;
inline constexpr Micros kFellowFresh = 600'000_ms;  // so long what was read is not read again
inline constexpr size_t kFellowsMax = 512;          // remembered: the one read longest ago goes
inline constexpr size_t kFellowsAskedMax = 64;      // at a time, and waiting to be; others are not

class Fellows {
 public:
  // `pool` must outlive this object.
  explicit Fellows(nostr::RelayPool& pool) : pool_(pool) {}

  // Has the offers of those read that were not read lately, as far as that can be asked for. True:
  // there is nothing to wait for.
  bool read(Now now, const std::vector<PubKey>& keys);
  bool is_read(Now now, const std::vector<PubKey>& keys) const;
  // False: its newest offer has no profile. Of whom no offer was found it is true: then nobody
  // takes over what that one never said it held.
  bool knows_rules(const PubKey& key) const;

  // True: it was for the fellows, and is_read() may say something else now.
  bool handle(Now now, const nostr::PoolOutput& output);
  void check_invariants() const;

 private:
  struct Offer {  // the newest (NIP-01)
    UnixSeconds published;
    EventId event;
    bool has_profile = false;
  };
  struct Fellow {
    std::optional<Offer> offer;
    Micros read_at;
  };

  bool is_fresh(Now now, const PubKey& key) const;
  void ask(Now now);
  void note(const nostr::VerifiedEvent& event);
  void end_query(Now now);
  void forget_oldest();

  nostr::RelayPool& pool_;
  std::map<PubKey, Fellow> fellows_;
  std::set<PubKey> wanted_;  // for the next query
  std::set<PubKey> asked_;   // for by the query that is out
  size_t awaited_ = 0;       // relays that have not answered it
  uint64_t queries_ = 0;
};

}  // namespace paygress::provider
