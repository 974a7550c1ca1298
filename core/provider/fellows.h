// What other providers' offers say of fail-over: one without a profile is of somebody who does not
// know its rules (docs/failover.md). Our own relays are asked when a warm-standby request names
// somebody whose offer was not read lately; the request waits for that.
//
// Read is what a read quorum of our relays showed: every offer that reached a write quorum is
// there.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/nostr/relay_pool.h"

namespace paygress::provider {

inline constexpr Micros kFellowsQueryTimeout = 5'000_ms;
inline constexpr Micros kFellowsPause = 2'000_ms;   // after a query that no quorum answered
inline constexpr Micros kFellowFresh = 600'000_ms;  // so long what was read is not read again
inline constexpr size_t kFellowsMax = 512;          // remembered: the one read longest ago goes
inline constexpr size_t kFellowsAskedMax = 16;      // in one query
inline constexpr size_t kFellowsWantedMax = 256;

class Fellows {
 public:
  // `pool` must outlive this object.
  explicit Fellows(nostr::RelayPool& pool) : pool_(pool) {}

  // All were read lately. Otherwise those that were not are asked for, one query at a time.
  bool read(Now now, const std::vector<PubKey>& keys);
  // Nothing more is being done to read these: read() says how that ended, or begins anew.
  bool is_settled(Now now, const std::vector<PubKey>& keys) const;
  // False: its newest offer has no profile. Of who has no offer it is true: then nobody takes over
  // what that one never said it held.
  bool knows_rules(const PubKey& key) const;

  // True: it was for the fellows.
  bool handle(Now now, const nostr::PoolOutput& output);
  void handle_timer(Now now);
  std::optional<Micros> next_deadline() const { return paused_until_; }
  // is_settled() may say something else than at the last call.
  bool take_news() { return std::exchange(news_, false); }
  void check_invariants() const;

 private:
  struct Offer {  // the newest (NIP-01)
    UnixSeconds published;
    EventId event;
    bool has_profile = false;
  };
  struct Fellow {
    std::optional<Offer> offer;
    std::optional<Micros> read_at;
  };

  bool is_fresh(Now now, const PubKey& key) const;
  void ask(Now now);
  std::string query_name() const;
  void note(const nostr::VerifiedEvent& event);
  void end_query(Now now, bool read);
  void forget_oldest();

  nostr::RelayPool& pool_;
  std::map<PubKey, Fellow> fellows_;
  std::set<PubKey> wanted_;  // for the next queries
  std::set<PubKey> asked_;   // for by the query that is out
  size_t awaited_ = 0;       // relays that have not answered it
  size_t complete_ = 0;      // that have, to their end
  uint64_t queries_ = 0;
  std::optional<Micros> paused_until_;  // no query before
  bool news_ = false;
};

}  // namespace paygress::provider
