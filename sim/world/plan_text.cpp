// The text form of a Plan (fault_plan.h). What a line can say stands once, in the functions
// describe() below: printing, parsing and the defaults all come from them.
#include <algorithm>
#include <map>
#include <set>

#include "core/failover/profile.h"
#include "sim/world/line_text.h"

namespace paygress::sim {

static constexpr Names<CrashKeeps, 5> kKeeps{{{CrashKeeps::Nothing, "nothing"},
                                              {CrashKeeps::Everything, "everything"},
                                              {CrashKeeps::TornTail, "torn-tail"},
                                              {CrashKeeps::GarbageTail, "garbage-tail"},
                                              {CrashKeeps::RandomPages, "random-pages"}}};
static std::string text_of(CrashKeeps v) { return name_in(kKeeps, v); }
static bool read(std::string_view text, CrashKeeps& v) { return find_in(kKeeps, text, v); }

// --- lines -------------------------------------------------------------------------------------

template <class V>
void describe(V& line, Plan& p) {
  line("seed", p.seed);
  line("length", p.length);
  line("settle", p.settle);
  line("tier", p.tier);
  line("plant", p.plant);
  line("off", p.off);
  line("delay-min", p.delay_min);
  line("delay-max", p.delay_max);
  line("liars", p.liars);
  line("profile", p.profile);
}
template <class V>
void describe(V& line, ProviderLine& p) {
  line("clock-offset", p.clock_offset);
  line("clock-drift", p.clock_drift_ppm);
}
template <class V>
void describe(V& line, Purchase& p) {
  line("at", p.at);
  line("sats", p.sats);
  line("tier", p.tier);
  line("top-ups", p.top_ups);
  line("nip04", p.nip04);
  line("stop", p.stop_after);
  line("patient", p.patient);
  line("standby", p.standby);
  line("standbys", p.standbys);
}
template <class V>
void describe(V& line, WithdrawalLine& w) {
  line("at", w.at);
  line("sats", w.sats);
  line("pays", w.pays);
}
template <class V>
void describe(V& line, Fault& f) {
  const FaultInfo& info = info_of(f.kind);
  line("at", f.at);
  if (info.klass == FaultClass::Link || f.kind == FaultKind::Withhold) line("peer", f.peer);
  if (info.lasts) line("for", f.lasts);
  if (!info.unit.empty()) line(info.unit, f.amount);
  if (f.kind == FaultKind::Cut || f.kind == FaultKind::Clog) line("way", f.way);
  if (f.kind == FaultKind::Crash) {
    line("step", f.step);
    line("again", f.again);
  }
  if (f.kind == FaultKind::Crash || f.kind == FaultKind::HostLoss) line("keeps", f.keeps);
}

namespace {

std::string body_of(const Fault& fault) {
  Fault defaults;
  defaults.kind = fault.kind;
  return print(fault, defaults);
}

std::string to_line(const Purchase& p) {
  return "buy " + to_text(NodeName{Role::Consumer, p.consumer}) + " " +
         to_text(NodeName{Role::Provider, p.provider}) + print(p);
}

std::string to_line(const WithdrawalLine& w) {
  return "withdraw " + to_text(NodeName{Role::Provider, w.provider}) + print(w);
}

// --- parsing -----------------------------------------------------------------------------------

class PlanReader {
 public:
  Result<void> line(size_t number, const std::vector<std::string_view>& words) {
    number_ = number;
    if (words.empty()) return {};
    const std::string_view what = words[0];
    if (plan_.scenario.empty() && what != "scenario")
      return fail("the first line is: scenario NAME seed=N");
    if (what == "scenario") return header(words);
    if (what == "buy") return purchase(words);
    if (what == "withdraw") return withdrawal(words);
    if (what == "fault") return fault(words);
    if (what == "frozen") return frozen(words);
    return node(words);
  }
  Result<Plan> take() {
    if (plan_.scenario.empty()) return fail("it is empty");
    for (const auto& [node, first] : named_)
      if (!known_.contains(node))
        return fail("line " + std::to_string(first) + ": there is no " + to_text(node));
    return std::move(plan_);
  }

