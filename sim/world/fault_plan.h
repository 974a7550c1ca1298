// Everything that one history is made of, as text that a person reads and edits: who takes part,
// who buys what and when, and what goes wrong. Nothing about a history is decided later, but the
// draws of named streams (delays, keys, ids), which depend on the seed and on their own name only:
// removing a line changes no other line's draws.
//
//   scenario crashes seed=7 length=3600s settle=1800s
//   relay-0
//   provider-1 clock-offset=-3s clock-drift=200
//   consumer-0
//   buy consumer-0 provider-1 at=35.2s sats=120 top-ups=1
//   buy consumer-0 provider-1 at=40s sats=500 standby=provider-2,provider-3
//   withdraw provider-1 at=300s sats=20
//   fault crash provider-1 at=402.5s for=30s step=2
//   frozen relay-2
//
// Each line is a word or a node, and key=value pairs in any order. "#" begins a comment. Defaults
// are not printed.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/planted.h"
#include "core/base/result.h"
#include "core/base/units.h"

namespace paygress::sim {

// Both run the same core and the same models. Fast stands in for the curve and for signatures with
// cheap arithmetic of the same shape; Real is the cryptography of production.
enum class Tier : uint8_t { Fast, Real };

// "provider-1", "relay-0", "consumer-3", "stranger-0", "mint". Anyone: every node ("*").
enum class Role : uint8_t { Anyone, Provider, Relay, Consumer, Stranger, Mint };
struct NodeName {
  Role role = Role::Anyone;
  uint32_t number = 0;
  auto operator<=>(const NodeName&) const = default;
};
std::string to_text(NodeName node);
Result<NodeName> parse_node(std::string_view text);

// What a fault belongs to: swarm.h switches whole classes on and off.
enum class FaultClass : uint8_t { Process, Clock, Link, Relay, Disk, Mint, Engine, Stranger };
inline constexpr size_t kFaultClasses = 8;

enum class FaultKind : uint8_t {
  // Process. `step`: dies in its next step with records, 0: before they are synced, n: before the
  // n-th effect. `again`: dies so in its recovery too, that many times.
  Crash,
  Pause,
  Hang,
  HostLoss,
  // Clock of a machine: the wall clock jumps; the clock runs fast or slow.
  ClockStep,
  ClockDrift,
  // Links of `node` to `peer` (of all its links, without). Cut: half-open, nothing passes and
  // nobody is told. Clog: all of it arrives in one burst at the end.
  Break,
  Cut,
  Clog,
  Lose,
  Double,
  Slow,
  // Relays.
  RelayRestart,
  RelayForget,
  AckAndDrop,
  StoreAndRefuse,
  Withhold,
  ReplayOld,
  Equivocate,
  CloseRequests,
  NoEose,
  Flood,
  // Disk of a provider.
  FailSync,
  FailWrite,
  // The mint, for the next `count` calls (of provider `node`, unless it is the mint).
  MintUnreachable,
  MintDropAnswer,
  MintErrorAfter,
  MintDoubleAnswer,
  MintSlowRequest,
  MintSlowAnswer,
  MintGarbage,
  MintFee,
  MintRestoreLag,
  // The mint opens a new keyset; shows a part of what is restored, `count` times; shows it in
  // another order; holds every token that is being paid with as pending. Swing: asks another fee
  // for a while. Refuse: refuses every swap with `code` although nothing is wrong with it. Stall:
  // takes swaps on the terms of that moment, answers none, and carries them out at its end.
  MintRotate,
  MintPartial,
  MintReorder,
  MintPending,
  MintFeeSwing,
  MintRefuse,
  MintStall,
  // The engine of a provider, for the next `count` calls that it applies to.
  EngineUnreachable,
  EngineAnswerLost,
  EngineFailedButDone,
  EngineHang,
  EngineRefused,
  EngineDies,
  EngineIgnored,
  EngineStaleList,
  EngineLate,
  WorkloadExits,
  // Strangers: publish to relays what no member would; `node` is the provider it is meant for.
  // CopiedToken: pays with the tokens of the newest orders there, which somebody has copied.
  Forge,
  Garbage,
  ReplayMessage,
  FutureDated,
  SpentToken,
  CopiedToken,
  // Of the mint: Lightning finds no way; or its payments hang, and are paid or not at its end.
  LightningFails,
  LightningHangs,
  // The guard of a host: does not answer, and its deadlines go on; or is started anew and has lost
  // what it knew, so that it freezes all there is.
  GuardUnreachable,
  GuardForgets
};

struct FaultInfo {
  FaultKind kind;
  FaultClass klass;
  std::string_view name;
  Role role;              // of `node`
  bool lasts;             // has for=
  std::string_view unit;  // of `amount`: its key in the text; empty: it has none
  bool lies;              // counts against the budget of lying relays
};
const FaultInfo& info_of(FaultKind kind);
std::optional<FaultKind> fault_named(std::string_view name);

enum class CrashKeeps : uint8_t { Nothing, Everything, TornTail, GarbageTail, RandomPages };
enum class Way : uint8_t { Both, To, From };

struct Fault {
  FaultKind kind = FaultKind::Crash;
  NodeName node;
  NodeName peer;  // of links, and the author whose events are withheld
  Micros at;
  Micros lasts;                            // of Crash and HostLoss: until it starts again
  int64_t amount = 0;                      // see FaultInfo::unit
  std::optional<uint32_t> step;            // of Crash
  uint32_t again = 0;                      // of Crash
  CrashKeeps keeps = CrashKeeps::Nothing;  // of what was never synced
  Way way = Way::Both;                     // of Cut and Clog, seen from `node`
  bool operator==(const Fault&) const = default;
};

struct ProviderLine {
  uint32_t number = 0;
  Micros clock_offset;          // of its wall clock
  int64_t clock_drift_ppm = 0;  // its clocks run so much faster
  bool operator==(const ProviderLine&) const = default;
};

struct Purchase {
  uint32_t consumer = 0;
  uint32_t provider = 0;
  Micros at;
  std::string tier = "basic";
  uint64_t sats = 0;
  uint32_t top_ups = 0;
  bool nip04 = false;    // as the existing network's clients ask
  Micros stop_after;     // its owner stops it so long after asking; 0: never
  bool patient = false;  // asks once, and waits for the answer
  // A warm-standby workload: these are asked too, in this order, each with a token of its own; or
  // so many, which the buyer chooses from the market.
  std::vector<NodeName> standby;
  uint32_t standbys = 0;
  bool warm() const { return standbys > 0 || !standby.empty(); }
  bool operator==(const Purchase&) const = default;
};

// The operator of a provider takes earnings out.
struct WithdrawalLine {
  uint32_t provider = 0;
  Micros at;
  uint64_t sats = 0;  // of the token; 0: all that there is
  bool pays = false;  // an invoice of so much, instead
  bool operator==(const WithdrawalLine&) const = default;
};

struct Plan {
  std::string scenario;  // whose swarm drew it; only a name
  uint64_t seed = 1;
  Tier tier = Tier::Fast;
  Bug plant = Bug::none;
  std::string off;               // a rule of money_rules.h that is switched off; empty: none
  Micros length{3'600'000'000};  // what goes wrong does so before
  Micros settle{1'800'000'000};  // then it heals, and must come to rest
  Micros delay_min = 5'000_us;   // of a frame: drawn for each, later ones may overtake
  Micros delay_max = 120'000_us;
  uint32_t liars = 0;               // budget: relays that may lie or forget at once
  std::string profile = "default";  // of fail-over, at every provider
  std::vector<ProviderLine> providers;
  std::vector<uint32_t> relays;
  std::vector<uint32_t> consumers;
  std::vector<Purchase> purchases;
  std::vector<WithdrawalLine> withdrawals;
  std::vector<Fault> faults;
  std::vector<NodeName> frozen;  // whatever is broken about them at `length` stays so
  bool operator==(const Plan&) const = default;
};

std::string to_text(const Plan& plan);
// Errors name the line. What is read is a whole plan: every node that a line names exists.
Result<Plan> parse_plan(std::string_view text);
// One line, without its newline: for messages.
std::string to_text(const Fault& fault);
// "402.5s": exact, as short as can be.
std::string to_text(Micros time);
std::optional<Micros> parse_time(std::string_view text);

}  // namespace paygress::sim
