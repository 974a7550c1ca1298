// The docker backend: the Engine's HTTP API over its unix socket. docker_json.h has the bodies.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "shell/backend/docker_client.h"
#include "shell/backend/docker_events.h"
#include "shell/backend/luks_volume.h"
#include "shell/net/worker_pool.h"

namespace paygress::backend {

class DockerBackend final : public DockerClient {
 public:
  // Does not talk to the engine yet.
  DockerBackend(net::Loop& loop, DockerConfig config, InstallId install);

  void listen(Hear hear) override;

 private:
  using Seen = std::function<void(const DockerContainer*)>;

  void run(const Op& op) override;
  void fail_from(const Op& op, const net::Answered& answered) override;
  // `seen` gets our object, or nullptr when there is none of ours. Another install's object
  // concludes a Create as a conflict.
  void inspect(const Op& op, const std::string& name, Seen seen);

  // What is answered where no container has the name.
  void answer_absent(const Op& op);
  void probe(const Op& op);
  void tell_probe(const Op& op, const DockerInfo& info);
  void capacity(const Op& op);
  void list(const Op& op);
  Guarding guarding() const override { return Guarding::Possible; }
  void list_next(const Op& op);
  void list_volumes(const Op& op);
  void create(const Op& op);
  void check_driver(const Op& op, Next next);
  void find_image(const Op& op, const std::string& image);
  void import_hello(const Op& op, Next imported);
  // Sees that the network containers are put into is there.
  void with_network(const Op& op, Next next);
  // Removes it again when nothing of ours is left that would need it.
  void tidy_network(const Op& op);
  void remove_networks(const Op& op, std::vector<std::string> ids);
  using Ids = std::function<void(std::vector<std::string>)>;
  void list_networks(const Op& op, Ids seen);
  void make_container(const Op& op);
  void put_files(const Op& op, bool ssh);
  void put_password(const Op& op);
  void upload(const Op& op, const std::string& directory, std::string archive, Next next);
  void start(const Op& op, const DockerContainer& container);
  void start_container(const Op& op);
  void change(const Op& op, const DockerContainer& container);
  void stop(const Op& op);
  void confirm_stopped(const Op& op, bool killed);
  void remove(const Op& op);
  void confirm_removed(const Op& op);

  // docker_volume.cpp: encrypted volumes. The engine knows each as a volume of ours under the
  // object's name, from before its file is made until after it is gone.
  using Work = std::function<Result<void>()>;
  using SeenVolume = std::function<void(const workload::Object*)>;
  // Whether there may be any.
  bool has_volumes() const;
  LuksVolume volume_of(const Op& op) const;
  // Runs `work` on a thread; its failure concludes the operation as `fault`.
  void work_on(const Op& op, workload::Fault fault, Work work, Next next);
  // Our volume under the operation's name as an unfinished object, or nullptr. Another's concludes
  // a Create as a conflict.
  void find_volume(const Op& op, SeenVolume seen);
  void make_volume(const Op& op, Next next);
  void fill_volume(const Op& op, Next next);
  // Opens it unless it is open; nothing to do where there is none.
  void with_open_volume(const Op& op, const LeaseId& lease, Next next);
  void remove_volume(const Op& op, Next next);
  void forget_volume(const Op& op, Next next);

  const DockerConfig config_;
  // Our own one; empty while it is not known to be there. One whose making was never acknowledged
  // may stand beside it: all of them go when they are tidied.
  std::string network_id_;
  std::weak_ptr<Operation> network_task_;  // is making or removing it; the others wait
  // Held by every Create under way: what it makes needs the network.
  std::shared_ptr<int> creating_ = std::make_shared<int>(0);
  std::unique_ptr<DockerEvents> events_;
  // Of encrypted volumes, where they are configured. One name's work keeps to one lane, and lanes
  // do not wait for each other.
  std::vector<net::WorkerPool::QueueId> lanes_;
  std::unique_ptr<net::WorkerPool> pool_;  // last: its work is waited for
};

}  // namespace paygress::backend
