#include "sim/members/plan_text.h"
#include "sim/members/world.h"
#include "sim/tools/family.h"
#include "sim/tripwire/tripwire.h"

namespace paygress::sim {
namespace {

using members::Verdict;

// What must have happened to some member, in some history of each of these scenarios.
const std::vector<std::string> kOfAll{"promotion",
                                      "took over",
                                      "fenced",
                                      "guard froze",
                                      "killed",
                                      "revoked",
                                      "claim withdrawn",
                                      "superseded",
                                      "copy removed",
                                      "went on after restart",
                                      "fenced by restart",
                                      "crashed in a step",
                                      "woke as a zombie",
                                      "start failed",
                                      "cannot run"};
const std::vector<std::string> kOfHostile{"promotion withdrawn",
                                          "promoted in vain",
                                          "claims crossed",
                                          "never started",
                                          "relay forgot",
                                          "fault cut-link",
                                          "fault cut-member",
                                          "fault slow-link",
                                          "fault relay-down",
                                          "fault relay-deaf",
                                          "fault crash",
                                          "fault host-loss",
                                          "fault pause",
                                          "fault clock-step",
                                          "fault slow-create",
                                          "fault fail-create",
                                          "fault engine-hang",
                                          "fault workload-dies",
                                          "fault guard-crash",
                                          "fault withhold",
                                          "fault lease-end",
                                          "lease of the holder ended",
                                          "revoked at the end",
                                          "fault lies",
                                          "lied",
                                          "real codecs"};

// Every so many histories of the hostile kind use production's codecs and keys.
constexpr uint64_t kRealEvery = 250;

class MembersFamily final : public Family {
 public:
  using Drawer = members::Plan (*)(uint64_t seed);
  MembersFamily(std::string name, std::string about, Drawer drawer, bool hostile)
      : name_(std::move(name)),
        about_(std::move(about)),
        draw_(drawer),
        hostile_(hostile),
        marks_(kOfAll) {
    if (hostile) marks_.insert(marks_.end(), kOfHostile.begin(), kOfHostile.end());
  }
  std::string name() const override { return name_; }
  std::string about() const override { return about_; }
  std::vector<std::string> marks() const override { return marks_; }
  std::string draw(uint64_t seed, Tier tier, Bug plant) const override {
    members::Plan plan = draw_(seed);
    plan.scenario = name_;
    if (tier == Tier::Real || (hostile_ && seed % kRealEvery == 0)) plan.tier = Tier::Real;
    plan.plant = plant;
    return to_text(plan);
  }
  Result<RunResult> run(const std::string& text, Observer* observer) const override {
    const auto plan = members::parse_plan(text);
    if (!plan) return std::unexpected(plan.error());
    if (auto ok = switch_on(plan->plant); !ok) return std::unexpected(ok.error());
    const Armed armed;
    return result_of(*plan, members::run(*plan, {{}, observer, true}));
  }
  std::string unfair(const std::string& text) const override {
    const auto plan = members::parse_plan(text);
    return plan ? members::beyond_budget(*plan) : to_string(plan.error());
  }

 private:
  static RunResult result_of(const members::Plan& plan, Verdict verdict) {
    RunResult out;
    out.hash = verdict.hash;
    out.events = verdict.events;
    out.virtual_time = verdict.ended;
    for (members::Finding& found : verdict.findings)
      out.violations.push_back({std::move(found.rule), std::move(found.detail), found.at});
    out.marks = std::move(verdict.marks);
    if (verdict.promotions > 0) out.marks["promotion"] = verdict.promotions;
    if (plan.tier == Tier::Real) out.marks["real codecs"] = 1;
    const std::string profile(failover::name_of(plan.profile));
    if (!verdict.recoveries.empty() && !profile.empty())
      out.samples["recovery " + profile] = {std::move(verdict.recoveries), verdict.recovery_bound};
    return out;
  }

  std::string name_;
  std::string about_;
  Drawer draw_;
  bool hostile_;
  std::vector<std::string> marks_;
};

}  // namespace

std::vector<std::unique_ptr<const Family>> members_families() {
  std::vector<std::unique_ptr<const Family>> all;
  all.push_back(std::make_unique<MembersFamily>(
      "failover", "two to four members of one workload, and every fault there is",
      members::failover_plan, true));
  all.push_back(std::make_unique<MembersFamily>(
      "failover-fleet", "ten providers that stand by for each other, three relays, a day",
      [](uint64_t seed) { return members::fleet_plan(seed, 10, micros(Seconds{86'400})); }, false));
  all.push_back(std::make_unique<MembersFamily>(
      "failover-crowd", "a hundred such providers, an hour",
      [](uint64_t seed) { return members::fleet_plan(seed, 100, micros(Seconds{3'600})); }, false));
  return all;
}

}  // namespace paygress::sim
