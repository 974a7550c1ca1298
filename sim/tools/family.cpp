#include "sim/tools/family.h"

#include "sim/tripwire/tripwire.h"
#include "sim/world/fault_budget.h"
#include "sim/world/money_rules.h"
#include "sim/world/swarm.h"
#include "sim/world/world.h"

namespace paygress::sim {
namespace {

// Histories of the whole market (sim/world).
class MarketFamily final : public Family {
 public:
  explicit MarketFamily(Scenario scenario) : scenario_(std::move(scenario)) {}
  std::string name() const override { return scenario_.name; }
  std::string about() const override { return scenario_.about; }
  std::vector<std::string> marks() const override { return scenario_.marks; }
  std::string draw(uint64_t seed, Tier tier, Bug plant) const override {
    Plan plan = draw_plan(scenario_, seed, tier);
    plan.plant = plant;
    return to_text(plan);
  }
  Result<RunResult> run(const std::string& text, Observer* observer) const override {
    auto plan = parse_plan(text);
    if (!plan) return std::unexpected(plan.error());
    if (auto ok = switch_on(plan->plant); !ok) return std::unexpected(ok.error());
    provider::Policies policies = scenario_.policies;
    if (!plan->off.empty() && !sim::switch_off(policies, plan->off))
      return fail("there is no rule '" + plan->off + "'; paygress-sim rules money lists them");
    const Armed armed;
    return World(*std::move(plan), policies, observer).run();
  }
  std::string unfair(const std::string& text) const override {
    const auto plan = parse_plan(text);
    return plan ? beyond_budget(*plan) : to_string(plan.error());
  }

 private:
  Scenario scenario_;
};

std::vector<std::unique_ptr<const Family>> make_families() {
  std::vector<std::unique_ptr<const Family>> all;
  for (const Scenario& scenario : scenarios()) all.push_back(market_family(scenario));
  for (auto& family : members_families()) all.push_back(std::move(family));
  return all;
}

}  // namespace

std::unique_ptr<const Family> market_family(const Scenario& scenario) {
  return std::make_unique<MarketFamily>(scenario);
}

const std::vector<std::unique_ptr<const Family>>& families() {
  static const auto all = make_families();
  return all;
}

const Family* find_family(std::string_view name) {
  for (const auto& family : families())
    if (family->name() == name) return family.get();
  return nullptr;
}

Result<std::string> scenario_named_by(const std::string& text) {
  size_t at = 0;  // comments may stand in front
  while (at < text.size() && (text[at] == '#' || text[at] == '\n'))
    at = std::min(text.find('\n', at), text.size() - 1) + 1;
  constexpr std::string_view kWord = "scenario ";
  if (text.compare(at, kWord.size(), kWord) != 0)
    return fail("it does not begin with a line `scenario NAME seed=N`");
  const size_t from = at + kWord.size();
  return text.substr(from, text.find_first_of(" \n", from) - from);
}

Result<const Family*> family_of(const std::string& text) {
  const auto name = scenario_named_by(text);
  if (!name) return std::unexpected(name.error());
  const Family* family = find_family(*name);
  if (family == nullptr) return fail("there is no scenario '" + *name + "'");
  return family;
}

uint64_t seed_of(const std::string& text) {
  const size_t at = text.find(" seed=");
  uint64_t seed = 0;
  for (size_t i = at == text.npos ? text.size() : at + 6; i < text.size(); ++i) {
    if (text[i] < '0' || text[i] > '9') break;
    seed = seed * 10 + static_cast<uint64_t>(text[i] - '0');
  }
  return seed;
}

std::string with_rule_off(std::string text, const std::string& rule) {
  if (rule.empty()) return text;
  const size_t at = text.starts_with("scenario ") ? 0 : text.find("\nscenario ");
  const size_t end = at == text.npos ? at : text.find('\n', at + 1);
  if (end != text.npos) text.insert(end, " off=" + rule);
  return text;
}

Result<void> switch_on([[maybe_unused]] Bug bug) {
#ifdef PAYGRESS_PLANT
  plant(bug);
#else
  if (bug != Bug::none)
    return fail("this program holds no planted bugs; ./dev build plant makes one that does");
#endif
  return {};
}

}  // namespace paygress::sim
