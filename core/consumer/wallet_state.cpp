#include "core/consumer/wallet_state.h"

#include <algorithm>
#include <set>

#include "core/base/check.h"
#include "core/cashu/token.h"

namespace paygress::consumer {
namespace {

using cashu::Amount;
using cashu::Proof;
using Purse = cashu::WalletStore::Purse;

Amount sum_of(const std::vector<Proof>& proofs) {
  const auto sum = cashu::total(proofs);
  PG_CHECK(sum.has_value());
  return *sum;
}

constexpr const char* kPay = "pay";
constexpr const char* kSend = "send";

std::string_view word_of(OpKind kind) {
  switch (kind) {
    case OpKind::Mint: return "mint";
    case OpKind::Receive: return "receive";
    case OpKind::Split: return "swap";
  }
  return "?";
}

// A token of ours whose value somebody else may still take.
bool is_out(const StoredToken& token) {
  return token.stored.origin == TokenOrigin::Made &&
         (token.fate == TokenFate::Here || token.fate == TokenFate::Sent);
}

// Somebody else's, or a refund: ours as soon as the mint has swapped it.
bool waits_for_its_swap(const StoredToken& token) {
  return token.stored.origin != TokenOrigin::Made && token.fate == TokenFate::Here;
}

bool is_in(const Purse& purse, const StoredToken& token) {
  return token.stored.mint == purse.mint && token.stored.unit == purse.unit;
}

}  // namespace

std::string_view to_text(TokenFate fate) {
  switch (fate) {
    case TokenFate::Here: return "here";
    case TokenFate::Sent: return "sent";
    case TokenFate::Taken: return "taken";
    case TokenFate::Returned: return "returned";
    case TokenFate::Received: return "received";
    case TokenFate::Lost: return "spent elsewhere";
  }
  return "?";
}

void WalletState::apply(const Record& record) {
  std::visit([this](const auto& r) { on(r); }, record);
}

Result<void> WalletState::apply_bytes(ByteView bytes) {
  auto record = decode_bytes<Record>(bytes);
  if (!record) return std::unexpected(record.error());
  apply(*record);
  return {};
}

uint32_t WalletState::next_counter(const std::string& keyset) const {
  const auto found = counters_.find(keyset);
  return found == counters_.end() ? 0 : found->second;
}

void WalletState::take_number(uint64_t number) {
  PG_CHECK(number >= next_number_);
  next_number_ = number + 1;
}

HistoryEntry* WalletState::entry(uint64_t number) {
  const auto found = std::find_if(history_.rbegin(), history_.rend(),
                                  [&](const HistoryEntry& e) { return e.number == number; });
  return found == history_.rend() ? nullptr : &*found;
}

void WalletState::on(const WalletMade& r) {
  PG_CHECK(!made_);
  made_ = r;
}

void WalletState::on(const QuoteMade& r) {
  take_number(r.number);
  quotes_.emplace(r.number, r);
  history_.push_back({r.number, "mint", "unpaid", r.mint, r.unit, static_cast<int64_t>(r.amount),
                      "", std::nullopt, r.at});
}

void WalletState::on(const QuoteDropped& r) {
  PG_CHECK(quotes_.erase(r.number) == 1);
  entry(r.number)->state = "expired";
}

void WalletState::on(const OpStarted& r) {
  PG_CHECK(!open_.contains(r.number));
  PG_CHECK(r.outputs.size() <= UINT32_MAX && r.counter_start >= next_counter(r.keyset));
  counters_[r.keyset] = r.counter_start + static_cast<uint32_t>(r.outputs.size());
  if (r.kind == OpKind::Mint) {
    PG_CHECK(quotes_.erase(r.number) == 1);
    entry(r.number)->state = "in doubt";
  } else {
    take_number(r.number);
    history_.push_back({r.number, std::string(word_of(r.kind)), "in doubt", r.mint, r.unit, 0, "",
                        std::nullopt, r.at});
  }
  if (r.kind == OpKind::Receive) PG_CHECK(tokens_.contains(r.token));
  if (r.kind == OpKind::Split) {
    for (const Proof& proof : r.inputs) purse_.remove({r.mint, r.unit}, proof.secret);
    if (r.token != 0) take_number(r.token);
  }
  open_.emplace(r.number, r);
}

void WalletState::on(const OpDone& r) {
  const auto found = open_.find(r.number);
  PG_CHECK(found != open_.end());
  const OpStarted op = std::move(found->second);
  open_.erase(found);
  PG_CHECK(r.proofs.size() == op.outputs.size());
  const std::set<uint32_t> given(op.given.begin(), op.given.end());
  std::vector<Proof> out;
  for (uint32_t i = 0; i < r.proofs.size(); ++i) {
    if (given.contains(i))
      out.push_back(r.proofs[i]);
    else
      purse_.add({op.mint, op.unit}, r.proofs[i]);
  }
  if (!out.empty()) given_.emplace(op.token, std::move(out));
  HistoryEntry& line = *entry(r.number);
  line.state = "done";
  const auto got = static_cast<int64_t>(sum_of(r.proofs));
  line.amount = op.kind == OpKind::Split ? got - static_cast<int64_t>(sum_of(op.inputs)) : got;
  if (op.kind != OpKind::Receive) return;
  StoredToken& token = tokens_.at(op.token);
  token.fate = TokenFate::Received;
  token.changed_at = r.at;
  line.note = "token " + std::to_string(op.token);
  if (HistoryEntry* source = entry(op.token)) source->state = to_text(TokenFate::Received);
}

void WalletState::on(const OpFailed& r) {
  const auto found = open_.find(r.number);
  PG_CHECK(found != open_.end());
  const OpStarted op = std::move(found->second);
  open_.erase(found);
  const std::set<std::string> spent(r.spent.begin(), r.spent.end());
  Amount lost = 0;
  for (const Proof& proof : op.inputs) {
    if (spent.contains(proof.secret))
      lost += proof.amount;
    else if (op.kind == OpKind::Split)
      purse_.add({op.mint, op.unit}, proof);
  }
  HistoryEntry& line = *entry(r.number);
  line.state = "failed";
  line.note = r.why;
  if (op.kind == OpKind::Split) line.amount = -static_cast<int64_t>(lost);
  if (op.kind != OpKind::Receive || lost == 0) return;
  tokens_.at(op.token).fate = TokenFate::Lost;
  tokens_.at(op.token).changed_at = r.at;
  if (HistoryEntry* source = entry(op.token)) source->state = to_text(TokenFate::Lost);
}

void WalletState::on(const TokenStored& r) {
  PG_CHECK(!tokens_.contains(r.number));
  if (r.origin == TokenOrigin::Made && !r.from_purse) {
    const auto waiting = given_.find(r.number);
    PG_CHECK(waiting != given_.end() && waiting->second == r.proofs);
    given_.erase(waiting);
  } else {
    take_number(r.number);
  }
  if (r.from_purse)
    for (const Proof& proof : r.proofs) purse_.remove({r.mint, r.unit}, proof.secret);
  tokens_.emplace(r.number, StoredToken{r, TokenFate::Here, r.at});
  const bool ours = r.origin == TokenOrigin::Made;
  history_.push_back({r.number,
                      ours ? (r.for_request ? kPay : kSend)
                           : (r.origin == TokenOrigin::Refund ? "refund" : "token"),
                      std::string(to_text(TokenFate::Here)), r.mint, r.unit,
                      ours ? -static_cast<int64_t>(r.amount) : 0, "", r.request, r.at, r.amount});
}

void WalletState::on(const TokenChanged& r) {
  StoredToken& token = tokens_.at(r.number);
  if (r.fate == TokenFate::Returned) {
    PG_CHECK(is_out(token));
    for (const Proof& proof : token.stored.proofs)
      purse_.add({token.stored.mint, token.stored.unit}, proof);
    entry(r.number)->amount = 0;
  }
  token.fate = r.fate;
  token.changed_at = r.at;
  HistoryEntry& line = *entry(r.number);
  line.state = to_text(r.fate);
  // No request took it along: it was printed, whatever it was made for.
  if (r.fate == TokenFate::Sent) line.what = kSend;
}

void WalletState::on(const RequestMade& r) {
  PG_CHECK(!requests_.contains(r.request));
  requests_.emplace(r.request, StoredRequest{r, std::nullopt});
  if (r.token == 0) return;
  StoredToken& token = tokens_.at(r.token);
  token.stored.request = r.request;
  token.fate = TokenFate::Sent;
  token.changed_at = r.at;
  HistoryEntry& line = *entry(r.token);
  line.what = kPay;  // also a token of somebody else that was handed in
  line.request = r.request;
  line.state = to_text(TokenFate::Sent);
  line.note = "to " + (r.provider_name.empty() ? r.provider.hex().substr(0, 8) : r.provider_name);
}

void WalletState::on(const RequestAnswered& r) {
  const auto found = requests_.find(r.request);
  PG_CHECK(found != requests_.end());
  found->second.answered = r;
}

void WalletState::on(const LeaseSeen& r) {
  const PodKey key{r.provider, r.pod};
  const auto known = leases_.find(key);
  // A later record of the same request tells how the pod is, not that another was rented; a standby
  // that took over gives it another id.
  if (known == leases_.end() || known->second.request != r.request) {
    std::erase(rented_, key);
    const auto same = std::ranges::find_if(rented_, [&](const PodKey& other) {
      return other.first == r.provider && leases_.at(other).request == r.request;
    });
    rented_.insert(same == rented_.end() ? same : std::next(same), key);
  }
  leases_.insert_or_assign(key, r);
}

Amount WalletState::locked(const Purse& purse) const {
  Amount sum = 0;
  for (const auto& [number, op] : open_)
    if (op.kind == OpKind::Split && op.mint == purse.mint && op.unit == purse.unit)
      sum += sum_of(op.inputs);
  for (const auto& [number, token] : tokens_)
    if (waits_for_its_swap(token) && is_in(purse, token)) sum += token.stored.amount;
  return sum;
}

Amount WalletState::underway(const Purse& purse) const {
  Amount sum = 0;
  for (const auto& [number, token] : tokens_)
    if ((is_out(token) || token.fate == TokenFate::Sent) && is_in(purse, token))
      sum += token.stored.amount;
  return sum;
}

bool WalletState::is_being_received(uint64_t token) const {
  return std::ranges::any_of(open_, [&](const auto& entry) {
    return entry.second.kind == OpKind::Receive && entry.second.token == token;
  });
}

std::optional<uint64_t> WalletState::token_with(const std::vector<Proof>& proofs) const {
  std::set<std::string_view> secrets;
  for (const Proof& proof : proofs) secrets.insert(proof.secret);
  for (const auto& [number, token] : tokens_)
    for (const Proof& proof : token.stored.proofs)
      if (secrets.contains(proof.secret)) return number;
  return std::nullopt;
}

std::vector<uint64_t> WalletState::stranded() const {
  std::vector<uint64_t> numbers;
  for (const auto& [number, token] : tokens_)
    if (token.fate == TokenFate::Here && token.stored.for_request) numbers.push_back(number);
  return numbers;
}

void WalletState::check_invariants() const {
  purse_.check_invariants();
  PG_CHECK(given_.empty());  // between batches
  for (const auto& [number, op] : open_) {
    PG_CHECK(number < next_number_);
    PG_CHECK(op.counter_start + op.outputs.size() <= next_counter(op.keyset));
    for (const Proof& proof : op.inputs)
      PG_CHECK(!purse_.contains({op.mint, op.unit}, proof.secret));
  }
  for (const auto& [number, token] : tokens_) {
    if (!is_out(token)) continue;
    for (const Proof& proof : token.stored.proofs)
      PG_CHECK(!purse_.contains({token.stored.mint, token.stored.unit}, proof.secret));
  }
}

}  // namespace paygress::consumer
