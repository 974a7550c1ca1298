#include "shell/client/relay_client.h"

#include <algorithm>
#include <bit>

#include "core/base/check.h"
#include "core/nostr/admission.h"

namespace paygress::client {
namespace {

std::vector<nostr::RelayConfig> configs_of(const std::vector<std::string>& urls) {
  std::vector<nostr::RelayConfig> configs;
  for (const std::string& url : urls) configs.push_back({url, std::nullopt});
  return configs;
}

std::vector<std::string> distinct(std::vector<std::string> urls) {
  std::vector<std::string> out;
  for (std::string& url : urls)
    if (std::ranges::find(out, url) == out.end() && out.size() < nostr::kRelaysMax)
      out.push_back(std::move(url));
  return out;
}

uint64_t fresh_seed() {
  shell::OsEntropy entropy;
  ByteArray<8> bytes{};
  entropy.fill(bytes);
  return std::bit_cast<uint64_t>(bytes);
}

}  // namespace

RelayClient::RelayClient(net::Loop& loop, std::vector<std::string> relays,
                         const crypto::Keypair& key, Events events)
    : loop_(loop),
      urls_(distinct(std::move(relays))),
      key_(key),
      events_(std::move(events)),
      pool_(configs_of(urls_), RandomStream(fresh_seed(), 0, "client")) {
  PG_CHECK(!urls_.empty());
  pool_.start(net::Loop::now());
  drain();
}

RelayClient::~RelayClient() { loop_.cancel(timer_); }

void RelayClient::subscribe(const std::string& name, const std::vector<nostr::Filter>& filters,
                            std::optional<nostr::Backfill> backfill) {
  nostr::SubscribeOptions options;
  options.backfill = backfill;
  PG_CHECK(pool_.subscribe(net::Loop::now(), name, filters, options).has_value());
  drain();
}

bool RelayClient::listening() const {
  for (uint32_t i = 0; i < urls_.size(); ++i) {
    const auto health = pool_.status({i}).health;
    if (health == nostr::RelayHealth::Syncing || health == nostr::RelayHealth::Live) return true;
  }
  return false;
}

bool RelayClient::every_relay_tried() const {
  for (uint32_t i = 0; i < urls_.size(); ++i) {
    const nostr::RelayStatus& status = pool_.status({i});
    const bool waiting = status.health == nostr::RelayHealth::Waiting && status.text.empty();
    if (waiting || status.health == nostr::RelayHealth::Connecting) return false;
  }
  return true;
}

bool RelayClient::unreachable() const {
  for (uint32_t i = 0; i < urls_.size(); ++i) {
    const nostr::RelayStatus& status = pool_.status({i});
    if (status.health != nostr::RelayHealth::Waiting || status.text.empty()) return false;
  }
  return true;
}

size_t RelayClient::fetch(const std::string& name, const std::vector<nostr::Filter>& filters,
                          Micros timeout) {
  // A query ends at once at a relay that is not connected: each gets its chance first.
  loop_.run_until([&] { return every_relay_tried(); }, Micros{timeout.value / 2});
  queries_[name] = {0, 0};
  if (!pool_.query(net::Loop::now(), name, filters, {.timeout = timeout, .relays = {}})) return 0;
  drain();
  loop_.run_until([&] { return queries_[name].first >= urls_.size(); }, timeout);
  const size_t complete = queries_[name].second;
  pool_.unsubscribe(net::Loop::now(), name);
  queries_.erase(name);
  drain();
  return complete;
}

void RelayClient::publish(const nostr::Event& event) {
  nostr::PublishOptions options;
  options.quorum = urls_.size();
  const nostr::PublishId id{next_publish_++};
  PG_CHECK(pool_.publish(net::Loop::now(), id, event, options).has_value());
  drain();
}

std::string RelayClient::problems() const {
  std::string text;
  for (uint32_t i = 0; i < urls_.size(); ++i) {
    const nostr::RelayStatus& status = pool_.status({i});
    if (status.health == nostr::RelayHealth::Live) continue;
    if (!text.empty()) text += "; ";
    text += urls_[i] + ": " + (status.text.empty() ? "no connection yet" : status.text);
  }
  return text;
}

void RelayClient::open(nostr::LinkId link) {
  auto& slot = links_[link.relay];
  if (slot.socket) dropped_.push_back(std::move(slot.socket));
  slot.id = link;
  net::WebSocketOptions options;
  options.url = urls_.at(link.relay.value);
  options.ping_every = Micros{0};  // the pool pings
  net::WebSocketEvents events;
  events.on_open = [this, link] {
    pool_.handle_link_up(net::Loop::now(), link);
    drain();
  };
  events.on_text = [this, link](std::string_view text) { hear(link, text); };
  events.on_pong = [this, link] {
    pool_.handle_pong(net::Loop::now(), link);
    drain();
  };
  events.on_closed = [this, link](const std::string& reason) {
    pool_.handle_link_down(net::Loop::now(), link, nostr::LinkDown::Closed, reason);
    drain();
  };
  slot.socket = std::make_unique<net::WebSocketClient>(loop_, options, std::move(events));
}

void RelayClient::hear(nostr::LinkId link, std::string_view frame) {
  auto message = nostr::Admission::admit(frame);
  if (!message) return;  // not a frame, or an event that does not verify
  pool_.handle_message(net::Loop::now(), link, *message);
  drain();
}

void RelayClient::carry_out(nostr::PoolOutput& output) {
  namespace pool = nostr::pool;
  const auto socket_of = [this](nostr::LinkId link) -> net::WebSocketClient* {
    const auto found = links_.find(link.relay);
    return found != links_.end() && found->second.id == link ? found->second.socket.get() : nullptr;
  };
  if (auto* up = std::get_if<pool::OpenLink>(&output)) open(up->link);
  if (auto* close = std::get_if<pool::CloseLink>(&output); close && socket_of(close->link))
    dropped_.push_back(std::move(links_[close->link.relay].socket));
  if (auto* ping = std::get_if<pool::Ping>(&output))
    if (auto* socket = socket_of(ping->link)) socket->ping();
  if (auto* send = std::get_if<pool::Send>(&output))
    if (auto* socket = socket_of(send->link)) socket->send(nostr::to_frame(send->message));
  if (auto* auth = std::get_if<pool::SignAuth>(&output)) {
    ByteArray<32> aux{};
    entropy_.fill(aux);
    pool_.handle_auth_signed(net::Loop::now(), auth->link, nostr::sign(key_, auth->draft, aux));
  }
  if (auto* answer = std::get_if<pool::QueryAnswered>(&output)) {
    if (const auto query = queries_.find(answer->query); query != queries_.end()) {
      ++query->second.first;
      query->second.second += answer->complete ? 1 : 0;
    }
  }
  if (auto* said = std::get_if<pool::Answered>(&output); said && events_.on_answer)
    events_.on_answer(urls_.at(said->relay.value), said->accepted, said->text);
  if (auto* delivered = std::get_if<pool::Delivered>(&output); delivered && events_.on_event)
    events_.on_event(urls_.at(delivered->relay.value), delivered->event);
}

void RelayClient::drain() {
  if (draining_) return;
  draining_ = true;
  for (auto outputs = pool_.take_outputs(); !outputs.empty(); outputs = pool_.take_outputs())
    for (auto& output : outputs) carry_out(output);
  draining_ = false;
  arm();
}

void RelayClient::arm() {
  loop_.cancel(timer_);
  timer_ = 0;
  const auto next = pool_.next_deadline();
  if (!next && dropped_.empty()) return;
  const Micros due = dropped_.empty() ? *next : net::Loop::now().mono;
  timer_ = loop_.at(due, [this] {
    timer_ = 0;
    dropped_.clear();
    pool_.handle_timer(net::Loop::now());
    drain();
  });
}

}  // namespace paygress::client
