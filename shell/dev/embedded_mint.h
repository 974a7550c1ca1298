// A Cashu mint in this process: sim's Mint with real cryptography over HTTP, for `paygress dev` and
// for tests. Its quotes pay themselves: the money is worth nothing. Books are kept in memory, keys
// are fresh: tokens of one run are void in the next.
#pragma once

#include <memory>
#include <string>

#include "shell/net/http_server.h"
#include "sim/models/mint.h"

namespace paygress::dev {

struct EmbeddedMintOptions {
  uint16_t port = 0;             // 0: any free one; always on loopback
  uint64_t input_fee_ppk = 100;  // NUT-02: thousandths of a sat per input
  std::string name = "paygress dev mint (test money)";
  // Requests that leave something in the books; later ones get status 503.
  size_t changes_max = 200'000;
};

// Used on the loop's thread, and destroyed before the loop.
class EmbeddedMint {
 public:
  static Result<std::unique_ptr<EmbeddedMint>> start(net::Loop& loop,
                                                     EmbeddedMintOptions options = {});
  EmbeddedMint(const EmbeddedMint&) = delete;
  EmbeddedMint& operator=(const EmbeddedMint&) = delete;

  std::string url() const { return server_->url("http"); }
  uint16_t port() const { return server_->port(); }
  // Its books and moods.
  sim::Mint& model() { return *mint_; }

 private:
  explicit EmbeddedMint(EmbeddedMintOptions options) : options_(std::move(options)) {}
  net::HttpResponse answer(const net::HttpRequest& request);

  EmbeddedMintOptions options_;
  size_t changes_ = 0;
  std::unique_ptr<sim::Mint> mint_;
  std::unique_ptr<net::HttpServer> server_;  // last: no handler runs after the books are gone
};

}  // namespace paygress::dev
