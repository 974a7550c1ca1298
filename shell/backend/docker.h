// The docker backend: the Engine's HTTP API over its unix socket. docker_json.h has the bodies.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "shell/backend/docker_events.h"
#include "shell/backend/docker_json.h"
#include "shell/backend/engine_client.h"
#include "shell/base/log.h"

namespace paygress::backend {

struct DockerScratch {
  DockerImage image;
  std::vector<std::string> names;  // still to be looked at (List)
  std::string pull_failure;
  std::shared_ptr<int> creating;
};

class DockerBackend final : public EngineClient<DockerScratch> {
 public:
  // Does not talk to the engine yet.
  DockerBackend(net::Loop& loop, DockerConfig config, InstallId install);

  void listen(Hear hear) override;

 private:
  using Seen = std::function<void(const DockerContainer*)>;
  enum class Api : uint8_t { Versioned, Unversioned };

  struct Request {
    std::string method;
    std::string path;               // with the query, without the version
    std::string body;
    std::string type = "application/json";
    std::function<void(std::string_view)> on_line;
    Api api = Api::Versioned;
  };

  void run(const Op& op) override;
  void contact_lost() override { version_.reset(); }
  void fail_from(const Op& op, const net::Answered& answered);
  void send(const Op& op, Request request, Handler handler);
  void with_version(const Op& op, Next next);
  // `seen` gets our object, or nullptr when there is none of ours. Another install's object
  // concludes a Create as a conflict.
  void inspect(const Op& op, const std::string& name, Seen seen);

  void probe(const Op& op);
  void capacity(const Op& op);
  void list(const Op& op);
  Guarding guarding() const override { return Guarding::Possible; }
  void list_next(const Op& op);
  void create(const Op& op);
  void check_driver(const Op& op, Next next);
  void find_image(const Op& op, const std::string& image, bool may_fetch);
  void pull(const Op& op, const std::string& image);
  void import_hello(const Op& op);
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
  void change(const Op& op, const DockerContainer& container);
  void stop(const Op& op);
  void confirm_stopped(const Op& op, bool killed);
  void remove(const Op& op);
  void confirm_removed(const Op& op);

  const DockerConfig config_;
  shell::Logger log_{"docker"};
  std::optional<DockerVersion> version_;
  // Our own one; empty while it is not known to be there. One whose making was never acknowledged
  // may stand beside it: all of them go when they are tidied.
  std::string network_id_;
  std::weak_ptr<Operation> network_task_; // is making or removing it; the others wait
  // Held by every Create under way: what it makes needs the network.
  std::shared_ptr<int> creating_ = std::make_shared<int>(0);
  std::unique_ptr<DockerEvents> events_;
};

}  // namespace paygress::backend
