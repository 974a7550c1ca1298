// The provider's heartbeat: one event for all that it holds (failover.md rule 1). Knows when the
// next is due, and which of those sent had the write quorum of which workload. Private to
// core/failover.
#pragma once

#include <deque>
#include <map>
#include <vector>

#include "core/failover/replica.h"

namespace paygress::failover {

// Heartbeats of which OKs and echoes are still counted: D / retry of the profile with the worst
// ratio, and some; the oldest is forgotten.
inline constexpr size_t kBeatsTrackedMax = 64;

class Pulse {
 public:
  // `context` must outlive the pulse.
  Pulse(Context& context, Micros beat_every) : context_(context), beat_every_(beat_every) {}

  void start(Now now) { due_ = deadline_ = now.mono; }

  // A workload as the pulse sees it: held, with its relays in the order of its terms.
  struct Held {
    Replica* replica = nullptr;
    const std::vector<RelayNo>* relays = nullptr;
  };
  using HeldBy = std::map<LeaseId, Held>;  // every replica, held or not

  // Sends what is due, and forgets what is too old to count but for the newest: that one is still
  // sent to relays that lack it. True when replicas were told of a sending.
  bool handle_timer(Now now, const HeldBy& replicas, Step& out);
  enum class Receipt : uint8_t {
    Unknown,  // not of a heartbeat
    Noted,
    Counted,  // and replicas were told
  };
  Receipt receipt(Now now, PublishNo id, RelayNo relay, bool echo, const HeldBy& replicas,
                  Step& out);
  std::optional<Micros> next_deadline() const { return deadline_; }
  void check_invariants() const;

 private:
  struct Named {
    LeaseId lease;
    uint64_t epoch = 0;
    Micros delay;
    bool settled = false;  // counted, or too late to count
  };
  struct Beat {
    PublishNo id;
    Micros sent;
    std::vector<Named> named;
    std::map<RelayNo, uint8_t> receipts;  // kOk | kEchoed
    Micros until;                         // the largest D of those named
  };
  static constexpr uint8_t kOk = 1;
  static constexpr uint8_t kEchoed = 2;

  void send(Now now, const HeldBy& replicas, Step& out);
  void expire(Now now, Step& out);
  bool has(const Beat& beat, RelayNo relay) const;
  static bool holds(const HeldBy& replicas, const Named& named);
  void plan_next(const HeldBy& replicas);
  std::optional<Micros> compute_deadline() const;

  Context& context_;
  Micros beat_every_;
  std::optional<Micros> due_;
  std::optional<Micros> last_sent_;
  std::deque<Beat> beats_;  // oldest first
  struct Count {            // times of sending; of the epoch held
    Micros counted;
    Micros missed;
  };
  std::map<std::pair<LeaseId, uint64_t>, Count> counts_;
  std::optional<Micros> deadline_;  // compute_deadline(): asked for at every step
};

}  // namespace paygress::failover
