#include "shell/client/set_view.h"

#include <algorithm>
#include <utility>

#include "core/market/messages.h"
#include "core/nostr/nip59.h"
#include "shell/client/lease_view.h"
#include "shell/client/relay_client.h"
#include "shell/client/terminal.h"

namespace paygress::client {
namespace {

constexpr std::string_view kFenced = "fenced";  // every member writes such a letter
constexpr Micros kLookTimeout = micros(Seconds{4});
// A wrap is dated up to two days before it was made (NIP-59).
constexpr Seconds kWrapDatedBack{2 * 86'400};

std::optional<market::SpawnRequest> spawn_of(const consumer::WalletState& state,
                                             const consumer::LeaseSeen& lease) {
  const auto made = state.requests().find(lease.request);
  if (made == state.requests().end()) return std::nullopt;
  const auto request = market::parse_request(made->second.made.json);
  if (!request) return std::nullopt;
  const auto* spawn = std::get_if<market::SpawnRequest>(&*request);
  if (spawn == nullptr || !market::is_warm_standby(*spawn) || !spawn->workload_id)
    return std::nullopt;
  return *spawn;
}

std::optional<market::AccessDetails> access_of(const consumer::WalletState& state,
                                               const market::RequestId& request) {
  const auto made = state.requests().find(request);
  if (made == state.requests().end() || !made->second.answered) return std::nullopt;
  const auto reply = market::parse_reply(made->second.answered->json);
  if (!reply) return std::nullopt;
  const auto* access = std::get_if<market::AccessDetails>(&*reply);
  return access == nullptr ? std::nullopt : std::optional(*access);
}

// What one provider wrote of the workload; the highest epoch counts.
using Letters = std::map<PubKey, market::AccessDetails>;

void read_letter(const nostr::VerifiedEvent& event, const Identity& identity,
                 nostr::ConversationKeys& keys, const std::string& workload, Letters& letters) {
  const auto inner = nostr::unwrap(event, identity.key, &keys);
  if (!inner || inner->kind != nostr::kind::kPrivateMessage) return;
  const auto reply = market::parse_reply(inner->content);
  if (!reply) return;
  const auto* access = std::get_if<market::AccessDetails>(&*reply);
  if (access == nullptr || access->workload_id != workload || !access->epoch) return;
  const auto known = letters.find(inner->sender);
  if (known == letters.end() || known->second.epoch < access->epoch)
    letters.insert_or_assign(inner->sender, *access);
}

void take_over(consumer::LeaseSeen& lease, const market::AccessDetails& letter) {
  lease.pod = letter.pod_npub;
  lease.host = letter.host_address;
  lease.ssh_port = letter.node_port;
  lease.username = letter.ssh_username.value_or("root");
  lease.password = password_of(letter);
  lease.expires_at = letter.expires_at.at;
}

}  // namespace

std::optional<SetSeen> look_at_set(net::Loop& loop, const Identity& identity,
                                   const consumer::WalletState& state,
                                   const consumer::LeaseSeen& lease) {
  const auto spawn = spawn_of(state, lease);
  if (!spawn) return std::nullopt;
  const auto members = market::members_of(*spawn);
  if (!members) return std::nullopt;
  consumer::HolderView view(*spawn->workload_id, *members);
  Letters letters;
  nostr::ConversationKeys keys;
  std::vector<std::string> urls = spawn->relays.value_or(lease.relays);
  for (const std::string& url : lease.relays)
    if (std::ranges::find(urls, url) == urls.end()) urls.push_back(url);
  RelayClient::Events events;
  events.on_event = [&](const std::string&, const nostr::VerifiedEvent& event) {
    if (event->kind == nostr::kind::kGiftWrap)
      read_letter(event, identity, keys, *spawn->workload_id, letters);
    else
      view.add(event);
  };
  RelayClient relays(loop, std::move(urls), identity.key, std::move(events));
  SetSeen seen;
  seen.workload_id = *spawn->workload_id;
  nostr::Filter inbox;
  inbox.kinds = {nostr::kind::kGiftWrap};
  inbox.tags["p"] = {identity.key.public_key().hex()};
  inbox.since = lease.at - kWrapDatedBack;
  progress("asking who holds it");
  relays.fetch("set",
               {market::takeovers_filter(members->keys, seen.workload_id),
                market::revocations_filter(members->keys, seen.workload_id), inbox},
               kLookTimeout);
  end_progress();
  seen.holder = view.holder();
  if (const auto access = access_of(state, lease.request))
    seen.guarantee = access->guarantee.value_or("");
  for (const auto& [key, part] : state.leases()) {
    const auto of = spawn_of(state, part);
    if (of && of->workload_id == spawn->workload_id) seen.parts.push_back(part);
  }
  if (!seen.holder.key) return seen;
  seen.holder_name = seen.holder.key->hex().substr(0, 16);
  for (const consumer::LeaseSeen& part : seen.parts) {
    if (part.provider != *seen.holder.key) continue;
    seen.holder_name = part.provider_name;
    seen.at_holder = part;
  }
  const auto letter = letters.find(*seen.holder.key);
  if (!seen.at_holder) return seen;
  if (letter != letters.end() && letter->second.epoch >= seen.holder.epoch)
    take_over(*seen.at_holder, letter->second);
  else if (seen.holder.epoch > 0 && seen.guarantee == kFenced)
    seen.at_holder->password.clear();  // of the reservation: the new copy has another
  return seen;
}

}  // namespace paygress::client
