// The registry of workload templates: data only. Six are the existing network's, with its facts;
// `hello` is ours. What a backend makes of them is the backend's business.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "core/market/wire_types.h"

namespace paygress::market {

struct TemplatePort {
  uint16_t container_port = 0;
  std::string_view hint;   // what speaks there: "http", "ws"; the wire always says "tcp"
  std::string_view label;
};

struct TemplateVariable {
  std::string_view name;
  std::string_view value;
};

// EXEC_USER and EXEC_PASS, where a template has them, are replaced at spawn by "root" and the
// workload's password.
struct TemplateInfo {
  std::string_view slug;
  std::string_view image;
  std::span<const TemplatePort> ports;          // published in this order
  std::span<const TemplateVariable> environment;
  std::string_view data_path;                   // empty: keeps nothing, so nothing to encrypt
  uint64_t open_files_max = 0;                  // 0: the engine's default
  std::string_view tier;                        // the tier it is made for
  ReplicationKind replication = ReplicationKind::None;  // what clients default to
  uint64_t cpu_millicores_min = 0;
  uint64_t memory_mb_min = 0;
  uint64_t storage_gb_min = 0;
  bool ours = false;
};

std::span<const TemplateInfo> template_table();

enum class TemplateKind : uint8_t { Unknown, Network, Ours };
TemplateKind template_kind(std::string_view slug);
// nullptr for an unknown slug. Slugs are compared exactly.
const TemplateInfo* find_template(std::string_view slug);

}  // namespace paygress::market
