#include "shell/client/status_view.h"

#include <fmt/core.h>

#include "core/market/time_text.h"
#include "shell/client/lease_view.h"

namespace paygress::client {
namespace {

namespace json = boost::json;

constexpr int64_t kMsatPerSat = 1000;

bool is_over(const market::StatusReply& status) {
  return status.status == "Expired" || status.status == "Stopped";
}

std::string state_text(const market::StatusReply& status) {
  return status.state ? status.status + " (" + *status.state + ")" : status.status;
}

std::vector<market::TemplateAccessPort> ports_of(const market::StatusReply& status) {
  return status.template_ports.value_or(std::vector<market::TemplateAccessPort>{});
}

std::string ssh_of(const market::StatusReply& status) {
  return ssh_command(status.ssh_username, status.ssh_host, status.ssh_port);
}

}  // namespace

std::string sats_text(Msat amount) {
  std::string text = std::to_string(amount.value / kMsatPerSat);
  if (const auto rest = amount.value % kMsatPerSat; rest != 0) {
    text += fmt::format(".{:03}", rest);
    text.erase(text.find_last_not_of('0') + 1);
  }
  return text + " sat";
}

std::string holder_line(const SetSeen& set) {
  if (!set.holder.key) return "in doubt: two providers say that they took over";
  if (set.holder.revoked)
    return "nobody: " + set.holder_name + " has stopped it, no other took over";
  return fmt::format("{} (take-over {})", set.holder_name, set.holder.epoch);
}

std::vector<std::vector<std::string>> status_rows(const PodStatus& pod, const SetSeen* set) {
  const auto& [lease, status] = pod;
  const bool over = is_over(status);
  const std::string when = market::to_human_time(status.expires_at.at);
  std::vector<std::vector<std::string>> rows{
      {"pod", lease.pod}, {"provider", lease.provider_name}, {"status", state_text(status)}};
  if (over)
    rows.push_back({"ended", when});
  else
    rows.push_back({"expires", fmt::format("{} (in {} s)", when, status.time_remaining_seconds)});
  if (set != nullptr) {
    rows.push_back({"holder", holder_line(*set)});
    if (!set->guarantee.empty()) rows.push_back({"guarantee", set->guarantee});
  }
  if (status.refund_msat) rows.push_back({"refund", sats_text(*status.refund_msat)});
  if (over) return rows;
  if (const std::string ssh = ssh_of(status); !ssh.empty()) {
    rows.push_back({"log in", ssh});
    if (set != nullptr)
      rows.push_back({"password", lease.password.empty() ? "not told yet: ask again in a moment"
                                                         : lease.password});
  }
  for (const auto& port : ports_of(status))
    rows.push_back({port.label, port_line(port, status.ssh_host)});
  return rows;
}

json::object status_json(const PodStatus& pod, const SetSeen* set) {
  const auto& [lease, status] = pod;
  json::object out{{"pod_id", lease.pod},
                   {"status", status.status},
                   {"state", status.state.value_or("")},
                   {"role", status.role.value_or("")},
                   {"provider", lease.provider.hex()},
                   {"provider_name", lease.provider_name},
                   {"expires_at", status.expires_at.at.value},
                   {"time_remaining_seconds", status.time_remaining_seconds},
                   {"cpu_millicores", status.cpu_millicores},
                   {"memory_mb", status.memory_mb},
                   {"ssh_command", ssh_of(status)},
                   {"ports", ports_json(ports_of(status), status.ssh_host)},
                   {"credit_msat", nullptr},
                   {"refund_msat", nullptr}};
  if (set != nullptr) {
    out["workload_id"] = set->workload_id;
    out["guarantee"] = set->guarantee;
    out["holder"] = nullptr;
    if (set->holder.key) out["holder"] = set->holder.key->hex();
    out["epoch"] = set->holder.epoch;
    out["held"] = set->holder.key && !set->holder.revoked;
    out["ssh_password"] = lease.password;
  }
  if (status.credit_msat) out["credit_msat"] = status.credit_msat->value;
  if (status.refund_msat) out["refund_msat"] = status.refund_msat->value;
  return out;
}

std::vector<std::vector<std::string>> ended_rows(const std::vector<PodStatus>& parts) {
  std::vector<std::vector<std::string>> rows{{"POD", "PROVIDER", "STATUS", "REFUND"}};
  for (const auto& [lease, status] : parts)
    rows.push_back({lease.pod, lease.provider_name, state_text(status),
                    status.refund_msat ? sats_text(*status.refund_msat) : "-"});
  return rows;
}

}  // namespace paygress::client
