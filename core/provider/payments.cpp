#include "core/provider/payments.h"

#include <algorithm>

#include "core/base/codec.h"
#include "core/cashu/identity.h"
#include "core/crypto/hash.h"

namespace paygress::provider {
namespace {

using market::ErrorType;
using market::TokenState;
namespace text = market::text;
using lease::Instant;

constexpr size_t kPasswordLength = 16;

const cashu::TokenQuote& token_of(const std::variant<SpawnQuote, TopUpQuote>& quote) {
  return std::visit([](const auto& q) -> const cashu::TokenQuote& { return q.token; }, quote);
}

}  // namespace

// --- accepted ----------------------------------------------------------------------------------

void Payments::accept_spawn(const RequestKey& key, const PrivateMessage& message, SpawnQuote quote,
                            Step& out) {
  check({key, message, RequestKind::Spawn, std::move(quote)}, out);
}

void Payments::accept_top_up(const RequestKey& key, const PrivateMessage& message, TopUpQuote quote,
                             Step& out) {
  check({key, message, RequestKind::TopUp, std::move(quote)}, out);
}

void Payments::refuse_unless_known(Instant now, const RequestKey& key,
                                   const PrivateMessage& message, RequestKind kind, Refused why,
                                   Step& out) {
  const bool readable = message.token && !message.token->proofs.empty() &&
                        message.token->proofs.size() <= cashu::kProofsMax;
  if (!readable || why.known_op) return refuse(now, key, message, kind, why, out);
  check({key, message, kind, std::move(why)}, out);
}

// Curve work, so not done here: the answer comes back as event Checked.
void Payments::check(Check check, Step& out) {
  if (checking_.size() >= kChecksMax) return out.tell(Level::Warning, "too many requests at once");
  const auto* spawn = std::get_if<SpawnQuote>(&check.verdict);
  const auto* top_up = std::get_if<TopUpQuote>(&check.verdict);
  cashu::CheckToken work = spawn    ? m_.wallet.check(spawn->token)
                           : top_up ? m_.wallet.check(top_up->token)
                                    : m_.wallet.identify(*check.message.token);
  under_way_.insert(check.key);
  checking_.emplace(work.id, std::move(check));
  out.effects.push_back(std::move(work));
}

bool Payments::is_checking(const std::function<bool(const PrivateMessage&)>& what) const {
  return std::any_of(checking_.begin(), checking_.end(),
                     [&](const auto& check) { return what(check.second.message); });
}

void Payments::on(Instant now, const cashu::Checked& event, Step& out) {
  const auto it = checking_.find(event.result.id);
  if (it == checking_.end()) return;
  Check check = std::move(it->second);
  checking_.erase(it);
  under_way_.erase(check.key);
  for (const cashu::Point& y : event.result.ys)
    if (const auto op = m_.wallet.op_of(cashu::y_hash(y)))
      return answer_known_token(now, check.key, check.message, check.kind, *op, out);
  if (const auto* why = std::get_if<Refused>(&check.verdict))
    return refuse(now, check.key, check.message, check.kind, *why, out);
  if (!event.result.problem.empty())
    return refuse(now, check.key, check.message, check.kind,
                  {ErrorType::InvalidToken,
                   text::invalid_token(event.result.problem),
                   TokenState::Untouched,
                   {},
                   {}},
                  out);
  Intent intent{check.key, std::move(check.message), {}};
  if (auto* spawn = std::get_if<SpawnQuote>(&check.verdict))
    intent.quote = std::move(*spawn);
  else
    intent.quote = std::get<TopUpQuote>(std::move(check.verdict));
  begin(now, std::move(intent), event.result.ys, out);
}

void Payments::begin(Instant now, Intent intent, const std::vector<cashu::Point>& points,
                     Step& out) {
  const bool spawn = std::holds_alternative<SpawnQuote>(intent.quote);
  const RequestKind kind = spawn ? RequestKind::Spawn : RequestKind::TopUp;
  const OpId op = cashu::op_id(points);
  if (const auto other = opening_.find(op); other != opening_.end()) {
    const PrivateMessage& m = intent.message;
    if (other->second.message.sender == m.sender)  // the answer will be the first request's
      return interim(plain(now), ErrorType::TokenPending, m.sender, m.transport, m.event,
                     market::request_id_of(std::get<market::Request>(m.body)), out);
    return refuse(now, intent.key, m, kind,
                  {ErrorType::TokenAlreadySpent,
                   text::token_already_spent(),
                   TokenState::SpentElsewhere,
                   {},
                   {}},
                  out);
  }
  if (auto refused = reserve(now, intent, op, out))
    return refuse(now, intent.key, intent.message, kind, *refused, out);
  auto begun = m_.wallet.begin(plain(now), token_of(intent.quote), points);
  if (!begun) {
    const cashu::Token token{token_of(intent.quote).mint, token_of(intent.quote).unit, "", {}};
    const Refused why = refused(begun.error(), token);
    opening_.emplace(op, std::move(intent));
    return drop(now, op, why, out);
  }
  PG_CHECK(begun->op == op);
  under_way_.insert(intent.key);
  opening_.emplace(op, std::move(intent));
  take(now, std::move(begun->step), out);
}

// Takes number, ports and capacity for a spawn; the end of a lease waits for a top-up.
std::optional<Refused> Payments::reserve(Instant now, const Intent& intent, const OpId& op,
                                         Step& out) {
  if (const auto* top_up = std::get_if<TopUpQuote>(&intent.quote)) {
    m_.leases.expect_top_up(top_up->lease, op);
    return std::nullopt;
  }
  const SpawnQuote& quote = std::get<SpawnQuote>(intent.quote);
  // Asked again here: others may have been quoted at the same time.
  if (m_.leases.unpaid_of(intent.message.sender) >= kReservationsPerKeyMax)
    return Refused{ErrorType::RateLimited,
                   text::rate_limited(kInterimRetry),
                   TokenState::Untouched,
                   kInterimRetry,
                   {}};
  if (workload_id_taken(m_.leases, quote.workload_id))
    return Refused{
        ErrorType::InvalidRequest, std::string(kWorkloadIdTaken), TokenState::Untouched, {}, {}};
  const uint16_t ports = port_count(m_.settings, quote);
  const auto found = m_.leases.allocator().find(quote.tier, ports);
  if (!found) return sold_out(m_.leases.allocator(), quote.tier);
  lease::LeaseReserved terms;
  terms.lease = RequestBook::lease_of(intent.key);
  terms.op = op;
  terms.owner = intent.message.sender;
  terms.number = found->number;
  terms.tier = quote.tier;
  terms.image = quote.image;
  terms.workload_id = quote.workload_id;
  terms.password = quote.password ? *quote.password : password();
  terms.minimum = m_.settings.minimum_duration;
  terms.at = now.wall;
  uint16_t port = found->port_block.value_or(0);
  if (m_.settings.serves_ssh) terms.ssh_port = port++;
  if (quote.template_info) {
    terms.template_slug = quote.template_info->slug;
    terms.open_files_max = quote.template_info->open_files_max;
    auto variables = market::environment_of(*quote.template_info, quote.variables, terms.password);
    PG_CHECK(variables.has_value());  // the quote has seen them
    terms.env = *std::move(variables);
    for (const market::TemplatePort& p : quote.template_info->ports)
      terms.ports.push_back({port++, p.container_port, p.label});
  }
  const LeaseId id = terms.lease;
  terms.encrypted = quote.volume_key.has_value();
  if (terms.encrypted && m_.settings.encrypts == workload::Encrypts::Data)
    terms.encrypted_path = quote.template_info->data_path;  // the quote has seen it
  // Kept before anything is paid. What is lost with this machine's memory later ends the lease.
  if (quote.volume_key) out.effects.push_back(KeepVolumeKey{terms.lease, quote.volume_key});
  lease::LeaseStep step;
  m_.leases.reserve(std::move(terms), step);
  book(now, std::move(step), out);
  if (quote.standby) hooks_->reserved(id, *quote.standby, out);
  return std::nullopt;
}

// The wallet did not open the operation: nothing was sent, everything is given back.
void Payments::drop(Instant now, const OpId& op, const Refused& why, Step& out) {
  const auto it = opening_.find(op);
  if (it == opening_.end()) return;
  const Intent intent = std::move(it->second);
  opening_.erase(it);
  under_way_.erase(intent.key);
  const auto* top_up = std::get_if<TopUpQuote>(&intent.quote);
  const LeaseId lease = top_up ? top_up->lease : RequestBook::lease_of(intent.key);
  if (top_up != nullptr) {
    m_.leases.top_up_settled(lease, op);
  } else {
    void_reservation(now, lease, out);
  }
  refuse(now, intent.key, intent.message,
         top_up != nullptr ? RequestKind::TopUp : RequestKind::Spawn, why, out);
  settle(now, lease, out);
}

std::string Payments::password() {
  constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  std::string text;
  while (text.size() < kPasswordLength) {
    ByteArray<1> byte{};
    m_.entropy.fill(byte);
    const size_t index = byte[0] & 63;  // rejection keeps every letter equally likely
    if (index < kLetters.size()) text.push_back(kLetters[index]);
  }
  return text;
}

// --- time and recovery -------------------------------------------------------------------------

void Payments::handle_timer(Instant now, Step& out) {
  std::vector<RequestKey> due;
  for (const auto& [key, at] : interim_due_)
    if (at <= now.mono) due.push_back(key);
  for (const RequestKey& key : due) {
    interim_due_.erase(key);
    const Request* request = m_.requests.find(key);
    if (request != nullptr && !request->answer) interim(plain(now), *request, out);
  }
  Refunds::Turn turn = refunds_.handle_timer(plain(now));
  book(now, std::move(turn.leases), out);
  for (std::string& problem : turn.problems) out.tell(Level::Alarm, std::move(problem));
  for (const ClaimId& claim : turn.settled) settled(now, claim, out);
  for (cashu::RedeemStep& step : turn.wallet) take(now, std::move(step), out);
  for (const cashu::Redeemed& event : std::exchange(deferred_, {})) credit(now, event, out);
}

std::optional<Micros> Payments::next_deadline() const {
  std::optional<Micros> next = refunds_.next_deadline();
  for (const auto& [key, at] : interim_due_)
    if (!next || at < *next) next = at;
  return next;
}

void Payments::recover(Instant now, Step& out) {
  refunds_.recover(plain(now));
  take(now, withdrawals_.recover(plain(now)), out);
  std::vector<LeaseId> unopened;
  for (const auto [id, lease] : m_.leases.leases())
    if (lease.phase == lease::Phase::Reserved &&
        m_.wallet.state().summary(lease.terms.op) == nullptr)
      unopened.push_back(id);
  for (const LeaseId& id : unopened) {
    void_reservation(now, id, out);
    settle(now, id, out);
  }
  std::vector<LeaseId> awaited;
  for (const auto& [key, request] : m_.requests.all()) {
    if (!request.answer && request.opened.kind == RequestKind::Stop)
      awaited.push_back(*request.opened.lease);
    const bool fresh =
        request.answer && (request.answer->at + Seconds{86400} > now.wall || owes(key));
    if (fresh && !request.delivered && policy_.outbox)
      m_.outbox.send_answer(plain(now), request, out);
    if (!request.answer && request.opened.kind == RequestKind::TopUp)
      m_.leases.expect_top_up(*request.opened.lease, *request.opened.op);
  }
  for (const LeaseId& id : awaited) settle(now, id, out);
}

}  // namespace paygress::provider
