// One request and its answer. Whoever calls has made the request durable first.
#pragma once

#include <functional>
#include <string>

#include "core/consumer/correlation.h"
#include "core/consumer/records.h"
#include "shell/client/failure.h"
#include "shell/client/wallet_file.h"
#include "shell/net/loop.h"

namespace paygress::client {

inline constexpr Seconds kAskEvery{15};

struct Answer {
  market::Reply reply;
  std::string json;
};

// Listens first, then sends, and sends the same message again every kAskEvery (not by kind 4: a
// provider of the existing network would take the copy for a new request with a spent token) until
// the final answer. TimedOut says that the outcome is unknown, Failed that nothing was sent.
Outcome<Answer> exchange(net::Loop& loop, const Identity& identity,
                         const consumer::RequestMade& request, Seconds timeout,
                         const std::function<void(const market::ErrorReply&)>& on_interim);

}  // namespace paygress::client
