// What requests are told: refusals, answers again, the end of a lease, and words in between.
#include <algorithm>

#include "core/provider/payments.h"

namespace paygress::provider {
namespace {

using market::ErrorType;
using market::TokenState;
namespace text = market::text;
using lease::Instant;

// The word that the token was not taken, which may change once, to the refund (flaw 6).
bool is_provisional(const RequestAnswered& answered) {
  const auto reply = market::parse_reply(answered.reply);
  PG_CHECK(reply.has_value());
  const auto* error = std::get_if<market::ErrorReply>(&*reply);
  return error != nullptr && (error->token_state == TokenState::Released ||
                              error->token_state == TokenState::SpentElsewhere);
}

}  // namespace

// --- answers -----------------------------------------------------------------------------------

void Payments::refuse(Instant now, const RequestKey& key, const PrivateMessage& message,
                      RequestKind kind, const Refused& why, Step& out) {
  if (why.known_op) return answer_known_token(now, key, message, kind, *why.known_op, out);
  if (!policy_.record_refusals) {
    market::ErrorReply reply = error_reply_of(why);
    return m_.outbox.send_passing(plain(now), message.sender, message.transport, message.event,
                                  to_wire(std::move(reply), {}), out);
  }
  record_opened(plain(now), key, message, kind, std::nullopt, std::nullopt, out);
  answer(plain(now), key, error_reply_of(why), out);
}

void Payments::answer_known_token(Instant now, const RequestKey& key, const PrivateMessage& message,
                                  RequestKind kind, const OpId& op, Step& out) {
  const Request* first = m_.requests.by_op(op);
  const bool others = first == nullptr || first->opened.requester != message.sender;
  if (others && (policy_.answer_to_its_owner || first == nullptr)) {
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
    if (request.opened.op) take(now, m_.wallet.ask(plain(now), *request.opened.op), out);
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

// --- the end of a lease, and of a payment without one --------------------------------------------

const lease::Lease* Payments::lease_of(const PubKey& owner, const std::string& pod) const {
  const lease::Lease* found = nullptr;
  if (const auto id = market::RequestId::parse(pod))
    found = m_.leases.find(RequestBook::lease_of(RequestBook::key_of(owner, *id, {})));
  if (found == nullptr) found = lease_named(m_.leases, pod, owner);
  return found != nullptr && found->terms.owner == owner ? found : nullptr;
}

const lease::Lease* Payments::stoppable(const PubKey& owner, const std::string& pod) const {
  const lease::Lease* found = lease_of(owner, pod);
  if (found == nullptr) return nullptr;
  const Request* payer = other_payer(*found);
  if (payer == nullptr) return found;
  const bool is_same = payer->opened.requester == owner && payer->opened.kind == RequestKind::Spawn;
  return is_same ? m_.leases.find(*payer->opened.lease) : nullptr;
}

// A crash left the reservation without its request, and its token came again: with another request
// of its owner's, or from somebody who had a copy. Nothing was paid for this one.
const Request* Payments::other_payer(const lease::Lease& lease) const {
  if (lease.phase != lease::Phase::Void) return nullptr;
  const Request* payer = m_.requests.by_op(lease.terms.op);
  return payer != nullptr && payer->opened.lease != lease.terms.lease ? payer : nullptr;
}

void Payments::stop(Instant now, const RequestKey& key, const PrivateMessage& message,
                    const std::string& pod, Step& out) {
  const lease::Lease* lease = stoppable(message.sender, pod);
  if (lease == nullptr)
    return refuse(
        now, key, message, RequestKind::Stop,
        {ErrorType::NotFound, text::workload_not_found(pod), TokenState::Untouched, {}, {}}, out);
  const LeaseId id = lease->terms.lease;
  record_opened(plain(now), key, message, RequestKind::Stop, id, std::nullopt, out);
  lease::LeaseStep step;
  m_.leases.stop(now, id, step);
  take(now, std::move(step), out);
  settle(now, id, out);
  expect_interim(now, *m_.requests.find(key));
}

// The claims that the lease came to, once nothing about it can change any more.
std::optional<std::vector<ClaimId>> Payments::final_claims(const lease::Lease& lease) const {
  std::vector<ClaimId> claims;
  if (lease.phase == lease::Phase::Ended) {
    claims = m_.leases.claims().of_lease(lease.terms.lease);
  } else if (lease.phase == lease::Phase::Void) {
    if (other_payer(lease) != nullptr) return claims;
    const cashu::OpSummary* op = m_.wallet.state().summary(lease.terms.op);
    const bool open = op != nullptr && (op->status == cashu::OpStatus::Open ||
                                        op->status == cashu::OpStatus::HoldOver);
    if (open) return std::nullopt;
    claims = m_.leases.claims().of_op(lease.terms.op);
  } else {
    return std::nullopt;
  }
  for (const ClaimId& id : claims)
    if (m_.leases.claims().find(id)->state == lease::ClaimState::Owed) return std::nullopt;
  return claims;
}

// Answers whoever waits for the end of this lease, when everything about it is final.
void Payments::settle(Instant now, const LeaseId& id, Step& out) {
  const lease::Lease* lease = m_.leases.find(id);
  const auto claims = lease == nullptr ? std::nullopt : final_claims(*lease);
  if (!claims) return;
  const auto refunds = refunds_of(m_.leases.claims(), *claims);
  const Request* spawn = m_.requests.spawn_of(id);
  if (lease->phase == lease::Phase::Ended && spawn != nullptr && !spawn->answer) {
    const bool stopped = lease->end_reason == lease::EndReason::Stopped;
    answer(plain(now), spawn->opened.key,
           stopped
               ? refund_reply(ErrorType::RaceLost, text::stopped_before_running(), refunds)
               : refund_reply(ErrorType::BackendError,
                              text::backend_error("the workload could not be started"), refunds),
           out);
  }
  for (const RequestKey& key : m_.requests.stops_of(id))
    answer(plain(now), key, end_reply(m_.settings, m_.leases, *lease, refunds, plain(now)), out);
}

// A payment that became no lease: its answer is the refund. It replaces the word that the token was
// not taken, once, and no other answer (flaw 6).
void Payments::settle_op(Instant now, const OpId& op, Step& out) {
  const Request* request = m_.requests.by_op(op);
  const std::vector<ClaimId> claims = m_.leases.claims().of_op(op);
  for (const ClaimId& id : claims)
    if (m_.leases.claims().find(id)->state == lease::ClaimState::Owed)
      return request == nullptr ? void() : expect_interim(now, *request);
  if (request == nullptr) return;
  if (!request->answer || is_provisional(*request->answer)) {
    const std::string reason =
        claims.empty() ? "" : m_.leases.claims().find(claims.front())->owed.reason;
    answer(plain(now), request->opened.key,
           reply_without_lease(*request, reason, refunds_of(m_.leases.claims(), claims)), out);
  }
  if (request->opened.kind == RequestKind::Spawn) settle(now, *request->opened.lease, out);
}

market::ErrorReply Payments::reply_without_lease(
    const Request& request, std::string_view reason,
    const std::vector<market::RefundToken>& refunds) const {
  const lease::Lease* lease = m_.leases.find(*request.opened.lease);
  const bool little =
      reason == lease::kClaimLittle || (reason.empty() && lease != nullptr && !lease->cancelled);
  if (request.opened.kind == RequestKind::TopUp)
    return refund_reply(ErrorType::RaceLost, text::race_lost(), refunds);
  if (lease != nullptr && lease->cancelled)
    return refund_reply(ErrorType::RaceLost, text::stopped_before_running(), refunds);
  if (little && lease != nullptr)
    return refund_reply(
        ErrorType::InsufficientPayment,
        text::insufficient_payment(lease->terms.minimum,
                                   static_cast<uint64_t>(lease->terms.tier.rate_per_second.value)),
        refunds);
  return refund_reply(ErrorType::RaceLost, text::paid_too_late(), refunds);
}

market::StatusReply Payments::status_of(const lease::Lease& lease, Now now) const {
  const auto claims = final_claims(lease);
  if (claims)
    return end_reply(m_.settings, m_.leases, lease, refunds_of(m_.leases.claims(), *claims), now);
  return status_reply(m_.settings, m_.leases, lease, m_.workloads.state_of(lease.terms.lease), now);
}

void Payments::settled(Instant now, const ClaimId& claim, Step& out) {
  const lease::ClaimOwed& owed = m_.leases.claims().find(claim)->owed;
  owed.lease ? settle(now, *owed.lease, out) : settle_op(now, owed.op, out);
}

bool Payments::owes(const RequestKey& key) const {
  const Request* request = m_.requests.find(key);
  if (request == nullptr) return false;
  const lease::ClaimBook& claims = m_.leases.claims();
  std::vector<ClaimId> ids;
  if (request->opened.op) ids = claims.of_op(*request->opened.op);
  if (request->opened.lease)
    for (const ClaimId& id : claims.of_lease(*request->opened.lease)) ids.push_back(id);
  return std::any_of(ids.begin(), ids.end(), [&](const ClaimId& id) {
    const lease::ClaimState state = claims.find(id)->state;
    return state == lease::ClaimState::Owed || state == lease::ClaimState::Paid;
  });
}

// --- words in between ----------------------------------------------------------------------------

void Payments::expect_interim(Instant now, const Request& request) {
  if (!request.answer) interim_due_.emplace(request.opened.key, now.mono + kInterimAfter);
}

void Payments::interim(Now now, const Request& request, Step& out) {
  const RequestOpened& opened = request.opened;
  const cashu::OpSummary* op = opened.op ? m_.wallet.state().summary(*opened.op) : nullptr;
  const bool taken = op != nullptr && op->status == cashu::OpStatus::Done &&
                     !m_.leases.claims().of_op(*opened.op).empty();
  const bool refunding = opened.kind == RequestKind::Stop || taken;
  interim(now, refunding ? ErrorType::RefundPending : ErrorType::TokenPending, opened.requester,
          opened.transport, opened.event, opened.request_id, out);
}

void Payments::interim(Now now, ErrorType type, const PubKey& to, Transport transport,
                       const EventId& reply_to, const std::optional<market::RequestId>& id,
                       Step& out) {
  market::ErrorReply word =
      type == ErrorType::RefundPending
          ? market::error_reply(type, text::refund_pending(), TokenState::Taken)
          : market::error_reply(type, text::token_pending(), TokenState::InDoubt);
  word.interim = true;
  word.retry_after_secs = static_cast<uint64_t>(kInterimRetry.value);
  m_.outbox.send_passing(now, to, transport, reply_to, to_wire(word, id), out);
}

// --- records of requests -------------------------------------------------------------------------

void Payments::record_opened(Now now, const RequestKey& key, const PrivateMessage& message,
                             RequestKind kind, std::optional<LeaseId> lease, std::optional<OpId> op,
                             Step& out) {
  RequestOpened opened{key,          message.sender, message.event, message.transport,
                       std::nullopt, kind,           lease,         op,
                       "",           now.wall};
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
  interim_due_.erase(key);
  record(RequestAnswered{key, to_wire(std::move(reply), request->opened.request_id), now.wall},
         out);
  m_.outbox.send_answer(now, *request, out);
}

void Payments::record(OwnRecord entry, Step& out) {
  m_.requests.apply(entry);
  out.records.push_back(std::move(entry));
}

}  // namespace paygress::provider
