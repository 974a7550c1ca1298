// What warm standby must not forget beside fail-over's own records: the terms of reservations that
// are not paid yet, and what owners are still to be told. The fold of its records.
#pragma once

#include <map>
#include <optional>

#include "core/provider/records.h"

namespace paygress::provider {

inline constexpr Seconds kNoticeKept{86'400};  // later it is of no use to its owner

class StandbyBook {
 public:
  // The only function that changes state. Records of other machines are ignored.
  void apply(const Record& record);
  template <class Self>
  static auto durable(Self& self) {
    return std::tie(self.terms_, self.notices_, self.newest_);
  }

  // The terms of a reservation: frozen, and not joined yet.
  const failover::Terms* terms_of(const LeaseId& lease) const;
  size_t reserved() const { return terms_.size(); }
  // What is owed, by its key; of each lease only the newest.
  const std::map<RequestKey, NoticeOwed>& notices() const { return notices_; }
  // Its owner was, or is being told so, and nothing since.
  bool told(const LeaseId& lease, uint64_t epoch, failover::News news) const;
  // Derived, so that the same news is owed once.
  static RequestKey notice_key(const LeaseId& lease, uint64_t epoch, failover::News news);

 private:
  std::map<LeaseId, failover::Terms> terms_;
  std::map<RequestKey, NoticeOwed> notices_;
  std::map<LeaseId, RequestKey> newest_;  // notice of each member's lease, owed or taken
};

}  // namespace paygress::provider
