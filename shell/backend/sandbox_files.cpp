#include "shell/backend/sandbox_files.h"

#include <boost/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "core/base/check.h"
#include "shell/backend/calls.h"
#include "shell/backend/run_program.h"
#include "shell/backend/sandbox_command.h"
#include "shell/backend/sandbox_layout.h"
#include "shell/backend/shadow.h"
#include "shell/backend/spec_json.h"

namespace paygress::backend {
namespace {

namespace fs = std::filesystem;
using workload::Spec;

constexpr std::string_view kDraft = ".new-";    // being made
constexpr std::string_view kDoomed = ".gone-";  // being deleted
constexpr auto kKeyLimit = std::chrono::seconds(20);

Result<void> put(const fs::path& file, std::string_view content, mode_t mode) {
  if (!write_file_whole(file, content, mode)) return fail("cannot write", file.string());
  return {};
}

// Copied, not mounted: the tenant owns its /etc, and a mount inside could be led astray by it.
void copy_host_etc(const fs::path& etc) {
  const auto how = fs::copy_options::recursive | fs::copy_options::copy_symlinks;
  for (auto name : {"resolv.conf", "localtime", "ld.so.cache", "services", "protocols",
                    "alternatives", "terminfo"}) {
    std::error_code ignored;  // each is a convenience
    const fs::path from = fs::path("/etc") / name;
    if (fs::is_directory(from, ignored)) fs::copy(from, etc / name, how, ignored);
    else fs::copy_file(from, etc / name, ignored);
  }
  std::error_code ignored;
  fs::create_directories(etc / "ssl/certs", ignored);
  fs::copy_file("/etc/ssl/certs/ca-certificates.crt", etc / "ssl/certs/ca-certificates.crt",
                ignored);
}

Result<void> make_etc(const fs::path& etc, const Spec& spec) {
  copy_host_etc(etc);
  std::string hash = "*";
  if (!spec.root_password.empty()) hash = shadow_hash(spec.root_password);
  if (hash.empty()) return fail("the password cannot be hashed");
  struct File {
    const char* name;
    std::string content;
    mode_t mode;
  };
  const File files[] = {
      {"passwd", "root:x:0:0:root:/root:/bin/sh\n"
                 "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n", 0644},
      {"group", "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n", 0644},
      {"shadow", "root:" + hash + ":19000::::::\nnobody:*:19000::::::\n", 0600},
      {"shells", "/bin/sh\n/bin/bash\n", 0644},
      {"nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n", 0644},
      {"hostname", spec.name + "\n", 0644},
      {"hosts", "127.0.0.1 localhost\n::1 localhost\n", 0644},
      {"profile", profile_script(spec), 0600},
  };
  for (const auto& file : files)
    if (auto ok = put(etc / file.name, file.content, file.mode); !ok) return ok;
  return {};
}

Result<void> make_host_key(const fs::path& run) {
  const auto made = run_program({"dropbearkey", "-t", "ed25519", "-f", (run / "hostkey").string()},
                                kKeyLimit);
  if (made.status != 0) return fail("dropbearkey: " + made.output);
  return {};
}

Result<void> fill(const fs::path& dir, const fs::path& final_dir, const Spec& spec,
                  const std::string& guard_group, const SandboxHost& host) {
  std::error_code error;
  for (auto part : {"", "etc", "home", "data", "www", "run", "state"}) {
    fs::create_directory(dir / part, error);
    // The object's own directory is what keeps other users of the machine out.
    fs::permissions(dir / part, fs::perms(*part == '\0' ? 0700 : 0755), error);
    if (error) return fail("cannot make a directory: " + error.message(), (dir / part).string());
  }
  const bool ssh = sandbox_serves_ssh(spec, host);
  if (auto ok = make_etc(dir / "etc", spec); !ok) return ok;
  if (ssh)
    if (auto ok = make_host_key(dir / "run"); !ok) return ok;
  if (auto ok = put(dir / "run/start", start_script(spec, host), 0755); !ok) return ok;
  if (spec.template_slug == kHelloTemplate)
    if (auto ok = put(dir / "www/index.html", hello_page(spec), 0644); !ok) return ok;
  std::string options;
  for (const auto& option : bwrap_options(spec, host, final_dir)) options += option + '\0';
  if (auto ok = put(dir / "state" / kArgsFile, options, 0600); !ok) return ok;
  boost::json::object stored{
      {"spec", spec_to_json(spec)}, {"serves_ssh", ssh}, {"guard_group", guard_group}};
  return put(dir / "object.json", boost::json::serialize(stored), 0600);
}

Result<void> delete_tree(const fs::path& dir) {
  std::error_code error;
  fs::remove_all(dir, error);
  if (error) return fail("cannot delete: " + error.message(), dir.string());
  return {};
}

fs::path with_prefix(const fs::path& root, std::string_view prefix, const std::string& name) {
  return root / (std::string(prefix) + name);
}

}  // namespace

Result<void> make_object(const fs::path& root, const Spec& spec, const std::string& guard_group,
                         const SandboxHost& host) {
  PG_CHECK(is_object_name(spec.name) && !fs::exists(root / spec.name));
  const fs::path draft = with_prefix(root, kDraft, spec.name);
  if (auto ok = delete_tree(draft); !ok) return ok;
  auto made = fill(draft, root / spec.name, spec, guard_group, host);
  if (made && rename(draft.c_str(), (root / spec.name).c_str()) != 0)
    made = fail("cannot put the object in its place", draft.string());
  if (!made) (void)delete_tree(draft);
  return made;
}

Result<std::optional<StoredObject>> read_object(const fs::path& root, const std::string& name) {
  PG_CHECK(is_object_name(name));
  std::error_code error;
  const auto kind = fs::symlink_status(root / name, error).type();
  if (kind == fs::file_type::not_found) return std::optional<StoredObject>();
  if (kind != fs::file_type::directory) return fail("not a directory", (root / name).string());
  boost::system::error_code bad;
  const auto json = boost::json::parse(read_small_file(root / name / "object.json"), bad);
  if (!fs::exists(root / name, error)) return std::optional<StoredObject>();  // removed meanwhile
  if (bad || !json.is_object()) return fail("unreadable", (root / name / "object.json").string());
  const auto* spec = json.get_object().if_contains("spec");
  const auto* ssh = json.get_object().if_contains("serves_ssh");
  if (!spec || !ssh || !ssh->is_bool()) return fail("incomplete", (root / name).string());
  auto parsed = spec_from_json(*spec);
  if (!parsed) return std::unexpected(parsed.error());
  StoredObject object{std::move(*parsed), ssh->as_bool()};
  const auto* group = json.get_object().if_contains("guard_group");
  if (group && group->is_string()) object.guard_group = std::string(group->get_string());
  return std::optional<StoredObject>(std::move(object));
}

std::vector<std::string> object_names(const fs::path& root) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(root, error), end; !error && it != end; it.increment(error))
    if (is_object_name(it->path().filename().string())) names.push_back(it->path().filename());
  std::ranges::sort(names);
  return names;
}

Result<void> delete_object(const fs::path& root, const std::string& name) {
  PG_CHECK(is_object_name(name));
  const fs::path doomed = with_prefix(root, kDoomed, name);
  if (auto ok = delete_tree(doomed); !ok) return ok;
  if (rename((root / name).c_str(), doomed.c_str()) != 0 && errno != ENOENT)
    return fail("cannot take the object out of its place", (root / name).string());
  return delete_tree(doomed);
}

void sweep_leftovers(const fs::path& root) {
  std::error_code error;
  for (fs::directory_iterator it(root, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename();
    if (name.starts_with(kDraft) || name.starts_with(kDoomed)) (void)delete_tree(it->path());
  }
}

}  // namespace paygress::backend
