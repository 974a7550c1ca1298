// Encrypted volumes of the docker backend: luks_volume.h makes and opens them on a thread, the
// engine mounts them.
#include <algorithm>
#include <utility>

#include "core/base/random.h"
#include "shell/backend/docker.h"
#include "shell/backend/volume_key.h"

namespace paygress::backend {

using workload::Fault;
using workload::Verb;

bool DockerBackend::has_volumes() const { return !config_.volume_directory.empty(); }

LuksVolume DockerBackend::volume_of(const Op& op) const {
  return luks_volume(config_.volume_directory, install_, op->call.name);
}

void DockerBackend::work_on(const Op& op, Fault fault, Work work, Next next) {
  const auto lane = lanes_[name64(op->call.name) % lanes_.size()];
  const bool taken = pool_->submit(
      lane,
      [this, op, fault, work = std::move(work), next = std::move(next)]() -> std::function<void()> {
        return [this, op, fault, next, result = work()] {
          if (result) return next();
          fail_as(op, fault, to_string(result.error()));
        };
      });
  if (!taken) fail_as(op, Fault::Busy, "too many volumes are being worked on");
}

void DockerBackend::find_volume(const Op& op, SeenVolume seen) {
  if (!has_volumes()) return seen(nullptr);
  send(op, {.method = "GET", .path = "/volumes/" + op->call.name, .body = {}, .on_line = {}},
       [this, op, seen = std::move(seen)](const net::Answered& answered) {
         if (answered.status == 404) return seen(nullptr);
         if (answered.status != 200) return fail_from(op, answered);
         const auto volume = parse_docker_volume(answered.body);
         if (!volume) return fail_as(op, Fault::Internal, to_string(volume.error()));
         const bool ours = volume->labels.install == install_;
         if (!ours && op->call.verb == Verb::Create)
           return fail_as(op, Fault::Conflict, "another volume has this name");
         seen(ours ? &*volume : nullptr);
       });
}

// What an earlier create left without a container is destroyed, and made anew.
void DockerBackend::make_volume(const Op& op, Next next) {
  remove_volume(op, [this, op, next = std::move(next)] {
    const auto& spec = *op->call.spec;
    send(op,
         {.method = "POST",
          .path = "/volumes/create",
          .body = volume_body(spec, luks_device(spec.name)),
          .on_line = {}},
         [this, op, next](const net::Answered& answered) {
           if (answered.status != 201) return fail_from(op, answered);
           // An engine that has one of the name says the same: it is seen whose it is.
           find_volume(op, [this, op, next](const workload::Object* made) {
             if (made) return fill_volume(op, next);
             fail_as(op, Fault::Internal, "the volume that was made is not there");
           });
         });
  });
}

void DockerBackend::fill_volume(const Op& op, Next next) {
  const auto& spec = *op->call.spec;
  auto made = std::make_shared<Result<void>>();
  const Work work = [made, volume = volume_of(op), bytes = spec.storage_gb << 30,
                     key = volume_key_file(config_.key_directory, spec.labels.lease)] {
    *made = make_luks_volume(volume, bytes, key);
    return Result<void>();
  };
  work_on(op, Fault::Internal, work, [this, op, made, next = std::move(next)] {
    if (*made) return next();
    forget_volume(op, [this, op, made] { fail_as(op, Fault::Refused, to_string(made->error())); });
  });
}

void DockerBackend::with_open_volume(const Op& op, const LeaseId& lease, Next next) {
  if (!has_volumes()) return next();
  const LuksVolume volume = volume_of(op);
  if (!luks_volume_stands(volume)) return next();
  work_on(
      op, Fault::Refused,
      [volume, key = volume_key_file(config_.key_directory, lease)] {
        return open_luks_volume(volume, key);
      },
      std::move(next));
}

// Without a container nothing has it mounted. The engine's own volume goes last: by it the rest is
// found again.
void DockerBackend::remove_volume(const Op& op, Next next) {
  if (!has_volumes()) return next();
  find_volume(op, [this, op, next = std::move(next)](const workload::Object* known) {
    const LuksVolume volume = volume_of(op);
    if (!known && !luks_volume_stands(volume)) return next();
    const bool listed = known != nullptr;
    work_on(
        op, Fault::Busy, [volume] { return destroy_luks_volume(volume); },
        [this, op, listed, next] { listed ? forget_volume(op, next) : next(); });
  });
}

void DockerBackend::forget_volume(const Op& op, Next next) {
  send(op, {.method = "DELETE", .path = "/volumes/" + op->call.name, .body = {}, .on_line = {}},
       [this, op, next = std::move(next)](const net::Answered& answered) {
         if (answered.status == 204 || answered.status == 404) return next();
         fail_from(op, answered);
       });
}

// One without a container is an object too, so that it is met by whoever tidies up.
void DockerBackend::list_volumes(const Op& op) {
  if (!has_volumes()) return done(op);
  send(op,
       {.method = "GET",
        .path = "/volumes?filters=" + install_filter(install_),
        .body = {},
        .on_line = {}},
       [this, op](const net::Answered& answered) {
         if (answered.status != 200) return fail_from(op, answered);
         auto volumes = parse_docker_volumes(answered.body, install_);
         if (!volumes) return fail_as(op, Fault::Internal, to_string(volumes.error()));
         auto& objects = op->answer.objects;
         for (auto& volume : *volumes)
           if (std::ranges::find(objects, volume.name, &workload::Object::name) == objects.end())
             objects.push_back(std::move(volume));
         std::ranges::sort(objects, {}, &workload::Object::name);
         done(op);
       });
}

}  // namespace paygress::backend
