#include "tests/conformance/backend/proxmox_fake.h"

#include <boost/json.hpp>

#include <cstdio>
#include <sstream>

namespace paygress::conformance {
namespace {

namespace json = boost::json;
using net::HttpResponse;

HttpResponse data(json::value value) {  // [wiki]
  return HttpResponse::json(200, json::serialize(json::object{{"data", std::move(value)}}));
}
// The message is in the status line, and the body says nothing [http].
HttpResponse error(int status, std::string reason) {
  HttpResponse response = HttpResponse::json(status, R"({"data":null})");
  response.reason = std::move(reason);
  return response;
}
HttpResponse bad_parameter(const std::string& name, const std::string& why) {  // [http]
  HttpResponse response = HttpResponse::json(
      400, json::serialize(json::object{{"data", nullptr}, {"errors", json::object{{name, why}}}}));
  response.reason = "Parameter verification failed.";
  return response;
}

std::string decoded(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      out += static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16));
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

std::map<std::string, std::string> form_of(const std::string& text) {
  std::map<std::string, std::string> form;
  std::istringstream in(text);
  for (std::string pair; std::getline(in, pair, '&');) {
    const size_t equals = std::min(pair.find('='), pair.size());
    form[decoded(pair.substr(0, equals))] =
        equals < pair.size() ? decoded(pair.substr(equals + 1)) : "";
  }
  return form;
}

// Of POST /nodes/{node}/lxc that we may send [viewer].
const std::set<std::string> kCreateParameters = {
    "vmid",   "hostname", "ostemplate",  "cores",    "cpulimit",     "memory",
    "swap",   "rootfs",   "net0",        "password", "pool",         "tags",
    "onboot", "start",    "description", "features", "unprivileged", "ssh-public-keys"};

}  // namespace

ProxmoxFake::ProxmoxFake(net::Loop& loop) {
  net::ServerHandlers handlers;
  handlers.on_request = [this](const net::HttpRequest& request, net::Responder responder) {
    const bool mutates = request.method != "GET";
    HttpResponse response = handle(request);
    if (mutates && response.status == 200 && lost_answers > 0) {
      --lost_answers;
      return responder.drop();
    }
    responder(std::move(response));
  };
  server_ = *net::HttpServer::listen(loop, {}, std::move(handlers));
}

HttpResponse ProxmoxFake::handle(const net::HttpRequest& request) {
  const std::string prefix = "/api2/json";
  const std::string path(request.path());
  if (net::find_header(request.headers, "authorization") !=
      std::string("PVEAPIToken=") + kToken + "=" + kSecret)
    return error(401, "invalid token value!");  // [wiki]
  if (!path.starts_with(prefix)) return error(404, "no such file");
  go_on();
  requests.push_back(request.method + " " + path.substr(prefix.size()));
  const bool in_body = request.method == "POST" || request.method == "PUT";
  if (in_body && !request.body.empty() &&
      net::find_header(request.headers, "content-type") != "application/x-www-form-urlencoded")
    problems.push_back("a body that is not form-encoded");  // [wiki]
  const size_t query = request.target.find('?');
  const std::string parameters = in_body                      ? request.body
                                 : query == std::string::npos ? ""
                                                              : request.target.substr(query + 1);
  return route(request.method, path.substr(prefix.size()), form_of(parameters));
}

HttpResponse ProxmoxFake::route(const std::string& method, const std::string& path,
                                const Parameters& parameters) {
  std::vector<std::string> parts;
  std::istringstream in(path.substr(1));
  for (std::string part; std::getline(in, part, '/');) parts.push_back(decoded(part));
  if (method == "GET" && path == "/version")
    return data(json::object{{"version", "8.2.4"}, {"release", "8.2"}, {"repoid", "faa83925"}});
  if (method == "GET" && path == "/cluster/resources") {  // [viewer]
    json::array rows;
    for (const auto& [vmid, container] : containers) {
      json::object row{{"id", "lxc/" + std::to_string(vmid)},
                       {"type", "lxc"},
                       {"vmid", vmid},
                       {"node", container.node},
                       {"status", "unknown"}};
      // Of the cluster's files, which every node has [viewer].
      if (!container.lock.empty()) row["lock"] = container.lock;
      if (container.lock != "create" && container.config.contains("tags"))
        row["tags"] = container.config.at("tags");
      rows.push_back(std::move(row));
    }
    return data(std::move(rows));
  }
  if (parts.size() >= 2 && parts[0] == "nodes") {
    if (!free_bytes.contains(parts[1]))
      return error(596, "hostname lookup '" + parts[1] + "' failed");  // proxied to no node [http]
    if (away.contains(parts[1])) return error(595, "No route to host");  // [http]
    return nodes(method, parts[1], {parts.begin() + 2, parts.end()}, parameters);
  }
  return error(501, "Method '" + method + " " + path + "' not implemented");  // [http]
}

