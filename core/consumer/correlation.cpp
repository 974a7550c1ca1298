#include "core/consumer/correlation.h"

#include <variant>

namespace paygress::consumer {
namespace {

constexpr Seconds kClocksDiffer{10};

bool fits(RequestKind kind, const market::Reply& reply) {
  if (std::holds_alternative<market::ErrorReply>(reply)) return true;
  switch (kind) {
    case RequestKind::Spawn: return std::holds_alternative<market::AccessDetails>(reply);
    case RequestKind::TopUp: return std::holds_alternative<market::TopUpReply>(reply);
    case RequestKind::Status: return std::holds_alternative<market::StatusReply>(reply);
  }
  return false;
}

// A provider that echoes request ids and yet writes without one was not asked: it tells of a
// take-over, or of the end of one. Its replies have fields that the existing network's lack.
bool is_unasked(const market::Reply& reply) {
  if (const auto* access = std::get_if<market::AccessDetails>(&reply))
    return access->ssh_username || access->workload_id || access->epoch || access->guarantee;
  if (const auto* status = std::get_if<market::StatusReply>(&reply))
    return status->state || status->role || status->epoch || status->guarantee;
  return false;
}

}  // namespace

RequestKind kind_of(const market::Request& request) {
  if (std::holds_alternative<market::SpawnRequest>(request)) return RequestKind::Spawn;
  if (std::holds_alternative<market::TopUpRequest>(request)) return RequestKind::TopUp;
  return RequestKind::Status;
}

Match match(const Awaited& awaited, const PubKey& sender, UnixSeconds written,
            const std::string* e_tag, const market::Reply& reply) {
  if (sender != awaited.provider || !fits(awaited.kind, reply)) return Match::No;
  if (const auto& id = market::request_id_of(reply)) {
    if (*id != awaited.request) return Match::No;
  } else if (e_tag != nullptr) {
    const auto event = EventId::parse(*e_tag);
    if (!event || !awaited.sent.contains(*event)) return Match::No;
  } else if (is_unasked(reply) || written < awaited.asked_at - kClocksDiffer) {
    return Match::No;
  }
  const auto* error = std::get_if<market::ErrorReply>(&reply);
  return error != nullptr && error->interim.value_or(false) ? Match::Interim : Match::Final;
}

}  // namespace paygress::consumer