 private:
  Result<void> header(const std::vector<std::string_view>& words) {
    if (!plan_.scenario.empty()) return fail("there is one scenario line");
    if (words.size() < 2) return fail("the scenario has no name");
    plan_.scenario = words[1];
    if (auto ok = read_pairs(words, 2, plan_); !ok) return ok;
    if (plan_.delay_min > plan_.delay_max) return fail("delay-min is above delay-max");
    if (!failover::profile_named(plan_.profile)) return fail("there is no such profile");
    return {};
  }
  Result<void> purchase(const std::vector<std::string_view>& words) {
    Purchase p;
    const auto who = named(words, 1, Role::Consumer);
    const auto from = named(words, 2, Role::Provider);
    if (!who || !from) return fail("buy takes a consumer and a provider");
    p.consumer = who->number;
    p.provider = from->number;
    if (auto ok = read_pairs(words, 3, p); !ok) return ok;
    if (const std::string_view wrong = wrong_with_set(p); !wrong.empty())
      return fail(std::string(wrong));
    for (NodeName standby : p.standby) name(standby);
    plan_.purchases.push_back(std::move(p));
    return {};
  }
  static std::string_view wrong_with_set(const Purchase& p) {
    if (!p.standby.empty() && p.standbys > 0) return "standby names them, standbys counts them";
    if (p.warm() && p.nip04) return "a warm-standby workload is not bought with nip04";
    std::set<NodeName> members{{Role::Provider, p.provider}};
    for (NodeName standby : p.standby)
      if (standby.role != Role::Provider || !members.insert(standby).second)
        return "standby takes other providers, each once";
    return {};
  }
  Result<void> withdrawal(const std::vector<std::string_view>& words) {
    WithdrawalLine w;
    const auto from = named(words, 1, Role::Provider);
    if (!from) return fail("withdraw takes a provider");
    w.provider = from->number;
    if (auto ok = read_pairs(words, 2, w); !ok) return ok;
    plan_.withdrawals.push_back(w);
    return {};
  }
  Result<void> fault(const std::vector<std::string_view>& words) {
    const auto kind = words.size() < 2 ? std::nullopt : fault_named(words[1]);
    if (!kind) return fail("no such fault");
    Fault f;
    f.kind = *kind;
    const auto node = named(words, 2, info_of(*kind).role);
    if (!node) return fail("fault " + std::string(words[1]) + " takes a node it can happen to");
    f.node = *node;
    if (auto ok = read_pairs(words, 3, f); !ok) return ok;
    name(f.peer);
    plan_.faults.push_back(f);
    return {};
  }
  Result<void> frozen(const std::vector<std::string_view>& words) {
    for (size_t i = 1; i < words.size(); ++i) {
      const auto node = named(words, i, Role::Anyone);
      if (!node) return fail("frozen takes nodes");
      plan_.frozen.push_back(*node);
    }
    return {};
  }
  Result<void> node(const std::vector<std::string_view>& words) {
    const auto node = parse_node(words[0]);
    if (!node) return std::unexpected(node.error());
    if (!known_.insert(*node).second) return fail("it stands there twice");
    ProviderLine provider{node->number, {}, 0};
    if (node->role == Role::Provider) {
      if (auto ok = read_pairs(words, 1, provider); !ok) return ok;
      plan_.providers.push_back(provider);
      return {};
    }
    if (words.size() > 1) return fail("only a provider has settings");
    if (node->role == Role::Relay)
      plan_.relays.push_back(node->number);
    else if (node->role == Role::Consumer)
      plan_.consumers.push_back(node->number);
    else
      return fail("a plan lists providers, relays and consumers");
    return {};
  }
  // The node at that place, if there is one that can have this role.
  std::optional<NodeName> named(const std::vector<std::string_view>& words, size_t i, Role role) {
    if (i >= words.size()) return std::nullopt;
    const auto node = parse_node(words[i]);
    if (!node || (role != Role::Anyone && node->role != role)) return std::nullopt;
    name(*node);
    return *node;
  }
  void name(NodeName node) {
    if (node.role != Role::Anyone && node.role != Role::Mint) named_.emplace(node, number_);
  }
  size_t number_ = 0;  // of the line
  Plan plan_;
  std::set<NodeName> known_;
  std::map<NodeName, size_t> named_;  // and the first line that does
};

}  // namespace

std::string to_text(Micros time) {
  const bool negative = time.value < 0;
  const uint64_t us = negative ? uint64_t{0} - static_cast<uint64_t>(time.value)
                               : static_cast<uint64_t>(time.value);
  std::string text = (negative ? "-" : "") + std::to_string(us / 1'000'000);
  std::string part = std::to_string(1'000'000 + us % 1'000'000).substr(1);
  part.erase(part.find_last_not_of('0') + 1);
  return text + (part.empty() ? "" : "." + part) + "s";
}

std::optional<Micros> parse_time(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  int64_t unit = 1'000'000;
  if (text.ends_with("ms")) {
    unit = 1'000;
    text.remove_suffix(2);
  } else if (text.ends_with('s')) {
    text.remove_suffix(1);
  } else {
    return std::nullopt;
  }
  const size_t dot = std::min(text.find('.'), text.size());
  const std::string_view part = dot < text.size() ? text.substr(dot + 1) : "";
  uint64_t whole = 0;
  if (dot > 12 || !parse_number(text.substr(0, dot), whole)) return std::nullopt;
  if (dot < text.size() && part.empty()) return std::nullopt;
  int64_t us = static_cast<int64_t>(whole) * unit;
  for (char c : part) {
    unit /= 10;
    if (c < '0' || c > '9' || unit == 0) return std::nullopt;
    us += (c - '0') * unit;
  }
  return Micros{negative ? -us : us};
}

std::string to_text(const Fault& fault) {
  return "fault " + std::string(info_of(fault.kind).name) + " " + to_text(fault.node) +
         body_of(fault);
}

std::string to_text(const Plan& plan) {
  std::string out = "scenario " + plan.scenario + print(plan) + "\n";
  for (uint32_t relay : plan.relays) out += to_text(NodeName{Role::Relay, relay}) + "\n";
  for (const ProviderLine& p : plan.providers)
    out += to_text(NodeName{Role::Provider, p.number}) + print(p) + "\n";
  for (uint32_t consumer : plan.consumers)
    out += to_text(NodeName{Role::Consumer, consumer}) + "\n";
  for (const Purchase& p : plan.purchases) out += to_line(p) + "\n";
  for (const WithdrawalLine& w : plan.withdrawals) out += to_line(w) + "\n";
  for (const Fault& fault : plan.faults) out += to_text(fault) + "\n";
  for (NodeName node : plan.frozen) out += "frozen " + to_text(node) + "\n";
  return out;
}

Result<Plan> parse_plan(std::string_view text) {
  PlanReader reader;
  const auto read_all = for_each_line(
      text, [&](size_t number, const auto& words) { return reader.line(number, words); });
  if (!read_all) return std::unexpected(read_all.error());
  return reader.take();
}

}  // namespace paygress::sim