HttpResponse ProxmoxFake::nodes(const std::string& method, const std::string& node,
                                const std::vector<std::string>& parts,
                                const Parameters& parameters) {
  const auto is = [&](std::initializer_list<const char*> words) {
    return std::equal(parts.begin(), parts.end(), words.begin(), words.end());
  };
  if (method == "GET" && is({"status"}))
    return data(
        json::object{{"cpuinfo", {{"cpus", 8}, {"sockets", 1}}},
                     {"memory", {{"total", 33'554'432'000}, {"free", free_bytes.at(node)}}}});
  if (method == "GET" && is({"storage"}))
    return data(json::array{json::object{{"storage", "local-lvm"}, {"content", "rootdir,images"}}});
  if (method == "GET" && is({"storage", "local-lvm", "status"}))
    return data(json::object{{"avail", 107'374'182'400}, {"total", 214'748'364'800}});
  if (method == "GET" && parts.size() == 3 && parts[0] == "tasks" && parts[2] == "status")
    return task_status(node, parts[1]);
  if (method == "GET" && is({"lxc"})) {
    json::array rows;
    for (const auto& [vmid, container] : containers) {
      if (container.node != node) continue;
      // While it is being made it has a number and nothing else; numbers were text in 7.x [viewer].
      json::object row{{"vmid", std::to_string(vmid)},
                       {"status", container.running ? "running" : "stopped"}};
      const bool made = container.lock != "create";
      if (made) row["name"] = container.config.at("hostname");
      if (made && container.config.contains("tags")) row["tags"] = container.config.at("tags");
      rows.push_back(std::move(row));
    }
    if (const uint32_t moving = std::exchange(move_after_list, 0); moving != 0)
      containers.at(moving).node = kNode;
    return data(std::move(rows));
  }
  if (method == "POST" && is({"lxc"})) return create(node, parameters);
  if (parts.size() >= 2 && parts[0] == "lxc") return container(method, node, parts, parameters);
  return error(501, "Method '" + method + " ...' not implemented");
}

HttpResponse ProxmoxFake::create(const std::string& node, const Parameters& parameters) {
  for (const auto& [name, value] : parameters)
    if (!kCreateParameters.contains(name)) {
      problems.push_back("unknown parameter " + name);
      return bad_parameter(name,
                           "property is not defined in schema and the schema does not allow "
                           "additional properties");
    }
  for (const char* needed : {"vmid", "ostemplate"})
    if (!parameters.contains(needed))
      return bad_parameter(needed, "property is missing and it is not optional");
  const auto vmid = static_cast<uint32_t>(std::stoul(parameters.at("vmid")));
  if (parameters.contains("password") && parameters.at("password").size() < 5)
    return bad_parameter("password", "value must be at least 5 characters long");
  if (parameters.at("ostemplate") != kTemplate)
    return error(500, "volume '" + parameters.at("ostemplate") + "' does not exist");
  if (stolen_numbers > 0) {
    --stolen_numbers;
    containers[vmid].config = {{"hostname", "somebody-elses"}};
  }
  if (containers.contains(vmid))
    return bad_parameter("vmid", "VM " + std::to_string(vmid) + " already exists");  // [issue]
  if (lock_timeouts > 0) {
    --lock_timeouts;
    return error(500, "can't lock file '/var/lock/pve-manager/pve-storage' - got timeout");
  }
  Container made;
  made.config = parameters;
  made.config.erase("password");  // goes into the container, not into its configuration
  made.lock = "create";           // [lock]
  made.node = node;
  containers[vmid] = made;
  const bool fails = failing_creates > 0 && failing_creates-- > 0;
  return begin_task("vzcreate", vmid, [this, vmid, fails] {
    if (fails) {
      containers.erase(vmid);
      return std::string("unable to create CT " + std::to_string(vmid) + " - no space left");
    }
    containers.at(vmid).lock.clear();
    return std::string("OK");
  });
}

HttpResponse ProxmoxFake::container(const std::string& method, const std::string& node,
                                    const std::vector<std::string>& parts,
                                    const Parameters& parameters) {
  const auto vmid = static_cast<uint32_t>(std::stoul(parts[1]));
  const std::string number = std::to_string(vmid);
  if (method == "DELETE" && vmid == move_before_delete) {
    containers.at(vmid).node = kNode;
    move_before_delete = 0;
  }
  const auto it = containers.find(vmid);
  if (it == containers.end() || it->second.node != node)  // [lock]
    return error(500,
                 "Configuration file 'nodes/" + node + "/lxc/" + number + ".conf' does not exist");
  Container& container = it->second;
  const std::string what = parts.size() > 2 ? parts[2] : "";
  const std::string action = parts.size() > 3 ? parts[3] : "";
  if (method == "GET" && what == "config") {
    json::object config{{"arch", "amd64"}, {"digest", "da39a3ee5e6b4b0d3255bfef95601890afd80709"}};
    if (container.lock != "create")
      for (const auto& [key, value] : container.config) config[key] = value;
    if (!container.lock.empty()) config["lock"] = container.lock;
    return data(std::move(config));
  }
  if (method == "GET" && what == "interfaces") {  // null while it does not run [viewer]
    if (!container.running) return data(nullptr);
    return data(json::array{json::object{{"name", "lo"}, {"inet", "127.0.0.1/8"}},
                            json::object{{"name", "eth0"}, {"inet", "10.9.0.5/24"}}});
  }
  if (method == "GET") return error(501, "Method 'GET' not implemented");
  if (!container.lock.empty())  // [lock]
    return error(500, "CT is locked (" + container.lock + ")");
  if (lock_timeouts > 0) {
    --lock_timeouts;
    return error(500,
                 "can't lock file '/run/lock/lxc/pve-config-" + number + ".lock' - got timeout");
  }
  if (method == "POST" && what == "status" && action == "start") {
    if (container.running) return error(500, "CT " + number + " already running");
    return begin_task("vzstart", vmid, [this, vmid] {
      containers.at(vmid).running = true;
      return std::string("OK");
    });
  }
  if (method == "POST" && what == "status" && action == "shutdown") {
    if (!container.running) return error(500, "CT " + number + " not running");
    return begin_task("vzshutdown", vmid, [this, vmid] {
      containers.at(vmid).running = false;
      return std::string("OK");
    });
  }
  if (method == "DELETE" && what.empty()) {  // [viewer]: force destroys a running one
    if (container.running && !parameters.contains("force"))
      return error(500, "container is running");
    return begin_task("vzdestroy", vmid, [this, vmid] {
      containers.erase(vmid);
      return std::string("OK");
    });
  }
  return error(501, "Method '" + method + " " + what + "' not implemented");
}

HttpResponse ProxmoxFake::begin_task(const std::string& type, uint32_t vmid,
                                     std::function<std::string()> end) {
  char upid[160];  // UPID:node:pid:pstart:starttime:type:id:user: [task]
  std::snprintf(upid, sizeof upid,
                "UPID:%s:%08X:%08X:%08X:%s:%u:%s:", containers.at(vmid).node.c_str(), next_task_,
                0x1234u, 0x66000000u + next_task_, type.c_str(), vmid, kToken);
  ++next_task_;
  tasks_[upid].end = std::move(end);
  return data(upid);
}

HttpResponse ProxmoxFake::task_status(const std::string& node, const std::string& upid) {
  const auto it = tasks_.find(upid);
  if (it == tasks_.end() || !upid.starts_with("UPID:" + node + ":"))
    return error(500, "unable to parse worker upid");
  const Task& task = it->second;
  if (task.exit.empty()) return data(json::object{{"upid", upid}, {"status", "running"}});
  return data(json::object{{"upid", upid}, {"status", "stopped"}, {"exitstatus", task.exit}});
}

// Tasks go on by themselves, whether they are asked about or not: with every request a little.
void ProxmoxFake::go_on() {
  for (auto& [upid, task] : tasks_) {
    if (!task.exit.empty() || task.requests_left-- > 0) continue;
    task.exit = task.end();
    if (task.exit == "OK" && warnings > 0) {
      --warnings;
      task.exit = "WARNINGS: 1";
    }
  }
}

}  // namespace paygress::conformance
