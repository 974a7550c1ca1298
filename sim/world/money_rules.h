// The rules that keep money whole, by name: each can be switched off in a history (`off=RULE` in
// its first line), which then has to go wrong.
#pragma once

#include <span>
#include <string_view>

#include "core/provider/provider.h"

namespace paygress::sim {

struct MoneyRule {
  std::string_view name;    // of the member of RedeemPolicy, SupervisorPolicy or DeskPolicy
  std::string_view off;     // what is done instead
  std::string_view family;  // the scenario whose histories miss it
};

// Every rule of those three, in the order of docs/money.md.
std::span<const MoneyRule> money_rules();
// False: there is no such rule.
bool switch_off(provider::Policies& policies, std::string_view rule);

}  // namespace paygress::sim
