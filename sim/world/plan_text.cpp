// The text form of a Plan (fault_plan.h). What a line can say stands once, in the functions
// describe() below: printing, parsing and the defaults all come from them.
#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>

#include "sim/world/fault_plan.h"

namespace paygress::sim {
namespace {

constexpr size_t kLinesMax = 100'000;
constexpr size_t kLineBytesMax = 1'000;

constexpr std::array<std::pair<CrashKeeps, std::string_view>, 5> kKeeps{
    {{CrashKeeps::Nothing, "nothing"},
     {CrashKeeps::Everything, "everything"},
     {CrashKeeps::TornTail, "torn-tail"},
     {CrashKeeps::GarbageTail, "garbage-tail"},
     {CrashKeeps::RandomPages, "random-pages"}}};
constexpr std::array<std::pair<Way, std::string_view>, 3> kWays{
    {{Way::Both, "both"}, {Way::To, "to"}, {Way::From, "from"}}};
constexpr std::array<std::pair<Tier, std::string_view>, 2> kTiers{
    {{Tier::Fast, "fast"}, {Tier::Real, "real"}}};

template <class N>
bool parse_number(std::string_view text, N& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

// --- one value ---------------------------------------------------------------------------------

std::string text_of(uint32_t v) { return std::to_string(v); }
std::string text_of(uint64_t v) { return std::to_string(v); }
std::string text_of(int64_t v) { return std::to_string(v); }
std::string text_of(bool v) { return v ? "yes" : "no"; }
std::string text_of(const std::string& v) { return v; }
std::string text_of(Micros v) { return to_text(v); }
std::string text_of(NodeName v) { return to_text(v); }
std::string text_of(const std::optional<uint32_t>& v) { return v ? std::to_string(*v) : ""; }
std::string text_of(Bug v) {
  for (const PlantedBug& bug : kPlantedBugs)
    if (bug.bug == v) return std::string(bug.name);
  return "none";
}
template <class Enum, size_t N>
std::string_view name_in(const std::array<std::pair<Enum, std::string_view>, N>& names, Enum v) {
  return names.at(static_cast<size_t>(v)).second;
}
std::string text_of(CrashKeeps v) { return std::string(name_in(kKeeps, v)); }
std::string text_of(Way v) { return std::string(name_in(kWays, v)); }
std::string text_of(Tier v) { return std::string(name_in(kTiers, v)); }

bool read(std::string_view text, uint32_t& v) { return parse_number(text, v); }
bool read(std::string_view text, uint64_t& v) { return parse_number(text, v); }
bool read(std::string_view text, int64_t& v) { return parse_number(text, v); }
bool read(std::string_view text, bool& v) {
  v = text == "yes";
  return v || text == "no";
}
bool read(std::string_view text, std::string& v) {
  v = text;
  return !text.empty();
}
bool read(std::string_view text, Micros& v) {
  const auto time = parse_time(text);
  if (time) v = *time;
  return time.has_value();
}
bool read(std::string_view text, NodeName& v) {
  const auto node = parse_node(text);
  if (node) v = *node;
  return node.has_value();
}
bool read(std::string_view text, std::optional<uint32_t>& v) {
  return parse_number(text, v.emplace());
}
bool read(std::string_view text, Bug& v) {
  for (const PlantedBug& bug : kPlantedBugs)
    if (bug.name == text) v = bug.bug;
  return v != Bug::none;
}
template <class Enum, size_t N>
bool find_in(const std::array<std::pair<Enum, std::string_view>, N>& names, std::string_view text,
             Enum& v) {
  for (const auto& [value, name] : names)
    if (name == text) return v = value, true;
  return false;
}
bool read(std::string_view text, CrashKeeps& v) { return find_in(kKeeps, text, v); }
bool read(std::string_view text, Way& v) { return find_in(kWays, text, v); }
bool read(std::string_view text, Tier& v) { return find_in(kTiers, text, v); }

// --- lines -------------------------------------------------------------------------------------

template <class V>
void describe(V& line, Plan& p) {
  line("seed", p.seed);
  line("length", p.length);
  line("settle", p.settle);
  line("tier", p.tier);
  line("plant", p.plant);
  line("delay-min", p.delay_min);
  line("delay-max", p.delay_max);
  line("liars", p.liars);
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

// Prints what differs from a default value.
template <class T>
class Printer {
 public:
  explicit Printer(T defaults) : defaults_(std::move(defaults)) { describe(*this, defaults_); }
  std::string print(T value) {
    pass_ = Pass::Print;
    position_ = 0;
    describe(*this, value);
    return std::move(out_);
  }
  template <class F>
  void operator()(std::string_view key, F& field) {
    if (pass_ == Pass::Defaults) return default_texts_.push_back(text_of(field));
    std::string text = text_of(field);
    if (text != default_texts_.at(position_++))
      out_ += " " + std::string(key) + "=" + text;
  }

 private:
  enum class Pass : uint8_t { Defaults, Print };
  T defaults_;
  Pass pass_ = Pass::Defaults;
  std::vector<std::string> default_texts_;
  size_t position_ = 0;
  std::string out_;
};

// The key=value pairs of one line.
class Pairs {
 public:
  Result<void> add(std::string_view word) {
    const size_t equals = word.find('=');
    if (equals == word.npos) return fail("'" + std::string(word) + "' is not key=value");
    if (!values_.emplace(std::string(word.substr(0, equals)), word.substr(equals + 1)).second)
      return fail("'" + std::string(word.substr(0, equals)) + "' stands there twice");
    return {};
  }
  template <class T>
  Result<void> into(T& value) {
    describe(*this, value);
    if (!problem_.empty()) return fail(problem_);
    if (!values_.empty()) return fail("'" + values_.begin()->first + "' is no key of this line");
    return {};
  }
  template <class F>
  void operator()(std::string_view key, F& field) {
    const auto it = values_.find(std::string(key));
    if (it == values_.end()) return;
    if (!read(it->second, field))
      problem_ = "'" + it->second + "' is no value for " + std::string(key);
    values_.erase(it);
  }

 private:
  std::map<std::string, std::string> values_;
  std::string problem_;
};

template <class T>
std::string print(const T& value, const T& defaults = {}) {
  return Printer<T>(defaults).print(value);
}

std::string body_of(const Fault& fault) {
  Fault defaults;
  defaults.kind = fault.kind;
  return print(fault, defaults);
}

std::string to_line(const Purchase& p) {
  return "buy " + to_text(NodeName{Role::Consumer, p.consumer}) + " " +
         to_text(NodeName{Role::Provider, p.provider}) + print(p);
}

// --- parsing -----------------------------------------------------------------------------------

std::vector<std::string_view> words_of(std::string_view line) {
  line = line.substr(0, line.find('#'));
  std::vector<std::string_view> words;
  for (size_t at = 0; at < line.size();) {
    const size_t end = std::min(line.find_first_of(" \t\r", at), line.size());
    if (end > at) words.push_back(line.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

class PlanReader {
 public:
  Result<void> line(const std::vector<std::string_view>& words) {
    if (words.empty()) return {};
    const std::string_view what = words[0];
    if (plan_.scenario.empty() && what != "scenario")
      return fail("the first line is: scenario NAME seed=N");
    if (what == "scenario") return header(words);
    if (what == "buy") return purchase(words);
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
  size_t number = 0;

 private:
  Result<void> header(const std::vector<std::string_view>& words) {
    if (!plan_.scenario.empty()) return fail("there is one scenario line");
    if (words.size() < 2) return fail("the scenario has no name");
    plan_.scenario = words[1];
    if (auto ok = values(words, 2, plan_); !ok) return ok;
    if (plan_.delay_min > plan_.delay_max) return fail("delay-min is above delay-max");
    return {};
  }
  Result<void> purchase(const std::vector<std::string_view>& words) {
    Purchase p;
    const auto who = named(words, 1, Role::Consumer);
    const auto from = named(words, 2, Role::Provider);
    if (!who || !from) return fail("buy takes a consumer and a provider");
    p.consumer = who->number;
    p.provider = from->number;
    if (auto ok = values(words, 3, p); !ok) return ok;
    plan_.purchases.push_back(std::move(p));
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
    if (auto ok = values(words, 3, f); !ok) return ok;
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
      if (auto ok = values(words, 1, provider); !ok) return ok;
      plan_.providers.push_back(provider);
      return {};
    }
    if (words.size() > 1) return fail("only a provider has settings");
    if (node->role == Role::Relay) plan_.relays.push_back(node->number);
    else if (node->role == Role::Consumer) plan_.consumers.push_back(node->number);
    else return fail("a plan lists providers, relays and consumers");
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
    if (node.role != Role::Anyone && node.role != Role::Mint) named_.emplace(node, number);
  }
  template <class T>
  Result<void> values(const std::vector<std::string_view>& words, size_t from, T& value) {
    Pairs pairs;
    for (size_t i = from; i < words.size(); ++i)
      if (auto ok = pairs.add(words[i]); !ok) return ok;
    return pairs.into(value);
  }

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
  for (const Fault& fault : plan.faults) out += to_text(fault) + "\n";
  for (NodeName node : plan.frozen) out += "frozen " + to_text(node) + "\n";
  return out;
}

Result<Plan> parse_plan(std::string_view text) {
  PlanReader reader;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::string where = "line " + std::to_string(++reader.number) + ": ";
    if (reader.number > kLinesMax || line.size() > kLineBytesMax) return fail(where + "too long");
    if (auto ok = reader.line(words_of(line)); !ok) return fail(where + ok.error().message);
  }
  return reader.take();
}

}  // namespace paygress::sim
