// What each rule of the money is worth: histories with that one rule switched off, until one of
// them shows it. The table in docs/money.md.
#pragma once

#include "sim/tools/options.h"

namespace paygress::sim {

// The verb `paygress-sim rules money`. With --seeds: at most those; with --off: that rule alone.
// The exit code: 0 when every rule that is off is found, else 7.
int money_rules_table(const Options& options);

}  // namespace paygress::sim
