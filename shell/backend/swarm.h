// A swarm of Docker engines behind one manager's socket: the swarm places, we say where. What our
// objects are there, and what the answers prove, is swarm_json.h's.
//
// Never two copies: the swarm starts nothing anew by itself, and another task is asked for only
// when the machine of the last one has reported its end, or was removed from the swarm. While a
// machine does not answer, what it had is Unknown. Every later start is on the same machine.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "shell/backend/docker_client.h"
#include "shell/backend/swarm_json.h"

namespace paygress::backend {

class SwarmBackend final : public DockerClient {
 public:
  // Does not talk to the engine yet.
  SwarmBackend(net::Loop& loop, DockerConfig config, InstallId install);

 private:
  struct View {
    SwarmNodes nodes;
    std::vector<SwarmObject> objects;
  };
  using Looked = std::function<void(View&)>;
  // Our object of the call's name, or nullptr.
  using Seen = std::function<void(const SwarmObject*, const SwarmNodes&)>;
  using Bodies = std::shared_ptr<std::vector<std::string>>;

  void run(const Op& op) override;
  void fail_from(const Op& op, const net::Answered& answered) override;
  // What there is of our install; of the object `name` alone unless that is empty.
  void look(const Op& op, const std::string& name, Looked looked);
  void ask_next(const Op& op, std::vector<std::string> paths, const Bodies& bodies, Next next);
  void inspect(const Op& op, Seen seen);
  // Says where consumers reach what stands on a member.
  void complete(workload::Object& object) const;
  bool is_member(const SwarmNode& node) const { return config_.members.contains(node.name); }

  void probe(const Op& op);
  void probe_nodes(const Op& op);
  void capacity(const Op& op);
  void list_nodes(const Op& op, std::function<void(const SwarmNodes&)> seen);

  void create(const Op& op);
  void make(const Op& op);
  void make_secret(const Op& op, bool again);
  void make_service(const Op& op, const std::string& secret);
  void forget_old_secret(const Op& op);

  void start(const Op& op, const SwarmObject& seen, const SwarmNodes& nodes);
  void await_start(const Op& op);
  void confirm_start(const Op& op);
  void fail_start(const Op& op, const SwarmObject& seen);
  // It can run nowhere now, or where nobody reaches it: it is not left to that.
  void withdraw(const Op& op, const SwarmObject& seen, const std::string& why);
  void update(const Op& op, const SwarmService& service, std::string body, Next next);
  void halt(const Op& op, const SwarmObject& seen, Next halted);
  void await_halt(const Op& op, Next halted);
  void remove(const Op& op);
  void erase(const Op& op, const std::string& path);
  void away(const Op& op) {
    fail_as(op, workload::Fault::Unreachable, "its machine does not answer");
  }

  const DockerConfig config_;
};

}  // namespace paygress::backend
