// What both programs answer to --version.
#pragma once

namespace paygress::shell {

inline constexpr const char* kVersion = "0.1.0";

}  // namespace paygress::shell
