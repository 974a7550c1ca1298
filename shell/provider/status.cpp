#include "shell/provider/status.h"

#include <fmt/format.h>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <tuple>

#include "core/market/time_text.h"
#include "core/nostr/nip19.h"

namespace paygress::daemon {
namespace {

namespace json = boost::json;

constexpr size_t kShortId = 12;

bool is_over(const lease::Lease& lease) {
  return lease.phase == lease::Phase::Ended || lease.phase == lease::Phase::Void;
}

json::array ports_json(const lease::Lease& lease) {
  json::array ports;
  for (const auto& port : lease.terms.ports)
    ports.push_back(json::object{{"host_port", port.host_port},
                                 {"container_port", port.container_port},
                                 {"label", port.label}});
  return ports;
}

// Null for a plain lease.
json::value standby_json(const StateView& state, const LeaseId& id) {
  const failover::Terms* terms = state.failover ? state.failover->terms(id) : nullptr;
  if (terms == nullptr) return nullptr;
  const failover::ReplicaStatus status = *state.failover->status(id);
  return json::object{{"role", terms->rank == 0 ? "primary" : "standby"},
                      {"state", failover::state_text(status)},
                      {"epoch", status.epoch},
                      {"holder", status.holder ? json::value(status.holder->hex()) : json::value()},
                      {"guarantee", failover::to_text(status.guarantee)}};
}

json::object lease_json(const StateView& state, const LeaseId& id, const lease::Lease& lease,
                        Now now) {
  const auto& terms = lease.terms;
  const auto workload = state.workloads.state_of(id);
  const bool ssh = terms.ssh_port.has_value() && lease.serves_ssh;
  json::object out{
      {"lease", id.hex()},
      {"pod", "container-" + std::to_string(terms.number)},
      {"phase", lease::to_string(lease.phase)},
      {"workload", workload ? json::value(workload::to_string(*workload)) : json::value()},
      {"tier", terms.tier.id},
      {"image", terms.image},
      {"template", terms.template_slug},
      {"workload_id", terms.workload_id},
      {"owner", terms.owner.hex()},
      {"ssh_port", ssh ? json::value(*terms.ssh_port) : json::value()},
      {"ports", ports_json(lease)},
      {"node", lease.node.empty() ? json::value() : json::value(lease.node)},
      {"address", lease.address.empty() ? json::value() : json::value(lease.address)},
      {"open", !is_over(lease)},
      {"reserved_at", market::to_rfc3339(terms.at)},
      {"remaining_seconds", state.leases.remaining(lease, now).value},
      {"expires_at", market::to_rfc3339(state.leases.expires_at(lease, now))},
      {"rate_msat_per_second", terms.tier.rate_per_second.value},
      {"paid_msat", lease.paid.value},
      {"credit_msat", lease.credit.value},
      {"standby", standby_json(state, id)}};
  if (lease.statement) {
    out["consumed_msat"] = lease.statement->consumed.value;
    out["claimed_msat"] = lease.statement->claimed.value;
  }
  return out;
}

bool is_read(const cashu::MintBook& book, const std::string& mint) {
  return book.ready(mint) && !book.keyset_ids(mint).empty();
}

json::array mints_json(const provider::Provider& core, const SilentMints& silent) {
  json::array mints;
  const cashu::MintBook& book = core.wallet().mints();
  for (const std::string& url : core.settings().mints) {
    const bool read = is_read(book, url);
    json::array problems;
    for (const std::string& problem : book.problems(url)) problems.emplace_back(problem);
    const auto silence = silent.find(url);
    const bool answers = silence == silent.end();
    mints.push_back(json::object{
        {"url", url},
        {"ready", read},
        {"suitable", read && book.suitable(url)},
        {"answers", answers},
        {"silent_since",
         answers ? json::value() : json::value(market::to_rfc3339(silence->second.since))},
        {"silent_reason", answers ? json::value() : json::value(silence->second.reason)},
        {"problems", std::move(problems)}});
  }
  return mints;
}

std::string shown(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || value->is_null()) return "-";
  if (value->is_string()) return std::string(value->get_string());
  return json::serialize(*value);
}

std::string shown_mint(const json::object& mint) {
  if (!mint.at("answers").get_bool()) {
    const auto since = market::parse_rfc3339(shown(mint, "silent_since"));
    return fmt::format("does not answer since {} ({})", since ? market::to_human_time(*since) : "",
                       shown(mint, "silent_reason"));
  }
  return mint.at("suitable").get_bool() ? "ready" : "not usable yet";
}

// "holding 3": the state and the epoch; and what is promised when that is less than usual.
std::string shown_standby(const json::object& lease) {
  const json::object* standby = lease.at("standby").if_object();
  if (standby == nullptr) return "-";
  std::string out = fmt::format("{} {}", shown(*standby, "state"), shown(*standby, "epoch"));
  const std::string guarantee = shown(*standby, "guarantee");
  return guarantee == failover::to_text(failover::Guarantee::Fenced) ? out : out + " " + guarantee;
}

}  // namespace

