#include "shell/backend/kvm_command.h"

#include <boost/asio/ip/address.hpp>
#include <boost/json.hpp>

#include <algorithm>
#include <set>

#include "core/base/bytes.h"

namespace paygress::backend {
namespace {

using workload::Spec;

constexpr int kFirstFileFd = 10;
constexpr uint64_t kTranslatedMb = 64;
constexpr uint16_t kGuestSshPort = 22;

// A JSON string is a YAML double-quoted string.
std::string yaml_text(std::string_view text) {
  return boost::json::serialize(boost::json::string(text));
}

std::string written_file(const std::string& path, const std::string& mode,
                         const std::string& content) {
  return "  - path: " + yaml_text(path) + "\n    permissions: " + yaml_text(mode) +
         "\n    encoding: b64\n    content: " +
         yaml_text(to_base64(as_bytes(content), Base64::Standard, true)) + "\n";
}

// For shells and for systemd's EnvironmentFile alike.
std::string environment_file(const Spec& spec) {
  std::string text;
  for (const auto& [name, value] : spec.env) {
    text += name + "='";
    for (const char c : value) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
    text += "'\n";
  }
  return text;
}

std::string forwards(const Spec& spec) {
  std::string text;
  const auto forward = [&](uint16_t host, uint16_t guest) {
    text +=
        ",hostfwd=tcp:" + spec.address + ":" + std::to_string(host) + "-:" + std::to_string(guest);
  };
  if (spec.ssh_host_port) forward(*spec.ssh_host_port, kGuestSshPort);
  for (const auto& port : spec.ports) forward(port.host_port, port.container_port);
  return text;
}

// Files by descriptor, in the order in which they are added.
class Files {
 public:
  explicit Files(Machine& machine) : machine_(machine) {}
  // qemu's name of the file.
  std::string add(const std::filesystem::path& path, VmFile::Mode mode) {
    const int fd = kFirstFileFd + static_cast<int>(machine_.files.size());
    machine_.files.push_back({fd, mode, path});
    if (mode == VmFile::Mode::Secret) return "/proc/self/fd/" + std::to_string(fd);
    const std::string number = std::to_string(fd);
    machine_.arguments.insert(machine_.arguments.end(),
                              {"-add-fd", "fd=" + number + ",set=" + number});
    return "/dev/fdset/" + number;
  }

 private:
  Machine& machine_;
};

}  // namespace

uint64_t overhead_mb(const Accelerator& accelerator) {
  return 192 + (accelerator.name == "tcg" ? kTranslatedMb : 0);
}

Result<void> check_machine(const Spec& spec) {
  boost::system::error_code bad;
  if (!boost::asio::ip::make_address(spec.address, bad).is_v4() || bad)
    return fail("ports of a virtual machine can be published on an IPv4 address only");
  std::set<uint16_t> seen;
  for (const auto& port : spec.ports)
    if (!seen.insert(port.host_port).second) return fail("a port is published twice");
  if (spec.ssh_host_port && seen.contains(*spec.ssh_host_port))
    return fail("a port is published twice");
  if (spec.storage_gb == 0) return fail("a virtual machine needs a disk");
  return {};
}

Machine machine_of(const Spec& spec, const Accelerator& accelerator, Egress egress,
                   const MachineFiles& paths) {
  Machine machine;
  Files files(machine);
  auto& args = machine.arguments;
  const auto add = [&args](std::initializer_list<std::string> more) {
    args.insert(args.end(), more);
  };
  const uint64_t processors = std::max<uint64_t>(1, (spec.cpu_millicores + 999) / 1000);
  add({"qemu-system-x86_64", "-name", "guest=" + spec.name, "-nodefaults", "-no-user-config",
       "-display", "none", "-machine", "q35", "-accel",
       accelerator.name +
           (accelerator.name == "tcg" ? ",tb-size=" + std::to_string(kTranslatedMb) : ""),
       "-cpu", accelerator.cpu, "-smp", std::to_string(processors), "-m",
       std::to_string(spec.memory_mb)});
  add({"-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"});
  std::string crypt;
  if (paths.key) {
    add({"-object", "secret,id=key,file=" + files.add(*paths.key, VmFile::Mode::Secret)});
    crypt = ",encrypt.format=luks,encrypt.key-secret=key";
  }
  const std::string base = files.add(paths.base, VmFile::Mode::Read);
  const std::string disk = files.add(paths.disk, VmFile::Mode::ReadWrite);
  const std::string seed = files.add(paths.seed, VmFile::Mode::Read);
  add({"-blockdev", "node-name=base-file,driver=file,read-only=on,filename=" + base});
  add({"-blockdev", std::string("node-name=base,read-only=on,file=base-file,driver=") +
                        (paths.base_is_qcow2 ? "qcow2" : "raw")});
  add({"-blockdev", "node-name=disk-file,driver=file,discard=unmap,filename=" + disk});
  add({"-blockdev",
       "node-name=disk,driver=qcow2,discard=unmap,file=disk-file,backing=base" + crypt});
  add({"-blockdev", "node-name=seed-file,driver=file,read-only=on,filename=" + seed});
  add({"-blockdev", "node-name=seed,driver=raw,read-only=on,file=seed-file"});
  add({"-device", "virtio-blk-pci,drive=disk,bootindex=1,serial=root"});
  add({"-device", "virtio-blk-pci,drive=seed,serial=seed"});
  add({"-netdev", std::string("user,id=net,ipv6=off,restrict=") +
                      (egress == Egress::None ? "on" : "off") + forwards(spec)});
  add({"-device", "virtio-net-pci,netdev=net,romfile="});
  add({"-device", "virtio-rng-pci"});
  add({"-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"});
  add({"-chardev", "socket,id=qmp,fd=" + std::to_string(kQmpFd), "-mon",
       "chardev=qmp,mode=control"});
  return machine;
}

std::string seed_meta_data(const Spec& spec) {
  return "instance-id: " + spec.name + "\nlocal-hostname: " + spec.name + "\n";
}

std::string seed_user_data(const Spec& spec, const std::string& password_hash) {
  std::string text =
      "#cloud-config\n"
      "disable_root: false\n"
      "ssh_pwauth: true\n"
      "timezone: Etc/UTC\n";
  if (!password_hash.empty())
    text +=
        "users:\n"
        "  - name: root\n"
        "    lock_passwd: false\n"
        "    hashed_passwd: " +
        yaml_text(password_hash) + "\n";
  text += "write_files:\n";
  // sshd takes the first value it meets, and reads these files first.
  text += written_file("/etc/ssh/sshd_config.d/00-paygress.conf", "0644",
                       "PermitRootLogin yes\nPasswordAuthentication yes\n");
  text += written_file("/etc/paygress/environment", "0600", environment_file(spec));
  text += written_file("/etc/profile.d/paygress.sh", "0644",
                       "if [ -r /etc/paygress/environment ]; then\n"
                       "  set -a; . /etc/paygress/environment; set +a\nfi\n");
  // The files above may have been written after the server was started.
  text += "runcmd:\n  - systemctl try-reload-or-restart ssh.service || true\n";
  return text;
}

}  // namespace paygress::backend
