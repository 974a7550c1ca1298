#include "sim/world/standby_buyer.h"

#include <algorithm>

#include "core/nostr/nip19.h"
#include "sim/world/provider_node.h"

namespace paygress::sim {
namespace {

constexpr Seconds kLookAgain{30};  // when the market does not show who is wanted
constexpr size_t kLooksMax = 10;
constexpr Seconds kWaits{240};     // for the word of one member
constexpr size_t kRepairsMax = 2;  // as shell/client/spawn_set.h
constexpr Seconds kToldWithin{400};
constexpr std::string_view kMarket = "market";
constexpr std::string_view kOfSet = "set-";

// From the end of a copy, or from when everything has healed, until another one must run: the
// silence, relays and claims that were broken off, and an engine's call that is given up.
Micros back_within(const failover::Profile& profile) {
  return {4 * profile.silence.value + 4 * profile.claim_ttl.value + 600'000'000};
}

}  // namespace

StandbyBuyer::StandbyBuyer(World& world, ConsumerNode& owner) : world_(world), owner_(owner) {}

void StandbyBuyer::start() {
  nostr::Filter beats;
  beats.kinds = {nostr::kind::kHeartbeat};
  owner_.subscribe(std::string(kMarket), {market::offers_filter(), beats});
}

// --- choosing ------------------------------------------------------------------------------------

void StandbyBuyer::buy(const Purchase& purchase) {
  if (purchase.stop_after > Micros{0})
    world_.queue().after(purchase.stop_after, [this, &purchase] { end(purchase); });
  look(purchase, 0);
}

void StandbyBuyer::look(const Purchase& purchase, size_t tries) {
  if (ended_.contains(&purchase)) return;
  std::vector<consumer::SetMember> members;
  if (choose(purchase, {}, members)) return begin(purchase, 0, {}, members);
  if (tries >= kLooksMax) return world_.mark("set not to be had", owner_.name());
  world_.queue().after(micros(kLookAgain), [this, &purchase, tries] { look(purchase, tries + 1); });
}

bool StandbyBuyer::choose(const Purchase& purchase, const std::set<PubKey>& refused,
                          std::vector<consumer::SetMember>& members) const {
  const auto listing = [&](uint32_t number) -> const consumer::Listing* {
    const auto found = directory_.find(world_.provider(number)->identity().key_hex);
    return found ? *found : nullptr;
  };
  consumer::SetMember primary{listing(purchase.provider), nullptr};
  if (primary.listing == nullptr) return false;
  for (const market::PodSpec& tier : primary.listing->offer.specs)
    if (tier.id == purchase.tier) primary.tier = &tier;
  if (primary.tier == nullptr) return false;
  members = {primary};
  for (NodeName standby : purchase.standby) {
    const consumer::Listing* other = listing(standby.number);
    const market::PodSpec* tier =
        other == nullptr ? nullptr : consumer::tier_for(*other, *primary.tier);
    if (tier == nullptr) return false;
    members.push_back({other, tier});
  }
  if (purchase.standbys == 0) return true;
  auto chosen = consumer::choose_standbys(directory_, primary, purchase.standbys, refused,
                                          world_.clock().wall);
  if (!chosen) return false;
  members.insert(members.end(), chosen->begin(), chosen->end());
  return true;
}

void StandbyBuyer::begin(const Purchase& purchase, size_t repairs, std::set<PubKey> refused,
                         const std::vector<consumer::SetMember>& members) {
  Set set{.purchase = &purchase,
          .repairs = repairs,
          .refused = std::move(refused),
          .workload_id = owner_.request_id().hex(),
          .members = {},
          .message = {},
          .parts = std::vector<std::optional<size_t>>(members.size()),
          .given_back = {},
          .stops = {},
          .view = {},
          .letters = {}};
  market::ReplicationMode mode{market::ReplicationKind::WarmStandby, {}};
  std::vector<PubKey> keys;
  for (const consumer::SetMember& member : members) {
    const PubKey& key = member.listing->key;
    for (const auto& provider : world_.providers())
      if (provider->identity().key == key)
        set.members.push_back({provider->name().number, key, member.tier->id});
    if (!keys.empty()) mode.standby_providers.push_back(nostr::to_npub(key));
    keys.push_back(key);
  }
  PG_CHECK(set.members.size() == members.size());
  set.message.primary_npub = nostr::to_npub(keys.front());
  set.message.replication = std::move(mode);
  set.message.workload_id = set.workload_id;
  set.message.relays = consumer::relay_set(members);
  set.view.emplace(set.workload_id, market::Members{keys});
  const size_t index = sets_.size();
  const std::vector<nostr::Filter> filters = {market::takeovers_filter(keys, set.workload_id),
                                              market::revocations_filter(keys, set.workload_id)};
  sets_.push_back(std::move(set));
  owner_.subscribe(std::string(kOfSet) + std::to_string(index), filters);
  ask_next(index);
}

// --- buying --------------------------------------------------------------------------------------

void StandbyBuyer::ask_next(size_t index) {
  Set& set = sets_[index];
  const size_t rank = ++set.asked % set.members.size();  // the primary last
  const Member& member = set.members[rank];
  const auto entity = static_cast<uint64_t>(set.purchase->at.value) ^ uint64_t {
    owner_.name().number
  } << 48 ^ uint64_t { set.repairs * 100 + rank } << 56;
  ConsumerNode::Order order = owner_.spawn_order(*set.purchase, member.number, entity);
  order.top_ups_left = 0;  // until all have confirmed
  order.patient = false;
  auto message = std::get<market::SpawnRequest>(order.request);
  message.pod_spec_id = member.tier;
  message.primary_npub = set.message.primary_npub;
  message.replication = set.message.replication;
  message.workload_id = set.message.workload_id;
  message.relays = set.message.relays;
  order.request = message;
  const size_t number = owner_.orders().size();
  set.parts[rank] = number;
  part_of_[number] = {index, rank};
  PG_CHECK(owner_.place(std::move(order)) == number);
  world_.queue().after(micros(kWaits), [this, index, number] {
    if (sets_[index].state != State::Asking || is_final(number)) return;
    world_.mark("set without a word", owner_.name());
    fail_set(index);
  });
}

bool StandbyBuyer::confirmed(size_t order) const {
  const auto& final = owner_.orders()[order].final;
  return final && std::holds_alternative<market::AccessDetails>(*final);
}

void StandbyBuyer::on_final(size_t order) {
  if (const auto part = part_of_.find(order); part != part_of_.end())
    return on_part(part->second.first, part->second.second);
  const ConsumerNode::Order& answered = owner_.orders()[order];
  if (const auto* top_up = std::get_if<market::TopUpRequest>(&answered.request);
      top_up != nullptr && top_up->pod_npub.starts_with("standby-slot-") &&
      std::holds_alternative<market::TopUpReply>(*answered.final))
    world_.mark("standby topped up", owner_.name());
  for (size_t i = 0; i < sets_.size(); ++i) {
    Set& set = sets_[i];
    if (set.stops.erase(order) == 0 || !set.stops.empty()) continue;
    if (set.state == State::Failed) world_.mark("half a set given back", owner_.name());
    if (set.state == State::Ending) end_holder(i);
    return;
  }
}

void StandbyBuyer::on_part(size_t index, size_t rank) {
  Set& set = sets_[index];
  const bool yes = confirmed(*set.parts[rank]);
  if (set.state == State::Failed || set.state == State::Ending) {
    if (yes) give_back(index, rank);  // its word came late
    return;
  }
  if (!yes) {
    fail_set(index);
    return repair(index, rank);
  }
  if (rank == 0) return built(index);
  ask_next(index);
}

void StandbyBuyer::fail_set(size_t index) {
  sets_[index].state = State::Failed;
  world_.mark("set not built", owner_.name());
  for (size_t rank = 0; rank < sets_[index].parts.size(); ++rank)
    if (const auto part = sets_[index].parts[rank]; part && confirmed(*part))
      give_back(index, rank);
}

// Who refused is left out, when the owner did not name it.
void StandbyBuyer::repair(size_t index, size_t rank) {
  const Set& failed = sets_[index];
  const Purchase& purchase = *failed.purchase;
  if (rank == 0 || purchase.standbys == 0 || failed.repairs >= kRepairsMax ||
      ended_.contains(&purchase))
    return;
  const size_t repairs = failed.repairs + 1;
  std::set<PubKey> refused = failed.refused;
  refused.insert(failed.members[rank].key);
  std::vector<consumer::SetMember> members;
  if (!choose(purchase, refused, members)) return;
  world_.mark("set repaired", owner_.name());
  begin(purchase, repairs, std::move(refused), members);
}

void StandbyBuyer::built(size_t index) {
  Set& set = sets_[index];
  set.state = State::Built;
  world_.mark("set built", owner_.name());
  const std::vector<std::optional<size_t>> parts = set.parts;
  for (const auto& part : parts) owner_.top_up_later(*part, set.purchase->top_ups);
}

// --- ending --------------------------------------------------------------------------------------

void StandbyBuyer::give_back(size_t index, size_t rank) {
  if (!sets_[index].given_back.insert(rank).second) return;
  const size_t order = owner_.stop(*sets_[index].parts[rank]);
  sets_[index].stops.insert(order);
}

// The holder last: until then there is somebody to run it.
void StandbyBuyer::end(const Purchase& purchase) {
  ended_.insert(&purchase);
  for (size_t i = 0; i < sets_.size(); ++i) {
    if (sets_[i].purchase != &purchase) continue;
    if (sets_[i].state == State::Asking) fail_set(i);
    if (sets_[i].state != State::Built) continue;
    sets_[i].state = State::Ending;
    world_.mark("set ended", owner_.name());
    const auto holder = holder_rank(sets_[i]);
    for (size_t rank = 0; rank < sets_[i].members.size(); ++rank)
      if (rank != holder) give_back(i, rank);
    world_.queue().after(micros(kWaits), [this, i] { end_holder(i); });
  }
}

void StandbyBuyer::end_holder(size_t index) {
  for (size_t rank = 0; rank < sets_[index].members.size(); ++rank) give_back(index, rank);
}

std::optional<size_t> StandbyBuyer::holder_rank(const Set& set) const {
  const auto holder = set.view->holder().key;
  for (size_t rank = 0; rank < set.members.size(); ++rank)
    if (set.members[rank].key == holder) return rank;
  return std::nullopt;
}

// --- what is heard -------------------------------------------------------------------------------

bool StandbyBuyer::hear(const nostr::pool::Delivered& delivered, const std::string& relay) {
  if (delivered.subscription == kMarket) {
    directory_.add(delivered.event, relay);
    return true;
  }
  if (!delivered.subscription.starts_with(kOfSet)) return false;
  for (Set& set : sets_) set.view->add(delivered.event);
  return true;
}

bool StandbyBuyer::on_notice(const PubKey& from, const market::Reply& reply) {
  if (std::holds_alternative<market::StatusReply>(reply)) {  // of one that is fenced, or superseded
    world_.mark("warning delivered", owner_.name());
    return true;
  }
  const auto* access = std::get_if<market::AccessDetails>(&reply);
  if (access == nullptr || !access->epoch) return false;
  for (Set& set : sets_) {
    const bool member =
        std::ranges::any_of(set.members, [&](const Member& m) { return m.key == from; });
    if (!member || access->workload_id != set.workload_id) continue;
    world_.mark("notice delivered", owner_.name());
    const auto known = set.letters.find(from);
    if (known == set.letters.end() || known->second.epoch < access->epoch)
      set.letters.insert_or_assign(from, *access);
  }
  return true;
}

// --- at rest -------------------------------------------------------------------------------------

void StandbyBuyer::audit_rest() const {
  for (const Set& set : sets_)
    if (set.state == State::Built) audit(set);
}

// Paid and kept there, and somebody has started it once.
bool StandbyBuyer::can_run(const Set& set, const Member& member) const {
  const ProviderNode& provider = *world_.provider(member.number);
  if (!provider.answers() || world_.frozen(provider.name())) return false;
  const auto lease = provider.core()->failover().lease_of(set.workload_id);
  return lease && provider.core()->failover().serves(*lease) &&
         provider.core()->failover().phase(*lease) != failover::Phase::Unarmed;
}

// In words: whether it may run there, and what fail-over does.
std::string StandbyBuyer::state_of(const Set& set, const Member& member) const {
  const ProviderNode& provider = *world_.provider(member.number);
  std::string text = to_text(provider.name()) + (can_run(set, member) ? " can," : " cannot,");
  if (!provider.up()) return text + " is down";
  const auto lease = provider.core()->failover().lease_of(set.workload_id);
  const auto status = lease ? provider.core()->failover().status(*lease) : std::nullopt;
  if (!status) return text + " has left";
  text += " " + std::string(failover::to_text(status->phase)) + " at epoch " +
          std::to_string(status->epoch);
  return status->holder ? text + ", held by " + status->holder->hex().substr(0, 8) : text;
}

void StandbyBuyer::audit(const Set& set) const {
  const std::string who = to_text(owner_.name()) + "'s " + set.workload_id;
  const Micros now = world_.queue().now();
  for (size_t rank = 0; rank < set.members.size(); ++rank) {
    const ProviderNode& provider = *world_.provider(set.members[rank].number);
    if (provider.executing(set.workload_id) == nullptr) continue;
    if (!world_.frozen(provider.name()) &&
        now - world_.changed_at(set.workload_id) > micros(kToldWithin))
      audit_told(set, rank);
    return;
  }
  if (std::ranges::none_of(set.members, [&](const Member& m) { return can_run(set, m); })) return;
  const Micros since = std::max(world_.changed_at(set.workload_id), world_.healed_at());
  if (now - since <= back_within(world_.provider(set.purchase->provider)->settings().profile))
    return;
  std::string members;
  for (const Member& member : set.members) members += "; " + state_of(set, member);
  world_.violate("no-copy", who + " runs nowhere" + members);
}

// As `paygress status` finds the way in: who holds it, and what that one wrote of this epoch, or
// answered the purchase.
void StandbyBuyer::audit_told(const Set& set, size_t rank) const {
  const Member& member = set.members[rank];
  const std::string where =
      set.workload_id + " runs at " + to_text(NodeName{Role::Provider, member.number});
  const consumer::Holder holder = set.view->holder();
  if (holder.key != member.key)
    return world_.violate("untold", where + ", and the promotions that " + to_text(owner_.name()) +
                                        " reads say otherwise");
  const market::AccessDetails* way = nullptr;
  const auto letter = set.letters.find(member.key);
  if (letter != set.letters.end() && letter->second.epoch >= holder.epoch) way = &letter->second;
  if (holder.epoch == 0)
    way = std::get_if<market::AccessDetails>(&*owner_.orders()[*set.parts[rank]].final);
  const workload::Spec& spec = *world_.provider(member.number)->executing(set.workload_id);
  if (way == nullptr)
    return world_.violate("untold",
                          where + ", and nobody told " + to_text(owner_.name()) + " the way in");
  if (way->node_port != spec.ssh_host_port || way->ssh_password != spec.root_password)
    world_.violate("untold", where + ", and " + to_text(owner_.name()) + " was told another way");
}

}  // namespace paygress::sim