StateView view_of(const provider::Provider& core) {
  return {core.leases(), core.wallet().state(), core.workloads(), &core.failover()};
}

StateView view_of(const Books& books) {
  return {books.leases(), books.wallet(), books.workloads()};
}

json::object state_json(const StateView& state, Now now) {
  json::array wallet;
  for (const auto& [purse, balance] : state.wallet.wallet().balances())
    wallet.push_back(
        json::object{{"mint", purse.mint}, {"unit", purse.unit}, {"balance", balance}});
  std::vector<std::pair<LeaseId, const lease::Lease*>> order;
  for (const auto& [id, lease] : state.leases.leases()) order.emplace_back(id, &lease);
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return std::tuple(is_over(*a.second), -a.second->terms.at.value, a.first) <
           std::tuple(is_over(*b.second), -b.second->terms.at.value, b.first);
  });
  json::array leases;
  for (const auto& [id, lease] : order) leases.push_back(lease_json(state, id, *lease, now));
  return {{"wallet", std::move(wallet)},
          {"operations_open", state.wallet.open_count()},
          {"leases", std::move(leases)}};
}

bool counts_as_up(nostr::RelayHealth health) {
  return health == nostr::RelayHealth::Live || health == nostr::RelayHealth::Impaired;
}

std::vector<std::string> waits_for(const provider::Provider& core, const Readiness& readiness) {
  std::vector<std::string> reasons;
  if (core.recovering()) {
    for (const std::string& reason : core.recovery_waits_for())
      reasons.push_back("the recovery of its ledger: " + reason);
    reasons.push_back("the operator's `ledger release`");
  }
  if (!core.workloads().has_inventory()) reasons.push_back("the engine's list of workloads");
  if (!readiness.offer_taken) reasons.push_back("a relay that takes the offer");
  const provider::Settings& settings = core.settings();
  bool live = false;
  for (uint32_t i = 0; i < settings.relays.size(); ++i) {
    const nostr::RelayHealth health = core.relays()->status(RelayIndex{i}).health;
    live = live || health == nostr::RelayHealth::Live;
    if (!counts_as_up(health) && !readiness.relays_tried.contains(RelayIndex{i}))
      reasons.push_back("a first answer of relay " + std::to_string(i + 1));
  }
  if (!live) reasons.push_back("a relay that is live");
  for (const std::string& mint : settings.mints)
    if (!is_read(core.wallet().mints(), mint) && !readiness.mints_tried.contains(mint))
      reasons.push_back("a first answer of mint " + mint);
  if (!readiness.guard_tried) reasons.push_back("a first answer of the guard");
  return reasons;
}

json::object unknown_status() {
  return {{"running", false},
          {"ready", false},
          {"draining", nullptr},
          {"recovering", nullptr},
          {"provider", nullptr},
          {"npub", nullptr},
          {"name", nullptr},
          {"waits_for", json::array()},
          {"relays", json::array()},
          {"mints", json::array()},
          {"unreserved", nullptr},
          {"wallet", json::array()},
          {"operations_open", nullptr},
          {"leases", json::array()},
          {"pid", nullptr},
          {"started_at", nullptr},
          {"data_dir", nullptr},
          {"guard", nullptr},
          {"frames_refused", nullptr},
          {"metrics", nullptr}};
}

