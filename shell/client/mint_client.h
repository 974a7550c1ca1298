// A mint over HTTP, one call at a time.
#pragma once

#include <string>

#include "core/cashu/mint_api.h"
#include "core/cashu/mint_book.h"
#include "shell/client/failure.h"
#include "shell/net/http_client.h"

namespace paygress::client {

class MintClient {
 public:
  explicit MintClient(net::Loop& loop) : loop_(loop), http_(loop) {}

  // Blocks in the loop until the answer or its timeout: NoReply says nothing about what happened.
  cashu::MintAnswer ask(const std::string& mint, cashu::Endpoint endpoint,
                        const std::string& argument = {}, const Bytes& body = {});
  // Reads info and keysets. Error: unreachable, or without what a safe wallet needs.
  Outcome<cashu::MintBook> read(const std::string& mint);
  void pause(Micros time);

 private:
  net::Loop& loop_;
  net::HttpClient http_;
};

}  // namespace paygress::client
