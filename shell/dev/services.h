// The relay and the mint of a development market, on a thread of their own, so that the story on
// the main thread may block. SIGINT, SIGTERM and SIGHUP arrive here too.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "shell/dev/embedded_mint.h"
#include "shell/dev/embedded_relay.h"

namespace paygress::dev {

struct ServiceOptions {
  uint16_t relay_port = 0;  // 0: any free one
  uint16_t mint_port = 0;
  uint64_t input_fee_ppk = 100;
};

class Services {
 public:
  static Result<std::unique_ptr<Services>> start(const ServiceOptions& options);
  // Ends the thread and everything it serves.
  ~Services();
  Services(const Services&) = delete;
  Services& operator=(const Services&) = delete;

  const std::string& relay_url() const { return relay_url_; }
  const std::string& mint_url() const { return mint_url_; }
  // The relay neither hears nor tells that process anything until `heal_relay`.
  void cut_from_relay(pid_t process) const;
  void heal_relay() const;
  // Set when somebody asked us to end.
  const std::atomic<bool>& stop_requested() const { return stop_; }

 private:
  Services() = default;
  void set_cut(EmbeddedRelay::Cut cut) const;
  void serve(const ServiceOptions& options, const std::function<void(Result<void>)>& ready);

  std::string relay_url_;
  std::string mint_url_;
  std::atomic<bool> stop_ = false;
  std::atomic<net::Loop*> loop_ = nullptr;  // while it runs
  EmbeddedRelay* relay_ = nullptr;          // the thread's own
  std::thread thread_;
};

}  // namespace paygress::dev
