// Whether a TCP port of this machine is free, and whether somebody listens on it.
#pragma once

#include <cstdint>
#include <string>

#include "core/base/result.h"

namespace paygress::backend {

// False when somebody has it. An error when the address is none of this machine's.
Result<bool> port_is_free(const std::string& address, uint16_t port);
// Connects, for at most a fifth of a second.
bool port_listens(const std::string& address, uint16_t port);
// Connects and waits for "SSH-" (RFC 4253 section 4.2), for at most two seconds in all.
bool ssh_greets(const std::string& address, uint16_t port);

}  // namespace paygress::backend
