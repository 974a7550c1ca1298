#include "shell/backend/object_dir.h"

#include <fcntl.h>
#include <unistd.h>
#include <boost/json.hpp>

#include <algorithm>
#include <cstdio>

#include "core/base/check.h"
#include "shell/backend/calls.h"
#include "shell/backend/sandbox_proc.h"
#include "shell/backend/spec_json.h"

namespace paygress::backend {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kDraft = ".new-";    // being made
constexpr std::string_view kDoomed = ".gone-";  // being deleted

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

Result<void> make_object(const fs::path& root, const std::string& name, const FillObject& fill) {
  PG_CHECK(is_object_name(name) && !fs::exists(root / name));
  // Ours alone: a tool of a provider that was killed may still write to its own.
  const fs::path draft = with_prefix(root, kDraft, name + "-" + std::to_string(getpid()));
  if (auto ok = delete_tree(draft); !ok) return ok;
  auto made = fill(draft);
  if (made && rename(draft.c_str(), (root / name).c_str()) != 0)
    made = fail("cannot put the object in its place", draft.string());
  if (!made) (void)delete_tree(draft);
  return made;
}

Result<void> put_object(const fs::path& dir, const StoredObject& object) {
  const boost::json::object stored{{"spec", spec_to_json(object.spec)},
                                   {"serves_ssh", object.serves_ssh},
                                   {"guard_group", object.guard_group}};
  const fs::path file = dir / "object.json";
  if (!write_file_whole(file, boost::json::serialize(stored), 0600))
    return fail("cannot write", file.string());
  return {};
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
  StoredObject object{std::move(*parsed), ssh->as_bool(), {}};
  const auto* group = json.get_object().if_contains("guard_group");
  if (group != nullptr && group->is_string()) object.guard_group = std::string(group->get_string());
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
