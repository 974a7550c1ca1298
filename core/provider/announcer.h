// What the provider says in public: its offer (kept fresh), both heartbeats, its inbox relays. And
// what it learns from saying it: whether its heartbeats reach a write quorum of relays.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "core/market/events.h"
#include "core/provider/settings.h"
#include "core/provider/step.h"

namespace paygress::provider {

inline constexpr Seconds kOfferEvery{600};
inline constexpr Seconds kInboxListEvery{86400};
inline constexpr Seconds kRelayDelay{15};  // D: sender to relay and back, over parts that work
inline constexpr Seconds kUptimeWindow{30 * 86400};

// What changes from one announcement to the next.
struct Vitals {
  lease::Resources unreserved;
  uint32_t running = 0;
  uint64_t jobs_completed = 0;
  bool draining = false;
};

class Announcer {
 public:
  // Both must outlive the announcer.
  Announcer(const Settings& settings, CallIds& calls) : settings_(settings), calls_(calls) {}

  // The backend works and the ledger is read: from here on the world may know of us. `pool` must
  // outlive the announcer. Nothing else but apply() may be called before.
  void start(Now now, nostr::RelayPool& pool);
  void handle_timer(Now now, const Vitals& vitals, Step& out);
  std::optional<Micros> next_deadline() const;
  void on_signed(Now now, const EventSigned& event, Step& out);
  // A relay answered a publish of ours.
  void on_accepted(Now now, nostr::PublishId publish, RelayIndex relay, Step& out);
  bool owns(nostr::PublishId publish) const { return kinds_.contains(publish); }
  // Something a buyer must know changed: announce soon.
  void offer_changed(Now now) { if (offer_due_) offer_due_ = std::min(*offer_due_, now.mono); }

  // No heartbeat of ours had its write quorum for heartbeat + D.
  bool quorum_lost(Now now) const;

  void apply(const OwnRecord& record);

 private:
  void sign(uint16_t kind, nostr::Draft draft, Step& out);
  UnixSeconds stamp(Now now, uint16_t kind, Step& out);
  market::Offer offer(Now now, const Vitals& vitals) const;
  market::Percent uptime(UnixSeconds now) const;
  void note_up(Now now, Step& out);

  const Settings& settings_;
  nostr::RelayPool* pool_ = nullptr;
  CallIds& calls_;
  std::optional<Micros> offer_due_;
  std::optional<Micros> heartbeat_due_;
  std::optional<Micros> inbox_due_;
  std::map<CallId, uint16_t> signing_;                  // -> kind
  std::map<nostr::PublishId, uint16_t> kinds_;          // the newest publish of each kind
  std::map<uint16_t, nostr::PublishId> newest_;
  std::map<RelayIndex, Micros> heartbeat_taken_;        // per relay, not per tick
  Micros started_at_;
  uint64_t next_publish_ = 1;
  std::map<uint16_t, UnixSeconds> last_stamp_;
  UnixSeconds stamp_floor_;                             // durable
  std::map<UnixSeconds, Seconds> up_hours_;             // durable: the last 30 days
  std::optional<UnixSeconds> last_up_;
};

}  // namespace paygress::provider
