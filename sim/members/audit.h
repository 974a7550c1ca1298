// What must hold of one workload, looked at whenever anything about it changes: one copy at most,
// one holder of an epoch, nobody promoted over a healthy holder, a take-over within its bound.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/units.h"
#include "sim/members/plan.h"

namespace paygress::sim::members {

// Something that must not happen. The rules: two-copies, false-promotion, shared-epoch,
// unheard-promotion, ping-pong, no-copy, late-recovery, refused-event, invariant.
struct Finding {
  std::string rule;
  std::string detail;
  Micros at;
};

struct Verdict {
  uint32_t overlaps = 0;            // times at which a second copy began to run
  Micros overlapping;               // for how long there were two or more
  uint32_t false_promotions = 0;    // sent while another member ran, and was allowed to
  uint32_t shared_epochs = 0;       // held by two members, with a write quorum each
  std::string stall;                // why there is not one copy at the end; empty: there is
  uint32_t unheard_promotions = 0;  // by a standby, before anybody said that it holds (rule 10)
  uint32_t promotions = 0;
  uint32_t late_promotions = 0;  // after healing and settling: ping-pong
  uint64_t events = 0;
  std::vector<Micros> gaps;  // no copy ran, between two that did
  uint64_t hash = 0;         // of everything that happened, in order
  Micros ended;              // when it was over
  size_t bytes = 0;          // of memory at the end, roughly
  std::vector<Finding> findings;
  std::map<std::string, uint64_t, std::less<>> marks;
  std::vector<Micros> recoveries;  // of gaps while nothing else went wrong
  Micros recovery_bound;

  bool safe() const {
    return overlaps + false_promotions + shared_epochs + unheard_promotions == 0;
  }
  bool good() const { return safe() && stall.empty() && late_promotions == 0; }
};

// From the loss of the holder's machine to running again, when the others and the relays work.
Micros recovery_bound(const Plan& plan, size_t members);
// For so long before a loss nothing else may have gone wrong, for the bound to be owed: what a
// member holds off for is over.
Micros calm_before(const Plan& plan, size_t members);

class Audit {
 public:
  // `verdict` is added to. `members` are the workload's, in rank order.
  Audit(const Plan& plan, std::vector<uint32_t> members, Verdict& verdict);

  const std::vector<uint32_t>& members() const { return members_; }
  int running() const { return running_; }

  // `machine_lost`: because its machine is. `trouble`: when anything else last went wrong.
  void on_running(Micros now, uint32_t member, bool runs, bool machine_lost, Micros trouble);
  void on_holding() { held_once_ = true; }
  // `forgot`: a relay forgot what it had, so that an epoch may be taken again.
  void on_epoch(Micros now, uint32_t member, uint64_t epoch, bool forgot);
  // True when it is a new one, and not the same published again.
  bool on_promoting(Micros now, uint32_t member, uint64_t epoch, bool settled);
  void on_false_promotion(Micros now, uint32_t member, uint32_t over);
  void at_end(Micros now) { note_overlap(now); }
  void find(Micros now, std::string rule, std::string detail);

 private:
  void note_overlap(Micros now);
  std::string name() const;

  const Plan& plan_;
  const std::vector<uint32_t> members_;
  Verdict& verdict_;
  std::map<uint32_t, uint64_t> promoted_;  // by member
  std::map<uint64_t, uint32_t> holders_;   // of each epoch
  bool held_once_ = false;
  int running_ = 0;
  Micros since_;
  std::optional<Micros> none_since_;
  std::optional<Micros> calm_loss_;  // `trouble` at a loss that counts for the bound
};

}  // namespace paygress::sim::members
