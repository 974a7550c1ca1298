#include "core/cashu/mint_url.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <vector>

#include "core/base/bytes.h"
#include "core/cashu/token.h"

namespace paygress::cashu {
namespace {

constexpr std::string_view kSchemeEnd = "://";
constexpr size_t kHostBytesMax = 253;  // RFC 1035

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alphanumeric(char c) { return is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'z'); }

std::string_view without_trailing_slashes(std::string_view text) {
  while (text.ends_with('/')) text.remove_suffix(1);
  return text;
}

struct Authority {
  std::string host;  // lower case; an IPv6 address keeps its brackets
  std::optional<uint32_t> port;
};

bool is_ipv6_literal(std::string_view host) {
  if (host.size() < 4 || !host.starts_with('[') || !host.ends_with(']')) return false;
  return std::ranges::all_of(host.substr(1, host.size() - 2), [](char c) {
    return is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'f') || c == ':' || c == '.';
  });
}

// Letters, digits, dots, hyphens and underscores; no empty label, so no leading or trailing dot
// ("mint.example." would be another spelling of one mint).
bool is_host_name(std::string_view host) {
  if (host.empty() || host.size() > kHostBytesMax) return false;
  if (host.front() == '.' || host.back() == '.' || host.find("..") != std::string_view::npos)
    return false;
  return std::ranges::all_of(
      host, [](char c) { return is_alphanumeric(c) || c == '-' || c == '.' || c == '_'; });
}

Result<Authority> parse_authority(std::string_view text) {
  const size_t bracket = text.find(']');
  const size_t colon = text.find(':', bracket == std::string_view::npos ? 0 : bracket);
  Authority authority;
  authority.host = to_lower(text.substr(0, colon));
  if (!is_host_name(authority.host) && !is_ipv6_literal(authority.host))
    return fail("mint URL has a malformed host");
  if (colon == std::string_view::npos) return authority;
  const std::string_view digits = text.substr(colon + 1);
  uint32_t port = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (digits.empty() || digits.size() > 5 || read.ec != std::errc{} ||
      read.ptr != digits.data() + digits.size() || port == 0 || port > 65535)
    return fail("mint URL has a bad port");
  authority.port = port;
  return authority;
}

// Four decimal numbers, the first of them 127: a name that only begins like one is not loopback.
bool is_loopback_ipv4(std::string_view host) {
  std::array<uint32_t, 4> numbers{};
  size_t count = 0;
  while (count < numbers.size()) {
    const size_t dot = host.find('.');
    const std::string_view part = host.substr(0, dot);
    const auto read = std::from_chars(part.data(), part.data() + part.size(), numbers[count]);
    if (part.empty() || part.size() > 3 || read.ec != std::errc{} ||
        read.ptr != part.data() + part.size() || numbers[count] > 255)
      return false;
    ++count;
    if (dot == std::string_view::npos) return count == 4 && numbers[0] == 127;
    host.remove_prefix(dot + 1);
  }
  return false;
}

bool allows_plain_http(std::string_view host) {
  return host == "localhost" || host == "[::1]" || is_loopback_ipv4(host) ||
         (host.ends_with(".onion") && host.size() > 6);
}

Result<void> check_path(std::string_view path) {
  for (size_t start = 0; start < path.size();) {
    const size_t slash = path.find('/', start);
    const std::string_view segment = path.substr(start, slash - start);
    const std::string decoded_dots = to_lower(segment);
    if (segment == "." || segment == ".." || decoded_dots.find("%2e") != std::string::npos)
      return fail("mint URL has dot segments in its path");
    if (slash == std::string_view::npos) break;
    start = slash + 1;
  }
  return {};
}

}  // namespace

Result<std::string> normalise_mint_url(std::string_view url) {
  if (url.size() > kMintUrlBytesMax)
    return fail("mint URL is longer than " + std::to_string(kMintUrlBytesMax) + " bytes");
  constexpr std::string_view kNeverInUrls = "\\\"<>";
  const bool plain = std::ranges::all_of(url, [&](char c) {
    return c > ' ' && c <= '~' && kNeverInUrls.find(c) == std::string_view::npos;
  });
  if (!plain) return fail("mint URL has white space or other characters that are not allowed");
  const size_t scheme_end = url.find(kSchemeEnd);
  if (scheme_end == std::string_view::npos) return fail("mint URL has no scheme");
  const std::string scheme = to_lower(url.substr(0, scheme_end));
  if (scheme != "https" && scheme != "http") return fail("mint URL is neither https nor http");
  const std::string_view rest = url.substr(scheme_end + kSchemeEnd.size());
  if (rest.find_first_of("?#") != std::string_view::npos)
    return fail("mint URL has a query or a fragment");
  const size_t slash = rest.find('/');
  const std::string_view authority_text = rest.substr(0, slash);
  if (authority_text.find('@') != std::string_view::npos) return fail("mint URL has user info");
  const auto authority = parse_authority(authority_text);
  if (!authority) return std::unexpected(authority.error());
  if (scheme == "http" && !allows_plain_http(authority->host))
    return fail("mint URL must be https (http only for loopback and .onion)");
  const std::string_view path =
      slash == std::string_view::npos ? "" : without_trailing_slashes(rest.substr(slash));
  if (const auto ok = check_path(path); !ok) return std::unexpected(ok.error());
  std::string out = scheme + std::string(kSchemeEnd) + authority->host;
  const uint32_t default_port = scheme == "https" ? 443 : 80;
  if (authority->port && *authority->port != default_port)
    out += ":" + std::to_string(*authority->port);
  out += path;
  return out;
}

Result<std::string> existing_network_mint_url(std::string_view url) {
  const std::string_view stripped = without_trailing_slashes(url);
  const size_t scheme_end = stripped.find(kSchemeEnd);
  if (scheme_end == std::string_view::npos || scheme_end == 0)
    return fail("mint URL has no scheme");
  const std::string_view rest = stripped.substr(scheme_end + kSchemeEnd.size());
  const size_t slash = rest.find('/');
  const std::string host = to_lower(rest.substr(0, slash));
  if (host.empty()) return fail("mint URL has no host");
  std::string out = to_lower(stripped.substr(0, scheme_end)) + std::string(kSchemeEnd) + host;
  if (slash != std::string_view::npos) out += rest.substr(slash);
  return out;
}

bool is_mint_allowed(std::string_view url, std::span<const std::string> allowed) {
  const auto wanted = normalise_mint_url(url);
  if (!wanted) return false;
  return std::ranges::any_of(allowed, [&](const std::string& entry) {
    const auto normalised = normalise_mint_url(entry);
    return normalised && *normalised == *wanted;
  });
}

}  // namespace paygress::cashu
