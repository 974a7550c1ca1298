#include "shell/backend/kvm_engine.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>

#include "core/base/check.h"
#include "shell/backend/calls.h"
#include "shell/backend/keeper.h"
#include "shell/backend/kvm_probe.h"
#include "shell/backend/machine.h"
#include "shell/backend/port_check.h"
#include "shell/backend/qcow2_luks.h"
#include "shell/backend/run_program.h"
#include "shell/backend/sandbox_layout.h"
#include "shell/backend/sandbox_proc.h"
#include "shell/backend/shadow.h"
#include "shell/backend/vm_layout.h"
#include "shell/backend/volume_key.h"

namespace paygress::backend {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using workload::Answer;
using workload::Call;
using workload::Fault;
using workload::Labels;
using workload::Running;
using workload::Spec;

constexpr const char* kDiskFile = "disk.qcow2";
constexpr const char* kSeedFile = "seed.iso";
constexpr uint64_t kPidsMax = 256;  // threads of one qemu
constexpr int kEmulatedSlower = 4;  // at least
constexpr auto kFetchLimit = 30min;
constexpr auto kToolLimit = 300s;   // qemu-img, xorrisofs
constexpr auto kStartLimit = 300s;  // until the supervisor has the machine running
constexpr auto kStopLimit = std::chrono::seconds(kShutdownGraceSeconds + kQuitGraceSeconds + 4);
constexpr auto kKillLimit = 30s;
constexpr auto kWordLimit = 15s;  // of the supervisor

Result<void> put(const fs::path& file, std::string_view content, mode_t mode) {
  if (!write_file_whole(file, content, mode)) return fail("cannot write", file.string());
  return {};
}

// Names the files of the seed as cloud-init wants them: the directory's content is the volume's.
Result<void> make_seed(const fs::path& dir, const Spec& spec) {
  std::string hash;
  if (!spec.root_password.empty() && (hash = shadow_hash(spec.root_password)).empty())
    return fail("the password cannot be hashed");
  const fs::path files = dir / "seed";
  std::error_code error;
  fs::create_directory(files, error);
  fs::permissions(files, fs::perms::owner_all, error);
  if (auto ok = put(files / "meta-data", seed_meta_data(spec), 0600); !ok) return ok;
  if (auto ok = put(files / "user-data", seed_user_data(spec, hash), 0600); !ok) return ok;
  const fs::path image = dir / kSeedFile;
  if (auto ok = run_tool({"xorrisofs", "-quiet", "-output", image.string(), "-volid", "cidata",
                          "-joliet", "-rational-rock", files.string()},
                         kToolLimit);
      !ok)
    return ok;
  chmod(image.c_str(), 0600);
  fs::remove_all(files, error);
  return {};
}

// Runs qemu-img. For an encrypted disk it measures how fast keys are stretched here, and gives up
// where a measurement took less than a tick of the processor's accounting (about one in thirty):
// nothing is wrong then, and the next measurement works.
Result<void> make_disk(const std::vector<std::string>& create) {
  constexpr int kMeasurements = 12;
  for (int tries = 1;; ++tries) {
    auto ok = run_tool(create, kToolLimit);
    const bool unlucky = !ok && to_string(ok.error()).contains("accurate CPU usage");
    if (!unlucky || tries == kMeasurements) return ok;
  }
}

// A user of no account, another one for each machine: qemu as this user can touch nothing that it
// was not given open. Outside of what systemd and containers allocate.
uint32_t user_of(const Labels& labels) {
  const auto& id = labels.lease.bytes;
  return 1'900'000'000u + (uint32_t{id[0]} << 16 | uint32_t{id[1]} << 8 | id[2]);
}

}  // namespace

KvmEngine::KvmEngine(KvmConfig config, InstallId install)
    : ObjectEngine(config.root, config.supervisor, install, Guarding::Impossible),
      config_(std::move(config)),
      cgroups_(find_cgroups("paygress-kvm")),
      images_(config_.image_directory) {
  std::error_code error;
  for (fs::directory_iterator it(root_, error), end; !error && it != end; it.increment(error))
    if (it->path().filename().string().starts_with(kProbePrefix)) unlink(it->path().c_str());
}

