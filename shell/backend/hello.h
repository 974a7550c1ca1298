// The template "hello" is served by the busybox of this machine: in a sandbox as it is, in Docker
// as an image made of it.
#pragma once

#include <string>
#include <string_view>

#include "shell/backend/backend.h"

namespace paygress::backend {

inline constexpr std::string_view kHelloTemplate = "hello";

// The content of a statically linked busybox; empty when this machine has none.
std::string static_busybox();

// The Debian package that is lacking to serve it; empty when none is. Of the engines without an
// image of their own for it.
std::string_view package_for_hello(Kind kind);

}  // namespace paygress::backend
