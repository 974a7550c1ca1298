// What spawn, topup and stop share: the wallet open for writing, a token made, a request that is
// durable before it leaves, and what its answer means for the money.
#pragma once

#include <memory>
#include <string>

#include "shell/client/exchange.h"
#include "shell/client/options.h"
#include "shell/client/purse.h"
#include "shell/client/refusal.h"

namespace paygress::client {

struct PaymentOptions {
  cashu::Amount amount = 0;  // --amount
  int64_t seconds = 0;       // --seconds
  std::string token;         // --token
  int64_t timeout_seconds = 120;
};
void add_payment_options(CLI::App& command, PaymentOptions& payment, bool needed);

struct Session {
  net::Loop loop;
  Identity identity;
  std::unique_ptr<WalletFile> file;
  MintClient mints{loop};
  Purse purse{*file, mints, identity.seed};

  Session(Identity who, std::unique_ptr<WalletFile> wallet)
      : identity(std::move(who)), file(std::move(wallet)) {}
};
// Also goes on with operations that an earlier command left open.
Outcome<std::unique_ptr<Session>> open_session(const Options& options);

// The stored token that pays: from the wallet, or the one that was handed in. `mints` normalised.
Outcome<uint64_t> payment_token(Session& session, const std::vector<std::string>& mints,
                                uint64_t rate_msats_per_sec, const PaymentOptions& payment);

market::RequestId fresh_request_id();
std::vector<std::string> normalised(const std::vector<std::string>& mints);

// Sends (again) what is stored, and records what the answer means: the token's fate, refunds
// received, the answer itself. A provider's error is a Failure with code Refused.
Outcome<market::Reply> ask_provider(Session& session, const consumer::RequestMade& request,
                                    Seconds timeout, const std::string& resume_command);
// Swaps a refund into the wallet, and says so; one that is here already is left alone.
void take_refund(Session& session, const std::string& refund, const market::RequestId& request);

}  // namespace paygress::client
