// A dockerd of the test's own, and a registry beside it.
#pragma once

#include <fstream>
#include <string>
#include <vector>

#include "tests/conformance/backend/enclosure.h"

namespace paygress::conformance {

class DockerEngine : public EngineHost {
 public:
  bool can_run() const override { return engine_there("/usr/sbin/dockerd"); }
  fs::path socket() const override { return dir() / "docker.sock"; }
  // A root file system of images.sh under a name, with these changes (lines of a Dockerfile).
  void import(const std::string& file, const std::string& name,
              const std::vector<std::string>& changes) {
    std::string query = "/images/create?fromSrc=-&repo=" + backend::url_encode(name) + "&tag=1";
    for (const auto& change : changes) query += "&changes=" + backend::url_encode(change);
    std::string reply;
    EXPECT_EQ(ask("POST", query, content_of(engine_image(file)), &reply, "application/x-tar"), 200);
    EXPECT_EQ(reply.find("error"), reply.npos) << reply;
  }
  // Debian's registry of images, empty, on the enclosure's loopback: no other program is there.
  void start_registry() {
    if (!http_get(5000).empty()) return;
    std::ofstream(dir() / "registry.yml")
        << "version: 0.1\nstorage: {filesystem: {rootdirectory: " << (dir() / "registry").string()
        << "}}\nhttp: {addr: \"127.0.0.1:5000\"}\n";
    start_beside({"docker-registry", "serve", dir() / "registry.yml"});
    EXPECT_TRUE(eventually([] { return !http_get(5000).empty(); }));
  }
  // To the registry, and away from the engine.
  void push_away(const std::string& name) {
    std::string reply;
    EXPECT_EQ(ask("POST", "/images/" + name + "/push?tag=1", {}, &reply, "application/json",
                  {{"X-Registry-Auth", "e30="}}),
              200);
    EXPECT_EQ(reply.find("error"), reply.npos) << reply;
    EXPECT_EQ(ask("DELETE", "/images/" + name + ":1?force=1"), 200);
  }

 protected:
  std::vector<std::string> command() const override {
    return {"dockerd",
            "--data-root",
            dir() / "data",
            "--exec-root",
            dir() / "exec",
            "--pidfile",
            dir() / "pid",
            "--cgroup-parent",
            "/" + mark(),
            "-H",
            "unix://" + socket().string()};
  }
  bool answers() const override { return fs::exists(socket()) && ask("GET", "/_ping") == 200; }
  std::vector<std::string> groups() const override { return {mark()}; }
  void make_images() override { engine_image("box-docker"); }
  void prepare() override {
    import("box-docker", "test/box", {"LABEL paygress.ssh=1", R"(CMD ["/sbin/init"])"});
  }
};

}  // namespace paygress::conformance