const KvmImage* KvmEngine::image_of(const Spec& spec) const {
  const auto& images = config_.images;
  if (const auto it = images.find(spec.image); it != images.end()) return &it->second;
  const auto any = images.find(kAnyImage);
  return spec.template_slug.empty() && any != images.end() ? &any->second : nullptr;
}

// Why the disk of this spec cannot be made or opened; empty when it can.
std::string KvmEngine::key_trouble(const Spec& spec) const {
  return spec.encrypted ? volume_key_trouble(config_.key_directory, spec.labels.lease) : "";
}

Result<Accelerator> KvmEngine::accelerator() {
  const std::lock_guard lock(accelerator_mutex_);
  if (!accelerator_) {
    auto found = find_accelerator(root_, config_.acceleration);
    if (!found) return found;
    accelerator_ = *found;
  }
  return *accelerator_;
}

void KvmEngine::leave() {
  leaving_ = true;
  images_.abandon();
}

Answer KvmEngine::probe(const Call& call) {
  for (const auto& argv : {std::vector<std::string>{"qemu-system-x86_64", "--version"},
                           {"qemu-img", "--version"},
                           {"xorrisofs", "--version"}})
    if (run_program(argv, kToolLimit).status != 0)
      return failed(call, Fault::Unreachable,
                    argv.front() + " is needed (packages qemu-system-x86, qemu-utils, xorriso)");
  if (auto why = unusable(call)) return *why;
  const auto works = accelerator();
  if (!works) return failed(call, Fault::Refused, to_string(works.error()));
  for (const auto& [name, image] : config_.images)
    if (auto ok = images_.get(image, kFetchLimit); !ok)
      return failed(call, Fault::Refused, "image " + name + ": " + to_string(ok.error()));
  std::string notes;
  if (works->name == "tcg") notes = "machines are emulated, 10 to 30 times slower than KVM";
  if (!cgroups_.complete())
    notes += std::string(notes.empty() ? "" : "; ") +
             "without root or control groups, qemu's own memory and processor time are not limited";
  const auto keys = open_key_directory(config_.key_directory);
  if (!keys)
    notes +=
        std::string(notes.empty() ? "" : "; ") + "no disk is encrypted: " + to_string(keys.error());
  Answer answer = done(call, notes);
  answer.encrypts = keys ? workload::Encrypts::Disk : workload::Encrypts::Nothing;
  return answer;
}

// A supervisor that says nothing is one that just began or ends: the lock is what counts.
Running KvmEngine::running_state(const StoredObject& object) const {
  const auto said = ask_supervisor(state(object.spec.name), "status", kWordLimit);
  return said == "paused" ? Running::Paused : Running::Running;
}

Answer KvmEngine::make(const Call& call) {
  const Spec& spec = *call.spec;
  if (spec.guarded) return failed(call, Fault::Refused, "machines cannot be guarded");
  if (auto ok = check_machine(spec); !ok)
    return failed(call, Fault::Invalid, to_string(ok.error()));
  const KvmImage* image = image_of(spec);
  if (image == nullptr)
    return failed(call, Fault::Invalid, "no image is configured for " + spec.image);
  if (auto why = key_trouble(spec); !why.empty()) return failed(call, Fault::Refused, why);
  const auto base = images_.get(*image, kFetchLimit);
  if (!base) return failed(call, Fault::Internal, to_string(base.error()));
  const auto made = make_object(root_, spec.name,
                                [&](const fs::path& draft) { return fill(draft, spec, *base); });
  if (!made) return failed(call, Fault::Internal, to_string(made.error()));
  Answer answer = done(call);
  answer.serves_ssh = spec.ssh_host_port.has_value();
  return answer;
}

