#include "shell/dev/services.h"

#include <csignal>
#include <future>

#include "shell/dev/process_ports.h"
#include "shell/net/signals.h"

namespace paygress::dev {

Result<std::unique_ptr<Services>> Services::start(const ServiceOptions& options) {
  std::unique_ptr<Services> services(new Services());
  std::promise<Result<void>> started;
  auto ready = started.get_future();
  services->thread_ = std::thread([self = services.get(), options, &started] {
    self->serve(options, [&](Result<void> result) { started.set_value(std::move(result)); });
  });
  if (auto result = ready.get(); !result) return std::unexpected(std::move(result.error()));
  return services;
}

void Services::serve(const ServiceOptions& options,
                     const std::function<void(Result<void>)>& ready) {
  net::Loop loop;
  const net::Signals signals(loop, {SIGINT, SIGTERM, SIGHUP}, [this](int) { stop_ = true; });
  EmbeddedRelayOptions relay_options;
  relay_options.port = options.relay_port;
  const auto relay = EmbeddedRelay::start(loop, std::move(relay_options));
  if (!relay) return ready(std::unexpected(relay.error()));
  EmbeddedMintOptions mint_options;
  mint_options.port = options.mint_port;
  mint_options.input_fee_ppk = options.input_fee_ppk;
  const auto mint = EmbeddedMint::start(loop, std::move(mint_options));
  if (!mint) return ready(std::unexpected(mint.error()));
  relay_url_ = (*relay)->url();
  mint_url_ = (*mint)->url();
  relay_ = relay->get();
  loop_ = &loop;
  ready({});
  loop.run();
}

void Services::set_cut(EmbeddedRelay::Cut cut) const {
  std::promise<void> done;
  loop_.load()->post([&] {
    relay_->set_cut(std::move(cut));
    done.set_value();
  });
  done.get_future().wait();
}

void Services::cut_from_relay(pid_t process) const {
  set_cut([process](uint16_t port) { return tcp_ports_of(process).contains(port); });
}

void Services::heal_relay() const { set_cut({}); }

Services::~Services() {
  // Null when starting failed: the thread has ended by itself.
  if (net::Loop* loop = loop_.load()) loop->post([loop] { loop->stop(); });
  if (thread_.joinable()) thread_.join();
}

}  // namespace paygress::dev
