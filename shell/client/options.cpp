#include "shell/client/options.h"

#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "shell/net/websocket.h"

namespace paygress::client {
namespace {

constexpr const char* kDefaultRelays = "wss://relay.damus.io,wss://nos.lol,wss://relay.primal.net";

std::string environment(const char* name) {
  const char* value = getenv(name);
  return value == nullptr ? "" : value;
}

std::string default_home() {
  if (auto home = environment("PAYGRESS_HOME"); !home.empty()) return home;
  if (auto home = environment("HOME"); !home.empty()) return home + "/.paygress";
  const passwd* user = getpwuid(getuid());
  return user == nullptr ? ".paygress" : std::string(user->pw_dir) + "/.paygress";
}

}  // namespace

std::vector<std::string> split_csv(const std::string& csv) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= csv.size();) {
    const size_t end = std::min(csv.find(',', begin), csv.size());
    if (end > begin) parts.push_back(csv.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

Outcome<std::vector<std::string>> Options::relays() const {
  const auto urls = split_csv(relays_csv.empty() ? kDefaultRelays : relays_csv);
  if (urls.empty()) return failure(ExitCode::Usage, "--relays: no relay is named");
  for (const std::string& url : urls) {
    const auto parsed = net::parse_url(url);
    if (!parsed || !url.starts_with("ws"))
      return failure(ExitCode::Usage, "--relays: not a relay address: " + url,
                     "Relays are written ws://host:port or wss://host, parted by commas.");
  }
  return urls;
}

void add_global_options(CLI::App& app, Options& options) {
  options.home = default_home();
  options.relays_csv = environment("PAYGRESS_RELAYS");
  app.add_option("--relays", options.relays_csv, "Relays, parted by commas (or PAYGRESS_RELAYS)");
  app.add_option("--home", options.home, "Folder of identity and wallet (or PAYGRESS_HOME)")
      ->capture_default_str();
  app.add_flag("--json", options.json, "Print JSON with a stable shape");
  app.add_option("--transport", options.transport,
                 "How requests travel: nip17, or nip04 for providers of the old kind")
      ->check(CLI::IsMember({"nip17", "nip04"}))
      ->capture_default_str();
  app.add_flag("-v,--verbose", options.verbose, "Say more on stderr");
}

}  // namespace paygress::client
