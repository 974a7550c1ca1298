#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "core/market/template.h"
#include "core/nostr/nip19.h"
#include "shell/base/clock.h"
#include "shell/client/market_view.h"
#include "shell/client/terminal.h"

namespace paygress::client {
namespace {

namespace json = boost::json;
using consumer::Listing;

struct ListOptions {
  bool online_only = false;
};

// "50 msat/s (180 sat/h)"
std::string price_text(uint64_t rate) {
  const uint64_t per_hour = rate > UINT64_MAX / 3600 ? UINT64_MAX : rate * 3600;
  const uint64_t tenths = per_hour / 100 % 10;
  return fmt::format("{} msat/s ({}{} sat/h)", rate, per_hour / 1000,
                     tenths == 0 ? "" : fmt::format(".{}", tenths));
}

template <class Items>
std::string joined(const Items& items) {
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "" : ",") + item;
  return text.empty() ? "-" : text;
}

std::string online_text(const Listing& listing, UnixSeconds now) {
  if (!listing.heartbeat) return "no";
  const int64_t age = std::max<int64_t>(0, (now - listing.heartbeat->timestamp).value);
  return listing.online(now) ? "yes" : fmt::format("no ({} s)", age);
}

std::string mint_host(const std::string& url) {
  const size_t begin = url.find("://");
  return begin == std::string::npos ? url : url.substr(begin + 3);
}

json::object listing_json(const Listing& listing, UnixSeconds now) {
  json::array tiers;
  for (const auto& tier : listing.offer.specs)
    tiers.push_back(json::object{{"id", tier.id},
                                 {"name", tier.name},
                                 {"description", tier.description},
                                 {"cpu_millicores", tier.cpu_millicores},
                                 {"memory_mb", tier.memory_mb},
                                 {"rate_msats_per_sec", tier.rate_msats_per_sec}});
  json::object out{{"id", listing.key.hex()},
                   {"npub", nostr::to_npub(listing.key)},
                   {"name", listing.offer.hostname},
                   {"location", nullptr},
                   {"isolation_level", market::to_text(listing.offer.isolation_level)},
                   {"cheapest_msats_per_sec", nullptr},
                   {"tiers", std::move(tiers)},
                   {"mints", json::array(listing.offer.whitelisted_mints.begin(),
                                         listing.offer.whitelisted_mints.end())},
                   {"capabilities", json::array(listing.offer.capabilities.begin(),
                                                listing.offer.capabilities.end())},
                   {"online", listing.online(now)},
                   {"last_heartbeat", nullptr},
                   {"published", listing.published.value},
                   {"relays", json::array(listing.seen_on.begin(), listing.seen_on.end())}};
  if (listing.offer.location) out["location"] = *listing.offer.location;
  if (const auto* tier = listing.cheapest())
    out["cheapest_msats_per_sec"] = tier->rate_msats_per_sec;
  if (listing.heartbeat) out["last_heartbeat"] = listing.heartbeat->timestamp.value;
  return out;
}

std::vector<std::string> listing_row(const consumer::Directory& directory, const Listing& listing,
                                     UnixSeconds now) {
  std::vector<std::string> tiers;
  for (const auto& tier : listing.offer.specs) tiers.push_back(tier.id);
  std::vector<std::string> mints;
  for (const auto& mint : listing.offer.whitelisted_mints) mints.push_back(mint_host(mint));
  return {directory.short_id(listing.key),
          listing.offer.hostname,
          listing.offer.location.value_or("-"),
          listing.cheapest() ? price_text(listing.cheapest()->rate_msats_per_sec) : "-",
          joined(tiers),
          joined(mints),
          std::string(market::to_text(listing.offer.isolation_level)),
          online_text(listing, now)};
}

Outcome<void> list(const Options& options, const ListOptions& wanted) {
  auto identity = load_identity(options.home);
  if (!identity) return std::unexpected(identity.error());
  auto relays = options.relays();
  if (!relays) return std::unexpected(relays.error());
  net::Loop loop;
  auto directory = read_market(loop, *relays, identity->key);
  if (!directory) return std::unexpected(directory.error());
  const UnixSeconds now = shell::now().wall;
  json::array array;
  std::vector<std::vector<std::string>> rows{
      {"ID", "NAME", "LOCATION", "CHEAPEST", "TIERS", "MINTS", "ISOLATION", "ONLINE"}};
  for (const Listing* listing : directory->by_price()) {
    if (wanted.online_only && !listing->online(now)) continue;
    array.push_back(listing_json(*listing, now));
    rows.push_back(listing_row(*directory, *listing, now));
  }
  if (options.json)
    print_json(array);
  else
    print_table(rows);
  if (array.empty() && !options.json) note("no provider offers anything on these relays");
  return {};
}

}  // namespace

void add_list_command(CLI::App& app, const Options& options, int& exit_code) {
  auto* command = app.add_subcommand("list", "Show the providers and what they sell");
  auto wanted = std::make_shared<ListOptions>();
  command->add_flag("--online-only", wanted->online_only,
                    "Leave out providers without a heartbeat in the last 120 s");
  command->footer("Example:\n  paygress list --online-only\n  paygress list --json");
  command->callback([&options, &exit_code, wanted] {
    if (auto done = list(options, *wanted); !done) exit_code = report(done.error(), options.json);
  });
}

}  // namespace paygress::client
