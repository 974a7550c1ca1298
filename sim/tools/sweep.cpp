#include "sim/tools/sweep.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <filesystem>
#include <set>

#include "sim/tools/shrink.h"

namespace paygress::sim {
namespace {

namespace json = boost::json;
using Clock = std::chrono::steady_clock;

constexpr size_t kFailuresTold = 20;
constexpr std::chrono::seconds kProgressEvery{5};

struct Failure {
  uint64_t seed = 0;
  Violation violation;
  std::string file;
};

struct Totals {
  uint64_t seeds = 0;
  uint64_t events = 0;
  int64_t virtual_us = 0;
  std::map<std::string, uint64_t, std::less<>> marks;
  std::map<std::string, Sample> samples;
  std::map<std::string, uint64_t> by_rule;
  std::vector<Failure> failures;

  void add(const HistoryResult& result) {
    ++seeds;
    events += result.run.events;
    virtual_us += result.run.virtual_time.value;
    for (const auto& [name, count] : result.run.marks) marks[name] += count;
    for (const auto& [name, sample] : result.run.samples) {
      Sample& all = samples[name];
      all.bound = std::max(all.bound, sample.bound);
      all.values.insert(all.values.end(), sample.values.begin(), sample.values.end());
    }
    if (result.run.violations.empty()) return;
    const Violation& first = result.run.violations.front();
    ++by_rule[first.rule];
    if (failures.size() < kFailuresTold) failures.push_back({result.seed, first, ""});
  }
};

Micros percentile(const std::vector<Micros>& sorted, size_t percent) {
  PG_CHECK(!sorted.empty());
  return sorted[std::min(sorted.size() - 1, sorted.size() * percent / 100)];
}

class Sweep {
 public:
  Sweep(const Family& family, const Options& options) : family_(family), options_(options) {}

  int run() {
    WorkOrder order;
    order.arguments = {family_.name(), "--tier", options_.tier == Tier::Real ? "real" : "fast"};
    for (const PlantedBug& bug : kPlantedBugs)
      if (bug.bug == options_.plant)
        order.arguments.insert(order.arguments.end(), {"--plant", std::string(bug.name)});
    if (!options_.off.empty())
      order.arguments.insert(order.arguments.end(), {"--off", options_.off});
    order.seeds = options_.seeds;
    order.jobs = options_.jobs;
    begun_ = told_ = Clock::now();
    const auto done = run_seeds(order, [this](const HistoryResult& r) { return take(r); });
    wall_ = std::chrono::duration<double>(Clock::now() - begun_).count();
    if (!done) {
      std::fprintf(stderr, "paygress-sim: %s\n", to_string(done.error()).c_str());
      return exit_code::kFailed;
    }
    for (const std::string& mark : family_.marks())
      if (!totals_.marks.contains(mark)) missing_.push_back(mark);
    keep_failures();
    options_.json ? print_json() : print_text();
    const bool unseen = !missing_.empty() && totals_.seeds >= kSeedsForMarks;
    return totals_.by_rule.empty() && !unseen ? exit_code::kOk : exit_code::kFindings;
  }

 private:
  bool take(const HistoryResult& result) {
    totals_.add(result);
    const uint64_t count = options_.seeds.last - options_.seeds.first + 1;
    if (Clock::now() - told_ > kProgressEvery) {
      told_ = Clock::now();
      std::fprintf(stderr, "%s: %" PRIu64 " of %" PRIu64 " seeds, %" PRIu64 " events\n",
                   family_.name().c_str(), totals_.seeds, count, totals_.events);
    }
    return true;
  }

  // The first failure of each rule becomes a file, as small as it gets.
  void keep_failures() {
    std::ranges::sort(totals_.failures, {}, [](const Failure& f) { return f.seed; });
    std::set<std::string> kept;
    for (Failure& failure : totals_.failures) {
      if (!kept.insert(failure.violation.rule).second) {
        tell(failure, "run " + family_.name() + " --seed " + std::to_string(failure.seed));
        continue;
      }
      failure.file = file_of(failure);
      std::string text =
          with_rule_off(family_.draw(failure.seed, options_.tier, options_.plant), options_.off);
      if (options_.shrink && failure.violation.rule != "hung" && failure.violation.rule != "died") {
        std::fprintf(stderr, "%s: making seed %" PRIu64 " small\n", family_.name().c_str(),
                     failure.seed);
        if (const auto small = shrink(family_, text, options_.seconds)) text = small->text;
      }
      std::filesystem::create_directories(options_.out.empty() ? "." : options_.out);
      const std::string head = "# " + failure.violation.rule + ": " + failure.violation.detail;
      if (auto ok = write_file(failure.file, head + "\n" + text); !ok)
        std::fprintf(stderr, "paygress-sim: %s\n", to_string(ok.error()).c_str());
      tell(failure, "replay " + failure.file);
    }
  }

