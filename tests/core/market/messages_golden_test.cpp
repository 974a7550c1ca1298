// The exact bytes of every message: field order, null or left out, numbers (network.md 1.0 to 1.5).
#include <gtest/gtest.h>

#include "core/market/messages.h"
#include "tests/core/market/sample.h"

namespace paygress::market {
namespace {

using namespace testing;

RequestId sample_id() { return *RequestId::parse("000102030405060708090a0b0c0d0e0f"); }

// Writes `value`, compares, and reads it back to the same value.
template <class T, class Parse>
void expect_bytes(const T& value, const std::string& json, Parse parse) {
  EXPECT_EQ(to_json(value), json);
  const auto read = parse(json);
  ASSERT_TRUE(read) << to_string(read.error());
  EXPECT_EQ(*read, value);
}

TEST(MessageBytes, Section13OfferExample) {
  expect_bytes(sample_offer(),
               R"({"provider_npub":")" + kHexA +
                   R"(","hostname":"SwiftGoldenOwl","location":null,"capabilities":["lxc"],)"
                   R"("specs":[{"id":"basic","name":"Basic","description":"1 vCPU, 1GB RAM",)"
                   R"("cpu_millicores":1000,"memory_mb":1024,"rate_msats_per_sec":50}],)"
                   R"("whitelisted_mints":["https://testnut.cashu.space"],"uptime_percent":100.0,)"
                   R"("total_jobs_completed":0,"api_endpoint":null,"version":1,)"
                   R"("isolation_level":"shared-kernel"})",
               parse_offer);
}

TEST(MessageBytes, OfferAdditionsComeAfterTheNetworksFields) {
  Offer m = sample_offer();
  m.specs[0].storage_gb = 10;
  m.uptime_percent = {99'950};
  m.isolation_level = IsolationLevel::DedicatedHost;
  m.stake_proof = StakeProof{"txid:0", 100, 1000, "aa", "bb", 1};
  m.relays = {{"wss://relay.example"}};
  m.profile = "default";
  const std::string json = to_json(m);
  EXPECT_NE(json.find(R"("rate_msats_per_sec":50,"storage_gb":10}])"), json.npos);
  EXPECT_NE(json.find(R"("uptime_percent":99.95,)"), json.npos);
  EXPECT_TRUE(json.ends_with(
      R"("isolation_level":"dedicated-host","stake_proof":{"utxo_outpoint":"txid:0",)"
      R"("locktime_unix":100,"sats":1000,"provider_pubkey_hex":"aa","signature_hex":"bb",)"
      R"("version":1},"relays":["wss://relay.example"],"profile":"default"})"));
  EXPECT_EQ(parse_offer(json), m);
}

TEST(MessageBytes, Section13Heartbeat) {
  expect_bytes(sample_heartbeat(),
               R"({"provider_npub":")" + kHexA +
                   R"(","timestamp":1785000061,"active_workloads":2,"available_capacity":)"
                   R"({"cpu_available":4000,"memory_mb_available":8192,)"
                   R"("storage_gb_available":100},"version":1})",
               parse_heartbeat);
}

TEST(MessageBytes, HeartbeatNamesWhatItHolds) {
  Heartbeat m = sample_heartbeat();
  m.holds = {{{*HoldTag::parse("0123456789abcdef"), 3}}};
  m.fence_secs = 130;
  m.silence_secs = 180;
  const std::string json = to_json(m);
  EXPECT_TRUE(json.ends_with(R"("version":1,"holds":[{"tag":"0123456789abcdef","epoch":3}],)"
                             R"("fence_secs":130,"silence_secs":180})"));
  EXPECT_EQ(parse_heartbeat(json), m);
}

TEST(MessageBytes, Section13RevocationWithAnEmptyListRoundTrips) {
  Revocation m;
  m.workload_id = "w";
  m.primary_provider_npub = key(kHexA);
  m.reason = "heartbeat-quorum-lost-past-t2";
  m.revoked_at = {1'785'000'000};
  expect_bytes(m,
               R"({"workload_id":"w","primary_provider_npub":")" + kHexA +
                   R"(","standby_providers":[],"reason":"heartbeat-quorum-lost-past-t2",)"
                   R"("revoked_at":1785000000,"version":1})",
               parse_revocation);
  m.state_uri = "blossom://00";
  m.epoch = 2;
  EXPECT_TRUE(to_json(m).ends_with(R"("state_uri":"blossom://00","version":1,"epoch":2})"));
}

TEST(MessageBytes, Section13PromotionAndOurClaim) {
  Promotion promotion{"w", key(kHexB), {1'785'000'000}, 1, std::nullopt, std::nullopt};
  expect_bytes(promotion,
               R"({"workload_id":"w","new_primary_npub":")" + kHexB +
                   R"(","promoted_at":1785000000,"version":1})",
               parse_promotion);
  promotion.epoch = 1;
  promotion.withdrawn = true;
  EXPECT_TRUE(to_json(promotion).ends_with(R"("version":1,"epoch":1,"withdrawn":true})"));
  expect_bytes(Claim{"w", 4, key(kHexB), 1, {1'785'000'000}, false, 1},
               R"({"workload_id":"w","epoch":4,"claimant":")" + kHexB +
                   R"(","rank":1,"claimed_at":1785000000,"withdrawn":false,"version":1})",
               parse_claim);
}

