// The durable state of the supervisor: what its records make of it, live and at recovery alike.
#include <utility>

#include "core/workload/supervisor.h"

namespace paygress::workload {

void Supervisor::apply(const WorkloadRecord& entry) {
  if (const auto* wanted = std::get_if<WorkloadWanted>(&entry)) {
    Workload w;
    w.spec = wanted->spec;
    w.restart = wanted->restart;
    w.since = wanted->at;
    w.gated = wanted->gated;
    w.generation = w.spec.labels.generation;
    if (w.generation > 0) w.spec.name = object_name(w.spec.labels.lease, w.generation);
    workloads_.insert(wanted->spec.labels.lease, std::move(w));
  } else if (const auto* made = std::get_if<WorkloadGeneration>(&entry)) {
    Workload& w = workloads_.at(made->lease);
    PG_CHECK(made->generation == w.generation + 1);
    w.generation = made->generation;
    w.creates[made->generation] = made->at;
    w.spec.labels.generation = made->generation;
    w.spec.name = object_name(made->lease, made->generation);
  } else if (const auto* moved = std::get_if<WorkloadMoved>(&entry)) {
    Workload& w = workloads_.at(moved->lease);
    if (!w.retired) {
      running_count_ -= w.state == State::Live;
      running_count_ += moved->state == State::Live;
    }
    w.state = moved->state;
    w.since = moved->at;
    w.attempts = moved->attempts;
    w.started_once |= moved->state == State::Live;
    if (moved->state == State::Live) w.creates.erase(w.generation);
  } else if (const auto* retired = std::get_if<WorkloadRetired>(&entry)) {
    Workload& w = workloads_.at(retired->lease);
    if (!w.retired) running_count_ -= w.state == State::Live;
    w.retired = true;
  } else if (const auto* gone = std::get_if<WorkloadGone>(&entry)) {
    PG_CHECK(workloads_.at(gone->lease).retired);
    workloads_.erase(gone->lease);
  } else if (const auto* ports = std::get_if<WorkloadPorts>(&entry)) {
    Workload& w = workloads_.at(ports->lease);
    PG_CHECK(!w.started_once);
    w.spec.ssh_host_port = ports->ssh_host_port;
    w.spec.ports = ports->ports;
    w.spec.labels.spec_digest = ports->spec_digest;
  }
}

}  // namespace paygress::workload
