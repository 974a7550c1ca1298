// The docker backend: the Engine's HTTP API over its unix socket. docker_json.h has the bodies.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "shell/backend/backend.h"
#include "shell/backend/calls.h"
#include "shell/backend/docker_json.h"
#include "shell/base/log.h"
#include "shell/net/http_client.h"

namespace paygress::backend {

class DockerBackend final : public Backend {
 public:
  // Does not talk to the engine yet.
  DockerBackend(net::Loop& loop, DockerConfig config, InstallId install);

  void call(const workload::Call& call, Done done) override;

 private:
  // One call on its way. Each ends in exactly one conclude().
  struct Operation {
    workload::Call call;
    Calls::Finish finish;
    Micros give_up_at;              // monotonic
    workload::Answer answer;        // being put together
    DockerImage image;
    std::vector<std::string> names; // still to be looked at (List)
    std::string pull_failure;
  };
  using Op = std::shared_ptr<Operation>;
  using Handler = std::function<void(const net::Answered&)>;
  using Next = std::function<void()>;
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

  void run(const Op& op);
  void conclude(const Op& op, workload::Answer answer);
  void done(const Op& op);
  void fail_as(const Op& op, workload::Fault fault, const std::string& message);
  void fail_from(const Op& op, const net::Answered& answered);
  // `handler` sees whatever the engine answered; what did not arrive there concludes the operation.
  void send(const Op& op, Request request, Handler handler);
  void with_version(const Op& op, Next next);
  // `seen` gets our object, or nullptr when there is none of ours. Another install's object
  // concludes a Create as a conflict.
  void inspect(const Op& op, const std::string& name, Seen seen);

  void probe(const Op& op);
  void capacity(const Op& op);
  void list(const Op& op);
  void list_next(const Op& op);
  void create(const Op& op);
  void find_image(const Op& op, const std::string& image, bool may_fetch);
  void pull(const Op& op, const std::string& image);
  void import_hello(const Op& op);
  void make_container(const Op& op);
  void put_files(const Op& op, bool ssh);
  void put_password(const Op& op);
  void upload(const Op& op, const std::string& directory, std::string archive, Next next);
  void start(const Op& op, const DockerContainer& container);
  void change(const Op& op, const DockerContainer& container);
  void stop(const Op& op);
  void remove(const Op& op);
  void confirm_removed(const Op& op);

  net::Loop& loop_;
  DockerConfig config_;
  InstallId install_;
  shell::Logger log_{"docker"};
  std::shared_ptr<Calls> calls_;
  std::optional<DockerVersion> version_;
  std::map<std::string, std::deque<Op>> queues_;  // by name; the first one is under way
  net::HttpClient http_;  // last: its callbacks use the others
};

}  // namespace paygress::backend
