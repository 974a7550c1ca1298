// What not hearing anything proves (failover.md rule 11, and "read quorum").
//
// A relay counts for reading only while our subscription on it has been unbroken for T_silence: one
// that restarted may have forgotten, and one that we lost may have had news in between.
#pragma once

#include <optional>
#include <vector>

#include "core/failover/policy.h"
#include "core/failover/receipts.h"
#include "core/failover/terms.h"

namespace paygress::failover {

class Evidence {
 public:
  // `terms` must outlive the evidence.
  Evidence(const Terms& terms, const RulePolicy& policy)
      : terms_(terms), policy_(policy), since_(terms.relays.size()) {
    unbroken_from_ = compute_unbroken_from();
  }

  void set_unbroken(size_t relay, std::optional<Micros> since);

  // The relays that count for reading at `now`.
  RelayMask counted(Micros now) const;
  // From when on r relays count for reading, if nothing breaks. Nothing: fewer are healthy.
  std::optional<Micros> readable_at() const;
  // From when on there is one set of r relays, each unbroken for T_silence since `quiet_from`, if
  // nothing is heard. Nothing: fewer are healthy.
  std::optional<Micros> silent_at(Micros quiet_from) const;

 private:
  std::optional<Micros> compute_unbroken_from() const;

  const Terms& terms_;
  const RulePolicy& policy_;
  std::vector<std::optional<Micros>> since_;
  std::optional<Micros> unbroken_from_;  // since when r of them are; asked for at every input
};

}  // namespace paygress::failover
