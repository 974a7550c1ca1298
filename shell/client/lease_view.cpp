#include "shell/client/lease_view.h"

#include <fmt/core.h>

#include <boost/json/array.hpp>

namespace paygress::client {

Outcome<consumer::LeaseSeen> find_lease(const consumer::WalletState& state,
                                        const std::string& pod) {
  const consumer::LeaseSeen* found = nullptr;
  size_t several = 0;
  for (const auto& [id, lease] : state.leases()) {
    if (pod.empty()) {
      if (found == nullptr || found->at < lease.at) found = &lease;
      continue;
    }
    if (id == pod || id == "container-" + pod) return lease;
    if (!id.starts_with(pod)) continue;
    found = &lease;
    ++several;
  }
  if (several > 1)
    return failure(ExitCode::Usage, "\"" + pod + "\" could be several pods: write more of its id");
  if (found != nullptr) return *found;
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
