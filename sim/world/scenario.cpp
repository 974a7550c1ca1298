#include "sim/world/scenario.h"

#include <algorithm>

namespace paygress::sim {
namespace {

std::vector<Scenario> make_scenarios() {
  std::vector<Scenario> all;
  const auto add = [&](std::string name, std::string about) -> Scenario& {
    Scenario& s = all.emplace_back();
    s.name = std::move(name);
    s.about = std::move(about);
    return s;
  };
  add("first-lease", "one provider, one consumer: bought, delivered, ended");
  {
    Scenario& s = add("top-up", "leases are extended while they run");
    s.consumers = 2;
    s.top_ups_per_lease = 2;
  }
  {
    Scenario& s = add("old-clients", "consumers that speak NIP-04, as the existing network's do");
    s.consumers = 3;
    s.nip04 = true;
  }
  {
    Scenario& s = add("market", "five providers, many consumers, three relays");
    s.providers = 5;
    s.consumers = 20;
    s.spawns_per_consumer = 2;
    s.top_ups_per_lease = 1;
  }
  {
    Scenario& s = add("rough-network", "frames are lost, doubled and reordered; links break");
    s.providers = 2;
    s.consumers = 6;
    s.top_ups_per_lease = 1;
    s.network.delay_max = 3'000'000_us;
    s.network.loss_ppm = 50'000;
    s.network.duplicate_ppm = 50'000;
    s.network.drop_link_every = Seconds{300};
  }
  {
    Scenario& s = add("crashes", "providers crash, also in the middle of a step, and come back");
    s.providers = 2;
    s.consumers = 8;
    s.spawns_per_consumer = 2;
    s.top_ups_per_lease = 1;
    s.crash_every = Seconds{200};
    s.crash_in_step_ppm = 20'000;
  }
  {
    Scenario& s = add("mint-trouble", "the mint loses, doubles, delays and spoils its answers");
    s.consumers = 6;
    s.spawns_per_consumer = 2;
    s.top_ups_per_lease = 1;
    s.mint_faults.ppm = {{MintFault::DropAnswer, 60'000},  {MintFault::ErrorAfter, 40'000},
                         {MintFault::DoubleAnswer, 40'000}, {MintFault::SlowAnswer, 40'000},
                         {MintFault::SlowRequest, 30'000},  {MintFault::Unreachable, 60'000},
                         {MintFault::Garbage, 20'000}};
  }
  {
    Scenario& s = add("engine-trouble", "the engine loses answers, refuses, hangs and forgets");
    s.providers = 2;
    s.consumers = 6;
    s.backend_fault_ppm = {
        {BackendFault::AnswerLost, 50'000}, {BackendFault::FailedButDone, 40'000},
        {BackendFault::Hang, 20'000},       {BackendFault::Refused, 50'000},
        {BackendFault::Dies, 50'000},       {BackendFault::Ignored, 40'000},
        {BackendFault::StaleList, 40'000}};
  }
  {
    Scenario& s = add("everything", "all of the above at once");
    s.providers = 3;
    s.consumers = 10;
    s.spawns_per_consumer = 2;
    s.top_ups_per_lease = 1;
    s.network = all[4].network;
    s.crash_every = Seconds{400};
    s.crash_in_step_ppm = 5'000;
    s.mint_faults = all[6].mint_faults;
    s.backend_fault_ppm = all[7].backend_fault_ppm;
  }
  return all;
}

}  // namespace

std::span<const Scenario> scenarios() {
  static const std::vector<Scenario> all = make_scenarios();
  return all;
}

const Scenario* find_scenario(std::string_view name) {
  const auto all = scenarios();
  const auto it =
      std::find_if(all.begin(), all.end(), [&](const auto& s) { return s.name == name; });
  return it == all.end() ? nullptr : &*it;
}

}  // namespace paygress::sim
