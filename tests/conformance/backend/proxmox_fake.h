// A strict stand-in for the Proxmox VE API (8.x), as far as the backend uses it. There is no
// Proxmox to install for a test. Each behaviour names where it is documented:
//   [viewer]  the API viewer, pve.proxmox.com/pve-docs/api-viewer: paths, parameters, returns
//   [wiki]    pve.proxmox.com/wiki/Proxmox_VE_API: tokens, "data", form encoding
//   [http]    pve-http-server, PVE/APIServer/AnyEvent.pm: errors in the reason phrase, 400 with
//             "errors", 501 for unknown methods
//   [task]    pve-common, PVE/RESTEnvironment.pm: UPIDs, "OK", "WARNINGS: n", error texts as exits
//   [lock]    pve-common PVE/Tools.pm lock_file ("got timeout"); pve-guest-common
//             PVE/AbstractConfig.pm check_lock ("CT is locked (create)"), "does not exist"
//   [issue]   seen by users: Telmate/terraform-provider-proxmox #23, #173, bpg #1929
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "shell/net/http_server.h"

namespace paygress::conformance {

class ProxmoxFake {
 public:
  static constexpr const char* kNode = "pve1";
  static constexpr const char* kSecondNode = "pve2";
  static constexpr const char* kToken = "paygress@pve!provider";
  static constexpr const char* kSecret = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";
  static constexpr const char* kTemplate = "local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst";

  explicit ProxmoxFake(net::Loop& loop);

  std::string url() const { return server_->url("http") + "/api2/json"; }

  struct Container {
    std::map<std::string, std::string> config;  // as it was given at its creation
    bool running = false;
    std::string lock;
    std::string node = kNode;
  };
  std::map<uint32_t, Container> containers;

  std::map<std::string, int64_t> free_bytes = {{kNode, int64_t{30} << 30},
                                               {kSecondNode, int64_t{20} << 30}};
  // Nodes that do not answer: what is proxied to them fails, the cluster's files are everywhere.
  std::set<std::string> away;

  // This container moves from the second node to the first as soon as the first was listed.
  uint32_t move_after_list = 0;
  uint32_t move_before_delete = 0;  // this one when its deletion is asked for

  // What goes wrong: each counts down to nothing.
  int lock_timeouts = 0;              // mutations refused with "got timeout" [lock] [issue]
  int stolen_numbers = 0;             // creates that find their number taken meanwhile [issue]
  int warnings = 0;                   // tasks that end with "WARNINGS: 1" [task]
  int lost_answers = 0;               // mutations that happen and are not answered
  int failing_creates = 0;            // create tasks that end with an error and leave nothing
  std::vector<std::string> requests;  // "POST /nodes/pve1/lxc"
  std::vector<std::string> problems;  // of requests that the API would not have understood

 private:
  using Parameters = std::map<std::string, std::string>;
  net::HttpResponse handle(const net::HttpRequest& request);
  net::HttpResponse route(const std::string& method, const std::string& path,
                          const Parameters& parameters);
  net::HttpResponse nodes(const std::string& method, const std::string& node,
                          const std::vector<std::string>& parts, const Parameters& parameters);
  net::HttpResponse container(const std::string& method, const std::string& node,
                              const std::vector<std::string>& parts, const Parameters& parameters);
  net::HttpResponse create(const std::string& node, const Parameters& parameters);
  void go_on();
  net::HttpResponse task_status(const std::string& node, const std::string& upid);
  net::HttpResponse begin_task(const std::string& type, uint32_t vmid,
                               std::function<std::string()> end);

  struct Task {
    int requests_left = 2;
    std::function<std::string()> end;  // its effect; returns the exit status
    std::string exit;
  };
  std::map<std::string, Task> tasks_;
  uint32_t next_task_ = 1;
  std::unique_ptr<net::HttpServer> server_;
};

}  // namespace paygress::conformance
