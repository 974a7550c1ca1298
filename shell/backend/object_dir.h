// Objects of backends that keep them as directories of ours (sandbox, KVM): made whole, listed, and
// deleted whole.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/workload/backend.h"

namespace paygress::backend {

// What is kept of an object. The spec's secrets are empty: of the password only a hash is kept, by
// the backend.
struct StoredObject {
  workload::Spec spec;
  bool serves_ssh = false;
  std::string guard_group = {};  // empty: not guarded
};

// Makes the directory it is given with everything that belongs in it, put_object() last.
using FillObject = std::function<Result<void>(const std::filesystem::path& draft)>;
// Makes <root>/<name>. Under the name the object is there whole or not at all, whenever we are
// interrupted. Precondition: there is no such object.
Result<void> make_object(const std::filesystem::path& root, const std::string& name,
                         const FillObject& fill);
Result<void> put_object(const std::filesystem::path& dir, const StoredObject& object);
// Nothing when there is no such object; an error when there is one that cannot be read.
Result<std::optional<StoredObject>> read_object(const std::filesystem::path& root,
                                                const std::string& name);
// Ordered by name.
std::vector<std::string> object_names(const std::filesystem::path& root);
// Deletes the directory with everything in it. Symbolic links are deleted, not followed.
Result<void> delete_object(const std::filesystem::path& root, const std::string& name);
// Deletes what an interrupted make or delete left behind. Only before the first call.
void sweep_leftovers(const std::filesystem::path& root);

}  // namespace paygress::backend
