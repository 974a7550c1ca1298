// The operator's config (network.md 3.8): the existing network's files are read as they are, and
// every problem is found, all at once, by the path of its key.
#include "core/provider/config.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>

#include "core/base/nearest.h"
#include "core/nostr/nip19.h"

namespace paygress::provider {
namespace {

const std::string kSecret = "0000000000000000000000000000000000000000000000000000000000000001";
const std::string kSelf = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

ProviderConfig good() {
  ProviderConfig c;
  c.backend_type = BackendType::Docker;
  c.nostr_private_key = kSecret;
  c.nostr_relays = {"wss://a.example", "wss://b.example", "wss://c.example"};
  c.public_ip = "203.0.113.7";
  c.capabilities = {"docker"};
  c.specs = {{"basic", "Basic", "1 vCPU", 1000, 1024, 50, 10},
             {"big", "Big", "4 vCPU", 4000, 8192, 200, std::nullopt}};
  c.whitelisted_mints = {"https://Mint.example/"};
  return c;
}

std::string show(const std::vector<Finding>& findings) {
  std::string out;
  for (const Finding& f : findings)
    out +=
        (f.severity == Severity::Error ? "error " : "warning ") + f.path + ": " + f.message + "\n";
  return out;
}

const Finding* find(const std::vector<Finding>& findings, const std::string& path,
                    const std::string& part) {
  const auto it = std::find_if(findings.begin(), findings.end(), [&](const Finding& f) {
    return f.path == path && f.message.find(part) != std::string::npos;
  });
  return it == findings.end() ? nullptr : &*it;
}

TEST(Config, AGoodOneHasNoFindingAndRoundTrips) {
  const std::string text = write_config(good());
  const ConfigReport report = parse_config(text);
  EXPECT_EQ(show(report.findings), "");
  EXPECT_TRUE(report.usable());
  EXPECT_EQ(report.config, good());
  EXPECT_EQ(write_config(report.config), text);
}

TEST(Config, IsWrittenCompleteAndIndented) {
  const std::string text = write_config(good());
  EXPECT_TRUE(text.starts_with("{\n  \"backend_type\": \"Docker\",\n  \"proxmox_url\": \"\",\n"));
  EXPECT_NE(text.find("  \"provider_location\": null,\n"), text.npos);
  EXPECT_NE(text.find("  \"nostr_relays\": [\n    \"wss://a.example\",\n"), text.npos);
  EXPECT_NE(text.find("  \"allowed_images\": [],\n"), text.npos);
  EXPECT_TRUE(text.ends_with("    \"lightning_address\": \"\"\n  }\n}\n"));
}

TEST(Config, StringsWithBracketsAndEscapesSurviveTheIndentation) {
  ProviderConfig c = good();
  c.provider_name = "a\"{[,:]}\\";
  EXPECT_EQ(parse_config(write_config(c)).config, c);
}

// The existing network's own example, without any key of ours.
TEST(Config, Section38TheSeedsFileIsReadAsItIs) {
  const ConfigReport report = parse_config(R"({
    "backend_type": "Docker",
    "proxmox_url": "https://localhost:8006/api2/json", "proxmox_token_id": "root@pam!paygress",
    "proxmox_token_secret": "", "proxmox_node": "pve", "proxmox_storage": "local-lvm",
    "proxmox_template": "local:vztmpl/ubuntu-22.04-standard.tar.zst", "proxmox_bridge": "vmbr0",
    "vmid_range_start": 1000, "vmid_range_end": 1999,
    "nostr_private_key": "0000000000000000000000000000000000000000000000000000000000000001",
    "nostr_relays": ["wss://relay.damus.io", "wss://nos.lol"],
    "provider_name": "Paygress Provider", "provider_location": null, "public_ip": "203.0.113.7",
    "capabilities": ["lxc"],
    "specs": [{"id": "basic", "name": "Basic", "description": "1 vCPU, 1GB RAM",
               "cpu_millicores": 1000, "memory_mb": 1024, "rate_msats_per_sec": 50}],
    "whitelisted_mints": ["https://mint.minibits.cash"],
    "heartbeat_interval_secs": 60, "minimum_duration_seconds": 60, "tunnel_enabled": false,
    "tunnel_interface": null, "ssh_port_start": 30000, "ssh_port_end": 30999,
    "cashu_wallet_db_path": "./paygress-cashu-wallet.redb",
    "proxmox_accept_invalid_certs": false, "lightning_address": "me@example.com",
    "workload_state_path": "./paygress-workloads.json",
    "standby_state_path": "./paygress-standby-slots.json"})");
  EXPECT_TRUE(report.usable()) << show(report.findings);
  EXPECT_EQ(show(report.findings),
            "warning nostr_relays: has fewer than three relays: one that fails may prevent a "
            "take-over\n"
            "warning workload_state_path: is read and not used: the ledger in data_dir has it\n"
            "warning standby_state_path: is read and not used: the ledger in data_dir has it\n"
            "warning lightning_address: is read and not used: payments are ecash only; earnings go "
            "to payout.lightning_address\n");
  EXPECT_EQ(report.config.ssh_port_end, 30999);
}

struct Problem {
  const char* name;
  void (*spoil)(ProviderConfig&);
  const char* path;
  const char* message;
  Severity severity = Severity::Error;
};
void PrintTo(const Problem& p, std::ostream* out) { *out << p.name; }

class ConfigProblem : public ::testing::TestWithParam<Problem> {};

// The spoiled config goes through its file, so that reading and checking are both on the way.
TEST_P(ConfigProblem, IsFoundByPath) {
  ProviderConfig c = good();
  GetParam().spoil(c);
  const ConfigReport report = parse_config(write_config(c));
  const Finding* f = find(report.findings, GetParam().path, GetParam().message);
  ASSERT_NE(f, nullptr) << show(report.findings);
  EXPECT_EQ(f->severity, GetParam().severity);
  EXPECT_EQ(report.usable(), GetParam().severity == Severity::Warning) << show(report.findings);
}

using C = ProviderConfig;
DockerSettings& use_docker(C& c) {
  c.backend_type = BackendType::Docker;
  return c.docker;
}
LxdSettings& use_lxd(C& c) {
  c.backend_type = BackendType::Lxd;
  return c.lxd;
}
// A Proxmox provider that lacks nothing but a forwarder.
C& proxmox(C& c) {
  c.backend_type = BackendType::Proxmox;
  c.proxmox_url = "https://pve.example:8006";
  c.proxmox_token_id = "paygress@pve!provider";
  c.proxmox_token_secret = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";
  c.proxmox_node = "pve1";
  c.proxmox_storage = "local-lvm";
  c.proxmox_bridge = "vmbr0";
  c.proxmox_template = "local:vztmpl/debian-12-standard.tar.zst";
  return c;
}
// A KVM provider's settings with one image.
KvmSettings& kvm(C& c) {
  c.backend_type = BackendType::Kvm;
  c.kvm.images = {{"debian", "/var/lib/images/debian.qcow2", "", ""}};
  return c.kvm;
}
const Problem kProblems[] = {
    {"ProxmoxUrl", [](C& c) { proxmox(c).proxmox_url = "http://pve:8006"; }, "proxmox_url",
     "https"},
    {"ProxmoxToken", [](C& c) { proxmox(c).proxmox_token_secret = ""; }, "proxmox_token_secret",
     "missing"},
    {"ProxmoxTemplate", [](C& c) { proxmox(c).proxmox_template = ""; }, "proxmox_template",
     "nothing to make"},
    {"ProxmoxUnverified", [](C& c) { proxmox(c).proxmox_accept_invalid_certs = true; },
     "proxmox_accept_invalid_certs", "pinned"},
    {"ProxmoxPin", [](C& c) { proxmox(c).proxmox.pinned_key = "ab:cd"; }, "proxmox.pinned_key",
     "sha256//"},
    {"ProxmoxNodes", [](C& c) { proxmox(c).proxmox.nodes = {"pve2", "pve1"}; }, "proxmox.nodes[1]",
     "another node"},
    {"ProxmoxForwarder", [](C& c) { proxmox(c); }, "proxmox.forwarder", "neither SSH nor ports",
     Severity::Warning},
    {"LxdSocket", [](C& c) { use_lxd(c).socket = "unix.socket"; }, "lxd.socket", "absolute"},
    {"LxdProject", [](C& c) { use_lxd(c).project = "a/b"; }, "lxd.project", "no project's name"},
    {"LxdImage", [](C& c) { use_lxd(c).images = {{"debian", ""}}; }, "lxd.images[0]", "needs"},
    {"LxdRemote", [](C& c) { use_lxd(c).remotes = {{"x", "http://x"}}; }, "lxd.remotes[0]",
     "https"},
    {"DockerMember",
     [](C& c) {
       use_docker(c).members = {{"n1", "", ""}};
       c.capacity.storage_gb = 10;
     },
     "docker.members[0]", "needs"},
    {"DockerMemberBind",
     [](C& c) {
       use_docker(c).members = {{"n1", "203.0.113.1", "10.0.0.1"}};
       c.capacity.storage_gb = 10;
     },
     "docker.members[0].bind_address", "every address"},
    {"DockerMembersDisks",
     [](C& c) {
       use_docker(c).members = {{"n1", "203.0.113.1", ""}};
       c.capacity.storage_gb.reset();
     },
     "capacity.storage_gb", "does not say"},
    {"LxdMember", [](C& c) { use_lxd(c).members = {{"n1", "", ""}}; }, "lxd.members[0]", "needs"},
    {"KvmWithoutImages", [](C& c) { c.backend_type = BackendType::Kvm; }, "kvm.images",
     "nothing to make machines of"},
    {"KvmAccelerator", [](C& c) { kvm(c).accelerator = "fast"; }, "kvm.accelerator", "none of"},
    {"KvmEmulated", [](C& c) { kvm(c).accelerator = "tcg"; }, "kvm.accelerator", "slower",
     Severity::Warning},
    {"KvmEgress", [](C& c) { kvm(c).egress = "all"; }, "kvm.egress", "none of"},
    {"KvmEgressHost", [](C& c) { kvm(c).egress = "host"; }, "kvm.egress", "private networks",
     Severity::Warning},
    {"KvmUrlWithoutDigest", [](C& c) { kvm(c).images[0] = {"a", "", "https://a.example/b", ""}; },
     "kvm.images[0].sha256", "verified"},
    {"KvmPlainUrl",
     [](C& c) { kvm(c).images[0] = {"a", "", "http://a.example/b", std::string(64, 'a')}; },
     "kvm.images[0].url", "https"},
    {"KvmTwice", [](C& c) { kvm(c).images.push_back(c.kvm.images[0]); }, "kvm.images[1].name",
     "twice"},
    {"KvmBaseImage",
     [](C& c) {
       kvm(c).base_image_sha256 = "12";
       c.kvm_base_image_path = "/a";
     },
     "kvm_base_image.sha256", "64"},
    {"Sandbox", [](C& c) { c.backend_type = BackendType::Sandbox; }, "sandbox.allow_outside_dev",
     "for development"},
    {"DockerSocket", [](C& c) { c.docker.socket = "docker.sock"; }, "docker.socket", "absolute"},
    {"VmidZero", [](C& c) { c.vmid_range_start = 0; }, "vmid_range_start", "at least 1"},
    {"VmidOrder", [](C& c) { c.vmid_range_end = 999; }, "vmid_range_end",
     "before vmid_range_start"},
    {"VmidProxmox",
     [](C& c) {
       c.backend_type = BackendType::Proxmox;
       c.vmid_range_start = 99;
     },
     "vmid_range_start", "below 100"},
    {"NoKey", [](C& c) { c.nostr_private_key.clear(); }, "nostr_private_key", "is missing"},
    {"BadKey", [](C& c) { c.nostr_private_key = "nsec1xyz"; }, "nostr_private_key",
     "no secret key"},
    {"ZeroKey", [](C& c) { c.nostr_private_key.assign(64, '0'); }, "nostr_private_key",
     "no secret key"},
    {"TwoKeys", [](C& c) { c.nostr_private_key_file = "/k"; }, "nostr_private_key_file",
     "stands beside"},
    {"EmptyKeyFile", [](C& c) { c.nostr_private_key_file = ""; }, "nostr_private_key_file",
     "not be empty"},
    {"NoRelays", [](C& c) { c.nostr_relays.clear(); }, "nostr_relays", "must not be empty"},
    {"FewRelays", [](C& c) { c.nostr_relays.pop_back(); }, "nostr_relays", "fewer than three",
     Severity::Warning},
    {"ManyRelays",
     [](C& c) {
       for (int i = 0; i < 14; ++i) c.nostr_relays.push_back("wss://r" + std::to_string(i));
     },
     "nostr_relays", "more than 16"},
    {"RelayScheme", [](C& c) { c.nostr_relays[1] = "https://a.example"; }, "nostr_relays[1]",
     "must be wss or ws"},
    {"RelayHost", [](C& c) { c.nostr_relays[1] = "wss://"; }, "nostr_relays[1]", "no relay URL"},
    {"RelayPort", [](C& c) { c.nostr_relays[1] = "wss://a.example:70000"; }, "nostr_relays[1]",
     "no relay URL"},
    {"RelayUser", [](C& c) { c.nostr_relays[1] = "wss://me@a.example"; }, "nostr_relays[1]",
     "no relay URL"},
    {"RelayPlain", [](C& c) { c.nostr_relays[1] = "ws://127.0.0.1.example"; }, "nostr_relays[1]",
     "not encrypted", Severity::Warning},
    {"RelayTwice", [](C& c) { c.nostr_relays[1] = "WSS://A.example/"; }, "nostr_relays[1]",
     "listed twice"},
    {"NoName", [](C& c) { c.provider_name.clear(); }, "provider_name", "must not be empty"},
    {"LongName", [](C& c) { c.provider_name.assign(101, 'x'); }, "provider_name",
     "longer than 100"},
    {"NoAddress", [](C& c) { c.public_ip.clear(); }, "public_ip", "no address"},
    {"UrlAddress", [](C& c) { c.public_ip = "https://a.example"; }, "public_ip", "no address"},
    {"AnyAddress", [](C& c) { c.public_ip = "0.0.0.0"; }, "public_ip", "anybody can connect"},
    {"LoopbackAddress", [](C& c) { c.public_ip = "127.0.0.1"; }, "public_ip", "this machine only",
     Severity::Warning},
    {"NoSpecs", [](C& c) { c.specs.clear(); }, "specs", "must not be empty"},
    {"ManySpecs", [](C& c) { c.specs.resize(kSpecsMax + 1, c.specs[0]); }, "specs", "more than 32"},
    {"SpecTwice", [](C& c) { c.specs[1].id = "basic"; }, "specs[1].id", "another tier"},
    {"SpecNoId", [](C& c) { c.specs[1].id.clear(); }, "specs[1].id", "must not be empty"},
    {"SpecLongId", [](C& c) { c.specs[1].id.assign(101, 'x'); }, "specs[1].id", "longer than 100"},
    {"RateZero", [](C& c) { c.specs[1].rate_msats_per_sec = 0; }, "specs[1].rate_msats_per_sec",
     "must not be zero"},
    {"RateHuge", [](C& c) { c.specs[1].rate_msats_per_sec = kRateMax + 1; },
     "specs[1].rate_msats_per_sec", "is larger than"},
    {"PriceOverflow",
     [](C& c) {
       c.specs[1].rate_msats_per_sec = kRateMax;
       c.minimum_duration_seconds = kDurationMax;
     },
     "specs[1].rate_msats_per_sec", "too large a price"},
    {"CpuZero", [](C& c) { c.specs[0].cpu_millicores = 0; }, "specs[0].cpu_millicores",
     "must not be zero"},
    {"MemoryZero", [](C& c) { c.specs[0].memory_mb = 0; }, "specs[0].memory_mb",
     "must not be zero"},
    {"StorageZero", [](C& c) { c.specs[0].storage_gb = 0; }, "specs[0].storage_gb",
     "must not be zero"},
    {"MemoryHuge", [](C& c) { c.specs[0].memory_mb = UINT64_MAX; }, "specs[0].memory_mb",
     "is larger than"},
    {"TooBigToSell", [](C& c) { c.capacity.cpu_millicores = 2000; }, "specs[1].cpu_millicores",
     "nobody can buy", Severity::Warning},
    {"DefaultDiskTooBig",
     [](C& c) {
       c.capacity.storage_gb = 9;
       c.specs[0].storage_gb = 5;
     },
     "specs[1].storage_gb", "nobody can buy", Severity::Warning},
    {"NoMints", [](C& c) { c.whitelisted_mints.clear(); }, "whitelisted_mints", "nobody could pay"},
    {"BadMint", [](C& c) { c.whitelisted_mints.emplace_back("mint.example"); },
     "whitelisted_mints[1]", "no mint URL"},
    {"PlainMint", [](C& c) { c.whitelisted_mints.emplace_back("http://mint.example"); },
     "whitelisted_mints[1]", "no mint URL"},
    {"MintTwice", [](C& c) { c.whitelisted_mints.emplace_back("https://mint.example:443"); },
     "whitelisted_mints[1]", "listed twice", Severity::Warning},
    {"NoHeartbeat", [](C& c) { c.heartbeat_interval_secs = 0; }, "heartbeat_interval_secs",
     "must not be zero"},
    {"SlowHeartbeat", [](C& c) { c.heartbeat_interval_secs = 101; }, "heartbeat_interval_secs",
     "too long"},
    {"SlowForFast", [](C& c) { c.failover_profile = "fast"; }, "heartbeat_interval_secs",
     "too long"},
    {"Profile", [](C& c) { c.failover_profile = "quick"; }, "failover_profile",
     "none of the known"},
    {"Demo",
     [](C& c) {
       c.failover_profile = "demo";
       c.heartbeat_interval_secs = 1;
     },
     "failover_profile", "loopback"},
    {"NoMinimum", [](C& c) { c.minimum_duration_seconds = 0; }, "minimum_duration_seconds",
     "is zero", Severity::Warning},
    {"HugeMinimum", [](C& c) { c.minimum_duration_seconds = UINT64_MAX; },
     "minimum_duration_seconds", "ten years"},
    {"ShortMaximum", [](C& c) { c.maximum_duration_seconds = 59; }, "maximum_duration_seconds",
     "shorter than"},
    {"NoRelayEvents", [](C& c) { c.relay_events_per_second = 0; }, "relay_events_per_second",
     "1 to 1000"},
    {"TooManyRelayEvents", [](C& c) { c.relay_events_per_second = 1001; },
     "relay_events_per_second", "1 to 1000"},
    {"HugeMaximum", [](C& c) { c.maximum_duration_seconds = UINT64_MAX; },
     "maximum_duration_seconds", "ten years"},
    {"PortOrder",
     [](C& c) {
       c.ssh_port_start = 40000;
       c.ssh_port_end = 39999;
     },
     "ssh_port_end", "before ssh_port_start"},
    {"SystemPort", [](C& c) { c.ssh_port_start = 22; }, "ssh_port_start", "port of the system"},
    {"PortEndAlone", [](C& c) { c.ssh_port_end = 31000; }, "ssh_port_start", "is missing",
     Severity::Warning},
    {"PortsOverlapMetrics", [](C& c) { c.metrics_bind_addr = "127.0.0.1:30000"; },
     "metrics_bind_addr", "which leases use"},
    {"PortsOverlapHttp", [](C& c) { c.http_bind_addr = "[::1]:39999"; }, "http_bind_addr",
     "which leases use"},
    {"BadListener", [](C& c) { c.metrics_bind_addr = "127.0.0.1"; }, "metrics_bind_addr",
     "with a port"},
    {"PublicMetrics", [](C& c) { c.metrics_bind_addr = "0.0.0.0:9464"; }, "metrics_bind_addr",
     "can be read by others", Severity::Warning},
    {"SameListener", [](C& c) { c.http_bind_addr = c.metrics_bind_addr; }, "metrics_bind_addr",
     "http_bind_addr too"},
    {"Tunnel", [](C& c) { c.tunnel_enabled = true; }, "tunnel_interface", "is missing"},
    {"BlockedKey", [](C& c) { c.blocked_keys = {kSelf, "bob"}; }, "blocked_keys[1]",
     "no public key"},
    {"Image", [](C& c) { c.allowed_images = {"a b"}; }, "allowed_images[0]", "no pattern"},
    {"WalletPath", [](C& c) { c.cashu_wallet_db_path.clear(); }, "cashu_wallet_db_path",
     "must not be empty"},
    {"PayoutAlone", [](C& c) { c.payout.directory = "/payouts"; }, "payout.above_sats",
     "nothing is paid out", Severity::Warning},
    {"PayoutNowhere", [](C& c) { c.payout.above_sats = 1000; }, "payout.directory",
     "absolute path"},
    {"PayoutOfNothing", [](C& c) { c.payout = {1000, 1000, "/payouts", ""}; }, "payout.keep_sats",
     "leaves nothing"},
    {"PayoutBeyond", [](C& c) { c.payout = {kPayoutSatsMax + 1, 0, "/payouts", ""}; },
     "payout.above_sats", "more than there is"},
    {"PayoutToTwoPlaces", [](C& c) { c.payout = {1000, 0, "/payouts", "me@pay.example"}; },
     "payout.directory", "one place"},
    {"PayoutToNobody", [](C& c) { c.payout = {1000, 0, "", "pay.example"}; },
     "payout.lightning_address", "name@host"},
    {"HttpUnused", [](C& c) { c.http_bind_addr = "127.0.0.1:8080"; }, "http_bind_addr", "not used",
     Severity::Warning},
};
INSTANTIATE_TEST_SUITE_P(Each, ConfigProblem, ::testing::ValuesIn(kProblems),
                         [](const auto& p) { return std::string(p.param.name); });

TEST(Config, DemoIsRefusedOnceForAllRelays) {
  ProviderConfig c = good();
  c.failover_profile = "demo";
  c.heartbeat_interval_secs = 1;
  EXPECT_EQ(check_config(c).size(), 1u) << show(check_config(c));
}

TEST(Config, DemoIsFineOnLoopback) {
  ProviderConfig c = good();
  c.failover_profile = "demo";
  c.heartbeat_interval_secs = 1;
  c.nostr_relays = {"ws://127.0.0.1:7001", "ws://localhost:7002", "ws://[::1]:7003"};
  EXPECT_EQ(show(check_config(c)), "");
}

TEST(Config, TheKeyMayStandInAFileOrBeAnNsec) {
  ProviderConfig c = good();
  c.nostr_private_key.clear();
  c.nostr_private_key_file = "/etc/paygress/key";
  EXPECT_EQ(show(check_config(c)), "");
  c.nostr_private_key_file.reset();
  c.nostr_private_key = nostr::to_nsec(*nostr::parse_secret_key(kSecret));
  EXPECT_EQ(show(check_config(c)), "");
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, text.npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(ConfigText, UnknownKeysAreReportedWithTheNearestKnownOne) {
  std::string text = replaced(write_config(good()), "\"backend_type\"",
                              "\"nostr_realys\": 1, \"flavour\": 2, \"backend_type\"");
  text = replaced(text, "\"cpu_millicores\"", "\"cpu_milicores\": 1, \"cpu_millicores\"");
  const auto findings = parse_config(text).findings;
  ASSERT_EQ(findings.size(), 3u) << show(findings);
  const Finding* relays = find(findings, "nostr_realys", "not a known key");
  ASSERT_NE(relays, nullptr);
  EXPECT_EQ(relays->severity, Severity::Warning);
  EXPECT_EQ(relays->suggestion, "did you mean \"nostr_relays\"?");
  const Finding* flavour = find(findings, "flavour", "not a known key");
  ASSERT_NE(flavour, nullptr);
  EXPECT_EQ(flavour->suggestion, "");
  const Finding* cpu = find(findings, "specs[0].cpu_milicores", "not a known key");
  ASSERT_NE(cpu, nullptr);
  EXPECT_EQ(cpu->suggestion, "did you mean \"cpu_millicores\"?");
}

TEST(ConfigText, UnknownKeysBeyondFiftyAreNotReported) {
  std::string text = "{";
  for (int i = 0; i < 1000; ++i) text += "\"key" + std::to_string(i) + "\": 1,";
  const auto findings = parse_config(text + write_config(good()).substr(1)).findings;
  EXPECT_EQ(findings.size(), 50u);
}

TEST(ConfigText, AllProblemsAtOnceAndNoneTwice) {
  const auto findings = parse_config(R"({
      "backend_type": "docker", "nostr_private_key": 5, "nostr_relays": "wss://a", "specs": [{}],
      "whitelisted_mints": ["x"], "ssh_port_start": 65536, "vmid_range_start": null})")
                            .findings;
  for (const char* path : {"backend_type", "vmid_range_start", "nostr_private_key", "nostr_relays",
                           "public_ip", "specs[0].id", "specs[0].name", "specs[0].description",
                           "specs[0].cpu_millicores", "specs[0].memory_mb",
                           "specs[0].rate_msats_per_sec", "whitelisted_mints[0]", "ssh_port_start"})
    EXPECT_EQ(std::count_if(findings.begin(), findings.end(),
                            [&](const Finding& f) { return f.path == path; }),
              1)
        << path << "\n"
        << show(findings);
  EXPECT_EQ(findings.size(), 13u) << show(findings);
}

TEST(ConfigText, AKeyThatStandsTwiceIsRefused) {
  const auto report = parse_config(
      replaced(write_config(good()), "\"backend_type\"", "\"public_ip\": \"x\", \"backend_type\""));
  EXPECT_NE(find(report.findings, "public_ip", "twice"), nullptr) << show(report.findings);
}

TEST(ConfigText, NotJsonIsOneFindingWithItsPlace) {
  for (const std::string& text : std::vector<std::string>{"", "{\"a\" 1}", "[]", "nonsense"}) {
    const auto report = parse_config(text);
    EXPECT_EQ(report.findings.size(), 1u) << text << show(report.findings);
    EXPECT_FALSE(report.usable());
  }
  EXPECT_EQ(parse_config("{\"a\" 1}").findings[0].path, "byte 5");
  EXPECT_NE(find(parse_config(std::string(kConfigBytesMax + 1, ' ')).findings, "", "longer than"),
            nullptr);
}

TEST(ConfigText, NoFindingHoldsASecret) {
  const std::string secret = "5ec2e75ec2e75ec2e7";
  ProviderConfig c = good();
  c.nostr_private_key = secret;
  c.proxmox_token_secret = secret;
  for (const Finding& f : parse_config(write_config(c)).findings)
    EXPECT_EQ((f.message + f.suggestion).find(secret), std::string::npos);
}

TEST(ConfigText, MutatedFilesNeverCrash) {
  const std::string base = write_config(good());
  EXPECT_TRUE(rc::check([&] {
    std::string text = base;
    for (int n = *rc::gen::inRange(1, 5); n > 0; --n) {
      const auto at = *rc::gen::inRange<size_t>(0, text.size());
      text[at] = *rc::gen::elementOf(std::string("{}[]\",:0-19.e\\ntrue\xff"));
    }
    const ConfigReport report = parse_config(text);
    RC_ASSERT(report.usable() || !report.findings.empty());
  }));
}

TEST(ConfigSettings, AreTheCoresView) {
  ProviderConfig c = good();
  c.ssh_port_start = 60'000;
  c.maximum_duration_seconds = 86'400;
  c.relay_events_per_second = 50;
  c.capacity.memory_mb = 16'384;
  c.blocked_keys = {nostr::to_npub(*PubKey::parse(kSelf))};
  c.payout = {1000, 200, "/payouts", ""};
  const Settings s = settings_of(c, *PubKey::parse(kSelf), {8000, 99, 500});
  ASSERT_EQ(s.tiers.size(), 2u);
  EXPECT_EQ(s.tiers[1].storage_gb, kStorageGbDefault);
  EXPECT_EQ(s.tiers[1].rate_per_second, 200_msat);
  EXPECT_EQ(s.mints, std::vector<std::string>{"https://mint.example"});
  EXPECT_EQ(s.mints_as_configured, c.whitelisted_mints);
  EXPECT_EQ(s.ranges.port_first, 60'000);
  EXPECT_EQ(s.ranges.port_last, 65'535);
  EXPECT_EQ(s.sold, (lease::Resources{8000, 16'384, 500}));
  EXPECT_EQ(s.maximum_duration, Seconds{86'400});
  EXPECT_EQ(s.relay_events_per_second, 50U);
  ASSERT_TRUE(s.payout.has_value());
  EXPECT_EQ(s.payout->above, 1'000'000_msat);
  EXPECT_EQ(s.payout->keep, 200'000_msat);
  EXPECT_TRUE(s.blocked.contains(*PubKey::parse(kSelf)));
  EXPECT_EQ(s.isolation, market::IsolationLevel::SharedKernel);
}

TEST(ConfigSettings, PortsHaveDefaults) {
  EXPECT_EQ(ssh_ports(good()).first, 30'000);
  EXPECT_EQ(ssh_ports(good()).last, 39'999);
}

TEST(ConfigCheck, WhatIsNoAddressIsNotCalledReadableByOthers) {
  C config = good();
  config.metrics_bind_addr = "nonsense";
  const auto findings = check_config(config);
  EXPECT_EQ(std::ranges::count(findings, "metrics_bind_addr", &Finding::path), 1);
}

TEST(Nearest, CountsInsertionsRemovalsChangesAndSwaps) {
  EXPECT_EQ(edit_distance("abc", "abc"), 0u);
  EXPECT_EQ(edit_distance("abc", "acb"), 1u);
  EXPECT_EQ(edit_distance("abc", "ab"), 1u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  const std::vector<std::string_view> known = {"ssh_port_start", "ssh_port_end"};
  EXPECT_EQ(nearest("ssh_port_ned", known), "ssh_port_end");
  EXPECT_EQ(nearest("colour", known), std::nullopt);
  const std::vector<std::string_view> of_tier = {"name", "memory_mb", "rate_msats_per_sec"};
  EXPECT_EQ(nearest("rate", of_tier), "rate_msats_per_sec") << "not \"name\"";
  EXPECT_EQ(nearest(std::string(65, 'x'), known), std::nullopt);
}

}  // namespace
}  // namespace paygress::provider
