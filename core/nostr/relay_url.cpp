#include "core/nostr/relay_url.h"

#include <algorithm>
#include <array>
#include <optional>

#include "core/base/bytes.h"
#include "core/base/check.h"

namespace paygress::nostr {
namespace {

bool all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == text.npos;
}

// At most 65535, without leading zeros; nothing when it is no such number.
std::optional<uint32_t> small_number(std::string_view digits) {
  if (!all_digits(digits) || digits.size() > 5 || (digits.size() > 1 && digits[0] == '0'))
    return std::nullopt;
  uint32_t value = 0;
  for (const char c : digits) value = value * 10 + static_cast<uint32_t>(c - '0');
  if (value > 65'535) return std::nullopt;
  return value;
}

using Ipv4 = std::array<uint32_t, 4>;

std::optional<Ipv4> ipv4_of(std::string_view host) {
  Ipv4 parts{};
  for (size_t i = 0; i < parts.size(); ++i) {
    const size_t dot = host.find('.');
    if ((dot == host.npos) != (i == 3)) return std::nullopt;
    const auto part = small_number(host.substr(0, dot));
    if (!part || *part > 255) return std::nullopt;
    parts[i] = *part;
    if (i < 3) host.remove_prefix(dot + 1);
  }
  return parts;
}

// WHATWG URL, "ends in a number": what inet_aton might take for an address.
bool ends_in_a_number(std::string_view host) {
  const std::string_view last = host.substr(host.rfind('.') + 1);
  return all_digits(last) || last.starts_with("0x");
}

struct Place {
  std::string_view host;  // an IPv6 address with its brackets
  std::string_view port;  // empty: none
};

Result<Place> place_of(std::string_view authority) {
  const size_t bracket = authority.starts_with('[') ? authority.find(']') : 0;
  if (bracket == authority.npos) return fail("an IPv6 address without its ']'");
  const size_t colon = authority.find(':', bracket);
  Place place{authority.substr(0, colon), {}};
  if (colon != authority.npos) {
    place.port = authority.substr(colon + 1);
    const auto port = small_number(place.port);
    if (!port || *port == 0) return fail("its port is no number from 1 to 65535");
  }
  if (bracket != 0) {
    if (place.host.size() != bracket + 1) return fail("its host is no address");
    if (bracket < 3 || place.host.substr(1, bracket - 1).find_first_not_of("0123456789abcdef:.") !=
                           place.host.npos)
      return fail("its host is no IPv6 address");
    return place;
  }
  constexpr std::string_view kHostLetters = "abcdefghijklmnopqrstuvwxyz0123456789.-_";
  if (place.host.empty() || place.host.find_first_not_of(kHostLetters) != place.host.npos ||
      place.host.starts_with('.') || place.host.ends_with('.') ||
      place.host.find("..") != place.host.npos)
    return fail("its host is no name or address");
  if (ends_in_a_number(place.host) && !ipv4_of(place.host))
    return fail("its host is no IPv4 address in the usual form");
  return place;
}

bool is_public_ipv4(const Ipv4& a) {
  if (a[0] == 0 || a[0] == 10 || a[0] == 127 || a[0] >= 224) return false;
  if (a[0] == 100 && a[1] >= 64 && a[1] < 128) return false;  // RFC 6598
  if (a[0] == 169 && a[1] == 254) return false;
  if (a[0] == 172 && a[1] >= 16 && a[1] < 32) return false;
  return a[0] != 192 || a[1] != 168;
}

bool ends_with_label(std::string_view host, std::string_view label) {
  return host == label || (host.ends_with(label) && host[host.size() - label.size() - 1] == '.');
}

}  // namespace

Result<std::string> canonical_relay_url(std::string_view text) {
  if (text.size() > kRelayUrlBytesMax)
    return fail("is longer than " + std::to_string(kRelayUrlBytesMax) + " bytes");
  const auto odd = [](char c) {
    return static_cast<uint8_t>(c) <= 0x20 || static_cast<uint8_t>(c) >= 0x7f || c == '\\';
  };
  if (std::any_of(text.begin(), text.end(), odd)) return fail("has a character that no URL has");
  const size_t separator = text.find("://");
  const std::string scheme = to_lower(text.substr(0, separator));
  if (separator == text.npos || (scheme != "ws" && scheme != "wss"))
    return fail("its scheme must be wss or ws");
  const std::string_view rest = text.substr(separator + 3);
  if (rest.find_first_of("?#@") != rest.npos)
    return fail("must not have credentials, a query or a fragment");
  const size_t slash = rest.find('/');
  const std::string authority = to_lower(rest.substr(0, slash));
  const auto place = place_of(authority);
  if (!place) return std::unexpected(place.error());
  std::string url = scheme + "://" + std::string(place->host);
  if (!place->port.empty() && place->port != (scheme == "wss" ? "443" : "80"))
    url += ":" + std::string(place->port);
  if (slash != rest.npos) url += rest.substr(slash);
  while (url.ends_with('/')) url.pop_back();
  return url;
}

bool is_public_relay(std::string_view canonical) {
  const size_t separator = canonical.find("://");
  PG_CHECK(separator != canonical.npos);
  const std::string_view rest = canonical.substr(separator + 3);
  const auto place = place_of(rest.substr(0, rest.find('/')));
  PG_CHECK(place.has_value());
  const std::string_view host = place->host;
  // Global unicast is 2000::/3; what embeds an IPv4 address lies elsewhere, or is 6to4 or NAT64.
  if (host.starts_with('['))
    return (host[1] == '2' || host[1] == '3') && host.find(':') == 5 && !host.starts_with("[2002:");
  if (const auto address = ipv4_of(host)) return is_public_ipv4(*address);
  if (host.find('.') == host.npos) return false;
  for (const std::string_view label : {"localhost", "local", "internal", "lan", "home.arpa"})
    if (ends_with_label(host, label)) return false;
  return true;
}

}  // namespace paygress::nostr
