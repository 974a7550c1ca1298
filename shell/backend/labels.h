// Our labels as the engines keep them: text by name, under a prefix of the engine's.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "core/workload/backend.h"

namespace paygress::backend {

// "install", "provider", "lease", "owner", "generation" and "spec-digest", without a prefix.
std::map<std::string, std::string> label_texts(const workload::Labels& labels);

// The value of a label by its name without the prefix; empty when the object has none.
using LabelLookup = std::function<std::string(std::string_view name)>;
// Objects without our labels give zero ids: they are then nobody's.
workload::Labels labels_of(const LabelLookup& lookup);

}  // namespace paygress::backend