Result<void> KvmEngine::fill(const fs::path& draft, const Spec& spec,
                             const VerifiedImage& base) const {
  std::error_code error;
  for (const fs::path& dir : {draft, draft / "state"}) {
    fs::create_directory(dir, error);
    fs::permissions(dir, fs::perms::owner_all, error);
    if (error) return fail("cannot make a directory: " + error.message(), dir.string());
  }
  std::vector<std::string> create = {"qemu-img",
                                     "create",
                                     "-q",
                                     "-f",
                                     "qcow2",
                                     "-b",
                                     base.path.string(),
                                     "-F",
                                     base.qcow2 ? "qcow2" : "raw"};
  if (spec.encrypted) {
    // The key is 256 random bits: stretching it would only cost time, at every start too.
    const fs::path key = volume_key_file(config_.key_directory, spec.labels.lease);
    create.insert(create.end(), {"--object", "secret,id=key,file=" + key.string(), "-o",
                                 "encrypt.format=luks,encrypt.key-secret=key,"
                                 "encrypt.iter-time=10"});
  }
  create.insert(create.end(),
                {(draft / kDiskFile).string(), std::to_string(spec.storage_gb) + "G"});
  if (auto ok = make_disk(create); !ok) return ok;
  chmod((draft / kDiskFile).c_str(), 0600);
  if (auto ok = make_seed(draft, spec); !ok) return ok;
  if (auto ok =
          put(draft / "base", base.path.string() + (base.qcow2 ? "\nqcow2\n" : "\nraw\n"), 0600);
      !ok)
    return ok;
  return put_object(draft, {spec, spec.ssh_host_port.has_value()});
}

Result<void> KvmEngine::prepare(const StoredObject& object, const Accelerator& accelerator) const {
  const Spec& spec = object.spec;
  const fs::path dir = root_ / spec.name;
  MachineFiles paths;
  const std::string base = read_small_file(dir / "base");
  paths.base = base.substr(0, base.find('\n'));
  paths.base_is_qcow2 = base.ends_with("\nqcow2\n");
  paths.disk = dir / kDiskFile;
  paths.seed = dir / kSeedFile;
  if (spec.encrypted) paths.key = volume_key_file(config_.key_directory, spec.labels.lease);
  const Machine machine = machine_of(spec, accelerator, config_.egress, paths);
  std::string args;
  for (const auto& argument : machine.arguments) args += argument + '\0';
  const Limits limits{spec.memory_mb + overhead_mb(accelerator), spec.cpu_millicores, kPidsMax};
  if (auto ok = make_cgroups(cgroups_, group_name(spec.name), limits); !ok) return ok;
  const auto groups = cgroup_paths(cgroups_, group_name(spec.name));
  thaw(groups);
  if (!write_groups(spec.name, groups)) return fail("cannot write the list of groups");
  if (auto ok = put(dir / "state" / kFilesFile, files_text(machine.files), 0600); !ok) return ok;
  if (geteuid() == 0) {
    struct stat kvm{};
    const uint32_t user = user_of(spec.labels);
    const gid_t extra =
        accelerator.name == "kvm" && stat("/dev/kvm", &kvm) == 0 ? kvm.st_gid : user;
    const std::string line =
        std::to_string(user) + " " + std::to_string(user) + " " + std::to_string(extra) + "\n";
    if (auto ok = put(dir / "state" / kUserFile, line, 0600); !ok) return ok;
  }
  return put(dir / "state" / kArgsFile, args, 0600);
}

Answer KvmEngine::start(const Call& call, const StoredObject& object) {
  const fs::path dir = state(call.name);
  std::vector<uint16_t> ports;
  if (object.spec.ssh_host_port) ports.push_back(*object.spec.ssh_host_port);
  for (const auto& port : object.spec.ports) ports.push_back(port.host_port);
  if (auto why = not_startable(call, object, ports)) return *why;
  const auto works = accelerator();
  if (!works) return failed(call, Fault::Refused, to_string(works.error()));
  if (!is_locked(dir))
    if (auto why = launch(call, object, *works)) return *why;
  return await_guest(call, object, works->name == "tcg" ? kEmulatedSlower : 1);
}

