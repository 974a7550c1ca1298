// Which TCP connections are a process's own: so that the demo can cut one provider off.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <set>

namespace paygress::dev {

// The local ports of the process's IPv4 sockets; empty when it ended or is somebody else's.
std::set<uint16_t> tcp_ports_of(pid_t process);

}  // namespace paygress::dev
