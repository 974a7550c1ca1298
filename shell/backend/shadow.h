// Root's password in a shadow(5) file: only the hash of it ever reaches a workload's files.
#pragma once

#include <string>
#include <string_view>

namespace paygress::backend {

// SHA-512 crypt with a fresh salt. Empty when the password cannot be hashed.
std::string shadow_hash(const std::string& password);
// `shadow` with the hash as root's; root's line is added when there is none.
std::string with_root_hash(std::string_view shadow, const std::string& hash);

}  // namespace paygress::backend
