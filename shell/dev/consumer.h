// What the demo and the end-to-end tests do as consumers: the client's commands and what their
// --json says, and the things that the client does not do (fetch a page, log in).
#pragma once

#include <boost/json/value.hpp>

#include <optional>
#include <string>

#include "core/base/units.h"
#include "shell/dev/market.h"

namespace paygress::dev {

// A bought workload.
struct Bought {
  std::string pod;       // "container-<n>"
  std::string provider;  // npub
  UnixSeconds expires_at;
  std::string host;
  std::optional<uint16_t> page_port;  // of the template's web page
  uint16_t ssh_port = 0;              // 0: nothing to log in to
  std::string ssh_user;
  std::string ssh_password;
};

// The commands, as argument lists of `paygress`.
std::vector<std::string> list_arguments();
std::vector<std::string> mint_arguments(const Market& market, uint64_t sats);
std::vector<std::string> spawn_arguments(const std::string& npub, uint64_t sats);
std::vector<std::string> spawn_set_arguments(const std::string& primary,
                                             const std::string& standbys, uint64_t sats);
std::vector<std::string> status_arguments(const Bought& bought);
std::vector<std::string> stop_arguments(const Bought& bought);
std::vector<std::string> topup_arguments(const Bought& bought, uint64_t sats);

// The first member of that name in document order, however deep; nothing when absent or null.
const boost::json::value* find_member(const boost::json::value& json, std::string_view name);
std::optional<std::string> text_member(const boost::json::value& json, std::string_view name);
std::optional<int64_t> number_member(const boost::json::value& json, std::string_view name);
// Of a number of Unix seconds.
std::optional<UnixSeconds> time_member(const boost::json::value& json, std::string_view name);

// From the answer to `spawn`, or to a `status`.
Result<Bought> read_bought(const boost::json::value& told, const std::string& npub);

inline constexpr Micros kFetchWithin = 5'000'000_us;
// The body of a 200 answer.
Result<std::string> fetch(const std::string& url, Micros limit = kFetchWithin);
std::string page_url(const Bought& bought);
// ssh with the lease's password, given to ssh where no `ps` shows it.
Result<Command> login(const Market& market, const Bought& bought, const std::string& remote);

}  // namespace paygress::dev
