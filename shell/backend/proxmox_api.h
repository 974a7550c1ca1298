// The Proxmox VE API (8.x; pve.proxmox.com/pve-docs/api-viewer, and the wiki's "Proxmox VE API"),
// one blocking request after the other.
#pragma once

#include <boost/json/value.hpp>

#include <map>
#include <string>

#include "core/base/result.h"
#include "core/base/units.h"
#include "core/workload/backend.h"
#include "shell/backend/backend.h"

namespace paygress::backend {

using Form = std::map<std::string, std::string>;  // sent form-encoded, as the API wants it

// What became of a request. `fault` tells how a refusal is to be taken; the API says why in the
// reason phrase of its status line ("500 CT is locked (disk)") and, for 400, in "errors".
struct ProxmoxReply {
  workload::Outcome outcome = workload::Outcome::Unknown;
  workload::Fault fault = workload::Fault::None;
  std::string message;
  boost::json::value data;  // of "data", when Done
};

// How a task ended: Done for "OK" and "WARNINGS: n", Unknown when it had not by the deadline.
using ProxmoxTask = ProxmoxReply;

class ProxmoxApi {
 public:
  explicit ProxmoxApi(ProxmoxConfig config) : config_(std::move(config)) {}

  // `path` below /api2/json. `until` is of the monotonic clock. May be used from several threads.
  ProxmoxReply ask(const std::string& method, const std::string& path, const Form& form,
                   Micros until) const;
  // A request that is answered by a task's id (UPID), and the task's end. Locked objects are asked
  // for again until the deadline, then Busy.
  ProxmoxTask perform(const std::string& method, const std::string& path, const Form& form,
                      Micros until) const;
  const ProxmoxConfig& config() const { return config_; }

 private:
  ProxmoxTask await(const std::string& upid, Micros until) const;
  ProxmoxConfig config_;
};

// What a status and its reason phrase mean.
workload::Fault proxmox_fault(int status, const std::string& reason);
// "HTTP/1.1 500 CT is locked (disk)" -> "CT is locked (disk)"
std::string reason_phrase(const std::string& status_line);
std::string form_encoded(const Form& form);

}  // namespace paygress::backend
