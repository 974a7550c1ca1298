#include "shell/backend/labels.h"

#include <charconv>

namespace paygress::backend {
namespace {

constexpr std::string_view kInstall = "install";
constexpr std::string_view kProvider = "provider";
constexpr std::string_view kLease = "lease";
constexpr std::string_view kOwner = "owner";
constexpr std::string_view kGeneration = "generation";
constexpr std::string_view kSpecDigest = "spec-digest";

}  // namespace

std::map<std::string, std::string> label_texts(const workload::Labels& labels) {
  return {{std::string(kInstall), labels.install.hex()},
          {std::string(kProvider), labels.provider.hex()},
          {std::string(kLease), labels.lease.hex()},
          {std::string(kOwner), labels.owner.hex()},
          {std::string(kGeneration), std::to_string(labels.generation)},
          {std::string(kSpecDigest), labels.spec_digest}};
}

workload::Labels labels_of(const LabelLookup& lookup) {
  workload::Labels labels;
  const auto read = [&lookup](std::string_view name, auto& id) {
    if (auto parsed = std::decay_t<decltype(id)>::parse(lookup(name))) id = *parsed;
  };
  read(kInstall, labels.install);
  read(kProvider, labels.provider);
  read(kLease, labels.lease);
  read(kOwner, labels.owner);
  const std::string generation = lookup(kGeneration);
  std::from_chars(generation.data(), generation.data() + generation.size(), labels.generation);
  labels.spec_digest = lookup(kSpecDigest);
  return labels;
}

}  // namespace paygress::backend
