// What comes in private messages: requests, those that wait, and what is no request.
#include "core/market/role.h"
#include "core/provider/running.h"

namespace paygress::provider {
namespace {

constexpr Seconds kAskLater{60};

// Of a request with a token.
RequestKind kind_of(const market::Request& request) {
  return std::holds_alternative<market::TopUpRequest>(request) ? RequestKind::TopUp
                                                               : RequestKind::Spawn;
}

// Who else is to run it, or to stand by.
std::vector<PubKey> fellows_in(const market::SpawnRequest& request, const PubKey& self) {
  auto members = market::members_of(request);
  if (!members) return {};
  std::erase(members->keys, self);
  return std::move(members->keys);
}

}  // namespace

void Provider::handle_message(Now now, const PrivateMessage& message, Step& out) {
  if (message.sender == settings_.self || settings_.blocked.contains(message.sender)) return;
  if (message.expires_at && *message.expires_at < now.wall) return;
  if (requests_.seen(message.event)) return;
  ++counters_.requests;
  if (recovery_) return answer_recovering(now, message, out);
  if (!limit_.allow(now, message.sender)) return refuse_over_limit(now, message, out);
  if (const auto* problem = std::get_if<std::string>(&message.body))
    return complain(now, message, *problem, out);
  handle_request(now, message, now.mono + micros(kPatience), out);
}

// Answered once a minute and key; what is not answered is not recorded either, so that it may be
// sent again.
void Provider::refuse_over_limit(Now now, const PrivateMessage& message, Step& out) {
  ++counters_.over_limit;
  const auto* request = std::get_if<market::Request>(&message.body);
  if (request == nullptr || !limit_.allow_complaint(now, message.sender)) return;
  out.tell(Level::Warning, "more than " + std::to_string(kRequestsPerMinute) +
                               " requests a minute from " + message.sender.hex());
  const auto& id = market::request_id_of(*request);
  const RequestKey key = RequestBook::key_of(message.sender, id, message.message);
  const Refused refused{market::ErrorType::RateLimited,
                        market::text::rate_limited(kAskLater),
                        market::TokenState::Untouched,
                        kAskLater,
                        {}};
  if (message.token == std::nullopt)
    return running_->outbox.send_passing(now, message.sender, message.transport, message.event,
                                         to_wire(error_reply_of(refused), id), out);
  if (requests_.find(key) != nullptr || running_->payments.under_way(key) || waiting_.contains(key))
    return;  // the answer it has, or will have, stands
  running_->payments.refuse_unless_known(instant(now), key, message, kind_of(*request), refused,
                                         out);
}

// --- waiting -------------------------------------------------------------------------------------

bool Provider::wait(const RequestKey& key, const PrivateMessage& message,
                    std::optional<Micros> until) {
  const bool waits = until && waiting_.enter({*until, key, message});
  counters_.waited += waits;
  return waits;
}

// As many as can have their tokens checked at a time: others follow when checks have ended.
void Provider::handle_decidable(Now now, Step& out) {
  if (waiting_.size() == 0) return;
  const auto ready = [&](const Waiting& w) { return can_decide(now, w.message); };
  for (const Waiting& w : waiting_.take(running_->payments.room_for_checks(), ready))
    handle_request(now, w.message, w.until, out);
}

// What a request that waits needs has been read, or will not be for now.
bool Provider::can_decide(Now now, const PrivateMessage& message) const {
  const market::Request& request = std::get<market::Request>(message.body);
  if (const auto* stop = std::get_if<market::StopRequest>(&request))
    return !is_undecided(message.sender, stop->pod_id);
  const auto quote = wallet_.quote(*message.token, now);
  if (!quote && quote.error().reason == cashu::RefusalReason::MintNotReady) return false;
  const auto* spawn = std::get_if<market::SpawnRequest>(&request);
  return spawn == nullptr || !market::is_warm_standby(*spawn) ||
         running_->fellows.is_settled(now, fellows_in(*spawn, settings_.self));
}

// A spawn of this sender that is called so, and is neither a lease yet nor refused.
bool Provider::is_undecided(const PubKey& sender, const std::string& pod) const {
  const auto id = market::RequestId::parse(pod);
  const auto is_it = [&](const PrivateMessage& message) {
    const auto* request = std::get_if<market::Request>(&message.body);
    const auto* spawn = request ? std::get_if<market::SpawnRequest>(request) : nullptr;
    return spawn != nullptr && message.sender == sender &&
           ((id && spawn->request_id == *id) || spawn->workload_id == pod);
  };
  return waiting_.any([&](const Waiting& w) { return is_it(w.message); }) ||
         running_->payments.is_checking(is_it);
}

// --- requests ------------------------------------------------------------------------------------

// Identity before age: a request that the ledger knows is answered, however old it is (flaw 1).
void Provider::handle_request(Now now, const PrivateMessage& message, std::optional<Micros> until,
                              Step& out) {
  const market::Request& request = std::get<market::Request>(message.body);
  Payments& payments = running_->payments;
  const auto& id = market::request_id_of(request);
  const RequestKey key = RequestBook::key_of(message.sender, id, message.message);
  const bool stale = too_old_or_new(now, message);
  const Refused expired{market::ErrorType::RequestExpired,
                        market::text::request_expired(elapsed(message.created_at, now.wall)),
                        market::TokenState::Untouched,
                        {},
                        {}};
  if (const Request* known = requests_.find(key)) {
    record(MessageSeen{message.event, now.wall}, out);
    if (stale && !desk_policy_.identity_before_age)
      return running_->outbox.send_passing(now, message.sender, message.transport, message.event,
                                           to_wire(error_reply_of(expired), id), out);
    return payments.answer_again(instant(now), *known, message, out);
  }
  if (payments.under_way(key) || waiting_.contains(key)) return;
  if (const auto* stop = std::get_if<market::StopRequest>(&request)) {
    if (stale) return payments.refuse(instant(now), key, message, RequestKind::Stop, expired, out);
    if (is_undecided(message.sender, stop->pod_id) && wait(key, message, until)) return;
    payments.stop(instant(now), key, message, stop->pod_id, out);
  } else if (const auto* status = std::get_if<market::StatusRequest>(&request)) {
    if (!stale) handle_status(now, message, status->pod_id, id, out);
  } else if (stale) {
    payments.refuse_unless_known(instant(now), key, message, kind_of(request), expired, out);
  } else {
    handle_payment(now, key, message, until, out);
  }
}

// A spawn or top-up that nobody has heard of yet.
void Provider::handle_payment(Now now, const RequestKey& key, const PrivateMessage& message,
                              std::optional<Micros> until, Step& out) {
  Payments& payments = running_->payments;
  const auto refuse = [&](const Refused& why) {
    const bool unread = why.type == market::ErrorType::MintNetworkError;  // the only reason for it
    if (unread && wait(key, message, until)) return;
    const auto kind = kind_of(std::get<market::Request>(message.body));
    payments.refuse_unless_known(instant(now), key, message, kind, why, out);
  };
  const QuoteBooks books{settings_,
                         wallet_,
                         leases_,
                         draining_,
                         [this](const failover::Terms& t) { return running_->standby.refusal(t); },
                         [this](const PubKey& k) { return running_->fellows.knows_rules(k); }};
  const market::Request& request = std::get<market::Request>(message.body);
  if (const auto* top_up = std::get_if<market::TopUpRequest>(&request)) {
    auto quote = quote_top_up(books, now, *top_up, message);
    if (!quote) return refuse(quote.error());
    return payments.accept_top_up(key, message, *std::move(quote), out);
  }
  const auto& spawn = std::get<market::SpawnRequest>(request);
  auto quote = quote_spawn(books, now, spawn, message);
  if (!quote) return refuse(quote.error());
  if (quote->standby && !running_->fellows.read(now, fellows_in(spawn, settings_.self))) {
    if (wait(key, message, until)) return;
    return refuse({market::ErrorType::StandbyUnavailable,
                   market::text::standby_unavailable("the other members' offers cannot be read"),
                   market::TokenState::Untouched,
                   kAskLater,
                   {}});
  }
  payments.accept_spawn(key, message, *std::move(quote), out);
}

bool Provider::too_old_or_new(Now now, const PrivateMessage& message) const {
  return message.created_at + kRequestAgeMax < now.wall ||
         message.created_at > now.wall + kRequestFutureMax;
}

// Status tells only the owner; what is somebody else's does not exist.
void Provider::handle_status(Now now, const PrivateMessage& message, const std::string& pod,
                             const std::optional<market::RequestId>& id, Step& out) {
  record(MessageSeen{message.event, now.wall}, out);
  const lease::Lease* found = pod == message.sender.hex()
                                  ? leases_.newest_of(message.sender)
                                  : running_->payments.lease_of(message.sender, pod);
  market::Reply reply;
  if (found != nullptr && found->phase == lease::Phase::Reserved)  // nothing runs, nothing is over
    reply = error_reply_of(not_paid_yet());
  else if (found == nullptr || found->phase == lease::Phase::Void)
    reply = market::error_reply(market::ErrorType::NotFound, market::text::workload_not_found(pod),
                                market::TokenState::Untouched);
  else {
    auto status = running_->payments.status_of(*found, now);
    running_->standby.describe(*found, now, status);
    reply = std::move(status);
  }
  running_->outbox.send_passing(now, message.sender, message.transport, message.event,
                                to_wire(std::move(reply), id), out);
}

void Provider::complain(Now now, const PrivateMessage& message, const std::string& problem,
                        Step& out) {
  record(MessageSeen{message.event, now.wall}, out);
  if (too_old_or_new(now, message) || !limit_.allow_complaint(now, message.sender)) return;
  running_->outbox.send_passing(now, message.sender, message.transport, message.event,
                                to_wire(market::unparseable_reply(Error{problem, ""}), {}), out);
}

}  // namespace paygress::provider
