#include "sim/world/scenario.h"

#include <algorithm>

namespace paygress::sim {
namespace {

using enum FaultKind;
using Faults = std::vector<FaultChance>;

// Means are in tenths, for a history of an hour.
const Faults kProcess = {{Crash, 60, Seconds{60}, 0},
                         {Pause, 10, Seconds{300}, 0},
                         {Hang, 5, Seconds{200}, 0},
                         {HostLoss, 5, Seconds{120}, 0}};
const Faults kClock = {{ClockStep, 10, Seconds{0}, 30}, {ClockDrift, 10, Seconds{0}, 1000}};
const Faults kLink = {{Break, 60, Seconds{0}, 0},          {Cut, 20, Seconds{200}, 0},
                      {Clog, 20, Seconds{120}, 0},         {Lose, 40, Seconds{600}, 200'000},
                      {Double, 40, Seconds{600}, 300'000}, {Slow, 20, Seconds{300}, 4000}};
const Faults kRelay = {{RelayRestart, 10, Seconds{60}, 0}, {RelayForget, 5, Seconds{30}, 0},
                       {AckAndDrop, 10, Seconds{200}, 0},  {StoreAndRefuse, 10, Seconds{200}, 0},
                       {Withhold, 10, Seconds{300}, 0},    {ReplayOld, 10, Seconds{0}, 20},
                       {Equivocate, 10, Seconds{300}, 0},  {CloseRequests, 10, Seconds{120}, 0},
                       {NoEose, 10, Seconds{120}, 0},      {Flood, 5, Seconds{0}, 200}};
const Faults kDisk = {{FailSync, 10, Seconds{0}, 0}, {FailWrite, 10, Seconds{0}, 0}};
const Faults kMint = {
    {MintUnreachable, 20, Seconds{90}, 0},     {MintDropAnswer, 40, Seconds{0}, 3},
    {MintErrorAfter, 30, Seconds{0}, 3},       {MintDoubleAnswer, 30, Seconds{0}, 3},
    {MintSlowRequest, 20, Seconds{0}, 90'000}, {MintSlowAnswer, 20, Seconds{0}, 90'000},
    {MintGarbage, 10, Seconds{0}, 2},          {MintFee, 3, Seconds{0}, 1500},
    {MintRestoreLag, 5, Seconds{300}, 60'000}};
const Faults kMintMoods = {
    {MintRotate, 5, Seconds{0}, 300},       {MintPartial, 20, Seconds{0}, 3},
    {MintReorder, 10, Seconds{600}, 0},     {MintPending, 10, Seconds{2400}, 0},
    {MintFeeSwing, 10, Seconds{300}, 1500}, {MintRefuse, 10, Seconds{300}, 0}};
// Lags to half an hour; requests are carried out long after they were given up.
const Faults kHarshMint = {{MintUnreachable, 20, Seconds{300}, 0},
                           {MintDropAnswer, 60, Seconds{0}, 3},
                           {MintErrorAfter, 40, Seconds{0}, 3},
                           {MintDoubleAnswer, 20, Seconds{0}, 3},
                           {MintSlowRequest, 60, Seconds{0}, 1'800'000},
                           {MintSlowAnswer, 20, Seconds{0}, 90'000},
                           {MintFee, 20, Seconds{0}, 1500},
                           {MintRestoreLag, 20, Seconds{1800}, 1'800'000},
                           {MintRotate, 20, Seconds{0}, 300},
                           {MintPartial, 20, Seconds{0}, 3},
                           {MintPending, 20, Seconds{2400}, 0},
                           {MintFeeSwing, 20, Seconds{900}, 1500},
                           {MintRefuse, 10, Seconds{300}, 0},
                           {MintStall, 10, Seconds{1800}, 0}};
const Faults kEngine = {
    {EngineUnreachable, 10, Seconds{120}, 0}, {EngineAnswerLost, 20, Seconds{0}, 2},
    {EngineFailedButDone, 20, Seconds{0}, 2}, {EngineHang, 10, Seconds{0}, 1},
    {EngineRefused, 20, Seconds{0}, 3},       {EngineDies, 20, Seconds{0}, 2},
    {EngineIgnored, 20, Seconds{0}, 2},       {EngineStaleList, 20, Seconds{0}, 2},
    {EngineLate, 10, Seconds{0}, 1},          {WorkloadExits, 10, Seconds{0}, 1}};
const Faults kGuard = {{GuardUnreachable, 10, Seconds{120}, 0}, {GuardForgets, 5, Seconds{0}, 0}};
const Faults kStrangers = {{Forge, 10, Seconds{0}, 5},
                           {Garbage, 10, Seconds{0}, 5},
                           {ReplayMessage, 20, Seconds{0}, 10},
                           {FutureDated, 10, Seconds{0}, 3},
                           {SpentToken, 10, Seconds{0}, 2}};

void append(Faults& to, const Faults& more) { to.insert(to.end(), more.begin(), more.end()); }

Scenario& add(std::vector<Scenario>& all, std::string name, std::string about) {
  Scenario& s = all.emplace_back();
  s.name = std::move(name);
  s.about = std::move(about);
  s.marks = {"lease"};
  return s;
}

void add_calm(std::vector<Scenario>& all) {
  add(all, "first-lease", "one provider, one consumer: bought, delivered, ended");
  {
    Scenario& s = add(all, "top-up", "leases are extended while they run");
    s.consumers = 2;
    s.top_ups_per_lease = 2;
    s.marks.push_back("top-up");
  }
  {
    Scenario& s = add(all, "old-clients", "consumers that speak NIP-04, as the existing network's");
    s.consumers = 3;
    s.nip04 = true;
  }
  {
    Scenario& s = add(all, "market", "five providers, many consumers, three relays");
    s.providers = 5;
    s.consumers = 20;
    s.spawns_per_consumer = 2;
    s.top_ups_per_lease = 1;
    s.marks.push_back("top-up");
  }
}

void add_troubled(std::vector<Scenario>& all) {
  {
    Scenario& s = add(all, "rough-network", "frames are lost, late, doubled; links break or hang");
    s.providers = 2;
    s.consumers = 6;
    s.top_ups_per_lease = 1;
    s.delay_max = 3'000'000_us;
    s.faults = kLink;
    s.marks = {"lease",       "top-up",         "frame lost", "frame doubled",
               "link broken", "link half-open", "burst"};
  }
  {
    Scenario& s = add(all, "crashes", "providers crash, also inside a step and in recovery");
    s.providers = 2;
    s.consumers = 8;
    s.spawns_per_consumer = 2;
    s.top_ups_per_lease = 1;
    s.faults = kProcess;
    append(s.faults, kDisk);
    s.faults.front().mean = 300;
    s.marks = {"lease",
               "crash",
               "crash before commit",
               "crash between effects",
               "crash in recovery",
               "pause",
               "zombie woke",
               "hang",
               "host lost",
               "disk failed",
               "torn tail"};
  }
  {
    Scenario& s = add(all, "mint-trouble", "the mint loses, doubles, delays, spoils its answers");
    s.consumers = 6;
    s.spawns_per_consumer = 2;
    s.top_ups_per_lease = 1;
    s.faults = kMint;
    s.marks = {"lease", "interim answer", "mint answer lost", "lost answer restored"};
  }
  {
    Scenario& s = add(all, "money", "every saga of the money: crashes, mint, engine and disk");
    s.consumers = 8;
    s.spawns_per_consumer = 2;
    s.top_ups_per_lease = 1;
    s.stops_percent = 60;
    s.patient_percent = 25;
    s.withdrawals_max = 4;
    s.sats_max = 120;
    s.settle = Seconds{5400};
    s.faults = kProcess;
    s.faults.front().mean = 200;
    for (const Faults* part : {&kDisk, &kMint, &kMintMoods, &kEngine, &kStrangers})
      append(s.faults, *part);
    s.faults.push_back({CopiedToken, 20, Seconds{0}, 3});
    s.swarm = true;
    s.marks = {"lease",
               "top-up",
               "stop",
               "refund",
               "crash",
               "crash before commit",
               "crash between effects",
               "interim answer",
               "lost answer restored",
               "keyset rotated",
               "disk failed",
               "engine answer lost",
               "withdrawal"};
  }
  {
    Scenario& s = add(all, "money-crash", "the same at a mint that lags, rotates and is slow");
    s.consumers = 8;
    s.spawns_per_consumer = 2;
    s.top_ups_per_lease = 1;
    s.stops_percent = 80;
    s.withdrawals_max = 4;
    s.sats_max = 120;
    s.settle = Seconds{9000};
    s.faults = kProcess;
    s.faults.front().mean = 400;
    for (const Faults* part : {&kDisk, &kHarshMint, &kEngine}) append(s.faults, *part);
    for (FaultChance& chance : s.faults)  // leases end, and are stopped, while it is away
      if (chance.kind == EngineUnreachable) chance.lasts_max = Seconds{1200};
    s.swarm = true;
    s.marks = {"lease",
               "top-up",
               "stop",
               "refund",
               "crash",
               "crash before commit",
               "crash between effects",
               "crash in recovery",
               "lost answer restored",
               "keyset rotated",
               "withdrawal"};
  }
  {
    Scenario& s = add(all, "money-pay", "operators pay invoices: crashes, a harsh mint, Lightning");
    s.consumers = 6;
    s.spawns_per_consumer = 2;
    s.stops_percent = 80;
    s.withdrawals_max = 8;
    s.operators_pay = true;
    s.sats_max = 120;
    s.settle = Seconds{9000};
    s.faults = kProcess;
    s.faults.front().mean = 400;
    for (const Faults* part : {&kDisk, &kHarshMint}) append(s.faults, *part);
    s.faults.push_back({LightningFails, 30, Seconds{900}, 0});
    s.faults.push_back({LightningHangs, 30, Seconds{1800}, 0});
    s.swarm = true;
    s.marks = {"lease",
               "refund",
               "crash",
               "withdrawal",
               "payment",
               "payment failed",
               "payment taken back",
               "payment settled late"};
  }
  {
    Scenario& s = add(all, "engine-trouble", "the engine loses answers, refuses, hangs, forgets");
    s.providers = 2;
    s.consumers = 6;
    s.faults = kEngine;
    s.marks = {"lease", "engine answer lost", "workload died"};
  }
  {
    Scenario& s = add(all, "bad-relays", "relays lie, forget, withhold, replay, flood; strangers");
    s.providers = 2;
    s.consumers = 6;
    s.top_ups_per_lease = 1;
    s.faults = kRelay;
    append(s.faults, kStrangers);
    s.swarm = true;
    s.liars = 1;
    s.marks = {
        "lease", "relay restarted",      "relay forgot",    "relay lied", "old events replayed",
        "flood", "forged event dropped", "stranger refused"};
  }
  {
    Scenario& s =
        add(all, "standby", "warm-standby workloads through whole providers, and trouble");
    s.providers = 4;
    s.consumers = 3;
    s.spawns_per_consumer = 2;
    s.top_ups_per_lease = 1;
    s.stops_percent = 30;
    s.standbys_max = 2;
    s.sats_max = 800;
    s.settle = Seconds{3600};
    for (const Faults* part :
         {&kProcess, &kClock, &kLink, &kRelay, &kDisk, &kMint, &kEngine, &kStrangers})
      append(s.faults, *part);
    append(s.faults, kGuard);
    s.swarm = true;
    s.freezes = true;
    s.clock_offset_max = Seconds{20};
    s.clock_drift_ppm_max = 1000;
    s.marks = {"lease",
               "set built",
               "half a set given back",
               "promoted",
               "superseded",
               "zombie fenced",
               "notice delivered",
               "standby topped up",
               "revoked at its end",
               "set ended",
               "refund",
               "crash",
               "host lost",
               "frozen",
               "thawed"};
  }
  {
    Scenario& s = add(all, "everything", "all of it, a different mix for each seed; a core heals");
    s.providers = 3;
    s.consumers = 10;
    s.spawns_per_consumer = 2;
    s.top_ups_per_lease = 1;
    for (const Faults* part :
         {&kProcess, &kClock, &kLink, &kRelay, &kDisk, &kMint, &kEngine, &kStrangers})
      append(s.faults, *part);
    s.faults.front().mean = 150;
    s.swarm = true;
    s.freezes = true;
    s.liars = 1;
    s.clock_offset_max = Seconds{20};
    s.clock_drift_ppm_max = 1000;
    s.marks = {"lease",
               "top-up",
               "crash",
               "crash before commit",
               "crash between effects",
               "crash in recovery",
               "zombie woke",
               "clock went back",
               "frame lost",
               "link broken",
               "link half-open",
               "relay forgot",
               "relay lied",
               "disk failed",
               "lost answer restored",
               "stranger refused",
               "frozen",
               "thawed"};
  }
}

std::vector<Scenario> make_scenarios() {
  std::vector<Scenario> all;
  add_calm(all);
  add_troubled(all);
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