TEST(MessageBytes, Section15WarmStandbySpawnExample) {
  expect_bytes(Request(sample_spawn()),
               R"({"cashu_token":"cashuBabc","pod_spec_id":"basic","pod_image":"ubuntu:22.04",)"
               R"("ssh_username":"user","ssh_password":"W9ZG2GIUOWiPkYID",)"
               R"("template_slug":"nostr-relay","replication":{"mode":"warm-standby",)"
               R"("standby_providers":["npub1b","npub1c"]},"primary_npub":"npub1a",)"
               R"("workload_id":"550e8400-e29b-41d4-a716-446655440000"})",
               parse_request);
}

TEST(MessageBytes, APlainSpawnWritesTheMissingTierAsNull) {
  SpawnRequest m;
  m.cashu_token = "t";
  m.pod_image = "i";
  m.ssh_username = "u";
  m.ssh_password = "p";
  expect_bytes(Request(m),
               R"({"cashu_token":"t","pod_spec_id":null,"pod_image":"i","ssh_username":"u",)"
               R"("ssh_password":"p"})",
               parse_request);
  m.replication = ReplicationMode{};
  m.volume_encryption = VolumeEncryption{1, "luks2-aes-xts", "k"};
  m.request_id = sample_id();
  m.relays = {{"wss://r"}};
  EXPECT_TRUE(
      to_json(Request(m))
          .ends_with(R"("replication":{"mode":"none"},"volume_encryption":{"version":1,)"
                     R"("algorithm":"luks2-aes-xts","key_b64":"k"},)"
                     R"("request_id":"000102030405060708090a0b0c0d0e0f","relays":["wss://r"]})"));
}

TEST(MessageBytes, Section15TopUpStatusAndStop) {
  expect_bytes(Request(TopUpRequest{"container-1000", "t", std::nullopt}),
               R"({"pod_npub":"container-1000","cashu_token":"t"})", parse_request);
  expect_bytes(Request(StatusRequest{"1000", sample_id()}),
               R"({"pod_id":"1000","request_id":"000102030405060708090a0b0c0d0e0f"})",
               parse_request);
  expect_bytes(Request(StopRequest{"1000", std::nullopt}), R"({"pod_id":"1000","action":"stop"})",
               parse_request);
}

TEST(MessageBytes, Section15AccessDetailsLeaveOutEmptyHostAndPorts) {
  AccessDetails m = sample_access();
  expect_bytes(Reply(m),
               R"({"pod_npub":"container-1000","node_port":30000,)"
               R"("expires_at":"2026-07-30T12:34:56+00:00","cpu_millicores":1000,)"
               R"("memory_mb":1024,"pod_spec_name":"Basic",)"
               R"("pod_spec_description":"1 vCPU, 1GB RAM",)"
               "\"instructions\":[\"🚀 Workload provisioned successfully!\"]}",
               parse_reply);
  m.host_address = "203.0.113.7";
  m.template_ports = {{30001, 7777, "tcp", "relay-ws"}};
  EXPECT_TRUE(to_json(Reply(m)).ends_with(
      R"("host_address":"203.0.113.7","template_ports":[{"host_port":30001,)"
      R"("container_port":7777,"protocol":"tcp","label":"relay-ws"}]})"));
}

TEST(MessageBytes, Section15TopUpReply) {
  const std::string json =
      R"({"success":true,"pod_npub":"container-1000","extended_duration_seconds":60,)"
      R"("new_expires_at":"2026-07-30T12:34:56+00:00","message":"m"})";
  expect_bytes(Reply(TopUpReply{true, "container-1000", 60, {{1'785'414'896}}, "m", std::nullopt}),
               json, parse_reply);
}

TEST(MessageBytes, Section15StatusReplyAndItsAdditions) {
  StatusReply m = sample_status();
  const std::string base =
      R"({"pod_id":"1000","status":"Running","expires_at":"2026-07-30T12:34:56+00:00",)"
      R"("time_remaining_seconds":60,"cpu_millicores":1000,"memory_mb":1024,)"
      R"("ssh_host":"203.0.113.7","ssh_port":30000,"ssh_username":"root")";
  expect_bytes(Reply(m), base + "}", parse_reply);
  m.state = "Live";
  m.role = "primary";
  m.epoch = 0;
  m.holder = key(kHexA);
  m.credit_msat = 7_msat;
  m.refund_token = "cashuB";
  m.refunds = {{{"cashuB", "https://m", 50_msat}}};
  m.refund_msat = 50_msat;
  expect_bytes(Reply(m),
               base + R"(,"state":"Live","role":"primary","epoch":0,"holder":")" + kHexA +
                   R"(","credit_msat":7,"refund_token":"cashuB","refunds":[{"token":"cashuB",)"
                   R"("mint":"https://m","msat":50}],"refund_msat":50})",
               parse_reply);
}

TEST(MessageBytes, Section15ErrorReplyWritesDetailsAsNull) {
  ErrorReply m;
  m.error_type = "not_found";
  m.message = "Pod container-1 not found";
  expect_bytes(Reply(m),
               R"({"error_type":"not_found","message":"Pod container-1 not found","details":null})",
               parse_reply);
  m.token_state = TokenState::InDoubt;
  m.token_touched = true;
  m.interim = true;
  m.retry_after_secs = 30;
  EXPECT_TRUE(to_json(Reply(m)).ends_with(
      R"("details":null,"token_state":"in_doubt","token_touched":true,"interim":true,)"
      R"("retry_after_secs":30})"));
}

TEST(MessageBytes, StringsAreEscapedAsSerdeDoes) {
  Request m = StatusRequest{std::string("\b\f\n\r\t\"\\/\x01\x1f\x7f é🚀\0", 19), std::nullopt};
  const std::string json = to_json(m);
  EXPECT_EQ(json, "{\"pod_id\":\"\\b\\f\\n\\r\\t\\\"\\\\/\\u0001\\u001f\x7f é🚀\\u0000\"}");
  EXPECT_EQ(parse_request(json), m);
}

TEST(MessageBytes, TextThatIsNotUtf8IsMendedSoThatTheReplyParses) {
  ErrorReply m;
  m.error_type = "backend_error";
  m.message = "caf\xe9";
  const auto read = parse_reply(to_json(Reply(m)));
  ASSERT_TRUE(read);
  EXPECT_EQ(std::get<ErrorReply>(*read).message, "caf\xef\xbf\xbd");
}

}  // namespace
}  // namespace paygress::market
