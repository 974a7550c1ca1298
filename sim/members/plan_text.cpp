#include "sim/members/plan_text.h"

#include <boost/mp11.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "sim/world/line_text.h"

namespace paygress::sim::members {

// --- faults --------------------------------------------------------------------------------------

static constexpr std::array<FaultWord, kFaultKinds> kWords{{
    {FaultKind::CutLink, "cut-link", Role::Provider, true, true, "", false},
    {FaultKind::CutMember, "cut-member", Role::Provider, false, true, "", false},
    {FaultKind::SlowLink, "slow-link", Role::Provider, true, true, "leg", false},
    {FaultKind::RelayDown, "relay-down", Role::Relay, false, true, "forgets", true},
    {FaultKind::RelayDeaf, "relay-deaf", Role::Relay, false, true, "", false},
    {FaultKind::Crash, "crash", Role::Provider, false, true, "", false},
    {FaultKind::HostCrash, "host-loss", Role::Provider, false, true, "", false},
    {FaultKind::Pause, "pause", Role::Provider, false, true, "", false},
    {FaultKind::ClockStep, "clock-step", Role::Provider, false, false, "by", false},
    {FaultKind::SlowCreate, "slow-create", Role::Provider, false, true, "takes", false},
    {FaultKind::FailCreate, "fail-create", Role::Provider, false, true, "", false},
    {FaultKind::EngineHang, "engine-hang", Role::Provider, false, true, "", false},
    {FaultKind::Exhaust, "workload-dies", Role::Provider, false, false, "", false},
    {FaultKind::GuardCrash, "guard-crash", Role::Provider, false, false, "", false},
    {FaultKind::Withhold, "withhold", Role::Provider, true, true, "mute", true},
    {FaultKind::LeaseEnd, "lease-end", Role::Provider, false, false, "", false},
    {FaultKind::Lies, "lies", Role::Provider, false, true, "", false},
}};

const FaultWord& word_of(FaultKind kind) { return kWords.at(static_cast<size_t>(kind)); }

namespace {

constexpr Micros kInstant = 1'000'000_us;  // how long what does not last is said to
constexpr std::array<std::pair<std::string_view, failover::Phase>, 11> kPhases{
    {{"recovering", failover::Phase::Recovering},
     {"unarmed", failover::Phase::Unarmed},
     {"armed", failover::Phase::Armed},
     {"doubting", failover::Phase::Doubting},
     {"claiming", failover::Phase::Claiming},
     {"reading", failover::Phase::Reading},
     {"promoting", failover::Phase::Promoting},
     {"withdrawing", failover::Phase::Withdrawing},
     {"holding", failover::Phase::Holding},
     {"fencing", failover::Phase::Fencing},
     {"leaving", failover::Phase::Leaving}}};

template <class F>
void each_rule(F f) {
  using All = boost::describe::describe_members<failover::RulePolicy, boost::describe::mod_public>;
  boost::mp11::mp_for_each<All>(f);
}

}  // namespace

std::vector<std::string> rule_names() {
  std::vector<std::string> names;
  each_rule([&](auto member) { names.emplace_back(member.name); });
  return names;
}

bool switch_off(failover::RulePolicy& policy, std::string_view rule) {
  bool found = false;
  each_rule([&](auto member) {
    if (rule != member.name) return;
    policy.*member.pointer = false;
    found = true;
  });
  return found;
}

// --- lines as they stand in the text -------------------------------------------------------------

struct HeaderLine {
  uint64_t seed = 1;
  Micros length{1'000'000'000};
  Micros settle{2'160'000'000};
  Tier tier = Tier::Fast;
  Bug plant = Bug::none;
  std::string profile = "default";
  std::string backoff = "profile";
  uint32_t liars = 0;
  Micros leg_min = 1'000_us;
  Micros leg_max = 200'000_us;
  bool lockstep = false;
  Micros freeze;
  Micros create = 5'000'000_us;
  std::string off = "none";
  std::string policy = "rules";
};
struct MemberLine {
  Micros boots;
};
struct FaultLine {
  const FaultWord* word = &kWords[0];
  Micros at;
  Micros lasts;
  NodeName peer;
  Way way = Way::Both;
  Micros amount;
  bool flag = false;
  std::string when = "at-once";
  NodeName of;  // whose phase that is, when it happens to a relay
};

template <class V>
static void describe(V& line, HeaderLine& h) {
  line("seed", h.seed);
  line("length", h.length);
  line("settle", h.settle);
  line("tier", h.tier);
  line("plant", h.plant);
  line("profile", h.profile);
  line("backoff", h.backoff);
  line("liars", h.liars);
  line("leg-min", h.leg_min);
  line("leg-max", h.leg_max);
  line("lockstep", h.lockstep);
  line("freeze", h.freeze);
  line("create", h.create);
  line("off", h.off);
  line("policy", h.policy);
}
template <class V>
static void describe(V& line, MemberLine& m) {
  line("boots", m.boots);
}
template <class V>
static void describe(V& line, FaultLine& f) {
  line("at", f.at);
  if (f.word->lasts) line("for", f.lasts);
  if (f.word->peer) line("peer", f.peer);
  if (f.word->kind == FaultKind::CutLink || f.word->kind == FaultKind::CutMember)
    line("way", f.way);
  if (!f.word->amount.empty() && f.word->flag) line(f.word->amount, f.flag);
  if (!f.word->amount.empty() && !f.word->flag) line(f.word->amount, f.amount);
  line("when", f.when);
  if (f.word->role == Role::Relay) line("of", f.of);
}

namespace {

// --- printing ------------------------------------------------------------------------------------

std::string header_of(const Plan& plan) {
  HeaderLine h;
  h.seed = plan.seed;
  h.length = plan.heal_at;
  h.settle = plan.end_at - plan.heal_at;
  h.tier = plan.tier;
  h.plant = plan.plant;
  failover::Profile profile = plan.profile;
  for (const std::string_view name : {"default", "fast", "demo"}) {
    const failover::Profile known = *failover::profile_named(name);
    profile.backoff = known.backoff;
    if (profile != known) continue;
    h.profile = name;
    if (plan.profile.backoff != known.backoff) h.backoff = to_text(plan.profile.backoff);
  }
  h.liars = plan.faulty;
  h.leg_min = plan.leg_min;
  h.leg_max = plan.leg_max;
  h.lockstep = plan.lockstep;
  h.freeze = plan.freeze_max;
  h.create = plan.create;
  for (const std::string& rule : rule_names()) {
    failover::RulePolicy policy;
    switch_off(policy, rule);
    if (policy == plan.policy) h.off = rule;
  }
  if (plan.timeout_only) {
    h.policy = "timeout-only";
    h.off = "none";
  }
  return "scenario " + plan.scenario + print(h) + "\n";
}

std::string line_of(const Plan& plan, const Fault& fault) {
  FaultLine f;
  f.word = &word_of(fault.kind);
  FaultLine defaults = f;
  f.at = fault.from;
  f.lasts = fault.until - fault.from;
  const NodeName relay{Role::Relay, plan.relay_number(fault.relay)};
  f.peer = relay;
  f.way = fault.way == 1 ? Way::To : fault.way == 2 ? Way::From : Way::Both;
  f.amount = fault.amount;
  f.flag = fault.amount != Micros{0};
  if (fault.when)
    for (const auto& [name, phase] : kPhases)
      if (phase == *fault.when) f.when = name;
  if (fault.when) f.of = plan.member_name(fault.member);
  const NodeName node = f.word->role == Role::Relay ? relay : plan.member_name(fault.member);
  return "fault " + std::string(f.word->name) + " " + to_text(node) + print(f, defaults) + "\n";
}

// --- parsing -------------------------------------------------------------------------------------

using Words = std::vector<std::string_view>;

class Reader {
 public:
  Result<void> line(size_t number, const Words& words) {
    number_ = number;
    if (words.empty()) return {};
    const std::string_view what = words[0];
    if (!headed_ && what != "scenario") return fail("the first line is: scenario NAME seed=N");
    if (what == "scenario") return header(words);
    if (what == "standby") return standby(words);
    if (what == "fault") return fault(words);
    if (what == "frozen") return lost(words, plan_.lost_members, &plan_.lost_relays);
    if (what == "engine-lost") return lost(words, plan_.lost_engines, nullptr);
    return node(words);
  }

  // Numbers become places.
  Result<Plan> take() {
    if (!headed_) return fail("it is empty");
    if (plan_.member_numbers.empty() || plan_.relay_numbers.empty())
      return fail("it has no provider or no relay");
    plan_.members = static_cast<uint32_t>(plan_.member_numbers.size());
    plan_.relays = static_cast<uint32_t>(plan_.relay_numbers.size());
    for (const auto& [node, line] : named_)
      if (!place(node))
        return fail("line " + std::to_string(line) + ": there is no " + to_text(node));
    for (uint32_t& member : plan_.lost_members) member = *place({Role::Provider, member});
    for (uint32_t& member : plan_.lost_engines) member = *place({Role::Provider, member});
    for (uint32_t& relay : plan_.lost_relays) relay = *place({Role::Relay, relay});
    for (Fault& fault : plan_.faults) {
      const FaultWord& word = word_of(fault.kind);
      if (word.role == Role::Provider || fault.when)
        fault.member = *place({Role::Provider, fault.member});
      if (word.role == Role::Relay || word.peer) fault.relay = *place({Role::Relay, fault.relay});
    }
    std::map<uint32_t, size_t> workload_of;  // by primary
    for (const auto& [primary, member] : standbys_) {
      const auto [at, fresh] = workload_of.emplace(primary, plan_.workloads.size());
      if (fresh) plan_.workloads.push_back({*place({Role::Provider, primary})});
      plan_.workloads[at->second].push_back(*place({Role::Provider, member}));
    }
    if (plan_.workloads.empty() && plan_.members < 2) return fail("it has fewer than two members");
    if (plan_.timeout_only && plan_.all_workloads().size() > 1)
      return fail("policy timeout-only knows one workload");
    if (plan_.faulty > 0 && (plan_.faulty > kRelaysMax || plan_.relays < 3 * plan_.faulty + 1))
      return fail("too few relays for so many liars");
    return std::move(plan_);
  }

 private:
  Result<void> header(const Words& words) {
    if (headed_) return fail("there is one scenario line");
    if (words.size() < 2) return fail("the scenario has no name");
    headed_ = true;
    plan_.scenario = words[1];
    HeaderLine h;
    if (auto ok = read_pairs(words, 2, h); !ok) return ok;
    plan_.seed = h.seed;
    plan_.tier = h.tier;
    plan_.plant = h.plant;
    plan_.heal_at = h.length;
    plan_.end_at = h.length + h.settle;
    const auto profile = failover::profile_named(h.profile);
    if (!profile) return fail("'" + h.profile + "' is no profile");
    plan_.profile = *profile;
    if (h.backoff != "profile" && !read(h.backoff, plan_.profile.backoff))
      return fail("'" + h.backoff + "' is no value for backoff");
    plan_.faulty = h.liars;
    plan_.leg_min = h.leg_min;
    plan_.leg_max = h.leg_max;
    if (h.leg_min < Micros{0} || h.leg_max < h.leg_min) return fail("leg-min is above leg-max");
    plan_.lockstep = h.lockstep;
    plan_.freeze_max = h.freeze;
    plan_.create = h.create;
    if (h.off != "none" && !switch_off(plan_.policy, h.off))
      return fail("there is no rule '" + h.off + "'");
    if (h.policy != "rules" && h.policy != "timeout-only")
      return fail("policy is rules or timeout-only");
    plan_.timeout_only = h.policy == "timeout-only";
    if (plan_.timeout_only) plan_.policy.guard = false;
    return {};
  }

  Result<void> standby(const Words& words) {
    const auto primary = named(words, 1, Role::Provider);
    const auto member = named(words, 2, Role::Provider);
    if (!primary || !member || words.size() > 3) return fail("standby takes two providers");
    if (*primary == *member) return fail("it is the primary");
    if (std::ranges::find(standbys_, std::pair(primary->number, member->number)) != standbys_.end())
      return fail("it stands there twice");
    standbys_.emplace_back(primary->number, member->number);
    return {};
  }

  Result<void> fault(const Words& words) {
    FaultLine f;
    f.word = nullptr;
    for (const FaultWord& word : kWords)
      if (words.size() > 1 && word.name == words[1]) f.word = &word;
    if (f.word == nullptr) return fail("no such fault");
    const auto node = named(words, 2, f.word->role);
    const std::string name(f.word->name);
    if (!node) return fail("fault " + name + " takes a node it can happen to");
    if (auto ok = read_pairs(words, 3, f); !ok) return ok;
    Fault out;
    out.kind = f.word->kind;
    (f.word->role == Role::Relay ? out.relay : out.member) = node->number;
    if (f.word->peer) {
      if (f.peer.role != Role::Relay) return fail("fault " + name + " takes a relay as peer");
      name_it(f.peer);
      out.relay = f.peer.number;
    }
    out.from = f.at;
    out.until = f.at + (f.word->lasts ? f.lasts : kInstant);
    if (out.from < Micros{0} || out.until < out.from) return fail("a time is negative");
    out.way = f.way == Way::To ? 1 : f.way == Way::From ? 2 : 3;
    out.amount = f.word->flag ? Micros{f.flag ? 1 : 0} : f.amount;
    if (f.when != "at-once") {
      for (const auto& [phase_name, phase] : kPhases)
        if (phase_name == f.when) out.when = phase;
      if (!out.when) return fail("'" + f.when + "' is no phase");
      if (f.word->role == Role::Relay) {
        if (f.of.role != Role::Provider) return fail("of= says whose phase it is");
        name_it(f.of);
        out.member = f.of.number;
      }
    }
    plan_.faults.push_back(out);
    return {};
  }

  Result<void> lost(const Words& words, std::vector<uint32_t>& members,
                    std::vector<uint32_t>* relays) {
    if (words.size() < 2) return fail("it names nobody");
    for (size_t i = 1; i < words.size(); ++i) {
      const auto node = parse_node(words[i]);
      const bool relay = node && relays != nullptr && node->role == Role::Relay;
      if (!relay && (!node || node->role != Role::Provider))
        return fail("'" + std::string(words[i]) + "' cannot be lost");
      name_it(*node);
      (relay ? *relays : members).push_back(node->number);
    }
    return {};
  }

  Result<void> node(const Words& words) {
    const auto node = parse_node(words[0]);
    if (!node) return std::unexpected(node.error());
    if (node->role == Role::Relay) {
      if (words.size() > 1) return fail("only a provider has settings");
      return add(plan_.relay_numbers, node->number, kRelaysMax);
    }
    if (node->role != Role::Provider) return fail("a plan lists providers and relays");
    MemberLine m;
    if (auto ok = read_pairs(words, 1, m); !ok) return ok;
    plan_.boots.push_back(m.boots);
    return add(plan_.member_numbers, node->number, kMembersMax);
  }
  Result<void> add(std::vector<uint32_t>& numbers, uint32_t number, size_t most) {
    if (std::ranges::find(numbers, number) != numbers.end()) return fail("it stands there twice");
    if (numbers.size() >= most || number >= kNumbersMax) return fail("there are too many");
    numbers.push_back(number);
    return {};
  }

  std::optional<NodeName> named(const Words& words, size_t i, Role role) {
    if (i >= words.size()) return std::nullopt;
    const auto node = parse_node(words[i]);
    if (!node || node->role != role) return std::nullopt;
    name_it(*node);
    return *node;
  }
  void name_it(NodeName node) { named_.emplace(node, number_); }
  std::optional<uint32_t> place(NodeName node) const {
    const auto& numbers = node.role == Role::Relay ? plan_.relay_numbers : plan_.member_numbers;
    const auto at = std::ranges::find(numbers, node.number);
    if (at == numbers.end()) return std::nullopt;
    return static_cast<uint32_t>(at - numbers.begin());
  }

  static constexpr size_t kRelaysMax = 32;
  static constexpr size_t kMembersMax = 10'000;
  static constexpr uint32_t kNumbersMax = 65'000;

  size_t number_ = 0;  // of the line
  bool headed_ = false;
  Plan plan_;
  std::vector<std::pair<uint32_t, uint32_t>> standbys_;
  std::map<NodeName, size_t> named_;  // and the first line that does
};

}  // namespace

std::string to_text(const Plan& plan) {
  std::string out = header_of(plan);
  for (uint32_t m = 0; m < plan.members; ++m)
    out += to_text(plan.member_name(m)) + print(MemberLine{plan.boots.at(m)}) + "\n";
  for (uint32_t r = 0; r < plan.relays; ++r)
    out += to_text(NodeName{Role::Relay, plan.relay_number(r)}) + "\n";
  for (const auto& workload : plan.workloads)
    for (size_t i = 1; i < workload.size(); ++i)
      out += "standby " + to_text(plan.member_name(workload[0])) + " " +
             to_text(plan.member_name(workload[i])) + "\n";
  for (const Fault& fault : plan.faults) out += line_of(plan, fault);
  for (const uint32_t m : plan.lost_members) out += "frozen " + to_text(plan.member_name(m)) + "\n";
  for (const uint32_t r : plan.lost_relays)
    out += "frozen " + to_text(NodeName{Role::Relay, plan.relay_number(r)}) + "\n";
  for (const uint32_t m : plan.lost_engines)
    out += "engine-lost " + to_text(plan.member_name(m)) + "\n";
  return out;
}

Result<Plan> parse_plan(std::string_view text) {
  Reader reader;
  const auto read_all = for_each_line(
      text, [&](size_t number, const auto& words) { return reader.line(number, words); });
  if (!read_all) return std::unexpected(read_all.error());
  return reader.take();
}

std::string beyond_budget(const Plan& plan) {
  if (Micros{2 * plan.leg_max.value} > plan.profile.delay)
    return "a leg over a working link takes up to " + to_text(plan.leg_max) +
           ", and there and back more than D";
  if (Micros{plan.freeze_max.value} > plan.profile.stop)
    return "freezing takes longer than the bound on stopping";
  if (plan.end_at - plan.heal_at < Micros{12 * plan.profile.silence.value})
    return "less than 12 silences to settle in";
  for (const Fault& fault : plan.faults)
    if (!fault.when && fault.until > plan.heal_at && word_of(fault.kind).lasts)
      return "it lasts longer than length: " + line_of(plan, fault);
  const failover::Quorums q = failover::quorums(plan.relays, plan.faulty);
  if (plan.lost_relays.size() > plan.relays - std::max(q.write, q.read))
    return "too many relays are frozen";
  for (const auto& workload : plan.all_workloads())
    if (std::ranges::all_of(workload, [&](uint32_t m) {
          return std::ranges::find(plan.lost_members, m) != plan.lost_members.end();
        }))
      return "every member of a workload is frozen";
  return {};
}

}  // namespace paygress::sim::members
