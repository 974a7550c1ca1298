// A member whose key somebody else has. What he writes is signed as it should be, and is read by
// the others as any member's: he can take the workload from them, and must not be able to make two
// of them run it.
#include <algorithm>
#include <array>
#include <utility>

#include "sim/members/host.h"

namespace paygress::sim::members {

void Host::lie(bool on) {
  ++lying_;
  if (on) {
    crash_host();
    stolen_ = true;
  }
  line(on ? "somebody has its key" : "is silent for good");
  net_.set_running(member_, on);
  if (on) tell_lies(lying_);
}

void Host::tell_lies(uint64_t lying) {
  const Micros longest{plan_.profile.heartbeat.value / 2};
  queue_.after({lies_.between(100'000, longest.value)}, [this, lying] {
    if (lying_ != lying) return;
    lie_once();
    tell_lies(lying);
  });
}

// To some relays, and now and then something else to one of them.
void Host::lie_once() {
  const Slot& slot = slots_[lies_.below(slots_.size())];
  const EventRef same = make_lie(slot.workload);
  for (uint32_t r = 0; r < plan_.relays; ++r) {
    if (lies_.chance_ppm(200'000)) continue;
    net_.send_event(member_, r, lies_.chance_ppm(150'000) ? make_lie(slot.workload) : same);
  }
}

EventRef Host::make_lie(uint32_t workload) {
  const std::string id = plan_.workload_id(plan_.all_workloads()[workload]);
  const PubKey& self = key_of(plan_.member_number(member_));
  const uint64_t epoch = lied_epoch();
  const bool withdrawn = lies_.chance_ppm(300'000);
  boost::intrusive_ptr<Sent> event(new Sent);
  event->author = member_;
  event->workload = workload;
  event->number = events_made_++;
  failover::Heard& heard = event->heard;
  heard.author = self;
  const int64_t off = lies_.chance_ppm(100'000) ? 3'600 : 2;
  heard.created_at = now().wall + Seconds{lies_.between(-off, off)};
  switch (lies_.below(4)) {
    case 0: {
      market::Heartbeat beat;
      beat.provider_npub = self;
      beat.holds = {{market::hold_tag(id), epoch}};
      heard.message = std::move(beat);
      event->workload = kEveryWorkload;
      break;
    }
    case 1: {
      const auto rank = static_cast<uint32_t>(lies_.below(plan_.members + 1));
      heard.message = market::Claim{id, epoch, self, rank, {}, withdrawn, 1};
      break;
    }
    case 2: heard.message = market::Promotion{id, self, {}, 1, epoch, withdrawn}; break;
    default: heard.message = market::Revocation{id, self, {}, "a lie", {}, {}, 1, epoch}; break;
  }
  codec_.seal(*event, plan_.member_number(member_));
  watcher_.on_lie(member_, workload, epoch);
  return event;
}

// About those that are in use, most of the time.
uint64_t Host::lied_epoch() {
  constexpr std::array kExtremes{failover::kEpochMax - 1, failover::kEpochMax,
                                 failover::kEpochMax + 1};
  if (lies_.chance_ppm(3'000)) return kExtremes[lies_.below(kExtremes.size())];
  const int64_t epoch = static_cast<int64_t>(overheard_) + lies_.between(-2, 3);
  return static_cast<uint64_t>(std::max<int64_t>(0, epoch));
}

void Host::overhear(const Sent& event) {
  const auto note = [this](uint64_t epoch) {
    if (epoch <= failover::kEpochMax) overheard_ = std::max(overheard_, epoch);
  };
  const auto& message = event.heard.message;
  if (const auto* beat = std::get_if<market::Heartbeat>(&message)) {
    if (beat->holds)
      for (const market::Hold& hold : *beat->holds) note(hold.epoch);
  } else if (const auto* claim = std::get_if<market::Claim>(&message)) {
    note(claim->epoch);
  } else if (const auto* promotion = std::get_if<market::Promotion>(&message)) {
    note(promotion->epoch.value_or(0));
  }
}

}  // namespace paygress::sim::members
