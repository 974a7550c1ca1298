// The LXD backend: the REST API over the server's unix socket, in a project of our own. Uses what
// LXD 5.0 has and Incus answers alike. lxd_json.h has the bodies.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "shell/backend/engine_client.h"
#include "shell/backend/lxd_json.h"
#include "shell/base/log.h"

namespace paygress::backend {

struct LxdScratch {
  LxdOptions options;
  bool serves_ssh = false;
  std::string bind_address;          // where its ports are opened
  std::vector<std::string> members;  // still to be asked (Capacity)
};

class LxdBackend final : public EngineClient<LxdScratch> {
 public:
  // Does not talk to the server yet.
  LxdBackend(net::Loop& loop, LxdConfig config, InstallId install);

 private:
  using Seen = std::function<void(const LxdInstance*)>;
  using Ended = std::function<void(const LxdOperation&)>;
  enum class Scope : uint8_t { Project, Server };
  struct Request {
    std::string method;
    std::string path;  // "/1.0/...", its query included, without the project
    std::string body;
    net::HttpHeaders headers = {};  // beside the content's type, which is JSON unless said
    Scope scope = Scope::Project;
  };

  void run(const Op& op) override;
  void contact_lost() override { ready_ = false; }
  bool has_members() const { return !config_.members.empty(); }
  // Says where consumers reach what stands on a member of the configured cluster.
  void complete(workload::Object& object) const;
  // Sees that the server trusts us and that our project is there.
  void with_project(const Op& op, Next next);
  void send(const Op& op, Request request, Handler handler);
  void fail_from(const Op& op, const net::Answered& answered);
  bool is_away(const net::Answered& answered) const;
  void fail_with(const Op& op, const std::string& error);
  // Sends what is answered by an operation and waits for that. `ended` sees how it ended.
  void operate(const Op& op, Request request, Ended ended);
  void wait_for(const Op& op, const std::string& path, Ended ended);
  // `next` when nobody's operation works on our instance; LXD refuses two at once. What it waited
  // for may have changed everything: then the call is carried out from its beginning.
  void after_others(const Op& op, Next next);
  // As DockerBackend::inspect.
  void inspect(const Op& op, Seen seen);
  void act_on(const Op& op, const LxdInstance& instance);
  // Changes the state; `next` when it has changed.
  void change_state(const Op& op, LxdAction action, Next next);
  bool is_busy(const std::string& error) const;
  // From the beginning, in a moment: the engine was busy with this object.
  void again(const Op& op);

  void probe(const Op& op);
  void probe_pool(const Op& op);
  void probe_network(const Op& op);
  void probe_members(const Op& op);
  void capacity(const Op& op);
  void capacity_of_next(const Op& op);
  void free_space(const Op& op, const std::string& target, Next next);
  void list(const Op& op);
  void start(const Op& op);
  void stop(const Op& op);
  void confirm_stopped(const Op& op, bool killed);
  void remove(const Op& op);
  void confirm_removed(const Op& op);

  void create(const Op& op);
  void find_image(const Op& op);
  void look_up(const Op& op, const std::string& name);
  void find_pool(const Op& op);
  void make_instance(const Op& op);
  // Sees on which member it landed.
  void place(const Op& op);
  void place_on(const Op& op, const LxdInstance& instance);
  void prepare(const Op& op);
  void find_ssh_server(const Op& op);
  void put_password(const Op& op);
  void allow_root_login(const Op& op);
  void put_environment(const Op& op);
  void end_create(const Op& op);
  void put_file(const Op& op, const std::string& path, std::string content, Next next);
  void put_directory(const Op& op, const std::string& path, Next next);
  void put(const Op& op, const std::string& path, const char* type, std::string content, Next next);

  const LxdConfig config_;
  shell::Logger log_{"lxd"};
  bool ready_ = false;              // with_project found everything in place
  bool clustered_ = false;          // as with_project saw it
  std::weak_ptr<Operation> maker_;  // is making an instance; the others wait
};

// "/1.0/instances/<name>"
std::string lxd_instance_path(std::string_view name);

}  // namespace paygress::backend
