#include "shell/provider/ledger_export.h"

#include <fmt/format.h>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <array>

#include "core/market/time_text.h"
#include "shell/provider/story.h"

namespace paygress::daemon {
namespace {

namespace json = boost::json;
using provider::Record;

constexpr std::array kColumns{"batch",         "at",
                              "lease",         "mint",
                              "unit",          "redeemed_msat",
                              "consumed_msat", "on_leases_msat",
                              "owed_msat",     "kept_msat",
                              "text",          "withdrawn_msat"};

using TotalsByMint = std::map<lease::MintUnit, lease::Totals>;

std::optional<LeaseId> lease_named(const Record& record) {
  const auto* of_lease = std::get_if<lease::LeaseRecord>(&record);
  if (of_lease == nullptr) return std::nullopt;
  return std::visit(
      [](const auto& r) -> std::optional<LeaseId> {
        if constexpr (requires { r.lease; })
          return r.lease;
        else
          return std::nullopt;
      },
      *of_lease);
}

// Follows the books and notes each change of their totals.
class Bookkeeper {
 public:
  void fold(uint64_t batch, const Record& record) {
    last_ = time_of(record).value_or(last_);
    books_.fold(record);
    for (const auto& [key, now] : books_.leases().totals()) {
      lease::Totals& before = before_[key];
      if (now == before) continue;
      movements_.push_back(
          {batch, last_, lease_named(record), key.first, key.second, now.redeemed - before.redeemed,
           now.consumed - before.consumed, now.open - before.open, now.claims - before.claims,
           now.kept - before.kept, now.withdrawn - before.withdrawn, in_words(record)});
      before = now;
    }
  }
  std::vector<Movement> take() { return std::move(movements_); }

 private:
  Books books_;
  TotalsByMint before_;
  UnixSeconds last_;
  std::vector<Movement> movements_;
};

// A mint's URL and a refusal's words come from outside.
std::string csv_field(const json::value& value) {
  if (!value.is_string()) return json::serialize(value);
  std::string text(value.get_string());
  if (!text.empty() && std::string_view("=+-@\t\r").contains(text.front())) text.insert(0, 1, '\'');
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

std::string csv_line(const std::vector<std::string>& fields) {
  return fmt::format("{}\r\n", fmt::join(fields, ","));
}

}  // namespace

Result<std::vector<Movement>> money_movements(const Scan& scan) {
  Bookkeeper keeper;
  const auto read =
      each_record(scan, [&](uint64_t batch, const Record& record) { keeper.fold(batch, record); });
  if (!read) return std::unexpected(read.error());
  return keeper.take();
}

json::object to_json(const std::vector<Movement>& movements) {
  json::array out;
  for (const Movement& m : movements)
    out.push_back(json::object{{"batch", m.batch},
                               {"at", market::to_rfc3339(m.at)},
                               {"lease", m.lease ? m.lease->hex() : ""},
                               {"mint", m.mint},
                               {"unit", m.unit},
                               {"redeemed_msat", m.redeemed.value},
                               {"consumed_msat", m.consumed.value},
                               {"on_leases_msat", m.on_leases.value},
                               {"owed_msat", m.owed.value},
                               {"kept_msat", m.kept.value},
                               {"withdrawn_msat", m.withdrawn.value},
                               {"text", m.text}});
  return {{"movements", std::move(out)}};
}

std::string to_csv(const json::object& movements) {
  std::string out = csv_line({kColumns.begin(), kColumns.end()});
  for (const json::value& entry : movements.at("movements").get_array()) {
    std::vector<std::string> fields;
    for (const char* column : kColumns) fields.push_back(csv_field(entry.get_object().at(column)));
    out += csv_line(fields);
  }
  return out;
}

}  // namespace paygress::daemon
