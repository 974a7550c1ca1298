#include "sim/tools/result_json.h"

#include <array>
#include <charconv>

namespace paygress::sim {

namespace json = boost::json;

std::string hash_text(uint64_t hash) {
  std::array<char, 17> text{};
  std::to_chars(text.data(), text.data() + 16, hash, 16);
  const std::string digits(text.data());
  return std::string(16 - digits.size(), '0') + digits;
}

json::object to_json(const HistoryResult& result) {
  const RunResult& run = result.run;
  json::array violations;
  for (const Violation& v : run.violations)
    violations.push_back({{"rule", v.rule}, {"detail", v.detail}, {"at_us", v.at.value}});
  json::object marks;
  for (const auto& [name, count] : run.marks) marks[name] = count;
  json::object samples;
  for (const auto& [name, sample] : run.samples) {
    json::array values;
    for (Micros value : sample.values) values.push_back(value.value);
    samples[name] = {{"bound_us", sample.bound.value}, {"values_us", std::move(values)}};
  }
  return {{"scenario", result.scenario},          {"seed", result.seed},
          {"hash", hash_text(run.hash)},          {"events", run.events},
          {"virtual_us", run.virtual_time.value}, {"wall_s", result.wall_seconds},
          {"violations", std::move(violations)},  {"marks", std::move(marks)},
          {"samples", std::move(samples)}};
}

std::optional<HistoryResult> parse_result(std::string_view line) {
  json::error_code error;
  const json::value parsed = json::parse(line, error);
  if (error || !parsed.is_object()) return std::nullopt;
  try {
    const json::object& o = parsed.as_object();
    HistoryResult result;
    result.scenario = json::value_to<std::string>(o.at("scenario"));
    result.seed = o.at("seed").to_number<uint64_t>();
    result.wall_seconds = o.at("wall_s").to_number<double>();
    result.run.events = o.at("events").to_number<uint64_t>();
    result.run.virtual_time = Micros{o.at("virtual_us").to_number<int64_t>()};
    for (const json::value& v : o.at("violations").as_array())
      result.run.violations.push_back({json::value_to<std::string>(v.at("rule")),
                                       json::value_to<std::string>(v.at("detail")),
                                       Micros{v.at("at_us").to_number<int64_t>()}});
    for (const auto& [name, count] : o.at("marks").as_object())
      result.run.marks[std::string(name)] = count.to_number<uint64_t>();
    for (const auto& [name, sample] : o.at("samples").as_object()) {
      Sample& s = result.run.samples[std::string(name)];
      s.bound = Micros{sample.at("bound_us").to_number<int64_t>()};
      for (const json::value& v : sample.at("values_us").as_array())
        s.values.push_back(Micros{v.to_number<int64_t>()});
    }
    return result;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

}  // namespace paygress::sim
