// Proxmox VE as an engine: containers (LXC) on one node, carried out one call after the other,
// blocking. blocking.h puts it behind the loop.
//
// A container is ours when its description holds our labels with our install id. Its number (VMID)
// is the API's; we find it by its name, which is the workload's. Nothing is ever done to a number
// whose container does not say that it is ours.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/workload/backend.h"
#include "shell/backend/backend.h"
#include "shell/backend/proxmox_api.h"

namespace paygress::backend {

class ProxmoxEngine {
 public:
  ProxmoxEngine(ProxmoxConfig config, InstallId install)
      : api_(std::move(config)), install_(install) {}

  // Ends before the call's deadline does. Calls for different names may run at once on different
  // threads.
  workload::Answer handle(const workload::Call& call);

 private:
  struct Container {
    uint32_t vmid = 0;
    workload::Object object;
    std::string lock;   // "create", "disk", ...: somebody works on it
    std::string ports;  // that are published, as the description has them
  };
  // The containers of ours with this name (or all of them), or why it is not known. More than one
  // cannot be: names are looked up before they are given.
  struct Found {
    ProxmoxReply reply;
    std::vector<Container> containers;
    bool name_of_others = false;
    bool nameless = false;  // one in our range is being made, and does not say whose it is yet
  };
  Found find(const std::string& name, Micros until) const;
  std::optional<Container> look(const boost::json::object& row, ProxmoxReply& reply,
                                Micros until) const;

  workload::Answer probe(const workload::Call& call, Micros until) const;
  workload::Answer capacity(const workload::Call& call, Micros until) const;
  workload::Answer create(const workload::Call& call, Micros until);
  workload::Answer make(const workload::Call& call, Micros until);
  workload::Answer start(const workload::Call& call, const Container& found, Micros until) const;
  workload::Answer stop(const workload::Call& call, const Container& found, Micros until) const;
  workload::Answer remove(const workload::Call& call, const Container& found, Micros until);
  workload::Answer forward(const workload::Call& call, const Container& found, Micros until) const;
  Form form_of(const workload::Spec& spec, uint32_t vmid) const;
  std::string image_of(const workload::Spec& spec) const;
  std::string path_of(uint32_t vmid) const;

  ProxmoxApi api_;
  InstallId install_;
  std::mutex mutations_;  // creates and deletes, one at a time: in parallel they wait for locks
};

}  // namespace paygress::backend
