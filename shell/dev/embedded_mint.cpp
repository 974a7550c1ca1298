#include "shell/dev/embedded_mint.h"

#include <bit>
#include <utility>

#include "core/cashu/mint_wire.h"
#include "shell/base/clock.h"
#include "shell/base/entropy.h"

namespace paygress::dev {
namespace {

// Keys that nobody can guess: two runs on one port must not accept each other's tokens.
uint64_t fresh_seed() {
  shell::OsEntropy entropy;
  ByteArray<8> bytes{};
  entropy.fill(bytes);
  return std::bit_cast<uint64_t>(bytes);
}

bool leaves_a_trace(cashu::Endpoint endpoint) {
  return endpoint == cashu::Endpoint::Swap || endpoint == cashu::Endpoint::Mint ||
         endpoint == cashu::Endpoint::MintQuote || endpoint == cashu::Endpoint::Melt ||
         endpoint == cashu::Endpoint::MeltQuote;
}

}  // namespace

Result<std::unique_ptr<EmbeddedMint>> EmbeddedMint::start(net::Loop& loop,
                                                          EmbeddedMintOptions options) {
  std::unique_ptr<EmbeddedMint> mint(new EmbeddedMint(std::move(options)));
  EmbeddedMint* self = mint.get();
  net::ServerOptions server;
  server.port = self->options_.port;
  server.body_bytes_max = cashu::kRequestBytesMax;
  net::ServerHandlers handlers;
  handlers.on_request = [self](const net::HttpRequest& request, net::Responder responder) {
    responder(self->answer(request));
  };
  auto listening = net::HttpServer::listen(loop, std::move(server), std::move(handlers));
  if (!listening) return std::unexpected(std::move(listening.error()));
  self->server_ = std::move(*listening);

  sim::MintSettings settings;
  settings.url = self->url();
  settings.name = self->options_.name;
  settings.seed = fresh_seed();
  settings.input_fee_ppk = self->options_.input_fee_ppk;
  self->mint_ = std::make_unique<sim::Mint>(std::move(settings), sim::real_mint_crypto());
  return mint;
}

net::HttpResponse EmbeddedMint::answer(const net::HttpRequest& request) {
  const bool post = request.method == "POST";
  if (!post && request.method != "GET" && request.method != "HEAD")
    return net::HttpResponse::text(405, "GET and POST only\n");
  const auto route = cashu::route_request(post, request.path());
  if (route && leaves_a_trace(route->endpoint) && ++changes_ > options_.changes_max)
    return net::HttpResponse::text(503, "the books of this development mint are full\n");
  auto made = mint_->handle_http(shell::now().mono, post, request.path(), request.body);
  return net::HttpResponse::json(static_cast<int>(made.status), std::string(as_text(made.body)));
}

}  // namespace paygress::dev
