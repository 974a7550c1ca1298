#include "shell/backend/sandbox_command.h"

#include <boost/asio/ip/address.hpp>

#include <algorithm>

#include "core/base/check.h"
#include "shell/backend/hello.h"

namespace paygress::backend {
namespace {

namespace fs = std::filesystem;
using workload::Spec;

constexpr const char* kSearchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr const char* kTmpBytes = "268435456";  // of /tmp; it counts as memory

// Writable by uid 0 or telling of the host: bwrap's new /proc shows them as the host's, and a
// tenant whose root is the host's uid 0 could write /proc/sys without any capability.
constexpr const char* kProcReadOnly[] = {
    "/proc/sys",  "/proc/bus",           "/proc/fs",     "/proc/irq", "/proc/sysrq-trigger",
    "/proc/mtrr", "/proc/dynamic_debug", "/proc/driver", "/proc/scsi"};
constexpr const char* kProcHidden[] = {
    "/proc/kcore",      "/proc/keys",        "/proc/key-users",     "/proc/kmsg",  "/proc/kallsyms",
    "/proc/timer_list", "/proc/sched_debug", "/proc/latency_stats", "/proc/iomem", "/proc/ioports"};

std::string endpoint(const std::string& address, uint16_t port) {
  const bool v6 = boost::asio::ip::make_address(address).is_v6();
  return (v6 ? "[" + address + "]" : address) + ":" + std::to_string(port);
}

bool is_shell_name(std::string_view name) {
  const auto word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c >= '0' && c <= '9');
  };
  return !name.empty() && std::ranges::all_of(name, word) && !(name[0] >= '0' && name[0] <= '9');
}

void add(std::vector<std::string>& options, std::initializer_list<std::string> more) {
  options.insert(options.end(), more);
}

void add_system(std::vector<std::string>& options) {
  add(options, {"--ro-bind", "/usr", "/usr"});
  for (std::string dir : {"bin", "sbin", "lib", "lib64"}) {
    std::error_code error;
    if (fs::is_symlink("/" + dir, error))
      add(options, {"--symlink", "usr/" + dir, "/" + dir});
    else if (fs::is_directory("/" + dir, error))
      add(options, {"--ro-bind", "/" + dir, "/" + dir});
  }
  add(options, {"--proc", "/proc", "--dev", "/dev"});
  for (const std::string path : kProcReadOnly) add(options, {"--ro-bind-try", path, path});
  for (const std::string path : kProcHidden)
    if (fs::exists(path)) add(options, {"--ro-bind", "/dev/null", path});
}

}  // namespace

Result<void> check_sandbox_spec(const Spec& spec, const SandboxHost& host) {
  if (spec.template_slug.empty()) return {};
  if (spec.template_slug != kHelloTemplate)
    return fail("the sandbox has no template of this name", spec.template_slug);
  if (host.busybox.empty()) return fail("the template needs the package busybox");
  if (spec.ports.empty()) return fail("the template needs a published port");
  return {};
}

bool sandbox_serves_ssh(const Spec& spec, const SandboxHost& host) {
  return spec.ssh_host_port && host.can_ssh();
}

std::vector<uint16_t> sandbox_ports(const Spec& spec, const SandboxHost& host) {
  std::vector<uint16_t> ports;
  if (sandbox_serves_ssh(spec, host)) ports.push_back(*spec.ssh_host_port);
  if (!spec.template_slug.empty()) ports.push_back(spec.ports.at(0).host_port);
  return ports;
}

std::string start_script(const Spec& spec, const SandboxHost& host) {
  PG_CHECK(check_sandbox_spec(spec, host).has_value());
  std::vector<std::string> commands;
  if (sandbox_serves_ssh(spec, host))
    commands.push_back(host.dropbear.string() + " -F -E -r /run/paygress/hostkey -p " +
                       endpoint(spec.address, *spec.ssh_host_port));
  if (!spec.template_slug.empty())
    commands.push_back(host.busybox.string() + " httpd -f -h /www -p " +
                       endpoint(spec.address, spec.ports[0].host_port));
  if (commands.empty()) commands.emplace_back("sleep infinity");
  std::string script = "#!/bin/sh\n";
  for (size_t i = 0; i + 1 < commands.size(); ++i) script += commands[i] + " &\n";
  return script + "exec " + commands.back() + "\n";
}

std::vector<std::string> bwrap_options(const Spec& spec, const SandboxHost& host,
                                       const fs::path& dir) {
  PG_CHECK(dir.is_absolute());
  std::vector<std::string> options;
  add(options,
      {"--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try",
       "--die-with-parent", "--new-session", "--hostname", spec.name, "--cap-drop", "ALL"});
  if (host.root)
    add(options, {"--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_CHOWN",
                  "--cap-add", "CAP_DAC_OVERRIDE"});
  else
    add(options, {"--unshare-user", "--uid", "0", "--gid", "0"});
  add_system(options);
  add(options, {"--size",
                kTmpBytes,
                "--tmpfs",
                "/tmp",
                "--dir",
                "/var/tmp",
                "--dir",
                "/var/log",
                "--bind",
                (dir / "etc").string(),
                "/etc",
                "--bind",
                (dir / "home").string(),
                "/root",
                "--bind",
                (dir / "data").string(),
                "/data",
                "--ro-bind",
                (dir / "www").string(),
                "/www",
                "--ro-bind",
                (dir / "run").string(),
                "/run/paygress",
                "--chdir",
                "/root",
                "--clearenv"});
  for (const auto& [name, value] : spec.env) add(options, {"--setenv", name, value});
  add(options, {"--setenv", "PATH", kSearchPath, "--setenv", "HOME", "/root"});
  return options;
}

std::string hello_page(const Spec& spec) {
  PG_CHECK(!spec.name.empty() && spec.name.find_first_of("<>&\"") == std::string::npos);
  return "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Paygress: " +
         spec.name + "</title>\n<h1>Hello from " + spec.name +
         "</h1>\n<p>This workload was paid for by the second with ecash and runs under "
         "lease <code>" +
         spec.labels.lease.hex() + "</code>.</p>\n</html>\n";
}

std::string profile_script(const Spec& spec) {
  std::string script = std::string("export PATH=") + kSearchPath + "\n";
  for (const auto& [name, value] : spec.env) {
    if (!is_shell_name(name)) continue;
    script += "export " + name + "='";
    for (char c : value) script += c == '\'' ? std::string("'\\''") : std::string(1, c);
    script += "'\n";
  }
  return script;
}

}  // namespace paygress::backend
