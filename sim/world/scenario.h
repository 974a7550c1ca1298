// What a simulated world is made of and what happens in it. Everything random in it is drawn from
// the seed by named streams, so a scenario with a seed is one exact history.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/base/units.h"
#include "core/cashu/redeemer.h"
#include "sim/models/backend.h"
#include "sim/models/mint.h"

namespace paygress::sim {

// Both run the same core and the same models. Fast stands in for the curve and for signatures with
// cheap arithmetic of the same shape; Real is the cryptography of production.
enum class Tier : uint8_t { Fast, Real };

struct Network {
  Micros delay_min = 5'000_us;
  Micros delay_max = 120'000_us;   // drawn per message: later ones may overtake
  uint32_t loss_ppm = 0;           // of frames; the connection stays
  uint32_t duplicate_ppm = 0;
  Seconds drop_link_every{0};      // mean time until a connection breaks; 0: never
};

struct Scenario {
  std::string name;
  std::string about;               // one line
  size_t providers = 1;
  size_t relays = 3;
  size_t consumers = 1;
  Seconds length{3600};            // faults happen and leases are bought in this time
  Seconds settle{1800};            // then everything heals, and must come to rest
  size_t spawns_per_consumer = 1;
  size_t top_ups_per_lease = 0;
  uint64_t sats_min = 20;          // of a token
  uint64_t sats_max = 200;
  Network network;
  Seconds crash_every{0};          // mean time between crashes of one provider; 0: never
  Micros down_for_max = 60'000'000_us;
  uint32_t crash_in_step_ppm = 0;  // chance that a step crashes at one of its effects
  bool resend_requests = true;     // consumers ask again until they have a final answer
  MintFaultRates mint_faults;
  std::map<BackendFault, uint32_t> backend_fault_ppm;
  cashu::RedeemPolicy redeem;      // a rule switched off is a planted bug, which a run must find
  bool nip04 = false;              // consumers speak the existing network's transport
};

std::span<const Scenario> scenarios();
const Scenario* find_scenario(std::string_view name);

}  // namespace paygress::sim
