// Verb::Create of the LXD backend: image, instance, and what is put into it before it ever runs.
#include <algorithm>
#include <utility>

#include "shell/backend/docker_json.h"
#include "shell/backend/lxd.h"
#include "shell/backend/shadow.h"

namespace paygress::backend {

using workload::Fault;

namespace {

constexpr Micros kMakerLooksAgain = 20'000_us;
constexpr size_t kFingerprintMin = 12;  // hex digits, as `lxc image list` shows them
constexpr const char* kEveryAddress = "0.0.0.0";
constexpr const char* kEnvironmentDirectory = "/etc/paygress";
constexpr const char* kEnvironmentFile = "/etc/paygress/environment";
constexpr const char* kSshdDirectory = "/etc/ssh/sshd_config.d";
// sshd takes the first value it finds, and images put theirs into 50-cloud-init.conf and the like.
constexpr const char* kSshdFile = "/etc/ssh/sshd_config.d/00-paygress.conf";
constexpr const char* kSshdContent = "PermitRootLogin yes\nPasswordAuthentication yes\n";

bool is_fingerprint(std::string_view name) {
  return name.size() >= kFingerprintMin && name.size() <= 64 &&
         name.find_first_not_of("0123456789abcdef") == name.npos;
}

// Owned by root, for root alone. Incus reads the same under a name of its own.
net::HttpHeaders file_headers(std::string_view type) {
  net::HttpHeaders headers = {{"Content-Type", "application/octet-stream"}};
  for (const std::string prefix : {"X-LXD-", "X-Incus-"}) {
    headers.emplace_back(prefix + "type", type);
    headers.emplace_back(prefix + "uid", "0");
    headers.emplace_back(prefix + "gid", "0");
    headers.emplace_back(prefix + "mode", type == "directory" ? "0700" : "0600");
    headers.emplace_back(prefix + "write", "overwrite");
  }
  return headers;
}

}  // namespace

void LxdBackend::create(const Op& op) {
  if (op->call.spec->encrypted) return fail_as(op, Fault::Refused, "this backend cannot encrypt");
  inspect(op, [this, op](const LxdInstance* instance) {
    const auto& spec = *op->call.spec;
    if (!instance) return find_image(op);
    if (instance->object.labels.spec_digest != spec.labels.spec_digest)
      return fail_as(op, Fault::Conflict, "another spec was made under this name");
    op->answer.message = "it was there already";
    op->answer.serves_ssh = instance->serves_ssh;
    if (instance->prepared) return done(op);
    // The record is there before the file system is, and whoever made it may have died in between.
    after_others(op, [this, op, instance = *instance] { place_on(op, instance); });
  });
}

void LxdBackend::find_image(const Op& op) {
  std::string name = op->call.spec->image;
  const auto known = config_.images.find(name);
  if (known != config_.images.end()) name = known->second;
  if (name.empty())
    return fail_as(op, Fault::Invalid,
                   "no image of this engine is known for " + op->call.spec->template_slug);
  // "ubuntu:22.04": an alias of a remote that the operator names. Others are this server's own.
  const size_t colon = name.find(':');
  const auto remote = config_.remotes.find(name.substr(0, colon));
  if (colon == name.npos || remote == config_.remotes.end()) return look_up(op, name);
  op->options.image = {{}, remote->second, name.substr(colon + 1)};
  find_pool(op);
}

void LxdBackend::look_up(const Op& op, const std::string& name) {
  send(op, {.method = "GET", .path = "/1.0/images/aliases/" + url_encode(name), .body = {}},
       [this, op, name](const net::Answered& answered) {
         if (answered.status == 404) {
           if (!is_fingerprint(name))
             return fail_as(op, Fault::Refused, "the server has no image " + name);
           op->options.image = {name, {}, {}};
           return find_pool(op);
         }
         if (answered.status != 200) return fail_from(op, answered);
         auto fingerprint = parse_lxd_alias(answered.body);
         if (!fingerprint) return fail_as(op, Fault::Internal, to_string(fingerprint.error()));
         op->options.image = {std::move(*fingerprint), {}, {}};
         find_pool(op);
       });
}

// The configured pool, else the first there is. Also on the way of Capacity.
void LxdBackend::find_pool(const Op& op) {
  const auto next = [this, op] {
    op->call.verb == workload::Verb::Capacity ? capacity_of_next(op) : make_instance(op);
  };
  op->options.network = config_.network;
  op->options.pool = config_.pool;
  if (!config_.pool.empty()) return next();
  send(op, {.method = "GET", .path = "/1.0/storage-pools", .body = {}},
       [this, op, next](const net::Answered& answered) {
         if (answered.status != 200) return fail_from(op, answered);
         const auto pools = parse_lxd_paths(answered.body);
         if (!pools || pools->empty()) return fail_as(op, Fault::Internal, "no storage pool");
         op->options.pool = pools->front();
         next();
       });
}

// One after the other: to instances that are made at once the server can give one range of user
// ids, which overlap then, and neither starts.
void LxdBackend::make_instance(const Op& op) {
  if (const auto maker = maker_.lock(); maker && maker != op) {
    if (time_left(op) <= 0_us) return unknown(op, "others were being made all the time");
    return later(kMakerLooksAgain, [this, op] { make_instance(op); });
  }
  maker_ = op;
  operate(op,
          {.method = "POST",
           .path = "/1.0/instances",
           .body = lxd_instance_body(*op->call.spec, op->options)},
          [this, op](const LxdOperation& ended) {
            maker_.reset();
            if (ended.state == LxdOperation::State::Success) return place(op);
            // Somebody was faster: what he made is looked at.
            if (ended.error.find("already exists") != std::string::npos) return again(op);
            fail_with(op, ended.error);
          });
}

void LxdBackend::place(const Op& op) {
  op->bind_address = op->call.spec->address;
  if (!has_members()) return prepare(op);
  inspect(op, [this, op](const LxdInstance* instance) {
    if (!instance) return fail_as(op, Fault::Internal, "it was removed");
    place_on(op, *instance);
  });
}

void LxdBackend::place_on(const Op& op, const LxdInstance& instance) {
  op->bind_address = op->call.spec->address;
  if (!has_members()) return prepare(op);
  const auto member = config_.members.find(instance.object.node);
  // The probe has seen to that; somebody made the cluster larger since.
  if (member == config_.members.end())
    return fail_as(op, Fault::Refused, "lxd.members does not name the member it was placed on");
  const std::string& own = member->second.bind_address;
  op->bind_address = own.empty() ? kEveryAddress : own;
  prepare(op);
}

// Everything is written before the instance ever runs, and can be written again.
void LxdBackend::prepare(const Op& op) {
  const auto& spec = *op->call.spec;
  if (!spec.ssh_host_port || spec.root_password.empty()) return put_environment(op);
  find_ssh_server(op);
}

void LxdBackend::find_ssh_server(const Op& op) {
  send(op,
       {.method = "GET",
        .path = lxd_instance_path(op->call.name) + "/files?path=/usr/sbin",
        .body = {}},
       [this, op](const net::Answered& answered) {
         if (answered.status == 404) return put_environment(op);
         if (answered.status != 200) return fail_from(op, answered);
         const auto programs = parse_lxd_names(answered.body);
         if (!programs) return fail_as(op, Fault::Internal, to_string(programs.error()));
         op->serves_ssh = std::ranges::any_of(
             *programs, [](const auto& name) { return name == "sshd" || name == "dropbear"; });
         op->serves_ssh ? put_password(op) : put_environment(op);
       });
}

// Into the instance's own shadow file, so that the password is in no argument and no key.
void LxdBackend::put_password(const Op& op) {
  send(op,
       {.method = "GET",
        .path = lxd_instance_path(op->call.name) + "/files?path=/etc/shadow",
        .body = {}},
       [this, op](const net::Answered& answered) {
         if (answered.status != 200 && answered.status != 404) return fail_from(op, answered);
         const std::string shadow = answered.status == 200 ? answered.body : "";
         const std::string hash = shadow_hash(op->call.spec->root_password);
         if (hash.empty()) return fail_as(op, Fault::Internal, "the password cannot be hashed");
         put_file(op, "/etc/shadow", with_root_hash(shadow, hash),
                  [this, op] { allow_root_login(op); });
       });
}

void LxdBackend::allow_root_login(const Op& op) {
  send(op,
       {.method = "GET",
        .path = lxd_instance_path(op->call.name) + "/files?path=" + kSshdDirectory,
        .body = {}},
       [this, op](const net::Answered& answered) {
         if (answered.status == 404) return put_environment(op);  // another server than OpenSSH's
         if (answered.status != 200) return fail_from(op, answered);
         put_file(op, kSshdFile, kSshdContent, [this, op] { put_environment(op); });
       });
}

void LxdBackend::put_environment(const Op& op) {
  if (op->call.spec->env.empty()) return end_create(op);
  put_directory(op, kEnvironmentDirectory, [this, op] {
    put_file(op, kEnvironmentFile, lxd_environment_file(*op->call.spec),
             [this, op] { end_create(op); });
  });
}

void LxdBackend::end_create(const Op& op) {
  send(op,
       {.method = "PATCH",
        .path = lxd_instance_path(op->call.name),
        .body = lxd_prepared_body(*op->call.spec, op->serves_ssh, op->bind_address)},
       [this, op](const net::Answered& answered) {
         if (answered.status != 200) return fail_from(op, answered);
         op->answer.serves_ssh = op->serves_ssh;
         done(op);
       });
}

void LxdBackend::put_file(const Op& op, const std::string& path, std::string content, Next next) {
  put(op, path, "file", std::move(content), std::move(next));
}

void LxdBackend::put_directory(const Op& op, const std::string& path, Next next) {
  put(op, path, "directory", {}, std::move(next));
}

void LxdBackend::put(const Op& op, const std::string& path, const char* type, std::string content,
                     Next next) {
  // The content's type matters: the server takes a form apart before it looks at the file.
  send(op,
       {.method = "POST",
        .path = lxd_instance_path(op->call.name) + "/files?path=" + url_encode(path),
        .body = std::move(content),
        .headers = file_headers(type)},
       [this, op, next = std::move(next)](const net::Answered& answered) {
         if (answered.status != 200) return fail_from(op, answered);
         next();
       });
}

}  // namespace paygress::backend
