// A TLS server for tests: ends TLS and passes the bytes on to a plain port. Its certificate is made
// on the spot, signed by a CA of its own, for the name "localhost" only.
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/shell/temporary_directory.h"

struct ssl_ctx_st;

namespace paygress::test {

class TlsFront {
 public:
  explicit TlsFront(uint16_t backend_port);
  ~TlsFront();
  TlsFront(const TlsFront&) = delete;
  TlsFront& operator=(const TlsFront&) = delete;

  uint16_t port() const { return port_; }
  std::string ca_file() const { return directory_.file("ca.pem"); }
  // The name the last client asked for (SNI, RFC 6066 section 3); empty when it asked for none.
  std::string asked_name() const;

 private:
  void serve();
  void pass_on(int client) const;

  TemporaryDirectory directory_;
  uint16_t backend_port_;
  uint16_t port_ = 0;
  int listener_ = -1;
  ssl_ctx_st* context_ = nullptr;
  mutable std::mutex mutex_;
  mutable std::string asked_name_;
  std::atomic<bool> stopped_{false};
  std::thread thread_;
  std::vector<std::thread> clients_;
};

}  // namespace paygress::test
