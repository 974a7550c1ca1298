// Planted bugs: rules that one build option compiles a switch into, to show that their absence is
// found (docs/simulator.md). In every other build planted() is the constant false, and the compiler
// removes what it guards: no release holds the wrong code.
//
// To register one: a line in planted.inc, and `if (planted(Bug::name))` where the rule stands.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace paygress {

enum class Bug : uint16_t {
  none,
#define PLANT(name, scenario, rules, about) name,
#include "core/base/planted.inc"
#undef PLANT
};

struct PlantedBug {
  Bug bug = Bug::none;
  std::string_view name;      // as in planted.inc, with underscores
  std::string_view scenario;  // of the simulator, that should find it
  std::string_view rules;     // violations that count as having found it; space between
  std::string_view about;
};

inline constexpr auto kPlantedBugs = std::to_array<PlantedBug>({
#define PLANT(name, scenario, rules, about) {Bug::name, #name, scenario, rules, about},
#include "core/base/planted.inc"
#undef PLANT
});

#ifdef PAYGRESS_PLANT
inline constexpr bool kPlantsCompiledIn = true;
namespace planted_detail {
inline Bug chosen = Bug::none;
}
// True while this one is switched on. One at a time, for the whole process.
inline bool planted(Bug bug) { return planted_detail::chosen == bug; }
inline void plant(Bug bug) { planted_detail::chosen = bug; }
#else
inline constexpr bool kPlantsCompiledIn = false;
constexpr bool planted(Bug) { return false; }
#endif

}  // namespace paygress
