// The existing network's example messages, as values.
#pragma once

#include "core/market/messages.h"

namespace paygress::market::testing {

inline const std::string kHexA = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
inline const std::string kHexB = "c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5";
inline const std::string kHexC = "f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9";

inline PubKey key(const std::string& hex) { return *PubKey::parse(hex); }

inline Offer sample_offer() {
  Offer m;
  m.provider_npub = key(kHexA);
  m.hostname = "SwiftGoldenOwl";
  m.capabilities = {"lxc"};
  m.specs = {{"basic", "Basic", "1 vCPU, 1GB RAM", 1000, 1024, 50, std::nullopt}};
  m.whitelisted_mints = {"https://testnut.cashu.space"};
  return m;
}

inline Heartbeat sample_heartbeat() {
  Heartbeat m;
  m.provider_npub = key(kHexA);
  m.timestamp = {1'785'000'061};
  m.active_workloads = 2;
  m.available_capacity = {4000, 8192, 100};
  return m;
}

inline SpawnRequest sample_spawn() {
  SpawnRequest m;
  m.cashu_token = "cashuBabc";
  m.pod_spec_id = "basic";
  m.pod_image = "ubuntu:22.04";
  m.ssh_username = "user";
  m.ssh_password = "W9ZG2GIUOWiPkYID";
  m.template_slug = "nostr-relay";
  m.replication = ReplicationMode{ReplicationKind::WarmStandby, {"npub1b", "npub1c"}};
  m.primary_npub = "npub1a";
  m.workload_id = "550e8400-e29b-41d4-a716-446655440000";
  return m;
}

inline AccessDetails sample_access() {
  AccessDetails m;
  m.pod_npub = "container-1000";
  m.node_port = 30000;
  m.expires_at = {{1'785'414'896}};
  m.cpu_millicores = 1000;
  m.memory_mb = 1024;
  m.pod_spec_name = "Basic";
  m.pod_spec_description = "1 vCPU, 1GB RAM";
  m.instructions = {"🚀 Workload provisioned successfully!"};
  return m;
}

inline StatusReply sample_status() {
  StatusReply m;
  m.pod_id = "1000";
  m.status = "Running";
  m.expires_at = {{1'785'414'896}};
  m.time_remaining_seconds = 60;
  m.cpu_millicores = 1000;
  m.memory_mb = 1024;
  m.ssh_host = "203.0.113.7";
  m.ssh_port = 30000;
  m.ssh_username = "root";
  return m;
}

}  // namespace paygress::market::testing
