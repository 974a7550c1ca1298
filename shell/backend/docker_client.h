// What the backends of one Docker engine and of a swarm of them share: the Engine's HTTP API over a
// unix socket in a version that both sides know, and images.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

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

class DockerClient : public EngineClient<DockerScratch> {
 protected:
  enum class Api : uint8_t { Versioned, Unversioned };
  struct Request {
    std::string method;
    std::string path;  // with the query, without the version
    std::string body;
    std::string type = "application/json";
    std::function<void(std::string_view)> on_line;
    Api api = Api::Versioned;
  };

  DockerClient(net::Loop& loop, const std::filesystem::path& socket, InstallId install)
      : EngineClient(loop, install), socket_(socket.string()) {}

  void contact_lost() override { version_.reset(); }
  // Concludes the operation by what the engine answered instead of what it was asked.
  virtual void fail_from(const Op& op, const net::Answered& answered) = 0;
  static workload::Fault fault_of(const net::Answered& answered);
  void send(const Op& op, Request request, Handler handler);
  void with_version(const Op& op, Next next);
  // `found` when op->image is filled in. Without `missing` an image that is not there is a failure.
  void look_up_image(const Op& op, const std::string& image, Next found, Next missing = {});
  void pull(const Op& op, const std::string& image, Next pulled);

  shell::Logger log_{"docker"};
  std::optional<DockerVersion> version_;

 private:
  const std::string socket_;
};

}  // namespace paygress::backend
