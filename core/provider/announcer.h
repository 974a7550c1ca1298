// What the provider says in public: its offer (kept fresh), its inbox relays. Heartbeats are
// fail-over's (standby_desk.h); what is learnt from them is kept here: whether they reach a write
// quorum of our own relays, and the uptime.
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
  bool standby = false;  // warm-standby leases are sold: the guard works
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
  // One of our own relays took a heartbeat.
  void note_beat(Now now, RelayIndex relay, Step& out);
  // A created_at that is higher than every earlier one of that kind, over restarts and clock steps.
  UnixSeconds stamp(Now now, uint16_t kind, Step& out);
  // Something a buyer must know changed: announce soon.
  void offer_changed(Now now) {
    if (offer_due_) offer_due_ = std::min(*offer_due_, now.mono);
  }

  // No heartbeat of ours had its write quorum for heartbeat + D.
  bool quorum_lost(Now now) const;

  void apply(const OwnRecord& record);
  template <class Self>
  static auto durable(Self& self) {
    return std::tie(self.stamp_floor_, self.up_hours_);
  }

 private:
  void sign(uint16_t kind, nostr::Draft draft, Step& out);
  market::Offer offer(Now now, const Vitals& vitals) const;
  market::Percent uptime(UnixSeconds now) const;
  void note_up(Now now, Step& out);

  const Settings& settings_;
  nostr::RelayPool* pool_ = nullptr;
  CallIds& calls_;
  std::optional<Micros> offer_due_;
  std::optional<Micros> inbox_due_;
  std::map<CallId, uint16_t> signing_;            // -> kind
  std::map<uint16_t, nostr::PublishId> newest_;   // publish of each kind
  std::map<RelayIndex, Micros> heartbeat_taken_;  // per relay, not per tick
  Micros started_at_;
  uint64_t next_publish_ = 1;
  std::map<uint16_t, UnixSeconds> last_stamp_;
  UnixSeconds stamp_floor_;                  // durable
  std::optional<UnixSeconds> boot_floor_;    // of all that earlier processes stamped
  std::map<UnixSeconds, Seconds> up_hours_;  // durable: the last 30 days
  std::optional<UnixSeconds> last_up_;
};

}  // namespace paygress::provider
