// A rule that keeps money or workloads whole, as a value that tests and the simulator can switch
// off to show that it is missed. In a program that serves anybody it is always on: only RuleSwitch
// can turn it off, and RuleSwitch is defined in sim/models/rule_switch.h alone, which nothing but
// the simulator and the tests may include (tests/checks/rules.py).
#pragma once

namespace paygress {

class Rule {
 public:
  constexpr operator bool() const { return on_; }

 private:
  friend struct RuleSwitch;
  bool on_ = true;
};

}  // namespace paygress
