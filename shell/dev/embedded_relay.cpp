#include "shell/dev/embedded_relay.h"

#include <boost/json.hpp>
#include <utility>

#include "shell/base/clock.h"

namespace paygress::dev {
namespace {

constexpr std::string_view kInformationType = "application/nostr+json";  // NIP-11

Result<void> really_verify(const nostr::Event& event) {
  auto verified = nostr::verify(event);
  if (!verified) return std::unexpected(std::move(verified.error()));
  return {};
}

// NIP-11.
std::string information(const EmbeddedRelayOptions& options) {
  const sim::RelayLimits& limits = options.limits;
  const boost::json::value document = {
      {"name", options.name},
      {"description", "Development only: in memory, on loopback, gone when it stops."},
      {"software", "paygress"},
      {"supported_nips", {1, 11, 40}},
      {"limitation",
       {{"max_message_length", nostr::kFrameBytesMax},
        {"max_subscriptions", limits.subscriptions},
        {"max_limit", limits.results},
        {"max_subid_length", limits.subscription_bytes},
        {"max_event_tags", limits.tags},
        {"auth_required", false},
        {"payment_required", false}}}};
  return boost::json::serialize(document);
}

}  // namespace

EmbeddedRelay::EmbeddedRelay(EmbeddedRelayOptions options)
    : options_(std::move(options)),
      model_({"ws://127.0.0.1", options_.limits, false, 0}, really_verify) {}

Result<std::unique_ptr<EmbeddedRelay>> EmbeddedRelay::start(net::Loop& loop,
                                                            EmbeddedRelayOptions options) {
  std::unique_ptr<EmbeddedRelay> relay(new EmbeddedRelay(std::move(options)));
  EmbeddedRelay* self = relay.get();
  net::ServerOptions server;
  server.port = self->options_.port;
  server.connections_max = self->options_.limits.connections;
  server.message_bytes_max = nostr::kFrameBytesMax;
  net::ServerHandlers handlers;
  handlers.on_request = [self](const net::HttpRequest& request, net::Responder responder) {
    self->answer(request, responder);
  };
  handlers.on_open = [self](net::PeerId peer, const net::HttpRequest& request) {
    self->client_ports_[peer] = request.client_port;
    self->consider(peer, request.client_port);
    self->send(self->model_.connect({peer}));
  };
  handlers.on_text = [self](net::PeerId peer, std::string_view text) {
    self->take_frame(peer, text);
  };
  handlers.on_closed = [self](net::PeerId peer) {
    self->client_ports_.erase(peer);
    self->cut_off_.erase(peer);
    self->model_.disconnect({peer});
  };
  auto listening = net::HttpServer::listen(loop, std::move(server), std::move(handlers));
  if (!listening) return std::unexpected(std::move(listening.error()));
  self->server_ = std::move(*listening);
  return relay;
}

void EmbeddedRelay::answer(const net::HttpRequest& request, const net::Responder& responder) const {
  if (request.method != "GET" && request.method != "HEAD")
    return responder(net::HttpResponse::text(405, "a relay speaks WebSocket\n"));
  if (net::find_header(request.headers, "accept").find(kInformationType) == std::string_view::npos)
    return responder(net::HttpResponse::text(200, options_.name + ": a Nostr relay\n"));
  // NIP-11: pages of any origin may read it.
  responder(
      {200,
       {{"content-type", std::string(kInformationType)}, {"access-control-allow-origin", "*"}},
       information(options_)});
}

void EmbeddedRelay::take_frame(net::PeerId peer, std::string_view frame) {
  if (cut_off_.contains(peer)) return;
  auto message = nostr::parse_client_frame(frame);
  if (!message) {
    const nostr::WireMessage notice = nostr::Notice{"invalid: " + to_string(message.error())};
    server_->send(peer, nostr::to_frame(notice));
    return;
  }
  send(model_.handle(shell::now().wall, {peer}, *message));
}

void EmbeddedRelay::send(const sim::RelayModel::Replies& replies) {
  for (const auto& [to, message] : replies)
    if (!cut_off_.contains(to.value)) server_->send(to.value, nostr::to_frame(message));
}

void EmbeddedRelay::set_cut(Cut cut) {
  cut_ = std::move(cut);
  // What such a connection missed it would never be told.
  for (const net::PeerId peer : std::exchange(cut_off_, {})) server_->abort(peer);
  for (const auto& [peer, port] : client_ports_) consider(peer, port);
}

void EmbeddedRelay::consider(net::PeerId peer, uint16_t client_port) {
  if (!cut_ || !cut_(client_port)) return;
  cut_off_.insert(peer);
  server_->mute(peer);  // pings too
}

}  // namespace paygress::dev
