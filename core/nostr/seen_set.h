// The ids of the last N events that were delivered.
#pragma once

#include <optional>
#include <vector>

#include "core/base/ids.h"
#include "core/base/lookup.h"
#include "core/base/units.h"

namespace paygress::nostr {

// Bounded, first in first out. Only ids of VERIFIED events may be put in: an unverified one would
// let a hostile relay make us ignore the genuine event (nostr.md fact 5). A flood of genuine events
// can push an old id out, so this saves work but is not the guard against doing paid work twice:
// that is the ledger's, keyed by request.
class SeenSet {
 public:
  explicit SeenSet(size_t capacity) : capacity_(capacity) { PG_CHECK(capacity > 0); }

  bool contains(const EventId& id) const { return times_.contains(id); }
  size_t size() const { return times_.size(); }
  // The event's created_at; nothing when the id, or its time, is not known.
  std::optional<UnixSeconds> created_at(const EventId& id) const {
    const auto* time = times_.find(id);
    return time == nullptr ? std::nullopt : *time;
  }

  // False when the id was there already: its age does not change, a time not known is filled in.
  bool insert(const EventId& id, std::optional<UnixSeconds> created_at) {
    if (auto* time = times_.find(id)) {
      if (!*time) *time = created_at;
      return false;
    }
    PG_CHECK(times_.insert(id, created_at));
    if (ring_.size() < capacity_) {
      ring_.push_back(id);
    } else {
      PG_CHECK(times_.erase(ring_[oldest_]));
      ring_[oldest_] = id;
      oldest_ = (oldest_ + 1) % capacity_;
    }
    PG_CHECK(times_.size() == ring_.size());
    return true;
  }

 private:
  size_t capacity_;
  size_t oldest_ = 0;
  std::vector<EventId> ring_;
  LookupMap<EventId, std::optional<UnixSeconds>, IdHash> times_;
};

}  // namespace paygress::nostr
