#include "shell/client/lease_view.h"

#include <fmt/core.h>

#include <boost/json/array.hpp>
#include <vector>

#include "core/nostr/nip19.h"

namespace paygress::client {
namespace {

bool is_of(const consumer::LeaseSeen& lease, const std::string& provider) {
  return provider.empty() || lease.provider_name == provider ||
         lease.provider.hex().starts_with(provider) ||
         nostr::to_npub(lease.provider).starts_with(provider);
}

}  // namespace

Outcome<consumer::LeaseSeen> find_lease(const consumer::WalletState& state, const std::string& pod,
                                        const std::string& provider) {
  const consumer::LeaseSeen* newest = nullptr;
  std::vector<const consumer::LeaseSeen*> exact, similar;
  for (const consumer::PodKey& key : state.rented()) {
    const consumer::LeaseSeen& lease = state.leases().at(key);
    if (!is_of(lease, provider)) continue;
    newest = &lease;
    if (lease.pod == pod || lease.pod == "container-" + pod) exact.push_back(&lease);
    if (lease.pod.starts_with(pod)) similar.push_back(&lease);
  }
  if (pod.empty() && newest != nullptr) return *newest;
  const auto& found = exact.empty() ? similar : exact;
  if (!pod.empty() && found.size() == 1) return *found.front();
  if (!pod.empty() && exact.size() > 1)
    return failure(ExitCode::Usage, "\"" + pod + "\" is rented from several providers",
                   "Say which: --provider NAME, or the first characters of its key.");
  if (!pod.empty() && similar.size() > 1)
    return failure(ExitCode::Usage, "\"" + pod + "\" could be several pods: write more of its id");
  return failure(ExitCode::NotFound,
                 pod.empty() ? "no pod was rented with this wallet" : "no pod \"" + pod + "\"",
                 "`paygress spawn` rents one.");
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
