#include "sim/world/consumer_node.h"

#include "core/cashu/token.h"
#include "sim/world/provider_node.h"

namespace paygress::sim {
namespace {

constexpr Seconds kAskAgain{40};
constexpr size_t kAsksMax = 60;

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

ConsumerNode::ConsumerNode(World& world, uint64_t number)
    : world_(world),
      identity_(world.tier(), number),
      random_(world.seed(), number, "consumer"),
      entropy_(world.seed(), number, "entropy"),
      pool_(relays_of(world), RandomStream(world.seed(), number, "consumer relays")) {
  ClientLinks::Events events;
  events.up = [this](nostr::LinkId link) { pool_.handle_link_up(world_.clock(), link); drain(); };
  events.down = [this](nostr::LinkId link, nostr::LinkDown reason) {
    pool_.handle_link_down(world_.clock(), link, reason, "lost");
    drain();
  };
  events.said = [this](nostr::LinkId link, const nostr::WireMessage& m) { hear(link, m); };
  events.pong = [this](nostr::LinkId link) { pool_.handle_pong(world_.clock(), link); drain(); };
  links_ = std::make_unique<ClientLinks>(world, number, std::move(events));
}

void ConsumerNode::start() {
  pool_.start(world_.clock());
  nostr::Filter inbox;
  inbox.kinds = {nostr::kind::kGiftWrap, nostr::kind::kEncryptedDirect};
  inbox.tags["p"] = {identity_.key.hex()};
  nostr::SubscribeOptions options;
  options.backfill = nostr::kGiftWrapBackfill;
  PG_CHECK(pool_.subscribe(world_.clock(), "inbox", {inbox}, options).has_value());
  drain();
  const Micros horizon = micros(world_.scenario().length);
  for (size_t i = 0; i < world_.scenario().spawns_per_consumer; ++i)
    world_.queue().after(Micros{random_.between(5'000'000, horizon.value / 2)}, [this] { buy(); });
}

cashu::Token ConsumerNode::token() {
  const auto& s = world_.scenario();
  return world_.mint().issue_token(
      static_cast<uint64_t>(random_.between(static_cast<int64_t>(s.sats_min),
                                            static_cast<int64_t>(s.sats_max))));
}

market::RequestId ConsumerNode::request_id() {
  market::RequestId id;
  entropy_.fill(id.bytes);
  return id;
}

void ConsumerNode::buy() {
  const auto& providers = world_.providers();
  Purchase purchase;
  purchase.provider = providers[random_.below(providers.size())]->identity().key;
  purchase.token = token();
  purchase.top_ups_left = world_.scenario().top_ups_per_lease;
  market::SpawnRequest request;
  request.cashu_token = cashu::encode_token(purchase.token, cashu::TokenVersion::V4).value();
  request.pod_spec_id = random_.below(4) == 0 ? "big" : "basic";
  request.pod_image = "debian:12";
  request.ssh_username = "root";
  request.ssh_password = "abcdefgh1234";
  if (!world_.scenario().nip04) request.request_id = request_id();
  purchase.request = request;
  purchases_.push_back(std::move(purchase));
  ask(purchases_.size() - 1);
}

void ConsumerNode::top_up(const PubKey& provider, const std::string& pod, size_t left) {
  Purchase purchase;
  purchase.provider = provider;
  purchase.token = token();
  purchase.top_ups_left = left;
  market::TopUpRequest request;
  request.pod_npub = pod;
  request.cashu_token = cashu::encode_token(purchase.token, cashu::TokenVersion::V4).value();
  if (!world_.scenario().nip04) request.request_id = request_id();
  purchase.request = request;
  purchases_.push_back(std::move(purchase));
  ask(purchases_.size() - 1);
}

// Asking again is sending the same request again: the same rumor in a new wrap.
void ConsumerNode::ask(size_t index) {
  Purchase& purchase = purchases_[index];
  if (purchase.final || purchase.asked >= kAsksMax) return;
  const Now now = world_.clock();
  if (purchase.asked++ == 0) purchase.asked_at = now.wall;
  const bool old = world_.scenario().nip04;
  const nostr::Event event = world_.cryptography().seal(
      identity_, purchase.provider, old ? provider::Transport::Nip04 : provider::Transport::Nip17,
      {}, market::to_json(purchase.request), purchase.asked_at, old ? purchase.asked_at : now.wall,
      entropy_);
  const nostr::PublishId publish{next_publish_++};
  if (pool_.publish(now, publish, event).has_value()) {
    world_.queue().after(micros(kAskAgain), [this, publish] { pool_.forget(publish); });
  }
  drain();
  if (world_.scenario().resend_requests)
    world_.queue().after(micros(kAskAgain), [this, index] { ask(index); });
}

void ConsumerNode::hear(nostr::LinkId link, const nostr::WireMessage& message) {
  const Now now = world_.clock();
  if (const auto* event = std::get_if<nostr::EventFor<nostr::Event>>(&message)) {
    auto verified = world_.cryptography().verify(event->event);
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

void ConsumerNode::on_reply(const PubKey& from, const market::Reply& reply) {
  if (is_interim(reply)) return world_.mark("interim answer");
  const auto& id = market::request_id_of(reply);
  for (Purchase& purchase : purchases_) {
    if (purchase.provider != from) continue;
    if (world_.scenario().nip04 ? purchase.final.has_value()
                                : market::request_id_of(purchase.request) != id)
      continue;
    return on_final(purchase, reply);
  }
}

void ConsumerNode::on_final(Purchase& purchase, const market::Reply& reply) {
  if (purchase.final) {
    // One change is allowed: money that was thought lost or untouched turns up (flaw 6).
    const auto* error = std::get_if<market::ErrorReply>(&reply);
    const bool refund = error != nullptr && error->error_type == "refund_pending";
    if (market::to_json(*purchase.final) != market::to_json(reply) && !refund)
      world_.violate("other-answer", market::to_json(*purchase.final) + " then " +
                                         market::to_json(reply));
    return;
  }
  purchase.final = reply;
  if (const auto* error = std::get_if<market::ErrorReply>(&reply))
    return world_.mark("refused " + error->error_type);
  world_.mark(std::holds_alternative<market::TopUpReply>(reply) ? "top-up" : "lease");
  if (purchase.top_ups_left == 0) return;
  std::string pod;
  if (const auto* access = std::get_if<market::AccessDetails>(&reply)) pod = access->pod_npub;
  if (const auto* more = std::get_if<market::TopUpReply>(&reply)) pod = more->pod_npub;
  world_.queue().after(Micros{random_.between(1'000'000, 100'000'000)},
                       [this, from = purchase.provider, pod, left = purchase.top_ups_left - 1] {
                         top_up(from, pod, left);
                       });
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
      if (auto* delivered = std::get_if<nostr::pool::Delivered>(&output)) {
        if (auto opened = world_.cryptography().open(identity_, delivered->event))
          if (auto reply = market::parse_reply(opened->text)) on_reply(opened->sender, *reply);
      }
    }
  }
  const auto next = pool_.next_deadline();
  if (!next || (timer_ && *timer_ <= *next)) return;
  timer_ = *next;
  world_.queue().after(std::max(Micros{0}, *next - now.mono), [this, due = *next] {
    if (timer_ == due) timer();
  });
}

void ConsumerNode::timer() {
  timer_.reset();
  pool_.handle_timer(world_.clock());
  drain();
}

void ConsumerNode::audit_end() const {
  for (const Purchase& purchase : purchases_)
    if (!purchase.final)
      world_.violate("unanswered", "a request of consumer " + std::to_string(identity_.number) +
                                       " asked " + std::to_string(purchase.asked) + " times");
}

}  // namespace paygress::sim
