// Reads the market from relays.
#pragma once

#include "core/consumer/directory.h"
#include "shell/client/failure.h"
#include "shell/client/options.h"
#include "shell/client/wallet_file.h"
#include "shell/net/loop.h"

namespace paygress::client {

inline constexpr Micros kListTimeout = micros(Seconds{6});

// Every offer, heartbeat and inbox list that the relays have. Error when no relay answered.
Outcome<consumer::Directory> read_market(net::Loop& loop, const std::vector<std::string>& relays,
                                         const crypto::Keypair& key);

}  // namespace paygress::client
