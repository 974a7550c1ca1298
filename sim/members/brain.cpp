#include "sim/members/brain.h"

#include "core/base/check.h"

namespace paygress::sim::members {
namespace {

using namespace failover;

Terms terms_of(const Plan& plan, uint32_t rank) {
  Terms terms;
  terms.workload_id = "w";
  for (uint32_t m = 0; m < plan.members; ++m) terms.members.push_back({key_of(m), true});
  terms.rank = rank;
  for (uint32_t r = 0; r < plan.relays; ++r) terms.relays.push_back("r" + std::to_string(r));
  terms.profile = plan.profile;
  terms.quorums = quorums(plan.relays, plan.faulty);
  return terms;
}

// Relays are numbered as the terms name them: there is one workload.
class Rules final : public Brain {
 public:
  Rules(const Plan& plan, uint32_t member, const std::vector<FailoverRecord>& journal)
      : plan_(plan), member_(member), machine_(key_of(member), plan.profile.heartbeat,
                                               plan.policy) {
    for (const auto& record : journal) machine_.apply(record);
  }

  void start(Now now, Step& out) override {
    machine_.recover(now, out);
    if (machine_.terms(kLease) != nullptr) return;
    PG_CHECK(machine_.join(now, kLease, terms_of(plan_, member_), out).has_value());
  }
  void heard(Now now, const Heard& heard, Step& out) override {
    machine_.handle_heard(now, heard, out);
  }
  void unbroken(Now now, uint32_t relay, std::optional<Micros> since, Step& out) override {
    machine_.handle_unbroken(now, kLease, {relay}, since, out);
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
  void workload(Now now, WorkloadNews news, bool unstopped, Step& out) override {
    machine_.handle_workload(now, kLease, news, unstopped, out);
  }
  void guard_state(Now now, std::span<const GuardDeadline> held, Step& out) override {
    machine_.handle_guard_state(now, held, out);
  }
  void guard_hold(Now now, Micros deadline, Step& out) override {
    machine_.handle_guard_hold(now, {kLease, deadline}, out);
  }
  void guard_lost(Now now, Step& out) override { machine_.handle_guard_lost(now, out); }
  void timer(Now now, Step& out) override { machine_.handle_timer(now, out); }
  std::optional<Micros> next_deadline() const override { return machine_.next_deadline(); }
  Phase phase() const override {
    const auto status = machine_.status(kLease);
    return status ? status->phase : Phase::Unarmed;
  }
  bool may_run(Now now) const override { return machine_.may_run(now, kLease); }
  std::optional<uint64_t> epoch() const override {
    const auto status = machine_.status(kLease);
    if (!status || status->phase != Phase::Holding) return std::nullopt;
    return status->epoch;
  }
  void check_invariants() const override { machine_.check_invariants(); }

 private:
  const Plan& plan_;
  const uint32_t member_;
  Failover machine_;
};

}  // namespace

PubKey key_of(uint32_t member) {
  PubKey key;
  key.bytes[0] = static_cast<uint8_t>(member + 1);
  return key;
}

std::unique_ptr<Brain> make_brain(const Plan& plan, uint32_t member,
                                  const std::vector<FailoverRecord>& journal) {
  if (plan.timeout_only) return make_timeout_only(plan, member);
  return std::make_unique<Rules>(plan, member, journal);
}

}  // namespace paygress::sim::members
