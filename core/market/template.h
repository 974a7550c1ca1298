// The registry of workload templates. Six are the existing network's, with its facts (network.md
// section 5); `hello` is ours. An operator's file extends it: new templates, or images of other
// engines for known ones.
#pragma once

#include <boost/describe.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/market/messages.h"

namespace paygress::market {

inline constexpr uint64_t kTemplateFileVersion = 1;
inline constexpr size_t kTemplateFileBytesMax = 256 * 1024;
inline constexpr size_t kTemplatesMax = 200;
inline constexpr size_t kTemplatePortsMax = 16;
inline constexpr size_t kTemplateVariablesMax = 64;
inline constexpr size_t kVariableBytesMax = 4096;  // of a value
// Stands in a variable's value for the workload's password, which is drawn or chosen at spawn.
inline constexpr std::string_view kPasswordInValue = "${password}";

struct TemplatePort {
  uint16_t container_port = 0;
  std::string hint;  // what speaks there: "http", "ws"; the wire always says "tcp"
  std::string label;
  bool operator==(const TemplatePort&) const = default;
};
BOOST_DESCRIBE_STRUCT(TemplatePort, (), (container_port, hint, label))

// The image of one engine: "docker", "lxd", "kvm", "proxmox" or "sandbox". An engine that is not
// named cannot serve the template. Empty where the backend makes the image itself.
struct TemplateImage {
  std::string engine;
  std::string image;
  bool operator==(const TemplateImage&) const = default;
};
BOOST_DESCRIBE_STRUCT(TemplateImage, (), (engine, image))

// Members are named as the keys of the operator's file.
struct Template {
  std::string slug;
  std::vector<TemplateImage> images;
  std::vector<TemplatePort> ports;  // published in this order
  std::vector<EnvironmentVariable> environment;
  std::vector<std::string> consumer_environment;  // what the buyer may set
  std::string data_path;                          // empty: keeps nothing, so nothing to encrypt
  uint64_t open_files_max = 0;                    // 0: the engine's default
  std::string tier;                               // the tier it is made for
  ReplicationKind replication = ReplicationKind::None;  // what clients default to
  uint64_t cpu_millicores_min = 0;
  uint64_t memory_mb_min = 0;
  uint64_t storage_gb_min = 0;
  bool operator==(const Template&) const = default;

  // nullptr when this engine cannot serve it.
  const std::string* image_for(std::string_view engine) const;
};
BOOST_DESCRIBE_STRUCT(Template, (),
                      (slug, images, ports, environment, consumer_environment, data_path,
                       open_files_max, tier, replication, cpu_millicores_min, memory_mb_min,
                       storage_gb_min))

class TemplateRegistry {
 public:
  // The seven that every Paygress knows.
  static const TemplateRegistry& built_in();

  // Slugs are compared exactly. Pointers hold until the registry changes.
  const Template* find(std::string_view slug) const;
  const std::map<std::string, Template, std::less<>>& all() const { return templates_; }

  // Adds what an operator's file says: {"version": 1, "templates": [...]}. A known slug keeps what
  // the file leaves out, and the images of the engines it does not name. Changes nothing when the
  // file is wrong; the error's `where` is the key.
  Result<void> extend(std::string_view json);
  // This engine cannot serve it on this machine: buyers are refused before they pay.
  void withdraw(std::string_view slug, std::string_view engine);

 private:
  std::map<std::string, Template, std::less<>> templates_;
};

// The variables of one workload: the template's, the buyer's on top, and the password in its place.
// Fails, naming it, when the buyer set one that the template does not list or that no engine can
// carry.
Result<std::map<std::string, std::string>> environment_of(
    const Template& info, const std::vector<EnvironmentVariable>& wanted,
    const std::string& password);

}  // namespace paygress::market
