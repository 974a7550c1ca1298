#include "sim/world/strangers.h"

#include <algorithm>

#include "core/cashu/token.h"
#include "core/market/messages.h"
#include "sim/world/consumer_node.h"
#include "sim/world/provider_node.h"
#include "sim/world/relay_node.h"

namespace paygress::sim {
namespace {

constexpr uint64_t kStrangerNumber = 800'000;
constexpr Seconds kAhead{600};  // relays take events up to fifteen minutes ahead
constexpr size_t kReplayed = 3;

}  // namespace

Strangers::Strangers(World& world)
    : world_(world),
      identity_(world.tier(), kStrangerNumber),
      entropy_(world.seed(), kStrangerNumber, "entropy"),
      random_(world.seed(), kStrangerNumber, "stranger") {}

void Strangers::act(const Fault& fault) {
  const ProviderNode* at = world_.provider(fault.node.number);
  if (at == nullptr) return;
  for (int64_t i = 0; i < fault.amount; ++i) {
    switch (fault.kind) {
      case FaultKind::Forge: forge(*at); break;
      case FaultKind::Garbage: send_garbage(*at, world_.clock().wall); break;
      case FaultKind::FutureDated: send_garbage(*at, world_.clock().wall + kAhead); break;
      case FaultKind::ReplayMessage: replay(); break;
      case FaultKind::SpentToken: pay_with_spent_token(*at); break;
      case FaultKind::CopiedToken: pay_with_copied_token(*at, i); break;
      default: return;
    }
  }
}

void Strangers::publish(const nostr::Event& event) {
  for (auto& relay : world_.relays()) relay->accept(event);
}

// A message of the provider's, and one to it, signed by somebody else. Relays refuse them; one that
// is in league passes them on.
void Strangers::forge(const ProviderNode& at) {
  nostr::Draft draft{world_.clock().wall,
                     nostr::kind::kEncryptedDirect,
                     {{"p", at.identity().key.hex()}},
                     "{\"forged\":" + std::to_string(random_.next()) + "}"};
  nostr::Event event = world_.cryptography().sign(identity_, draft, entropy_);
  event.pubkey = at.identity().key;
  publish(event);
  for (auto& relay : world_.relays()) relay->inject(event);
}

void Strangers::send_garbage(const ProviderNode& at, UnixSeconds created_at) {
  static constexpr std::string_view kTexts[] = {"",
                                                "{",
                                                "[]",
                                                "{\"type\":\"spawn\"}",
                                                "{\"cashu_token\":\"cashuBo2F0\",\"pod_image\":7}",
                                                "\"\\u0000\"",
                                                "{\"pod_npub\":\"npub1\",\"cashu_token\":\"\"}"};
  world_.mark("stranger refused");
  publish(world_.cryptography().seal(identity_, at.identity().key, provider::Transport::Nip17, {},
                                     kTexts[random_.below(std::size(kTexts))], created_at,
                                     world_.clock().wall, entropy_));
}

void Strangers::replay() {
  for (auto& relay : world_.relays()) relay->replay(kReplayed);
}

void Strangers::pay_with_spent_token(const ProviderNode& at) {
  Mint& mint = world_.mint();
  const cashu::Token token = mint.issue_token(100);
  const size_t before = mint.swaps().size();
  if (!mint.spend_elsewhere(world_.queue().now(), token.proofs)) return;
  world_.disregard_swaps(before);
  pay_with(at, token);
}

// Somebody has read what a consumer sent, and sends its token as his own.
void Strangers::pay_with_copied_token(const ProviderNode& at, int64_t back) {
  std::vector<const ConsumerNode::Order*> orders;
  for (const auto& consumer : world_.consumers())
    for (const ConsumerNode::Order& order : consumer->orders())
      if (order.provider == at.identity().key && !order.token.proofs.empty())
        orders.push_back(&order);
  std::vector<std::pair<UnixSeconds, size_t>> newest;
  for (size_t i = 0; i < orders.size(); ++i) newest.emplace_back(orders[i]->asked_at, i);
  std::ranges::sort(newest, std::greater{});
  if (back >= static_cast<int64_t>(orders.size())) return;
  const cashu::Token& token = orders[newest[static_cast<size_t>(back)].second]->token;
  copied_.insert(token.proofs.front().secret);
  pay_with(at, token);
}

void Strangers::pay_with(const ProviderNode& at, const cashu::Token& token) {
  market::SpawnRequest request;
  request.cashu_token = cashu::encode_token(token, cashu::TokenVersion::V4).value();
  request.pod_spec_id = "basic";
  request.pod_image = "debian:12";
  request.ssh_username = "root";
  request.ssh_password = "abcdefgh1234";
  market::RequestId id;
  entropy_.fill(id.bytes);
  request.request_id = id;
  world_.mark("stranger refused");
  publish(world_.cryptography().seal(identity_, at.identity().key, provider::Transport::Nip17, {},
                                     market::to_json(market::Request(request)), world_.clock().wall,
                                     world_.clock().wall, entropy_));
}

}  // namespace paygress::sim
