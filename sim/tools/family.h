// What the tools run: families of histories, each history a text. A tool knows lines and words of
// that text and nothing else, so a new simulated world joins all tools by one class and one line in
// family.cpp.
//
// The text's first line is `scenario NAME seed=N ...`, with `plant=BUG` for a planted one. Every
// other line can be taken away; one that begins with a node's name makes that node, and a line that
// names a node that is not made is refused by run().
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sim/world/fault_plan.h"
#include "sim/world/observer.h"
#include "sim/world/run_result.h"

namespace paygress::sim {

struct Scenario;

class Family {
 public:
  virtual ~Family() = default;
  virtual std::string name() const = 0;
  virtual std::string about() const = 0;
  // What must have happened in some history of a sweep.
  virtual std::vector<std::string> marks() const = 0;
  virtual std::string draw(uint64_t seed, Tier tier, Bug plant) const = 0;
  // Error: not a history of this family, or its planted bug is not compiled in.
  virtual Result<RunResult> run(const std::string& text, Observer* observer) const = 0;
  // What is unfair about the history: with it, a violation proves nothing. Empty: nothing.
  virtual std::string unfair(const std::string& text) const = 0;
};

const std::vector<std::unique_ptr<const Family>>& families();
// Null: there is none of that name.
const Family* find_family(std::string_view name);
// What the text's first line calls its scenario. Error: it is no history at all.
Result<std::string> scenario_named_by(const std::string& text);
// The family of that name.
Result<const Family*> family_of(const std::string& text);
// The `seed=` of the text's first line; 0 when there is none.
uint64_t seed_of(const std::string& text);
// The same history with a rule of the money switched off (world/money_rules.h); empty: none.
std::string with_rule_off(std::string text, const std::string& rule);
// Histories of the whole market.
std::unique_ptr<const Family> market_family(const Scenario& scenario);
// Histories of the members of warm-standby workloads (sim/members).
std::vector<std::unique_ptr<const Family>> members_families();
// Switches that bug on in this process. Error: this build holds none.
Result<void> switch_on(Bug bug);

}  // namespace paygress::sim
