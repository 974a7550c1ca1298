#include "shell/client/market_view.h"

#include "shell/base/clock.h"
#include "shell/client/relay_client.h"
#include "shell/client/terminal.h"

namespace paygress::client {
namespace {

constexpr Micros kDetailTimeout = micros(Seconds{4});

}  // namespace

Outcome<consumer::Directory> read_market(net::Loop& loop, const std::vector<std::string>& relays,
                                         const crypto::Keypair& key) {
  consumer::Directory directory;
  RelayClient::Events events;
  events.on_event = [&](const std::string& relay, const nostr::VerifiedEvent& event) {
    directory.add(event, relay);
  };
  progress("asking the relays");
  RelayClient client(loop, relays, key, std::move(events));
  const size_t answered = client.fetch("offers", {market::offers_filter()}, kListTimeout);
  if (answered == 0 && directory.size() == 0)
    return failure(ExitCode::Failed, "no relay answered: " + client.problems(), kNoRelayAdvice);
  const auto keys = directory.keys();
  // Relays refuse filters with very many authors.
  constexpr size_t kAuthorsPerQuery = 200;
  for (size_t begin = 0; begin < keys.size(); begin += kAuthorsPerQuery) {
    const size_t end = std::min(keys.size(), begin + kAuthorsPerQuery);
    const std::vector<PubKey> some(keys.begin() + static_cast<std::ptrdiff_t>(begin),
                                   keys.begin() + static_cast<std::ptrdiff_t>(end));
    const UnixSeconds since = shell::now().wall - consumer::kHeartbeatWindow;
    nostr::Filter inboxes;
    inboxes.kinds = {nostr::kind::kInboxRelays};
    inboxes.authors = some;
    client.fetch("detail", {market::heartbeats_filter(some, since), inboxes}, kDetailTimeout);
  }
  end_progress();
  return directory;
}

}  // namespace paygress::client
