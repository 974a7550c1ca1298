// How often one key may ask. Bounded memory for all keys together.
#pragma once

#include <map>

#include "core/base/ids.h"
#include "core/base/units.h"

namespace paygress::provider {

inline constexpr uint32_t kRequestsPerMinute = 30;     // per key
inline constexpr uint32_t kComplaintsPerMinute = 120;  // for all keys together
inline constexpr size_t kLimitedKeysMax = 4096;  // the key that was quiet longest is forgotten

class RateLimit {
 public:
  // Counts a request; false when it is one too many.
  bool allow(Now now, const PubKey& key);
  // At most one "invalid_request" a minute and key, and kComplaintsPerMinute for all: keys are
  // free.
  bool allow_complaint(Now now, const PubKey& key);
  size_t size() const { return windows_.size(); }

 private:
  struct Window {
    Micros from;
    uint32_t requests = 0;
    bool complained = false;
  };
  Window& window(Now now, const PubKey& key);
  std::map<PubKey, Window> windows_;
  Micros complaints_from_;
  uint32_t complaints_ = 0;
};

}  // namespace paygress::provider