json::object live_json(const provider::Provider& core, const Readiness& readiness,
                       const SilentMints& silent, Now now) {
  const std::vector<std::string> missing = waits_for(core, readiness);
  json::object out = unknown_status();
  out["running"] = true;
  out["ready"] = missing.empty();
  out["draining"] = core.draining();
  out["recovering"] = core.recovering();
  const provider::Settings& settings = core.settings();
  out["provider"] = settings.self.hex();
  out["npub"] = nostr::to_npub(settings.self);
  out["name"] = settings.name;
  out["waits_for"] = json::array(missing.begin(), missing.end());
  json::array relays;
  for (uint32_t i = 0; i < settings.relays.size(); ++i) {
    const auto& status = core.relays()->status(RelayIndex{i});
    relays.push_back(json::object{{"url", settings.relays[i]},
                                  {"health", nostr::to_string(status.health)},
                                  {"text", status.text},
                                  {"connects", core.relays()->stats(RelayIndex{i}).connects}});
  }
  out["relays"] = std::move(relays);
  out["mints"] = mints_json(core, silent);
  const lease::Resources free = core.leases().allocator().unreserved();
  out["unreserved"] = json::object{{"cpu_millicores", free.cpu_millicores},
                                   {"memory_mb", free.memory_mb},
                                   {"storage_gb", free.storage_gb}};
  for (auto& [key, value] : state_json(view_of(core), now)) out[key] = std::move(value);
  return out;
}

std::string leases_text(const json::object& status, bool all) {
  std::string out = fmt::format("{:<12}  {:<15}  {:<9}  {:<12}  {:>9}  {:<12}  {}\n", "LEASE",
                                "POD", "PHASE", "TIER", "SECONDS", "STANDBY", "IMAGE");
  for (const json::value& entry : status.at("leases").get_array()) {
    const json::object& lease = entry.get_object();
    if (!all && !lease.at("open").get_bool()) continue;
    const std::string what = shown(lease, "template");
    out +=
        fmt::format("{:<12}  {:<15}  {:<9}  {:<12}  {:>9}  {:<12}  {}\n",
                    shown(lease, "lease").substr(0, kShortId), shown(lease, "pod"),
                    shown(lease, "phase"), shown(lease, "tier"), shown(lease, "remaining_seconds"),
                    shown_standby(lease), what.empty() ? shown(lease, "image") : what);
  }
  return out;
}

std::string status_text(const json::object& status) {
  std::string out;
  if (status.at("running").get_bool()) {
    out += fmt::format("{} ({})\n", shown(status, "name"), shown(status, "npub"));
    out += fmt::format("ready: {}   draining: {}\n", shown(status, "ready"),
                       shown(status, "draining"));
    if (status.at("recovering").get_bool())
      out += "RECOVERING: this ledger misses the end of what was done; nothing is sold or paid\n";
    for (const json::value& relay : status.at("relays").get_array())
      out += fmt::format("relay  {}  {}  {}\n", shown(relay.get_object(), "url"),
                         shown(relay.get_object(), "health"), shown(relay.get_object(), "text"));
    for (const json::value& mint : status.at("mints").get_array())
      out += fmt::format("mint   {}  {}\n", shown(mint.get_object(), "url"),
                         shown_mint(mint.get_object()));
  }
  for (const json::value& purse : status.at("wallet").get_array())
    out += fmt::format("wallet {}  {} {}\n", shown(purse.get_object(), "mint"),
                       shown(purse.get_object(), "balance"), shown(purse.get_object(), "unit"));
  out += fmt::format("payments in doubt or on their way: {}\n", shown(status, "operations_open"));
  return out + leases_text(status, false);
}

}  // namespace paygress::daemon
