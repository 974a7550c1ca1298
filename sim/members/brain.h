// What decides in a member's daemon: the fail-over machine, or the existing network's policy.
// Workloads are named by their places in the plan.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/failover/failover.h"
#include "sim/members/plan.h"

namespace paygress::sim::members {

inline LeaseId lease_of(uint32_t workload) {
  LeaseId lease;
  lease.bytes[0] = static_cast<uint8_t>((workload + 1) >> 8);
  lease.bytes[1] = static_cast<uint8_t>(workload + 1);
  return lease;
}
inline uint32_t workload_of(const LeaseId& lease) {
  return (uint32_t{lease.bytes[0]} << 8 | lease.bytes[1]) - 1;
}

class Brain {
 public:
  virtual ~Brain() = default;
  // The journal was folded by whoever made it.
  virtual void start(Now now, failover::Step& out) = 0;
  virtual void heard(Now now, const failover::Heard& heard, failover::Step& out) = 0;
  virtual void unbroken(Now now, uint32_t relay, std::optional<Micros> since,
                        failover::Step& out) = 0;
  virtual void receipt(Now now, failover::PublishNo id, uint32_t relay, bool echo,
                       failover::Step& out) = 0;
  virtual void answered(Now now, failover::QueryNo id, uint32_t relay, bool complete,
                        failover::Step& out) = 0;
  virtual void workload(Now now, uint32_t workload, failover::WorkloadNews news, bool unstopped,
                        failover::Step& out) = 0;
  virtual void guard_state(Now now, std::span<const failover::GuardDeadline> held,
                           failover::Step& out) = 0;
  virtual void guard_hold(Now now, const failover::GuardDeadline& taken, failover::Step& out) = 0;
  virtual void guard_lost(Now now, failover::Step& out) = 0;
  virtual void leave(Now now, uint32_t workload, failover::Step& out) = 0;
  virtual void timer(Now now, failover::Step& out) = 0;
  virtual std::optional<Micros> next_deadline() const = 0;
  virtual failover::Phase phase(uint32_t workload) const = 0;
  // Another number whenever a phase is another.
  virtual uint64_t phase_changes() const = 0;
  virtual bool may_run(Now now, uint32_t workload) const = 0;
  // While it holds: of its promotion. Nothing for a policy without epochs.
  virtual std::optional<uint64_t> epoch(uint32_t) const { return std::nullopt; }
  virtual void check_invariants() const {}
};

std::unique_ptr<Brain> make_brain(const Plan& plan, uint32_t member,
                                  const std::vector<failover::FailoverRecord>& journal);
// The seed's: promote after 180 s of silence by the wall clock and 30 s per index; nothing is
// fenced, claimed or read back, and the announcement comes after the container (network.md 3.6).
// Precondition: one workload.
std::unique_ptr<Brain> make_timeout_only(const Plan& plan, uint32_t member);

}  // namespace paygress::sim::members