  std::string file_of(const Failure& failure) const {
    return (options_.out.empty() ? "" : options_.out + "/") + family_.name() + "-" +
           failure.violation.rule + "-" + std::to_string(failure.seed) + ".scenario";
  }

  void tell(const Failure& failure, const std::string& again) const {
    std::fprintf(stderr, "FAILED %s %s seed=%" PRIu64 " at %s: %s; again: paygress-sim %s\n",
                 failure.violation.rule.c_str(), family_.name().c_str(), failure.seed,
                 to_text(failure.violation.at).c_str(), failure.violation.detail.c_str(),
                 again.c_str());
  }

  void print_json() {
    json::array violations;
    for (const Failure& f : totals_.failures)
      violations.push_back({{"rule", f.violation.rule},
                            {"detail", f.violation.detail},
                            {"seed", f.seed},
                            {"at_us", f.violation.at.value},
                            {"file", f.file}});
    json::object rules;
    for (const auto& [rule, count] : totals_.by_rule) rules[rule] = count;
    json::object marks;
    for (const auto& [mark, count] : totals_.marks) marks[mark] = count;
    json::object samples;
    for (auto& [name, sample] : totals_.samples) {
      std::ranges::sort(sample.values);
      samples[name] = {{"count", sample.values.size()},
                       {"p50_us", percentile(sample.values, 50).value},
                       {"p99_us", percentile(sample.values, 99).value},
                       {"max_us", sample.values.back().value},
                       {"bound_us", sample.bound.value}};
    }
    const json::object out{
        {"scenario", family_.name()},
        {"tier", options_.tier == Tier::Real ? "real" : "fast"},
        {"seeds",
         {{"first", options_.seeds.first}, {"last", options_.seeds.last}, {"run", totals_.seeds}}},
        {"events", totals_.events},
        {"virtual_s", static_cast<double>(totals_.virtual_us) / 1e6},
        {"wall_s", wall_},
        {"seeds_per_s", static_cast<double>(totals_.seeds) / wall_},
        {"events_per_s", static_cast<double>(totals_.events) / wall_},
        {"violated", std::move(rules)},
        {"violations", std::move(violations)},
        {"marks", std::move(marks)},
        {"missing_marks", json::value_from(missing_)},
        {"samples", std::move(samples)}};
    std::printf("%s\n", json::serialize(out).c_str());
  }

  void print_text() {
    for (const auto& [mark, count] : totals_.marks)
      std::printf("  %-32s %" PRIu64 "\n", mark.c_str(), count);
    for (auto& [name, sample] : totals_.samples) {
      std::ranges::sort(sample.values);
      std::printf("  %-32s median %s, p99 %s, worst %s, bound %s (%zu)\n", name.c_str(),
                  to_text(percentile(sample.values, 50)).c_str(),
                  to_text(percentile(sample.values, 99)).c_str(),
                  to_text(sample.values.back()).c_str(), to_text(sample.bound).c_str(),
                  sample.values.size());
    }
    for (const std::string& mark : missing_) std::printf("  %-32s never\n", mark.c_str());
    for (const auto& [rule, count] : totals_.by_rule)
      std::printf("  VIOLATED %-23s in %" PRIu64 " histories\n", rule.c_str(), count);
    std::printf("%s: %" PRIu64 " seeds, %" PRIu64
                " events, %.0f h of market in %.1f s: %.1f seeds "
                "and %.0f events per second\n",
                family_.name().c_str(), totals_.seeds, totals_.events,
                static_cast<double>(totals_.virtual_us) / 3.6e9, wall_,
                static_cast<double>(totals_.seeds) / wall_,
                static_cast<double>(totals_.events) / wall_);
  }

  const Family& family_;
  const Options& options_;
  Totals totals_;
  std::vector<std::string> missing_;
  Clock::time_point begun_;
  Clock::time_point told_;
  double wall_ = 0;
};

}  // namespace

int sweep(const Family& family, const Options& options) { return Sweep(family, options).run(); }

}  // namespace paygress::sim
