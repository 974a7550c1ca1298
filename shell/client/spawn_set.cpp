#include "shell/client/spawn_set.h"

#include <fmt/core.h>

#include <optional>
#include <set>
#include <utility>

#include "core/nostr/nip19.h"
#include "shell/base/clock.h"
#include "shell/client/lease_view.h"
#include "shell/client/terminal.h"

namespace paygress::client {
namespace {

using consumer::SetMember;

// One attempt with one list of members, which stands in every request.
class Attempt {
 public:
  Attempt(Session& session, const consumer::Directory& directory, const SetOrder& order,
          std::vector<SetMember> members)
      : session_(session),
        directory_(directory),
        order_(order),
        members_(std::move(members)),
        message_(order.message) {
    market::ReplicationMode mode{market::ReplicationKind::WarmStandby, {}};
    for (size_t i = 1; i < members_.size(); ++i)
      mode.standby_providers.push_back(nostr::to_npub(members_[i].listing->key));
    message_.replication = std::move(mode);
    message_.primary_npub = nostr::to_npub(members_.front().listing->key);
    message_.workload_id = fresh_request_id().hex();
    message_.relays = consumer::relay_set(members_);
  }

  // On failure `refused` is who did not confirm.
  Outcome<SpawnedSet> run(std::optional<PubKey>& refused) {
    std::vector<std::optional<SetPart>> parts(members_.size());
    for (size_t asked = 1; asked <= members_.size(); ++asked) {
      const size_t rank = asked % members_.size();  // the primary last
      auto part = ask(members_[rank], rank);
      if (!part) {
        refused = members_[rank].listing->key;
        give_back(parts);
        Failure why = part.error();
        why.message = members_[rank].listing->offer.hostname + ": " + why.message;
        return std::unexpected(why);
      }
      parts[rank] = *std::move(part);
    }
    SpawnedSet set;
    for (auto& part : parts) set.parts.push_back(*std::move(part));
    set.workload_id = *message_.workload_id;
    set.guarantee = consumer::guarantee_of(members_);
    return set;
  }

 private:
  Outcome<SetPart> ask(const SetMember& member, size_t rank) {
    const consumer::Listing& listing = *member.listing;
    progress(fmt::format("{} {}", rank == 0 ? "renting at" : "reserving at",
                         printable(listing.offer.hostname)));
    SetPart part;
    part.terms.tier = member.tier->id;
    part.terms.rate_msats_per_sec = member.tier->rate_msats_per_sec;
    part.terms.mints = normalised(listing.offer.whitelisted_mints);
    // Made only now: who was asked before may have refused, and then this one is not needed.
    auto token =
        payment_token(session_, part.terms.mints, part.terms.rate_msats_per_sec, order_.payment);
    if (!token) return std::unexpected(token.error());
    part.request.request = fresh_request_id();
    part.request.provider = listing.key;
    part.request.provider_name = listing.offer.hostname;
    part.request.transport = order_.transport;
    part.request.relays = directory_.write_relays(listing);
    part.request.token = *token;
    part.request.at = shell::now().wall;
    market::SpawnRequest message = message_;
    message.pod_spec_id = member.tier->id;
    message.cashu_token = session_.purse.text_of(*token);
    message.request_id = part.request.request;
    part.request.json = market::to_json(market::Request{message});
    if (auto ok = session_.file->commit({part.request}); !ok) return std::unexpected(ok.error());
    auto reply = ask_provider(session_, part.request, Seconds{order_.payment.timeout_seconds},
                              "paygress spawn --resume " + part.request.request.hex());
    if (!reply) return std::unexpected(reply.error());
    const auto* access = std::get_if<market::AccessDetails>(&*reply);
    if (access == nullptr) return failure(ExitCode::Failed, "the answer is no access");
    part.access = *access;
    return part;
  }

  void give_back(const std::vector<std::optional<SetPart>>& parts) {
    for (const auto& part : parts)
      if (part) give_back(*part);
  }

  void give_back(const SetPart& part) {
    consumer::RequestMade request = part.request;
    request.request = fresh_request_id();
    request.token = 0;
    request.at = shell::now().wall;
    request.json = market::to_json(
        market::Request{market::StopRequest{part.access.pod_npub, request.request}});
    auto stopped = session_.file->commit({request});
    if (stopped) {
      auto reply = ask_provider(session_, request, Seconds{order_.payment.timeout_seconds}, {});
      if (!reply) stopped = std::unexpected(reply.error());
    }
    const std::string name = printable(part.request.provider_name);
    if (stopped)
      note(name + ": given back; what was not used is refunded");
    else
      note(
          fmt::format("{}: could not be given back ({}); its token is taken, and it ends by "
                      "itself when that is used up. Try again: paygress stop {} --provider {}",
                      name, printable(stopped.error().message), part.access.pod_npub,
                      provider_id(session_.file->state(), part.request.provider)));
    // So that `stop` and `topup` know it.
    consumer::LeaseSeen lease = part.terms;
    lease.pod = part.access.pod_npub;
    lease.provider = part.request.provider;
    lease.provider_name = part.request.provider_name;
    lease.request = part.request.request;
    lease.relays = part.request.relays;
    lease.transport = part.request.transport;
    lease.at = shell::now().wall;
    lease.expires_at = stopped ? lease.at : part.access.expires_at.at;
    if (auto ok = session_.file->commit({lease}); !ok) note(printable(ok.error().message));
  }

  Session& session_;
  const consumer::Directory& directory_;
  const SetOrder& order_;
  std::vector<SetMember> members_;
  market::SpawnRequest message_;
};

}  // namespace

Outcome<SpawnedSet> spawn_set(Session& session, const consumer::Directory& directory,
                              const SetOrder& order) {
  std::set<PubKey> refused;
  for (size_t repairs = 0;; ++repairs) {
    std::vector<SetMember> members = order.named;
    if (members.empty()) {
      auto chosen = consumer::choose_standbys(directory, order.primary, order.count, refused,
                                              shell::now().wall);
      if (!chosen) return failure(ExitCode::NotFound, chosen.error());
      members = *std::move(chosen);
    }
    members.insert(members.begin(), order.primary);
    std::optional<PubKey> who;
    auto set = Attempt(session, directory, order, std::move(members)).run(who);
    if (set) return set;
    const bool replaceable = set.error().code == ExitCode::Refused && order.named.empty() &&
                             who != order.primary.listing->key && repairs < kRepairsMax;
    if (replaceable) refused.insert(*who);
    const bool others =
        replaceable &&
        consumer::choose_standbys(directory, order.primary, order.count, refused, shell::now().wall)
            .has_value();
    if (!others) return set;
    note(printable(set.error().message) + "; another standby is tried. " +
         printable(set.error().advice));
  }
}

}  // namespace paygress::client
