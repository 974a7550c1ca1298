#include "sim/world/consumer_node.h"

#include "core/cashu/token.h"
#include "sim/world/fault_schedule.h"
#include "sim/world/provider_node.h"
#include "sim/world/refunds_in.h"
#include "sim/world/standby_buyer.h"
#include "sim/world/strangers.h"

namespace paygress::sim {
namespace {

constexpr Seconds kAskAgain{40};
constexpr size_t kAsksSoon = 20;  // then less often
constexpr Seconds kAskLater{200};
constexpr uint64_t kNumber = 10'000;  // keys of consumers begin here
constexpr size_t kStopsMax = 5;
constexpr int64_t kTopUpWithin = 100'000'000;

bool is_interim(const market::Reply& reply) {
  const auto* error = std::get_if<market::ErrorReply>(&reply);
  return error != nullptr && error->interim.value_or(false);
}

std::vector<nostr::RelayConfig> relays_of(const World& world) {
  std::vector<nostr::RelayConfig> configs;
  for (const std::string& url : world.relay_urls()) configs.push_back({url, std::nullopt});
  return configs;
}

}  // namespace

ConsumerNode::ConsumerNode(World& world, uint32_t number)
    : world_(world),
      name_{Role::Consumer, number},
      identity_(world.tier(), kNumber + number),
      entropy_(world.seed(), kNumber + number, "entropy"),
      pool_(relays_of(world), RandomStream(world.seed(), number, "consumer relays")) {
  ClientLinks::Events events;
  events.up = [this](nostr::LinkId link) {
    pool_.handle_link_up(world_.clock(), link);
    drain();
  };
  events.down = [this](nostr::LinkId link, nostr::LinkDown reason) {
    pool_.handle_link_down(world_.clock(), link, reason, "lost");
    drain();
  };
  events.said = [this](nostr::LinkId link, nostr::WireMessage m) { hear(link, std::move(m)); };
  events.pong = [this](nostr::LinkId link) {
    pool_.handle_pong(world_.clock(), link);
    drain();
  };
  links_ = std::make_unique<ClientLinks>(world, name_, std::move(events));
}

ConsumerNode::~ConsumerNode() = default;

void ConsumerNode::start() {
  pool_.start(world_.clock());
  nostr::Filter inbox;
  inbox.kinds = {nostr::kind::kGiftWrap, nostr::kind::kEncryptedDirect};
  inbox.tags["p"] = {identity_.key.hex()};
  nostr::SubscribeOptions options;
  options.backfill = nostr::kGiftWrapBackfill;
  PG_CHECK(pool_.subscribe(world_.clock(), "inbox", {inbox}, options).has_value());
  drain();
  for (const Purchase& purchase : world_.plan().purchases) {
    if (purchase.consumer != name_.number) continue;
    if (purchase.warm() && sets_ == nullptr) {
      sets_ = std::make_unique<StandbyBuyer>(world_, *this);
      sets_->start();
    }
    world_.queue().at(
        purchase.at, [this, &purchase] { purchase.warm() ? sets_->buy(purchase) : buy(purchase); });
  }
}

void ConsumerNode::subscribe(const std::string& name, const std::vector<nostr::Filter>& filters) {
  PG_CHECK(pool_.subscribe(world_.clock(), name, filters, {}).has_value());
  drain();
}

market::RequestId ConsumerNode::request_id() {
  market::RequestId id;
  entropy_.fill(id.bytes);
  return id;
}

cashu::Token ConsumerNode::pay(uint64_t sats) {
  cashu::Token token = world_.mint().issue_token(sats);
  if (const auto until = world_.schedule().pending_until())
    world_.mint().hold_pending(token.proofs, *until);
  return token;
}

void ConsumerNode::buy(const Purchase& purchase) {
  const auto entity = static_cast<uint64_t>(purchase.at.value) ^ uint64_t { name_.number } << 48;
  const size_t index = place(spawn_order(purchase, purchase.provider, entity));
  if (purchase.stop_after > Micros{0} && !purchase.nip04)
    world_.queue().after(purchase.stop_after, [this, index] { stop(index); });
}

ConsumerNode::Order ConsumerNode::spawn_order(const Purchase& purchase, uint32_t number,
                                              uint64_t entity) {
  const ProviderNode* provider = world_.provider(number);
  PG_CHECK(provider != nullptr);
  Order order{.request = {},
              .token = pay(purchase.sats),
              .provider_number = number,
              .provider = provider->identity().key,
              .nip04 = purchase.nip04,
              .asked_at = {},
              .final = {},
              .top_ups_left = purchase.top_ups,
              .patient = purchase.patient,
              .random = RandomStream(world_.seed(), entity, "purchase")};
  market::SpawnRequest request;
  request.cashu_token = cashu::encode_token(order.token, cashu::TokenVersion::V4).value();
  request.pod_spec_id = purchase.tier;
  request.pod_image = "debian:12";
  request.ssh_username = "root";
  request.ssh_password = "abcdefgh1234";
  if (!order.nip04) request.request_id = request_id();
  order.request = request;
  return order;
}

size_t ConsumerNode::place(Order order) {
  orders_.push_back(std::move(order));
  const size_t index = orders_.size() - 1;
  ask(index);
  return index;
}

size_t ConsumerNode::stop(const Order& spawn, size_t stops) {
  Order order = spawn;
  order.token = {};
  order.asked = 0;
  order.final.reset();
  order.top_ups_left = 0;
  order.stops = stops;
  order.request = market::StopRequest{market::request_id_of(spawn.request)->hex(), request_id()};
  if (stops > 0)
    order.request =
        market::StopRequest{std::get<market::StopRequest>(spawn.request).pod_id, request_id()};
  return place(std::move(order));
}

void ConsumerNode::top_up(const Order& after, const std::string& pod) {
  Order order = after;
  const auto sats = static_cast<uint64_t>(order.random.between(20, 200));
  order.token = pay(sats);
  order.asked = 0;
  order.final.reset();
  --order.top_ups_left;
  market::TopUpRequest request;
  request.pod_npub = pod;
  request.cashu_token = cashu::encode_token(order.token, cashu::TokenVersion::V4).value();
  if (!order.nip04) request.request_id = request_id();
  order.request = request;
  place(std::move(order));
}

// Asking again is sending the same request again: the same rumor in a new wrap.
void ConsumerNode::ask(size_t index) {
  Order& order = orders_[index];
  if (order.final) return;
  const Now now = world_.clock();
  if (order.asked++ == 0) order.asked_at = now.wall;
  const nostr::Event event = world_.cryptography().seal(
      identity_, order.provider,
      order.nip04 ? provider::Transport::Nip04 : provider::Transport::Nip17, {},
      market::to_json(order.request), order.asked_at, order.nip04 ? order.asked_at : now.wall,
      entropy_);
  const nostr::PublishId publish{next_publish_++};
  if (pool_.publish(now, publish, event).has_value())
    world_.queue().after(micros(kAskAgain), [this, publish] { pool_.forget(publish); });
  if (order.patient) return drain();
  const Seconds again = order.asked < kAsksSoon ? kAskAgain : kAskLater;
  world_.queue().after(micros(again), [this, index] { ask(index); });
  drain();
}

void ConsumerNode::hear(nostr::LinkId link, nostr::WireMessage message) {
  const Now now = world_.clock();
  if (auto* event = std::get_if<nostr::EventFor<nostr::Event>>(&message)) {
    auto verified = world_.cryptography().verify(std::move(event->event));
    if (!verified) return;
    pool_.handle_message(now, link,
                         nostr::EventFor<nostr::VerifiedEvent>{event->subscription, *verified});
  } else {
    std::visit(
        [&](const auto& m) {
          if constexpr (std::is_constructible_v<nostr::RelayMessage, decltype(m)>)
            pool_.handle_message(now, link, m);
        },
        message);
  }
  drain();
}

// Of a request without a token it is no refusal, and not remembered: ask again later.
bool ConsumerNode::says_later(const Order& order, const market::Reply& reply) {
  const auto* error = std::get_if<market::ErrorReply>(&reply);
  return error != nullptr && error->error_type == "rate_limited" && order.token.proofs.empty();
}

void ConsumerNode::on_reply(const PubKey& from, const market::Reply& reply) {
  const auto& id = market::request_id_of(reply);
  if (!id && sets_ != nullptr && sets_->on_notice(from, reply)) return;
  if (is_interim(reply)) {
    const bool refund = std::get<market::ErrorReply>(reply).error_type == "refund_pending";
    for (Order& order : orders_)
      if (order.provider == from && market::request_id_of(order.request) == id)
        order.refund_promised = order.refund_promised || refund;
    return world_.mark("interim answer", name_);
  }
  for (Order& order : orders_) {
    if (order.provider != from) continue;
    if (order.nip04 ? order.final.has_value() : market::request_id_of(order.request) != id)
      continue;
    if (!says_later(order, reply)) return on_final(order, reply);
    const auto index = static_cast<size_t>(&order - orders_.data());
    if (order.patient) world_.queue().after(micros(kAskLater), [this, index] { ask(index); });
    return;
  }
}

void ConsumerNode::on_final(Order& order, const market::Reply& reply) {
  if (order.final) {
    // One change is allowed: money that was thought lost or untouched turns up (flaw 6).
    const auto* error = std::get_if<market::ErrorReply>(&reply);
    const bool refund = error != nullptr && error->refund_msat.has_value();
    if (market::to_json(*order.final) != market::to_json(reply) && !refund &&
        !is_forgotten_refusal(order, reply))
      world_.violate("other-answer",
                     market::to_json(*order.final) + " then " + market::to_json(reply));
    if (refund) order.final = reply;
    return;
  }
  order.final = reply;
  check_refunds(reply);
  on_first(order, reply);
  if (sets_ != nullptr) sets_->on_final(static_cast<size_t>(&order - orders_.data()));
}

void ConsumerNode::on_first(Order& order, const market::Reply& reply) {
  const bool stop_asked = std::holds_alternative<market::StopRequest>(order.request);
  if (const auto* error = std::get_if<market::ErrorReply>(&reply)) {
    world_.mark("refused " + error->error_type, name_);
    // The stop overtook the spawn that it names: said again.
    const auto index = static_cast<size_t>(&order - orders_.data());
    if (stop_asked && error->error_type == "not_found" && order.stops < kStopsMax)
      world_.queue().after(micros(kAskAgain),
                           [this, index] { stop(orders_[index], orders_[index].stops + 1); });
    return;
  }
  if (stop_asked) return world_.mark("stop", name_);
  world_.mark(std::holds_alternative<market::TopUpReply>(reply) ? "top-up" : "lease", name_);
  if (order.top_ups_left > 0) top_up_soon(static_cast<size_t>(&order - orders_.data()));
}

void ConsumerNode::top_up_later(size_t order, size_t times) {
  orders_[order].top_ups_left = times;
  if (times > 0) top_up_soon(order);
}

void ConsumerNode::top_up_soon(size_t index) {
  Order& order = orders_[index];
  std::string pod;
  if (const auto* access = std::get_if<market::AccessDetails>(&*order.final))
    pod = access->pod_npub;
  if (const auto* more = std::get_if<market::TopUpReply>(&*order.final)) pod = more->pod_npub;
  world_.queue().after(Micros{order.random.between(1'000'000, kTopUpWithin)},
                       [this, index, pod] { top_up(orders_[index], pod); });
}

// A refusal is remembered for so long; after that the request is too old, and its token as
// untouched as it was (flaw 7), unless somebody who had a copy of it was faster.
bool ConsumerNode::is_forgotten_refusal(const Order& order, const market::Reply& reply) const {
  const auto* first = std::get_if<market::ErrorReply>(&*order.final);
  const auto* then = std::get_if<market::ErrorReply>(&reply);
  if (first == nullptr || then == nullptr || first->token_state != market::TokenState::Untouched ||
      elapsed(order.asked_at, world_.clock().wall) <= provider::kRefusalKept)
    return false;
  if (then->error_type == "token_already_spent") return world_.strangers().copied(order.token);
  return then->error_type == "request_expired" &&
         then->token_state == market::TokenState::Untouched;
}

// A refund is worth what it says, now: genuine and unspent.
void ConsumerNode::check_refunds(const market::Reply& reply) {
  const auto* refunds = refunds_in(reply);
  if (refunds == nullptr) return;
  world_.mark("refund", name_);
  for (const market::RefundToken& refund : *refunds) {
    const auto token = cashu::decode_token(refund.token);
    if (!token) return world_.violate("bad-refund", "a refund cannot be read");
    Msat worth;
    for (const cashu::Proof& proof : token->proofs) {
      worth += Msat{static_cast<int64_t>(proof.amount) * 1000};
      if (!world_.mint().is_valid(proof) ||
          world_.mint().state_of(world_.queue().now(), proof) == cashu::ProofState::Spent)
        return world_.violate("bad-refund", to_text(name_) + " got a refund that is worth nothing");
    }
    if (worth != refund.msat)
      world_.violate("bad-refund", "a refund says " + std::to_string(refund.msat.value) +
                                       " msat and is " + std::to_string(worth.value));
  }
}

// What was said to be untouched, or not taken, is its owner's still.
void ConsumerNode::check_token(const Order& order) const {
  const auto* error = order.final ? std::get_if<market::ErrorReply>(&*order.final) : nullptr;
  if (error == nullptr || order.token.proofs.empty()) return;
  if (world_.strangers().copied(order.token)) return;
  const bool ours = error->token_state == market::TokenState::Untouched ||
                    error->token_state == market::TokenState::Released;
  if (ours && world_.mint().state_of(world_.queue().now(), order.token.proofs.front()) ==
                  cashu::ProofState::Spent)
    world_.violate("consumer-loses",
                   to_text(name_) + " was told " + error->error_type + ", and the token is gone");
  if (error->token_state == market::TokenState::SpentElsewhere &&
      std::ranges::all_of(order.token.proofs, [&](const cashu::Proof& proof) {
        return world_.mint().state_of(world_.queue().now(), proof) == cashu::ProofState::Unspent;
      }))
    world_.violate("false-spent", to_text(name_) +
                                      " was told that its token is spent, and no "
                                      "part of it is");
}

void ConsumerNode::drain() {
  const Now now = world_.clock();
  for (auto outputs = pool_.take_outputs(); !outputs.empty(); outputs = pool_.take_outputs()) {
    for (auto& output : outputs) {
      if (auto* open = std::get_if<nostr::pool::OpenLink>(&output)) links_->open(open->link);
      if (auto* close = std::get_if<nostr::pool::CloseLink>(&output)) links_->close(close->link);
      if (auto* ping = std::get_if<nostr::pool::Ping>(&output)) links_->ping(ping->link);
      if (auto* send = std::get_if<nostr::pool::Send>(&output))
        links_->send(send->link, std::move(send->message));
      if (auto* delivered = std::get_if<nostr::pool::Delivered>(&output)) on_delivered(*delivered);
    }
  }
  const auto next = pool_.next_deadline();
  if (!next || (timer_ && *timer_ <= *next)) return;
  timer_ = *next;
  world_.queue().after(std::max(Micros{0}, *next - now.mono), [this, due = *next] {
    if (timer_ == due) timer();
  });
}

void ConsumerNode::on_delivered(const nostr::pool::Delivered& delivered) {
  if (sets_ != nullptr && sets_->hear(delivered, pool_.url(delivered.relay))) return;
  const auto opened = world_.cryptography().open(identity_, delivered.event);
  const auto reply = opened ? market::parse_reply(opened->text) : fail("not for us");
  if (reply) on_reply(opened->sender, *reply);
}

void ConsumerNode::timer() {
  timer_.reset();
  pool_.handle_timer(world_.clock());
  drain();
}

void ConsumerNode::audit_rest() const {
  if (sets_ != nullptr) sets_->audit_rest();
  for (const Order& order : orders_) {
    check_token(order);
    const ProviderNode* provider = world_.provider(order.provider_number);
    if (order.final || world_.frozen(provider->name())) continue;
    if (order.refund_promised && provider->refunds_beyond_the_fee() > 0) continue;
    world_.violate("unanswered",
                   to_text(name_) + " asked " + to_text(provider->name()) + " " +
                       std::to_string(order.asked) + " times and has no final answer" +
                       (provider->answers() ? "" : "; that provider does not answer at all"));
  }
}

}  // namespace paygress::sim
