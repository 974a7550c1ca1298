#include "core/provider/replies.h"

#include <algorithm>

namespace paygress::provider {
namespace {

std::vector<market::TemplateAccessPort> access_ports(const lease::Lease& lease) {
  std::vector<market::TemplateAccessPort> ports;
  for (const workload::PublishedPort& p : lease.terms.ports)
    ports.push_back({p.host_port, p.container_port, "tcp", p.label});
  return ports;
}

uint16_t ssh_port(const lease::Lease& lease) {
  return lease.serves_ssh ? lease.terms.ssh_port.value_or(0) : uint16_t{0};
}

// Where the workload's ports are.
const std::string& host_of(const Settings& settings, const lease::Lease& lease) {
  return lease.address.empty() ? settings.address : lease.address;
}

template <class Reply>
void put_refunds(const std::vector<market::RefundToken>& refunds, Reply& reply) {
  Msat sum;
  for (const market::RefundToken& refund : refunds) sum += refund.msat;
  reply.refund_msat = sum;
  if (refunds.empty()) return;
  reply.refund_token = refunds.front().token;
  reply.refunds = refunds;
}

}  // namespace

market::AccessDetails access_details(const Settings& settings, const lease::LeaseBook& leases,
                                     const lease::Lease& lease, Now now) {
  market::AccessDetails details;
  details.pod_npub = "container-" + std::to_string(lease.terms.number);
  details.node_port = ssh_port(lease);
  details.expires_at = {leases.expires_at(lease, now)};
  details.cpu_millicores = lease.terms.tier.cpu_millicores;
  details.memory_mb = lease.terms.tier.memory_mb;
  details.pod_spec_name = lease.terms.tier.name;
  details.pod_spec_description = lease.terms.tier.description;
  details.host_address = host_of(settings, lease);
  details.template_ports = access_ports(lease);
  market::AccessText text;
  text.host = host_of(settings, lease);
  if (details.node_port != 0) text.ssh_port = details.node_port;
  text.password = lease.terms.password;
  text.expires_at = details.expires_at.at;
  text.ports = details.template_ports;
  details.instructions = market::access_instructions(text);
  if (details.node_port != 0) {
    details.ssh_username = "root";
    details.ssh_password = lease.terms.password;
  }
  if (!lease.terms.workload_id.empty()) details.workload_id = lease.terms.workload_id;
  return details;
}

market::AccessDetails standby_details(const Settings& settings, const lease::LeaseBook& leases,
                                      const lease::Lease& lease, const failover::Terms& terms,
                                      Now now) {
  PG_CHECK(terms.rank > 0);
  market::AccessDetails details;
  details.pod_npub = "standby-slot-" + terms.workload_id;
  details.expires_at = {leases.expires_at(lease, now)};
  details.cpu_millicores = lease.terms.tier.cpu_millicores;
  details.memory_mb = lease.terms.tier.memory_mb;
  details.pod_spec_name = lease.terms.tier.name;
  details.pod_spec_description = lease.terms.tier.description;
  details.host_address = settings.address;
  details.instructions =
      market::standby_instructions(terms.rank - 1, static_cast<uint32_t>(terms.members.size() - 1),
                                   terms.workload_id, terms.members[0].key.hex());
  details.workload_id = terms.workload_id;
  details.epoch = 0;
  details.guarantee = failover::to_text(failover::guarantee_of(terms));
  return details;
}

market::StatusReply status_reply(const Settings& settings, const lease::LeaseBook& leases,
                                 const lease::Lease& lease, std::optional<workload::State> state,
                                 Now now) {
  market::StatusReply reply;
  const bool over = lease.phase == lease::Phase::Ending || lease.phase == lease::Phase::Ended;
  reply.pod_id = std::to_string(lease.terms.number);
  reply.status = over ? "Expired" : "Running";  // the two words that stock clients know
  reply.expires_at = {leases.expires_at(lease, now)};
  reply.time_remaining_seconds = static_cast<uint64_t>(leases.remaining(lease, now).value);
  reply.cpu_millicores = lease.terms.tier.cpu_millicores;
  reply.memory_mb = lease.terms.tier.memory_mb;
  reply.ssh_host = host_of(settings, lease);
  reply.ssh_port = ssh_port(lease);
  reply.ssh_username = "root";
  reply.state = state && !over ? std::string(workload::to_string(*state))
                               : std::string(lease::to_string(lease.phase));
  reply.role = "primary";
  reply.credit_msat = lease.credit;
  if (!lease.terms.ports.empty()) reply.template_ports = access_ports(lease);
  return reply;
}

market::TopUpReply top_up_reply(const lease::LeaseBook& leases, const lease::Lease& lease,
                                std::string pod, Seconds bought, Msat paid, Now now) {
  market::TopUpReply reply;
  reply.pod_npub = std::move(pod);
  reply.extended_duration_seconds = static_cast<uint64_t>(bought.value);
  reply.new_expires_at = {leases.expires_at(lease, now)};
  reply.message = market::topup_text(bought, paid,
                                     static_cast<uint64_t>(lease.terms.tier.rate_per_second.value));
  return reply;
}

std::vector<market::RefundToken> refunds_of(const lease::ClaimBook& claims,
                                            const std::vector<ClaimId>& ids) {
  std::vector<market::RefundToken> refunds;
  for (const ClaimId& id : ids) {
    const lease::ClaimEntry* entry = claims.find(id);
    PG_CHECK(entry != nullptr && entry->state != lease::ClaimState::Owed);
    if (entry->paid)
      refunds.push_back({entry->paid->token, entry->owed.lot.mint, entry->paid->face});
  }
  std::sort(refunds.begin(), refunds.end(), [](const auto& a, const auto& b) {
    return a.msat != b.msat ? a.msat > b.msat : a.mint < b.mint;
  });
  return refunds;
}

market::ErrorReply refund_reply(market::ErrorType type, std::string message,
                                const std::vector<market::RefundToken>& refunds) {
  market::ErrorReply reply =
      market::error_reply(type, std::move(message), market::TokenState::Taken);
  put_refunds(refunds, reply);
  if (!refunds.empty()) reply.details = refunds.front().token;
  return reply;
}

market::StatusReply end_reply(const Settings& settings, const lease::LeaseBook& leases,
                              const lease::Lease& lease,
                              const std::vector<market::RefundToken>& refunds, Now now) {
  market::StatusReply reply = status_reply(settings, leases, lease, std::nullopt, now);
  const bool ran_out =
      lease.phase == lease::Phase::Ended && lease.end_reason == lease::EndReason::Expired;
  reply.status = ran_out ? "Expired" : "Stopped";
  put_refunds(refunds, reply);
  return reply;
}

market::ErrorReply error_reply_of(const Refused& refused) {
  market::ErrorReply reply = market::error_reply(refused.type, refused.message, refused.state);
  if (refused.retry_after)
    reply.retry_after_secs = static_cast<uint64_t>(refused.retry_after->value);
  return reply;
}

std::string to_wire(market::Reply reply, const std::optional<market::RequestId>& request_id) {
  std::visit([&](auto& r) { r.request_id = request_id; }, reply);
  return market::to_json(reply);
}

}  // namespace paygress::provider
