#include "sim/members/brain.h"

#include <algorithm>
#include <set>

#include "core/base/check.h"
#include "sim/members/event.h"

namespace paygress::sim::members {
namespace {

using namespace failover;

Terms terms_of(const Plan& plan, const std::vector<uint32_t>& members, uint32_t rank) {
  Terms terms;
  terms.workload_id = plan.workload_id(members);
  for (const uint32_t m : members) terms.members.push_back({key_of(plan.member_number(m)), true});
  terms.rank = rank;
  for (uint32_t r = 0; r < plan.relays; ++r) terms.relays.push_back("r" + std::to_string(r));
  terms.profile = plan.profile;
  terms.quorums = quorums(plan.relays, plan.faulty);
  return terms;
}

// Relays are numbered as the terms name them: all workloads name the same ones.
class Rules final : public Brain {
 public:
  Rules(const Plan& plan, uint32_t member, const std::vector<FailoverRecord>& journal)
      : machine_(key_of(plan.member_number(member)), plan.profile.heartbeat, plan.policy) {
    std::set<LeaseId> joined;  // once: a lease that is over is not joined again
    for (const auto& record : journal) {
      machine_.apply(record);
      if (std::holds_alternative<Joined>(record)) joined.insert(failover::lease_of(record));
    }
    const auto workloads = plan.all_workloads();
    for (uint32_t w = 0; w < workloads.size(); ++w) {
      const auto at = std::find(workloads[w].begin(), workloads[w].end(), member);
      if (at == workloads[w].end()) continue;
      leases_.push_back(lease_of(w));
      if (!joined.contains(leases_.back()))
        joins_.emplace_back(
            leases_.back(),
            terms_of(plan, workloads[w], static_cast<uint32_t>(at - workloads[w].begin())));
    }
  }

  void start(Now now, Step& out) override {
    machine_.recover(now, out);
    for (const auto& [lease, terms] : joins_)
      PG_CHECK(machine_.join(now, lease, terms, out).has_value());
  }
  void heard(Now now, const Heard& heard, Step& out) override {
    machine_.handle_heard(now, heard, out);
  }
  void unbroken(Now now, uint32_t relay, std::optional<Micros> since, Step& out) override {
    for (const LeaseId& lease : leases_) machine_.handle_unbroken(now, lease, {relay}, since, out);
  }
  void receipt(Now now, PublishNo id, uint32_t relay, bool echo, Step& out) override {
    if (echo)
      machine_.handle_echo(now, id, {relay}, out);
    else
      machine_.handle_ok(now, id, {relay}, out);
  }
  void answered(Now now, QueryNo id, uint32_t relay, bool complete, Step& out) override {
    machine_.handle_query_answer(now, id, {relay}, complete, out);
  }
  void workload(Now now, uint32_t workload, WorkloadNews news, bool unstopped, Step& out) override {
    machine_.handle_workload(now, lease_of(workload), news, unstopped, out);
  }
  void guard_state(Now now, std::span<const GuardDeadline> held, Step& out) override {
    machine_.handle_guard_state(now, held, out);
  }
  void guard_hold(Now now, const GuardDeadline& taken, Step& out) override {
    machine_.handle_guard_hold(now, taken, out);
  }
  void guard_lost(Now now, Step& out) override { machine_.handle_guard_lost(now, out); }
  void leave(Now now, uint32_t workload, Step& out) override {
    machine_.leave(now, lease_of(workload), out);
  }
  void timer(Now now, Step& out) override { machine_.handle_timer(now, out); }
  std::optional<Micros> next_deadline() const override { return machine_.next_deadline(); }
  Phase phase(uint32_t workload) const override {
    return machine_.phase(lease_of(workload)).value_or(Phase::Unarmed);
  }
  uint64_t phase_changes() const override { return machine_.phase_changes(); }
  bool may_run(Now now, uint32_t workload) const override {
    return machine_.may_run(now, lease_of(workload));
  }
  std::optional<uint64_t> epoch(uint32_t workload) const override {
    const auto status = machine_.status(lease_of(workload));
    if (!status || status->phase != Phase::Holding) return std::nullopt;
    return status->epoch;
  }
  void check_invariants() const override { machine_.check_invariants(); }

 private:
  Failover machine_;
  std::vector<LeaseId> leases_;
  std::vector<std::pair<LeaseId, Terms>> joins_;
};

}  // namespace

std::unique_ptr<Brain> make_brain(const Plan& plan, uint32_t member,
                                  const std::vector<failover::FailoverRecord>& journal) {
  if (plan.timeout_only) return make_timeout_only(plan, member);
  return std::make_unique<Rules>(plan, member, journal);
}

}  // namespace paygress::sim::members
