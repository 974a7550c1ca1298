#include "shell/client/lease_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <ranges>
#include <vector>

#include "core/base/bytes.h"
#include "core/consumer/directory.h"
#include "core/nostr/nip19.h"

namespace paygress::client {
namespace {

constexpr size_t kProvidersTold = 4;

using Leases = std::vector<const consumer::LeaseSeen*>;

bool is_of(const consumer::LeaseSeen& lease, const std::string& provider) {
  const std::string wanted = to_lower(provider);
  return provider.empty() || to_lower(lease.provider_name) == wanted ||
         lease.provider.hex().starts_with(wanted) ||
         nostr::to_npub(lease.provider).starts_with(wanted);
}

// In the order in which they were rented: those of exactly this id, else those that begin so.
Leases meant_by(const consumer::WalletState& state, const std::string& pod,
                const std::string& provider) {
  Leases exact, similar;
  for (const consumer::PodKey& key : state.rented()) {
    const consumer::LeaseSeen& lease = state.leases().at(key);
    if (!is_of(lease, provider)) continue;
    if (lease.pod == pod || lease.pod == "container-" + pod) exact.push_back(&lease);
    if (lease.pod.starts_with(pod)) similar.push_back(&lease);
  }
  return exact.empty() ? similar : exact;
}

// "aaaa1111 (anna), bbbb2222 (bert)", those first from whom something was rented last.
std::string providers_of(const consumer::WalletState& state, const Leases& leases) {
  std::vector<std::string> told;
  for (auto lease = leases.rbegin(); lease != leases.rend(); ++lease) {
    const std::string who =
        fmt::format("{} ({})", provider_id(state, (*lease)->provider), (*lease)->provider_name);
    if (std::ranges::find(told, who) == told.end()) told.push_back(who);
  }
  const bool more = told.size() > kProvidersTold;
  if (more) told.resize(kProvidersTold);
  return fmt::format("{}{}", fmt::join(told, ", "), more ? " and others" : "");
}

Failure not_found(const consumer::WalletState& state, const std::string& pod,
                  const std::string& provider) {
  const std::string what = pod.empty() ? "no pod" : "no pod \"" + pod + "\"";
  if (const Leases elsewhere = meant_by(state, pod, ""); !elsewhere.empty())
    return {ExitCode::NotFound, what + " was rented from a provider \"" + provider + "\"",
            "Say --provider with one of those it was rented from: " +
                providers_of(state, elsewhere) + "."};
  return {ExitCode::NotFound, pod.empty() ? "no pod was rented with this wallet" : what,
          "`paygress spawn` rents one."};
}

}  // namespace

Outcome<consumer::LeaseSeen> find_lease(const consumer::WalletState& state, const std::string& pod,
                                        const std::string& provider) {
  const Leases found = meant_by(state, pod, provider);
  if (found.empty()) return std::unexpected(not_found(state, pod, provider));
  if (pod.empty() || found.size() == 1) return *found.back();
  const auto other_pod = [&](const auto* lease) { return lease->pod != found.front()->pod; };
  if (std::ranges::any_of(found, other_pod))
    return failure(ExitCode::Usage, "\"" + pod + "\" could be several pods: write more of its id");
  return failure(ExitCode::Usage, "\"" + pod + "\" is rented from several providers",
                 "Say which with --provider: " + providers_of(state, found) + ".");
}

Outcome<consumer::StoredRequest> find_request(const consumer::WalletState& state,
                                              const std::string& id) {
  const auto parsed = market::RequestId::parse(id);
  if (!parsed) return failure(ExitCode::Usage, "--resume: a request id has 32 hex digits");
  const auto found = state.requests().find(*parsed);
  if (found == state.requests().end())
    return failure(ExitCode::NotFound, "no request " + id + " in this wallet",
                   "`paygress wallet history` shows them.");
  return found->second;
}

std::string provider_id(const consumer::WalletState& state, const PubKey& provider) {
  const auto key_of = [](const consumer::PodKey& key) { return key.first; };
  return consumer::short_id(provider, state.rented() | std::views::transform(key_of));
}

std::string password_of(const market::AccessDetails& access) {
  if (access.ssh_password) return *access.ssh_password;
  constexpr std::string_view kMark = "Password: ";
  for (const std::string& line : access.instructions)
    if (const size_t at = line.find(kMark); at != std::string::npos)
      return line.substr(at + kMark.size());
  return "";
}

std::string ssh_command(const std::string& user, const std::string& host, uint16_t port) {
  if (port == 0 || host.empty()) return "";
  return fmt::format("ssh -p {} {}@{}", port, user.empty() ? "root" : user, host);
}

std::string port_line(const market::TemplateAccessPort& port, const std::string& host) {
  // Everything is TCP on the wire; what speaks there is told by the label alone.
  const bool web = port.label.find("http") != std::string::npos || port.container_port == 80 ||
                   port.container_port == 8080;
  return fmt::format("{}://{}:{}", web ? "http" : port.protocol, host, port.host_port);
}

boost::json::array ports_json(const std::vector<market::TemplateAccessPort>& ports,
                              const std::string& host) {
  boost::json::array array;
  for (const auto& port : ports)
    array.push_back(boost::json::object{{"label", port.label},
                                        {"host_port", port.host_port},
                                        {"container_port", port.container_port},
                                        {"protocol", port.protocol},
                                        {"url", port_line(port, host)}});
  return array;
}

}  // namespace paygress::client
