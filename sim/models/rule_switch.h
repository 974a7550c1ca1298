// Switches off a rule (core/base/rule.h): a planted bug, which a run must find. For the simulator
// and the tests; never included by a program that serves anybody.
#pragma once

#include "core/base/rule.h"

namespace paygress {

struct RuleSwitch {
  static void off(Rule& rule) { rule.on_ = false; }
};

}  // namespace paygress
