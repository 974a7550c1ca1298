// On which TCP ports of this machine somebody listens, as the kernel lists them.
#pragma once

#include <cstdint>
#include <set>
#include <string_view>

#include "core/provider/config.h"

namespace paygress::daemon {

// Adds the listening ports within `range` of a text in the form of /proc/net/tcp. Lines of another
// form are left out.
void read_listeners(std::string_view proc_net_tcp, const provider::PortRange& range,
                    std::set<uint16_t>& ports);

// Of /proc/net/tcp and tcp6.
std::set<uint16_t> listening_ports(const provider::PortRange& range);

}  // namespace paygress::daemon
