// What each rule of fail-over is worth: histories with that one rule switched off, beside the same
// histories with all of them and with the existing network's policy.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sim/members/plan_text.h"
#include "sim/members/world.h"

namespace paygress::sim::members {

// What many histories showed.
struct Tally {
  std::string name;  // of the rule that is off; "all rules"; "timeout only"
  uint64_t histories = 0;
  uint64_t overlaps = 0;          // histories with two copies running at once
  Micros overlapping;             // all of them together
  uint64_t false_promotions = 0;  // histories with a promotion over a healthy holder
  uint64_t shared = 0;            // ... with an epoch that two members held
  uint64_t unheard = 0;           // ... of a workload that nobody had started
  uint64_t stalls = 0;            // ... that did not end with one copy, or did not come to rest
  uint64_t promotions = 0;
  uint64_t events = 0;
  uint64_t first_seed = 0;  // the first that shows it; 0: none did
  std::vector<Micros> gaps;

  uint64_t found() const { return overlaps + false_promotions + shared + unheard + stalls; }
};

void add(Tally& tally, uint64_t seed, const Verdict& verdict);

// The verb `paygress-sim rules`; the words after it. The exit code: 0 when all rules together show
// nothing and each one that is off shows something, 2 for words it does not know, else 7.
int rules_command(const std::vector<std::string_view>& words);

}  // namespace paygress::sim::members