// Why qemu does not run.
std::optional<Answer> KvmEngine::launch(const Call& call, const StoredObject& object,
                                        const Accelerator& accelerator) const {
  if (auto why = key_trouble(object.spec); !why.empty()) return failed(call, Fault::Refused, why);
  if (auto ok = prepare(object, accelerator); !ok)
    return failed(call, Fault::Internal, to_string(ok.error()));
  const auto started = run_supervisor(call.name, kStartLimit);
  // A start that a provider did not live to see the end of may have been first.
  if (started.status == 0 || started.status == kRunsAlready) return std::nullopt;
  return failed(call, Fault::Internal, started.output + log_tail(call.name));
}

// The machine runs at once; what was bought is a login. Its clock starts with this answer.
Answer KvmEngine::await_guest(const Call& call, const StoredObject& object, int slower) const {
  if (!object.serves_ssh) return done(call);
  const fs::path dir = state(call.name);
  const Spec& spec = object.spec;
  const auto settled = [&] {
    return ssh_greets(spec.address, *spec.ssh_host_port) || !is_locked(dir) || leaving_;
  };
  const bool in_time = wait_until(settled, slower * config_.boot_limit);
  if (leaving_) return uncertain(call, "the provider ends");
  const Answer answer = launched(call, in_time, "its SSH server does not answer");
  if (answer.outcome != workload::Outcome::Done) kill_machine(call.name);
  return answer;
}

Answer KvmEngine::pause(const Call& call, const StoredObject&) {
  return tell(call, "pause", "paused");
}

Answer KvmEngine::resume(const Call& call, const StoredObject&) {
  return tell(call, "resume", "running");
}

Answer KvmEngine::tell(const Call& call, const std::string& word,
                       const std::string& expected) const {
  const fs::path dir = state(call.name);
  if (!is_locked(dir)) return failed(call, Fault::Conflict, "it does not run");
  const auto said = ask_supervisor(dir, word, kWordLimit);
  if (said == expected) return done(call);
  if (!said) return uncertain(call, "no answer to " + word);
  return failed(call, Fault::Internal, *said);
}

Answer KvmEngine::stop(const Call& call, const StoredObject&) {
  const fs::path dir = state(call.name);
  if (!is_locked(dir)) return done(call);
  ask_supervisor(dir, "stop", kWordLimit);
  if (wait_until([&] { return !is_locked(dir); }, kStopLimit) || kill_machine(call.name))
    return done(call);
  return uncertain(call, "it does not end");
}

bool KvmEngine::kill_machine(const std::string& name) const {
  const fs::path dir = state(name);
  const auto ended = [&] {
    if (!is_locked(dir)) return true;
    // A supervisor that has written down no machine yet is about to, or to give up.
    if (const auto run = read_run(dir)) send_signal(run->init, SIGKILL);
    return false;
  };
  return wait_until(ended, kKillLimit);
}

Answer KvmEngine::remove(const Call& call, const StoredObject& object) {
  if (!kill_machine(call.name)) return uncertain(call, "it does not end");
  const auto groups = cgroup_paths(cgroups_, group_name(call.name));
  // A group is free a moment after its last member died.
  if (!wait_until([&] { return remove_cgroups(groups); }, kKillLimit))
    return uncertain(call, "its control groups remain");
  // A supervisor that a provider started before it died may come as late as now.
  const StateLock lock(state(call.name));
  if (!lock.held()) return uncertain(call, "it was started meanwhile");
  if (object.spec.encrypted) {
    if (auto ok = destroy_qcow2_luks_header(root_ / call.name / kDiskFile); !ok)
      return failed(call, Fault::Internal, to_string(ok.error()));
    forget_volume_key(config_.key_directory, object.spec.labels.lease);
  }
  if (auto ok = delete_object(root_, call.name); !ok)
    return failed(call, Fault::Internal, to_string(ok.error()));
  PG_CHECK(!fs::exists(root_ / call.name));
  return done(call);
}

}  // namespace paygress::backend
