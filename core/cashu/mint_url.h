// Mint URLs: what makes two of them the same mint.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace paygress::cashu {

// The form under which mints are compared and called: scheme and host in lower case, no default
// port, path kept in its case, no trailing slashes. Refused: user info, query, fragment, white
// space, characters that are not ASCII, backslashes, dot segments, an empty host, a bad port, a
// scheme other than https, and http to anything but loopback (localhost, 127.0.0.0/8, [::1]) or an
// .onion name.
Result<std::string> normalise_mint_url(std::string_view url);

// The existing network's form: trailing slashes stripped, scheme and the part up to the first slash
// in lower case, everything else untouched. Error without "://" or when a part is empty.
Result<std::string> existing_network_mint_url(std::string_view url);

// True when `url` is one of `allowed` in the normalised form. An entry that cannot be normalised
// matches nothing; an empty list allows nothing. No network before this is true.
bool is_mint_allowed(std::string_view url, std::span<const std::string> allowed);

}  // namespace paygress::cashu
