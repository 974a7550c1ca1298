// Verb::Create of the docker backend: image, container, and what is put into it.
#include "shell/backend/docker.h"
#include "shell/backend/hello.h"
#include "shell/backend/sandbox_command.h"
#include "shell/backend/shadow.h"
#include "shell/backend/tar.h"
#include "shell/backend/volume_key.h"

namespace paygress::backend {

using workload::Fault;

namespace {

constexpr const char* kHelloName = "paygress/hello";
constexpr const char* kHelloTag = "1";
constexpr const char* kImageBusybox = "/bin/busybox";  // where that image has it
constexpr Micros kNetworkAgain = 100'000_us;

bool is_own_hello(const workload::Spec& spec) {
  return spec.template_slug == kHelloTemplate && spec.image.empty();
}

}  // namespace

void DockerBackend::create(const Op& op) {
  op->creating = creating_;
  inspect(op, op->call.name, [this, op](const DockerContainer* container) {
    const auto& spec = *op->call.spec;
    if (container) {
      if (container->object.labels.spec_digest != spec.labels.spec_digest)
        return fail_as(op, Fault::Conflict, "another spec was made under this name");
      if (container->guard_group != op->call.guard_group)
        return fail_as(op, Fault::Conflict, "it is in another guard's group");
      op->answer.serves_ssh = container->serves_ssh;
      op->answer.message = "it was there already";
      // Made, perhaps without its files: the one who made it may have died in between.
      if (!container->created_only) return done(op);
      // The engine mounts what a container has to put files into it.
      return with_open_volume(op, spec.labels.lease,
                              [this, op, ssh = container->serves_ssh] { put_files(op, ssh); });
    }
    if (spec.encrypted && config_.volume_directory.empty())
      return fail_as(op, Fault::Refused, "encrypted volumes are not configured");
    if (spec.encrypted && spec.encrypted_path.empty())
      return fail_as(op, Fault::Invalid, "nothing in it is to be encrypted");
    if (const auto why = spec.encrypted
                             ? volume_key_trouble(config_.key_directory, spec.labels.lease)
                             : std::string();
        !why.empty())
      return fail_as(op, Fault::Refused, why);
    if (spec.image.empty() && !is_own_hello(spec))
      return fail_as(op, Fault::Invalid, "no image is known for " + spec.template_slug);
    if (is_own_hello(spec) && spec.ports.empty())
      return fail_as(op, Fault::Invalid, "the template needs a published port");
    const std::string own = std::string(kHelloName) + ":" + kHelloTag;
    const std::string image = is_own_hello(spec) ? own : spec.image;
    if (!spec.guarded) return find_image(op, image);
    check_driver(op, [this, op, image] { find_image(op, image); });
  });
}

// With the systemd driver the engine wants slices, which only systemd may make.
void DockerBackend::check_driver(const Op& op, Next next) {
  send(op, {.method = "GET", .path = "/info", .body = {}, .on_line = {}},
       [this, op, next = std::move(next)](const net::Answered& answered) {
         if (answered.status != 200) return fail_from(op, answered);
         const auto info = parse_docker_info(answered.body);
         if (!info) return fail_as(op, Fault::Internal, to_string(info.error()));
         if (info->cgroup_driver == "cgroupfs") return next();
         fail_as(op, Fault::Refused,
                 "warm standby needs the engine's cgroup driver cgroupfs, not " +
                     info->cgroup_driver + " (native.cgroupdriver in daemon.json)");
       });
}

void DockerBackend::find_image(const Op& op, const std::string& image) {
  const Next made = [this, op] { with_network(op, [this, op] { make_container(op); }); };
  const Next found = [this, op, made] {
    op->call.spec->encrypted ? make_volume(op, made) : made();
  };
  look_up_image(op, image, found, [this, op, image, found] {
    const Next fetched = [this, op, image, found] { look_up_image(op, image, found); };
    is_own_hello(*op->call.spec) ? import_hello(op, fetched) : pull(op, image, fetched);
  });
}

void DockerBackend::import_hello(const Op& op, Next imported) {
  const std::string busybox = static_busybox();
  if (busybox.empty())
    return fail_as(op, Fault::Refused, "the template hello needs the package busybox-static");
  TarWriter tar;
  for (auto directory : {"bin/", "etc/", "www/"}) tar.add_directory(directory);
  tar.add_file("bin/busybox", busybox, 0755);
  tar.add_symlink("bin/sh", "busybox");
  tar.add_file("etc/passwd", "root:x:0:0:root:/:/bin/sh\n");
  const std::string query = std::string("fromSrc=-&repo=") + url_encode(kHelloName) +
                            "&tag=" + kHelloTag + "&changes=" + url_encode("ENV PATH=/bin");
  const auto on_line = [op](std::string_view line) {
    if (auto error = pull_error(line)) op->pull_failure = *error;
  };
  send(op,
       {.method = "POST",
        .path = "/images/create?" + query,
        .body = tar.finish(),
        .type = "application/x-tar",
        .on_line = on_line},
       [this, op, imported = std::move(imported)](const net::Answered& answered) {
         if (answered.status != 200) return fail_from(op, answered);
         if (!op->pull_failure.empty()) return fail_as(op, Fault::Internal, op->pull_failure);
         imported();
       });
}

void DockerBackend::list_networks(const Op& op, Ids seen) {
  send(op,
       {.method = "GET",
        .path = "/networks?filters=" + install_filter(install_),
        .body = {},
        .on_line = {}},
       [this, op, seen = std::move(seen)](const net::Answered& answered) {
         if (answered.status != 200) return fail_from(op, answered);
         auto ids = parse_docker_ids(answered.body);
         if (!ids) return fail_as(op, Fault::Internal, to_string(ids.error()));
         seen(*std::move(ids));
       });
}

void DockerBackend::with_network(const Op& op, Next next) {
  if (!config_.network.empty() || !network_id_.empty()) return next();
  if (!network_task_.expired())
    return later(kNetworkAgain, [this, op, next] { with_network(op, next); });
  network_task_ = op;
  const auto is_there = [this, next](const std::string& id) {
    network_id_ = id;
    network_task_.reset();
    next();
  };
  list_networks(op, [this, op, is_there](std::vector<std::string> ids) {
    if (!ids.empty()) return is_there(ids.front());
    send(op,
         {.method = "POST",
          .path = "/networks/create",
          .body = own_network_body(install_, net::Loop::now().mono.value),
          .on_line = {}},
         [this, op, is_there](const net::Answered& answered) {
           if (answered.status != 201) return fail_from(op, answered);
           const auto id = parse_docker_id(answered.body);
           if (!id) return fail_as(op, Fault::Internal, to_string(id.error()));
           is_there(*id);
         });
  });
}

void DockerBackend::tidy_network(const Op& op) {
  const auto needed = [this] { return creating_.use_count() > 1; };
  if (!config_.network.empty() || needed() || !network_task_.expired()) return done(op);
  send(op,
       {.method = "GET",
        .path = "/containers/json?all=1&filters=" + install_filter(install_),
        .body = {},
        .on_line = {}},
       [this, op, needed](const net::Answered& answered) {
         const auto names = parse_docker_names(answered.body);
         // It is only tidying: whatever stands in its way, the object itself is gone.
         if (answered.status != 200 || !names || !names->empty() || needed() ||
             !network_task_.expired())
           return done(op);
         network_task_ = op;
         network_id_.clear();
         list_networks(
             op, [this, op](std::vector<std::string> ids) { remove_networks(op, std::move(ids)); });
       });
}

void DockerBackend::remove_networks(const Op& op, std::vector<std::string> ids) {
  if (ids.empty()) {
    network_task_.reset();
    return done(op);
  }
  const std::string id = ids.back();
  ids.pop_back();
  send(op, {.method = "DELETE", .path = "/networks/" + id, .body = {}, .on_line = {}},
       [this, op, ids = std::move(ids)](const net::Answered&) { remove_networks(op, ids); });
}

void DockerBackend::make_container(const Op& op) {
  const auto& spec = *op->call.spec;
  const bool ssh = op->image.serves_ssh && spec.ssh_host_port && !spec.root_password.empty();
  const std::string& network = config_.network.empty() ? network_id_ : config_.network;
  ContainerOptions options{op->image, ssh, network, {}, op->call.guard_group};
  if (is_own_hello(spec))
    options.command = {kImageBusybox,
                       "httpd",
                       "-f",
                       "-h",
                       "/www",
                       "-p",
                       std::to_string(spec.ports[0].container_port)};
  op->answer.serves_ssh = ssh;
  send(op,
       {.method = "POST",
        .path = "/containers/create?name=" + url_encode(spec.name),
        .body = container_body(spec, options),
        .on_line = {}},
       [this, op, ssh](const net::Answered& answered) {
         // Somebody was faster: what he made is looked at.
         if (answered.status == 409) return create(op);
         if (answered.status != 201) return fail_from(op, answered);
         put_files(op, ssh);
       });
}

void DockerBackend::put_files(const Op& op, bool ssh) {
  const auto next = [this, op, ssh] { return ssh ? put_password(op) : done(op); };
  const auto& spec = *op->call.spec;
  if (!is_own_hello(spec)) return next();
  TarWriter tar;
  tar.add_file("index.html", hello_page(spec));
  upload(op, "/www", tar.finish(), next);
}

// Into the container's own shadow file, so that the password is in no variable, argument or label.
void DockerBackend::put_password(const Op& op) {
  const std::string path = container_path(op->call.name) + "/archive?path=/etc/shadow";
  send(op, {.method = "GET", .path = path, .body = {}, .on_line = {}},
       [this, op](const net::Answered& answered) {
         if (answered.status != 200 && answered.status != 404) return fail_from(op, answered);
         std::string shadow;
         if (answered.status == 200) shadow = first_file(answered.body).value_or("");
         const std::string hash = shadow_hash(op->call.spec->root_password);
         if (hash.empty()) return fail_as(op, Fault::Internal, "the password cannot be hashed");
         TarWriter tar;
         tar.add_file("shadow", with_root_hash(shadow, hash), 0600);
         upload(op, "/etc", tar.finish(), [this, op] { done(op); });
       });
}

void DockerBackend::upload(const Op& op, const std::string& directory, std::string archive,
                           Next next) {
  const std::string path = container_path(op->call.name) + "/archive?path=" + url_encode(directory);
  send(op,
       {.method = "PUT",
        .path = path,
        .body = std::move(archive),
        .type = "application/x-tar",
        .on_line = {}},
       [this, op, next = std::move(next)](const net::Answered& answered) {
         if (answered.status != 200) return fail_from(op, answered);
         next();
       });
}

}  // namespace paygress::backend
