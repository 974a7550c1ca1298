// A warm-standby workload while it lives: who holds it, and the way in there.
#pragma once

#include <optional>
#include <vector>

#include "core/consumer/standby_set.h"
#include "shell/client/wallet_file.h"
#include "shell/net/loop.h"

namespace paygress::client {

struct SetSeen {
  std::string workload_id;
  std::string guarantee;  // as the provider said when it was rented; may be empty
  consumer::Holder holder;
  std::string holder_name;  // as this wallet knows it, else its key
  // What the wallet knows of the holder's part, and what the holder wrote since. Nothing when there
  // is no holder, or the wallet rented nothing there.
  std::optional<consumer::LeaseSeen> at_holder;
  std::vector<consumer::LeaseSeen> parts;  // what the wallet rented of it, at every member
};

// Nothing for a plain lease. Asks the relays of the lease for promotions, and our inbox for what a
// standby wrote after it took over. Needs no lock on the wallet and changes nothing in it.
std::optional<SetSeen> look_at_set(net::Loop& loop, const Identity& identity,
                                   const consumer::WalletState& state,
                                   const consumer::LeaseSeen& lease);

}  // namespace paygress::client
