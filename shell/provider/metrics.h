// What a monitoring system reads of a running provider, over plain HTTP (metrics_bind_addr):
//
//   GET /metrics   Prometheus text format 0.0.4
//   GET /healthz   200 while the loop answers
//   GET /readyz    200 when it can sell; else 503, and a line for each thing it waits for
//
// Says nothing that `paygress-provider status` would not: no key, token, password or owner. Meant
// for loopback; check-config warns of any other address.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "shell/net/http_server.h"
#include "shell/provider/status.h"

namespace paygress::daemon {

// Of the process, which the core does not know.
struct ProcessFacts {
  UnixSeconds started_at;
  uint64_t frames_refused = 0;
  SilentMints silent_mints = {};
};

// Every name begins with paygress_; counters end in _total; units are in the names.
std::string metrics_text(const provider::Provider& core, const Readiness& readiness,
                         const ProcessFacts& facts);

class MetricsServer {
 public:
  // Called on the loop for each request.
  struct Sources {
    std::function<std::string()> metrics;
    std::function<std::vector<std::string>()> waits_for;  // empty: ready
  };
  // `address`: "127.0.0.1:9464", "localhost:0", "[::1]:9464".
  static Result<std::unique_ptr<MetricsServer>> listen(net::Loop& loop, std::string_view address,
                                                       Sources sources);
  std::string url() const { return server_->url("http"); }

 private:
  explicit MetricsServer(Sources sources) : sources_(std::move(sources)) {}
  net::HttpResponse answer(const net::HttpRequest& request) const;

  Sources sources_;
  std::unique_ptr<net::HttpServer> server_;  // last: its handler uses the rest
};

}  // namespace paygress::daemon
