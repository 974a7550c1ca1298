// Proxmox VE as an engine: containers (LXC) on one node or on those of a cluster, carried out one
// call after the other, blocking. blocking.h puts it behind the loop.
//
// A new container goes where most memory is free, and stays there unless somebody moves it. A node
// that does not answer proves nothing, nor does it that a node has it no longer: the containers'
// tags, which every node knows, tell what there is of ours, and what no node shows is Unknown.
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
    std::string node;
    workload::Object object;
    std::string lock;     // "create", "disk", ...: somebody works on it
    std::string ports;    // that are published, as the description has them
    bool unseen = false;  // in no node's list: all that is known is what its tags say
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
  void find_on(const std::string& node, const boost::json::array& rows, const std::string& name,
               Micros until, Found& found) const;
  void find_unseen(const std::vector<std::string>& away, const std::string& name, Micros until,
                   Found& found) const;
  std::optional<Container> look(const std::string& node, const boost::json::object& row,
                                ProxmoxReply& reply, Micros until) const;
  bool in_range(uint32_t vmid) const;
  bool clustered() const { return api_.config().nodes.size() > 1; }

  workload::Answer probe(const workload::Call& call, Micros until) const;
  workload::Answer capacity(const workload::Call& call, Micros until) const;
  workload::Answer create(const workload::Call& call, Micros until);
  workload::Answer make(const workload::Call& call, Micros until);
  workload::Answer start(const workload::Call& call, const Container& found, Micros until) const;
  workload::Answer stop(const workload::Call& call, const Container& found, Micros until) const;
  workload::Answer remove(const workload::Call& call, const Container& found, Micros until);
  workload::Answer forward(const workload::Call& call, const Container& found, Micros until) const;
  struct Free {
    ProxmoxReply reply;
    workload::NodeCapacity capacity;
    bool shares_storage = false;  // with the other nodes
  };
  Free free_on(const std::string& node, Micros until) const;
  Form form_of(const workload::Spec& spec, uint32_t vmid) const;
  std::string image_of(const workload::Spec& spec) const;
  static std::string path_of(const Container& container);

  ProxmoxApi api_;
  InstallId install_;
  std::mutex mutations_;  // creates and deletes, one at a time: in parallel they wait for locks
};

}  // namespace paygress::backend
