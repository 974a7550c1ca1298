#include <charconv>

#include "shell/net/websocket.h"

namespace paygress::net {
namespace {

struct Scheme {
  std::string_view name;
  bool secure;
  uint16_t port;
};
constexpr Scheme kSchemes[] = {
    {"wss://", true, 443}, {"ws://", false, 80}, {"https://", true, 443}, {"http://", false, 80}};

bool printable(std::string_view text) {
  for (char c : text)
    if (c <= ' ' || c == 0x7f || static_cast<unsigned char>(c) >= 0x80) return false;
  return true;
}

}  // namespace

Result<Url> parse_url(std::string_view url) {
  if (!printable(url)) return fail("a URL with white space or characters beyond ASCII");
  for (const Scheme& scheme : kSchemes) {
    if (!url.starts_with(scheme.name)) continue;
    std::string_view rest = url.substr(scheme.name.size());
    if (rest.find('#') != std::string_view::npos) return fail("a URL with a fragment");
    const size_t slash = rest.find_first_of("/?");
    std::string_view authority = rest.substr(0, slash);
    std::string target(slash == std::string_view::npos ? "" : rest.substr(slash));
    if (!target.starts_with('/')) target.insert(0, "/");
    if (authority.find('@') != std::string_view::npos) return fail("a URL with a user name");
    Url parsed{scheme.secure, {}, scheme.port, std::move(target)};
    if (authority.starts_with('[')) {
      const size_t end = authority.find(']');
      if (end == std::string_view::npos) return fail("a URL with an unclosed bracket");
      parsed.host = authority.substr(1, end - 1);
      authority.remove_prefix(end + 1);
    } else {
      const size_t colon = authority.find(':');
      parsed.host = authority.substr(0, colon);
      authority.remove_prefix(colon == std::string_view::npos ? authority.size() : colon);
    }
    if (parsed.host.empty()) return fail("a URL without a host");
    if (authority.empty()) return parsed;
    const char* begin = authority.data() + 1;
    const char* end = authority.data() + authority.size();
    const auto [stop, error] = std::from_chars(begin, end, parsed.port);
    if (authority.front() != ':' || error != std::errc{} || stop != end || parsed.port == 0)
      return fail("a URL with a bad port");
    return parsed;
  }
  return fail("not a ws, wss, http or https URL");
}

}  // namespace paygress::net
