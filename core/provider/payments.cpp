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

Now plain(const Instant& i) { return {i.mono, i.wall}; }

constexpr size_t kPasswordLength = 16;
constexpr Seconds kInterimRetry{30};

const cashu::TokenQuote& token_of(const std::variant<SpawnQuote, TopUpQuote>& quote) {
  return std::visit([](const auto& q) -> const cashu::TokenQuote& { return q.token; }, quote);
}

template <class From>
void append(From& from, Step& out) {
  for (auto& r : from.records) out.records.push_back(std::move(r));
}

}  // namespace

// --- accepted ----------------------------------------------------------------------------------

void Payments::accept_spawn(const RequestKey& key, const PrivateMessage& message,
                            SpawnQuote quote, Step& out) {
  check({key, message, RequestKind::Spawn, std::move(quote)}, out);
}

void Payments::accept_top_up(const RequestKey& key, const PrivateMessage& message,
                             TopUpQuote quote, Step& out) {
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
                  {ErrorType::InvalidToken, text::invalid_token(event.result.problem),
                   TokenState::Untouched, {}, {}},
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
      return interim(plain(now), m.sender, m.transport, m.event,
                     market::request_id_of(std::get<market::Request>(m.body)), out);
    return refuse(now, intent.key, m, kind,
                  {ErrorType::TokenAlreadySpent, text::token_already_spent(),
                   TokenState::SpentElsewhere, {}, {}},
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
    return Refused{ErrorType::RateLimited, text::rate_limited(kInterimRetry),
                   TokenState::Untouched, kInterimRetry, {}};
  if (workload_id_taken(m_.leases, quote.workload_id))
    return Refused{ErrorType::InvalidRequest, std::string(kWorkloadIdTaken), TokenState::Untouched,
                   {}, {}};
  const uint16_t ports = port_count(m_.settings, quote);
  const auto found = m_.leases.allocator().find(quote.tier, ports);
  if (!found)
    return Refused{ErrorType::NoCapacity, text::no_capacity("this tier"), TokenState::Untouched,
                   Seconds{60}, {}};
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
    auto variables =
        market::environment_of(*quote.template_info, quote.variables, terms.password);
    PG_CHECK(variables.has_value());  // the quote has seen them
    terms.env = *std::move(variables);
    for (const market::TemplatePort& p : quote.template_info->ports)
      terms.ports.push_back({port++, p.container_port, p.label});
  }
  const LeaseId id = terms.lease;
  terms.encrypted = quote.volume_key.has_value();
  // Kept before anything is paid. What is lost with this machine's memory later ends the lease.
  if (quote.volume_key) out.effects.push_back(KeepVolumeKey{terms.lease, quote.volume_key});
  lease::LeaseStep step;
  m_.leases.reserve(std::move(terms), step);
  append(step, out);
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
  if (top_up != nullptr) {
    m_.leases.top_up_settled(top_up->lease, op);
  } else {
    void_reservation(now, RequestBook::lease_of(intent.key), out);
  }
  refuse(now, intent.key, intent.message,
         top_up != nullptr ? RequestKind::TopUp : RequestKind::Spawn, why, out);
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

// --- the wallet's events -----------------------------------------------------------------------

void Payments::take(Instant now, cashu::RedeemStep step, Step& out) {
  append(step, out);
  for (auto& effect : step.effects)
    std::visit([&](auto& e) { out.effects.push_back(std::move(e)); }, effect);
  for (const auto& event : step.events)
    std::visit([&](const auto& e) { on(now, e, out); }, event);
}

void Payments::on(Instant now, const cashu::Opened& event, Step& out) {
  const auto it = opening_.find(event.op);
  PG_CHECK(it != opening_.end());
  const Intent intent = std::move(it->second);
  opening_.erase(it);
  under_way_.erase(intent.key);
  const auto* top_up = std::get_if<TopUpQuote>(&intent.quote);
  const LeaseId lease = top_up != nullptr ? top_up->lease : RequestBook::lease_of(intent.key);
  record_opened(plain(now), intent.key, intent.message,
                top_up != nullptr ? RequestKind::TopUp : RequestKind::Spawn, lease, event.op, out);
}

void Payments::on(Instant now, const cashu::NotOpened& event, Step& out) {
  drop(now, event.op,
       {ErrorType::InvalidToken, text::invalid_token(event.problem), TokenState::Untouched, {}, {}},
       out);
}

void Payments::on(Instant now, const cashu::InDoubt& event, Step&) {
  const Request* request = m_.requests.by_op(event.op);
  if (request != nullptr && !request->answer)
    interim_due_.emplace(event.op, now.mono + kInterimAfter);
}

void Payments::on(Instant now, const cashu::HoldOver& event, Step& out) {
  const Request* request = m_.requests.by_op(event.op);
  PG_CHECK(request != nullptr && request->opened.lease);
  if (request->opened.kind == RequestKind::TopUp) {
    m_.leases.top_up_settled(*request->opened.lease, event.op);
    return;
  }
  void_reservation(now, *request->opened.lease, out);
}

void Payments::void_reservation(Instant now, const LeaseId& id, Step& out) {
  lease::LeaseStep step;
  m_.leases.void_reservation(plain(now), id, step);
  append(step, out);
  forget_key(id, out);
}

void Payments::forget_key(const LeaseId& id, Step& out) {
  const lease::Lease* lease = m_.leases.find(id);
  if (lease != nullptr && lease->terms.encrypted)
    out.effects.push_back(KeepVolumeKey{id, std::nullopt});
}

void Payments::on(Instant now, const cashu::Redeemed& event, Step& out) {
  const Request* request = m_.requests.by_op(event.op);
  PG_CHECK(request != nullptr && request->opened.lease);
  interim_due_.erase(event.op);
  if (request->opened.kind == RequestKind::TopUp)
    redeemed_top_up(now, *request, event, out);
  else
    redeemed_spawn(now, *request, event, out);
}

void Payments::redeemed_spawn(Instant now, const Request& request, const cashu::Redeemed& event,
                              Step& out) {
  const lease::Lot lot{event.mint, event.unit, event.value};
  const LeaseId id = *request.opened.lease;
  lease::LeaseStep step;
  const lease::Lease* known = m_.leases.find(id);
  bool bought = false;
  if (known != nullptr && known->terms.op == event.op)
    bought = m_.leases.credit_spawn(plain(now), id, event.op, lot, step);
  else
    m_.leases.credit_nobody(plain(now), event.op, request.opened.requester, lot, "paid too late",
                            step);
  append(step, out);
  if (bought) {
    workload::Spec spec = spec_of(m_.leases.leases().at(id));
    std::optional<market::AccessDetails> standby;
    if (hooks_ != nullptr && hooks_->paid(now, id, spec, standby, out)) {
      if (standby) answer(plain(now), request.opened.key, *std::move(standby), out);
      return;
    }
    workload::Step wanted;
    m_.workloads.want(plain(now), std::move(spec), {}, wanted);
    return take(now, std::move(wanted), out);
  }
  const Msat owed = m_.leases.claimed_for(event.op);
  const bool late = event.late || known == nullptr;
  answer(plain(now), request.opened.key,
         late ? owed_reply(ErrorType::RefundPending, text::refund_pending(), owed)
              : owed_reply(ErrorType::InsufficientPayment,
                           text::insufficient_payment(
                               m_.settings.minimum_duration,
                               static_cast<uint64_t>(known->terms.tier.rate_per_second.value)),
                           owed),
         out);
}

void Payments::redeemed_top_up(Instant now, const Request& request, const cashu::Redeemed& event,
                               Step& out) {
  const lease::Lot lot{event.mint, event.unit, event.value};
  const LeaseId id = *request.opened.lease;
  const lease::Lease* lease = m_.leases.find(id);
  const Seconds before = lease == nullptr ? Seconds{0} : lease->bought;
  lease::LeaseStep step;
  bool extended = false;
  if (lease != nullptr && !event.late)
    extended = m_.leases.credit_top_up(plain(now), id, event.op, lot, step);
  else
    m_.leases.credit_nobody(plain(now), event.op, request.opened.requester, lot, "paid too late",
                            step);
  m_.leases.top_up_settled(id, event.op);
  append(step, out);
  if (extended)
    return answer(plain(now), request.opened.key,
                  top_up_reply(m_.leases, *lease, request.opened.pod, lease->bought - before,
                               event.value, plain(now)),
                  out);
  answer(plain(now), request.opened.key,
         owed_reply(ErrorType::RaceLost, text::race_lost(), m_.leases.claimed_for(event.op)), out);
}

void Payments::on(Instant now, const cashu::NotTaken& event, Step& out) {
  const Request* request = m_.requests.by_op(event.op);
  PG_CHECK(request != nullptr && request->opened.lease);
  interim_due_.erase(event.op);
  if (request->opened.kind == RequestKind::TopUp)
    m_.leases.top_up_settled(*request->opened.lease, event.op);
  else
    void_reservation(now, *request->opened.lease, out);
  const bool spent = event.verdict == cashu::Verdict::SpentElsewhere;
  answer(plain(now), request->opened.key,
         spent ? market::error_reply(ErrorType::TokenAlreadySpent, text::token_already_spent(),
                                     TokenState::SpentElsewhere)
               : market::error_reply(ErrorType::MintNetworkError,
                                     text::mint_network_error("the mint did not take the token"),
                                     TokenState::Released),
         out);
}

void Payments::on(Instant, const cashu::Alarm& event, Step& out) {
  out.tell(Level::Alarm, "redeeming " + event.op.hex().substr(0, 12) + ": " + event.text);
}

// --- the workloads' and the leases' events -------------------------------------------------------

void Payments::take(Instant now, workload::Step step, Step& out) {
  append(step, out);
  for (auto& call : step.calls) out.effects.push_back(std::move(call));
  for (const auto& event : step.events) {
    if (hooks_ != nullptr && hooks_->on_event(now, event, out)) continue;
    lease::LeaseStep told;
    if (const auto* started = std::get_if<workload::Started>(&event)) {
      m_.leases.on_started(now, started->lease, started->serves_ssh, told);
      const Request* request = m_.requests.spawn_of(started->lease);
      const lease::Lease* lease = m_.leases.find(started->lease);
      append(told, out);
      if (request != nullptr && !request->answer && lease != nullptr)
        answer(plain(now), request->opened.key,
               access_details(m_.settings, m_.leases, *lease, plain(now)), out);
      continue;
    }
    if (const auto* down = std::get_if<workload::WentDown>(&event)) {
      m_.leases.on_down(now, down->lease, down->since, down->own_exit, told);
      out.tell(Level::Warning, "a workload went down: lease " +
                                      down->lease.hex().substr(0, 12));
    } else if (const auto* up = std::get_if<workload::CameUp>(&event)) {
      m_.leases.on_up(now, up->lease, up->backoff, told);
    } else if (const auto* gave_up = std::get_if<workload::GaveUp>(&event)) {
      out.tell(Level::Alarm, "a workload failed: lease " + gave_up->lease.hex().substr(0, 12) +
                                    ": " + gave_up->reason);
      m_.leases.on_gave_up(now, gave_up->lease, told);
    } else if (const auto* taken = std::get_if<workload::PortsTaken>(&event)) {
      move_ports(now, taken->lease, out);
    } else if (const auto* gone = std::get_if<workload::Gone>(&event)) {
      m_.leases.on_gone(now, gone->lease, told);
      forget_key(gone->lease, out);
    } else if (const auto* sighted = std::get_if<workload::Sighted>(&event)) {
      m_.leases.on_sighted(now, sighted->lease, told);
    }
    take(now, std::move(told), out);
  }
}

// Not of an encrypted one: its key goes with the object that is given up.
void Payments::move_ports(Instant now, const LeaseId& id, Step& out) {
  const lease::Lease* lease = m_.leases.find(id);
  lease::LeaseStep moved;
  if (lease == nullptr || lease->terms.encrypted || !m_.leases.move_ports(id, moved)) return;
  out.tell(Level::Warning, "a port was taken by somebody else: lease " + id.hex().substr(0, 12) +
                               " moves to others");
  append(moved, out);
  workload::Step step;
  m_.workloads.set_ports(plain(now), spec_of(*lease), step);
  take(now, std::move(step), out);
}

void Payments::take(Instant now, lease::LeaseStep step, Step& out) {
  append(step, out);
  for (const auto& event : step.events) {
    if (hooks_ != nullptr && hooks_->on_event(now, event, out)) continue;
    workload::Step wanted;
    if (const auto* look = std::get_if<lease::Look>(&event))
      m_.workloads.look(plain(now), look->lease, wanted);
    else if (const auto* retire = std::get_if<lease::Retire>(&event))
      m_.workloads.retire(plain(now), retire->lease, wanted);
    else
      on_finished(now, std::get<lease::Finished>(event).lease, out);
    take(now, std::move(wanted), out);
  }
}

// A lease that failed before its workload ever ran has not been answered yet.
void Payments::on_finished(Instant now, const LeaseId& lease, Step& out) {
  const Request* request = m_.requests.spawn_of(lease);
  if (request == nullptr || request->answer) return;
  const lease::Lease* ended = m_.leases.find(lease);
  PG_CHECK(ended != nullptr && ended->statement.has_value());
  answer(plain(now), request->opened.key,
         owed_reply(ErrorType::BackendError,
                    text::backend_error("the workload could not be started"),
                    ended->statement->claimed),
         out);
}

workload::Spec Payments::spec_of(const lease::Lease& lease) const {
  workload::Spec spec;
  spec.image = lease.terms.image;
  spec.template_slug = lease.terms.template_slug;
  spec.cpu_millicores = lease.terms.tier.cpu_millicores;
  spec.memory_mb = lease.terms.tier.memory_mb;
  spec.storage_gb = lease.terms.tier.storage_gb;
  spec.address = m_.settings.address;
  spec.ssh_host_port = lease.terms.ssh_port;
  spec.ports = lease.terms.ports;
  spec.env = lease.terms.env;
  spec.open_files_max = lease.terms.open_files_max;
  spec.root_password = lease.terms.password;
  spec.encrypted = lease.terms.encrypted;
  spec.labels.install = install_;
  spec.labels.provider = m_.settings.self;
  spec.labels.lease = lease.terms.lease;
  spec.labels.owner = lease.terms.owner;
  spec.labels.spec_digest = to_hex(crypto::sha256(encode_bytes(spec)));
  return spec;
}

// --- answers -----------------------------------------------------------------------------------

void Payments::refuse(Instant now, const RequestKey& key, const PrivateMessage& message,
                      RequestKind kind, const Refused& why, Step& out) {
  if (why.known_op) return answer_known_token(now, key, message, kind, *why.known_op, out);
  record_opened(plain(now), key, message, kind, std::nullopt, std::nullopt, out);
  answer(plain(now), key, error_reply_of(why), out);
}

void Payments::answer_known_token(Instant now, const RequestKey& key, const PrivateMessage& message,
                                  RequestKind kind, const OpId& op, Step& out) {
  const Request* first = m_.requests.by_op(op);
  if (first == nullptr || first->opened.requester != message.sender) {
    record_opened(plain(now), key, message, kind, std::nullopt, std::nullopt, out);
    return answer(plain(now), key,
                  market::error_reply(ErrorType::TokenAlreadySpent, text::token_already_spent(),
                                      TokenState::SpentElsewhere),
                  out);
  }
  answer_again(now, *first, message, out);
}

void Payments::answer_again(Instant now, const Request& request, const PrivateMessage& message,
                            Step& out) {
  if (!request.answer) {
    if (request.opened.op)
      take(now, m_.wallet.ask(plain(now), *request.opened.op), out);
    return interim(plain(now), request, out);
  }
  std::optional<market::RequestId> asked_id;
  if (const auto* body = std::get_if<market::Request>(&message.body))
    asked_id = market::request_id_of(*body);
  if (asked_id == request.opened.request_id) return m_.outbox.send_answer(plain(now), request, out);
  auto reply = market::parse_reply(request.answer->reply);
  PG_CHECK(reply.has_value());
  m_.outbox.send_passing(plain(now), message.sender, message.transport, message.event,
                         to_wire(*std::move(reply), asked_id), out);
}

void Payments::interim(Now now, const Request& request, Step& out) {
  const RequestOpened& opened = request.opened;
  interim(now, opened.requester, opened.transport, opened.event, opened.request_id, out);
}

void Payments::interim(Now now, const PubKey& to, Transport transport, const EventId& reply_to,
                       const std::optional<market::RequestId>& id, Step& out) {
  market::ErrorReply word = market::error_reply(ErrorType::TokenPending, text::token_pending(),
                                                TokenState::InDoubt);
  word.interim = true;
  word.retry_after_secs = static_cast<uint64_t>(kInterimRetry.value);
  m_.outbox.send_passing(now, to, transport, reply_to, to_wire(word, id), out);
}

void Payments::record_opened(Now now, const RequestKey& key, const PrivateMessage& message,
                             RequestKind kind, std::optional<LeaseId> lease,
                             std::optional<OpId> op, Step& out) {
  RequestOpened opened{key,  message.sender, message.event, message.transport, std::nullopt,
                       kind, lease,          op,            "",                now.wall};
  if (const auto* body = std::get_if<market::Request>(&message.body)) {
    opened.request_id = market::request_id_of(*body);
    if (const auto* top_up = std::get_if<market::TopUpRequest>(body)) opened.pod = top_up->pod_npub;
  }
  record(MessageSeen{message.event, now.wall}, out);  // not before: a crash must not swallow it
  record(std::move(opened), out);
}

void Payments::answer(Now now, const RequestKey& key, market::Reply reply, Step& out) {
  const Request* request = m_.requests.find(key);
  PG_CHECK(request != nullptr);
  record(RequestAnswered{key, to_wire(std::move(reply), request->opened.request_id), now.wall},
         out);
  m_.outbox.send_answer(now, *request, out);
}

void Payments::record(OwnRecord entry, Step& out) {
  m_.requests.apply(entry);
  out.records.push_back(std::move(entry));
}

// --- time and recovery -------------------------------------------------------------------------

void Payments::handle_timer(Now now, Step& out) {
  std::vector<OpId> due;
  for (const auto& [op, at] : interim_due_)
    if (at <= now.mono) due.push_back(op);
  for (const OpId& op : due) {
    interim_due_.erase(op);
    const Request* request = m_.requests.by_op(op);
    if (request != nullptr && !request->answer) interim(now, *request, out);
  }
}

std::optional<Micros> Payments::next_deadline() const {
  std::optional<Micros> next;
  for (const auto& [op, at] : interim_due_)
    if (!next || at < *next) next = at;
  return next;
}

void Payments::recover(Instant now, Step& out) {
  std::vector<LeaseId> unopened;
  for (const auto [id, lease] : m_.leases.leases())
    if (lease.phase == lease::Phase::Reserved &&
        m_.wallet.state().summary(lease.terms.op) == nullptr)
      unopened.push_back(id);
  for (const LeaseId& id : unopened) void_reservation(now, id, out);
  for (const auto& [key, request] : m_.requests.all()) {
    const bool fresh = request.answer && request.answer->at + Seconds{86400} > now.wall;
    if (fresh && !request.delivered) m_.outbox.send_answer(plain(now), request, out);
    if (!request.answer && request.opened.kind == RequestKind::TopUp)
      m_.leases.expect_top_up(*request.opened.lease, *request.opened.op);
  }
}

}  // namespace paygress::provider
