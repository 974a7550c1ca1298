#include "sim/world/fault_plan.h"

#include <algorithm>
#include <array>

namespace paygress::sim {
namespace {

using enum FaultKind;
using K = FaultClass;
using R = Role;

constexpr bool kLasts = true;
constexpr bool kOnce = false;
constexpr bool kLies = true;
constexpr bool kHonest = false;

// In the order of FaultKind.
constexpr auto kFaults = std::to_array<FaultInfo>({
    {Crash, K::Process, "crash", R::Provider, kLasts, "", kHonest},
    {Pause, K::Process, "pause", R::Provider, kLasts, "", kHonest},
    {Hang, K::Process, "hang", R::Provider, kLasts, "", kHonest},
    {HostLoss, K::Process, "host-loss", R::Provider, kLasts, "", kHonest},
    {ClockStep, K::Clock, "clock-step", R::Provider, kOnce, "seconds", kHonest},
    {ClockDrift, K::Clock, "clock-drift", R::Provider, kOnce, "ppm", kHonest},
    {Break, K::Link, "break", R::Anyone, kOnce, "", kHonest},
    {Cut, K::Link, "cut", R::Anyone, kLasts, "", kHonest},
    {Clog, K::Link, "clog", R::Anyone, kLasts, "", kHonest},
    {Lose, K::Link, "lose", R::Anyone, kLasts, "ppm", kHonest},
    {Double, K::Link, "double", R::Anyone, kLasts, "ppm", kHonest},
    {Slow, K::Link, "slow", R::Anyone, kLasts, "ms", kHonest},
    {RelayRestart, K::Relay, "restart", R::Relay, kLasts, "", kHonest},
    {RelayForget, K::Relay, "forget", R::Relay, kLasts, "", kLies},
    {AckAndDrop, K::Relay, "ack-and-drop", R::Relay, kLasts, "", kLies},
    {StoreAndRefuse, K::Relay, "store-and-refuse", R::Relay, kLasts, "", kLies},
    {Withhold, K::Relay, "withhold", R::Relay, kLasts, "", kLies},
    {ReplayOld, K::Relay, "replay-old", R::Relay, kOnce, "count", kHonest},
    {Equivocate, K::Relay, "equivocate", R::Relay, kLasts, "", kLies},
    {CloseRequests, K::Relay, "close-requests", R::Relay, kLasts, "", kHonest},
    {NoEose, K::Relay, "no-eose", R::Relay, kLasts, "", kHonest},
    {Flood, K::Relay, "flood", R::Relay, kOnce, "count", kHonest},
    {FailSync, K::Disk, "fail-sync", R::Provider, kOnce, "", kHonest},
    {FailWrite, K::Disk, "fail-write", R::Provider, kOnce, "", kHonest},
    {MintUnreachable, K::Mint, "mint-unreachable", R::Anyone, kLasts, "", kHonest},
    {MintDropAnswer, K::Mint, "mint-drop-answer", R::Anyone, kOnce, "count", kHonest},
    {MintErrorAfter, K::Mint, "mint-error-after", R::Anyone, kOnce, "count", kHonest},
    {MintDoubleAnswer, K::Mint, "mint-double-answer", R::Anyone, kOnce, "count", kHonest},
    {MintSlowRequest, K::Mint, "mint-slow-request", R::Anyone, kOnce, "ms", kHonest},
    {MintSlowAnswer, K::Mint, "mint-slow-answer", R::Anyone, kOnce, "ms", kHonest},
    {MintGarbage, K::Mint, "mint-garbage", R::Anyone, kOnce, "count", kHonest},
    {MintFee, K::Mint, "mint-fee", R::Mint, kOnce, "ppk", kHonest},
    {MintRestoreLag, K::Mint, "mint-restore-lag", R::Mint, kLasts, "ms", kHonest},
    {MintRotate, K::Mint, "mint-rotate", R::Mint, kOnce, "ppk", kHonest},
    {MintPartial, K::Mint, "mint-partial", R::Mint, kOnce, "count", kHonest},
    {MintReorder, K::Mint, "mint-reorder", R::Mint, kLasts, "", kHonest},
    {MintPending, K::Mint, "mint-pending", R::Mint, kLasts, "", kHonest},
    {MintFeeSwing, K::Mint, "mint-fee-swing", R::Mint, kLasts, "ppk", kHonest},
    {MintRefuse, K::Mint, "mint-refuse", R::Mint, kLasts, "code", kHonest},
    {MintStall, K::Mint, "mint-stall", R::Mint, kLasts, "", kHonest},
    {EngineUnreachable, K::Engine, "engine-unreachable", R::Provider, kLasts, "", kHonest},
    {EngineAnswerLost, K::Engine, "engine-answer-lost", R::Provider, kOnce, "count", kHonest},
    {EngineFailedButDone, K::Engine, "engine-failed-but-done", R::Provider, kOnce, "count",
     kHonest},
    {EngineHang, K::Engine, "engine-hang", R::Provider, kOnce, "count", kHonest},
    {EngineRefused, K::Engine, "engine-refused", R::Provider, kOnce, "count", kHonest},
    {EngineDies, K::Engine, "engine-dies", R::Provider, kOnce, "count", kHonest},
    {EngineIgnored, K::Engine, "engine-ignored", R::Provider, kOnce, "count", kHonest},
    {EngineStaleList, K::Engine, "engine-stale-list", R::Provider, kOnce, "count", kHonest},
    {EngineLate, K::Engine, "engine-late", R::Provider, kOnce, "count", kHonest},
    {WorkloadExits, K::Engine, "workload-exits", R::Provider, kOnce, "count", kHonest},
    {Forge, K::Stranger, "forge", R::Provider, kOnce, "count", kHonest},
    {Garbage, K::Stranger, "garbage", R::Provider, kOnce, "count", kHonest},
    {ReplayMessage, K::Stranger, "replay-message", R::Provider, kOnce, "count", kHonest},
    {FutureDated, K::Stranger, "future-dated", R::Provider, kOnce, "count", kHonest},
    {SpentToken, K::Stranger, "spent-token", R::Provider, kOnce, "count", kHonest},
    {CopiedToken, K::Stranger, "copied-token", R::Provider, kOnce, "count", kHonest},
    {LightningFails, K::Mint, "lightning-fails", R::Mint, kLasts, "", kHonest},
    {LightningHangs, K::Mint, "lightning-hangs", R::Mint, kLasts, "", kHonest},
    {GuardUnreachable, K::Process, "guard-unreachable", R::Provider, kLasts, "", kHonest},
    {GuardForgets, K::Process, "guard-forgets", R::Provider, kOnce, "", kHonest},
});
static_assert(kFaults.size() == static_cast<size_t>(GuardForgets) + 1);

constexpr std::array<std::pair<Role, std::string_view>, 6> kRoles{{{Role::Anyone, "*"},
                                                                   {Role::Provider, "provider"},
                                                                   {Role::Relay, "relay"},
                                                                   {Role::Consumer, "consumer"},
                                                                   {Role::Stranger, "stranger"},
                                                                   {Role::Mint, "mint"}}};

}  // namespace

const FaultInfo& info_of(FaultKind kind) {
  const FaultInfo& info = kFaults.at(static_cast<size_t>(kind));
  PG_CHECK(info.kind == kind);
  return info;
}

std::optional<FaultKind> fault_named(std::string_view name) {
  for (const FaultInfo& info : kFaults)
    if (info.name == name) return info.kind;
  return std::nullopt;
}

std::string to_text(NodeName node) {
  const std::string_view role = kRoles.at(static_cast<size_t>(node.role)).second;
  if (node.role == Role::Anyone || node.role == Role::Mint) return std::string(role);
  return std::string(role) + "-" + std::to_string(node.number);
}

Result<NodeName> parse_node(std::string_view text) {
  if (text == "*") return NodeName{};
  if (text == "mint") return NodeName{Role::Mint, 0};
  const size_t dash = text.find('-');
  const std::string_view digits = dash == text.npos ? "" : text.substr(dash + 1);
  NodeName node;
  for (const auto& [role, name] : kRoles)
    if (name == text.substr(0, dash)) node.role = role;
  const bool numbered = !digits.empty() && digits.size() <= 6 &&
                        std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; });
  if (node.role == Role::Anyone || !numbered)
    return fail("'" + std::string(text) + "' is no node: provider-1, relay-0, consumer-2, mint, *");
  for (char c : digits) node.number = node.number * 10 + static_cast<uint32_t>(c - '0');
  return node;
}

}  // namespace paygress::sim
