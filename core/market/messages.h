// The messages of the market as plain values. A member's name is its name on the wire, and the
// declared order is the order in which the JSON is written (docs/messages.md has the tables).
//
// Rules of a member, unless JsonRules of its struct (messages_json.h) says otherwise:
//   T             required: missing or null refuses the message
//   optional<T>   missing or null is nothing; left out when written
// "additive" marks what the existing network does not know and ignores.
//
// Limits: a message is at most kMessageBytesMax bytes of JSON, nests at most kMessageDepthMax
// levels, and no list in it has more than kListMax entries.
#pragma once

#include <boost/describe.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/result.h"
#include "core/market/wire_types.h"

namespace paygress::market {

inline constexpr size_t kMessageBytesMax = 64 * 1024;
inline constexpr size_t kMessageDepthMax = 16;
inline constexpr size_t kListMax = 256;

// --- public events -----------------------------------------------------------------------------
struct PodSpec {  // one tier
  std::string id;
  std::string name;
  std::string description;
  uint64_t cpu_millicores = 0;
  uint64_t memory_mb = 0;
  uint64_t rate_msats_per_sec = 0;
  std::optional<uint64_t> storage_gb;  // additive
  bool operator==(const PodSpec&) const = default;
};
BOOST_DESCRIBE_STRUCT(PodSpec, (),
                      (id, name, description, cpu_millicores, memory_mb, rate_msats_per_sec,
                       storage_gb))

struct StakeProof {           // carried, never verified by us
  std::string utxo_outpoint;  // "<txid>:<vout>"
  uint64_t locktime_unix = 0;
  uint64_t sats = 0;
  std::string provider_pubkey_hex;
  std::string signature_hex;
  uint8_t version = 0;
  bool operator==(const StakeProof&) const = default;
};
BOOST_DESCRIBE_STRUCT(StakeProof, (),
                      (utxo_outpoint, locktime_unix, sats, provider_pubkey_hex, signature_hex,
                       version))

struct Offer {                          // kind 38383
  PubKey provider_npub;                 // hex on the wire; must be the signer
  std::string hostname;                 // the display name of the provider
  std::optional<std::string> location;  // written as null
  std::vector<std::string> capabilities;
  std::vector<PodSpec> specs;
  std::vector<std::string> whitelisted_mints;
  Percent uptime_percent = kFullPercent;
  uint64_t total_jobs_completed = 0;
  std::optional<std::string> api_endpoint;                        // written as null
  uint8_t version = kSchemaVersion;                               // default
  IsolationLevel isolation_level = IsolationLevel::SharedKernel;  // default
  std::optional<StakeProof> stake_proof;
  std::optional<std::vector<std::string>> relays;  // additive: where the provider listens
  std::optional<std::string> profile;  // additive: fail-over profile, "default" or "fast"
  bool operator==(const Offer&) const = default;
};
BOOST_DESCRIBE_STRUCT(Offer, (),
                      (provider_npub, hostname, location, capabilities, specs, whitelisted_mints,
                       uptime_percent, total_jobs_completed, api_endpoint, version, isolation_level,
                       stake_proof, relays, profile))

struct Capacity {
  uint64_t cpu_available = 0;  // millicores
  uint64_t memory_mb_available = 0;
  uint64_t storage_gb_available = 0;
  bool operator==(const Capacity&) const = default;
};
BOOST_DESCRIBE_STRUCT(Capacity, (), (cpu_available, memory_mb_available, storage_gb_available))

struct Hold {  // additive: a workload its author holds, unfenced
  HoldTag tag;
  uint64_t epoch = 0;
  bool operator==(const Hold&) const = default;
};
BOOST_DESCRIBE_STRUCT(Hold, (), (tag, epoch))

struct Heartbeat {  // kinds 38384 and 20384, the same text
  PubKey provider_npub;
  UnixSeconds timestamp;
  uint32_t active_workloads = 0;
  Capacity available_capacity;
  uint8_t version = kSchemaVersion;        // default
  std::optional<std::vector<Hold>> holds;  // additive; nothing: a peer that does not say
  std::optional<uint64_t> fence_secs;      // additive
  std::optional<uint64_t> silence_secs;    // additive
  bool operator==(const Heartbeat&) const = default;
};
BOOST_DESCRIBE_STRUCT(Heartbeat, (),
                      (provider_npub, timestamp, active_workloads, available_capacity, version,
                       holds, fence_secs, silence_secs))

struct Revocation {  // kind 38385: "I no longer run this workload"
  std::string workload_id;
  PubKey primary_provider_npub;                // the holder that revokes; must be the signer
  std::vector<std::string> standby_providers;  // as the consumer wrote them
  std::string reason;
  UnixSeconds revoked_at;
  std::optional<std::string> state_uri;
  uint8_t version = kSchemaVersion;  // default
  std::optional<uint64_t> epoch;     // additive; nothing: epoch 0 of an old peer
  bool operator==(const Revocation&) const = default;
};
BOOST_DESCRIBE_STRUCT(Revocation, (),
                      (workload_id, primary_provider_npub, standby_providers, reason, revoked_at,
                       state_uri, version, epoch))

struct Promotion {  // kind 38386: "I run this workload now"
  std::string workload_id;
  PubKey new_primary_npub;  // must be the signer
  UnixSeconds promoted_at;
  uint8_t version = kSchemaVersion;  // default
  std::optional<uint64_t> epoch;     // additive
  std::optional<bool> withdrawn;     // additive
  bool operator==(const Promotion&) const = default;
};
BOOST_DESCRIBE_STRUCT(Promotion, (),
                      (workload_id, new_primary_npub, promoted_at, version, epoch, withdrawn))

struct Claim {  // kind 38387, additive: "I want to take over"
  std::string workload_id;
  uint64_t epoch = 0;
  PubKey claimant;    // must be the signer
  uint32_t rank = 0;  // 0: the primary; k: standby k of the list
  UnixSeconds claimed_at;
  bool withdrawn = false;
  uint8_t version = kSchemaVersion;  // default
  bool operator==(const Claim&) const = default;
};
BOOST_DESCRIBE_STRUCT(Claim, (),
                      (workload_id, epoch, claimant, rank, claimed_at, withdrawn, version))

// --- requests (encrypted, consumer to provider) --------------------------------------------------
struct ReplicationMode {  // {"mode":"warm-standby","standby_providers":[...]}
  ReplicationKind mode = ReplicationKind::None;
  std::vector<std::string> standby_providers;  // only with warm-standby; as the consumer wrote them
  bool operator==(const ReplicationMode&) const = default;
};
BOOST_DESCRIBE_STRUCT(ReplicationMode, (), (mode, standby_providers))

struct VolumeEncryption {
  uint8_t version = 1;    // default
  std::string algorithm;  // kVolumeAlgorithm; others parse and are refused later
  std::string key_b64;    // secret: 32 bytes, base64 URL-safe without padding
  bool operator==(const VolumeEncryption&) const = default;
};
BOOST_DESCRIBE_STRUCT(VolumeEncryption, (), (version, algorithm, key_b64))

struct EnvironmentVariable {
  std::string name;
  std::string value;  // may be secret
  bool operator==(const EnvironmentVariable&) const = default;
};
BOOST_DESCRIBE_STRUCT(EnvironmentVariable, (), (name, value))

struct SpawnRequest {
  std::string cashu_token;                 // secret
  std::optional<std::string> pod_spec_id;  // written as null
  std::string pod_image;
  std::string ssh_username;
  std::string ssh_password;  // secret
  std::optional<std::string> template_slug;
  std::optional<ReplicationMode> replication;
  std::optional<std::string> primary_npub;
  std::optional<std::string> workload_id;
  std::optional<VolumeEncryption> volume_encryption;
  std::optional<RequestId> request_id;                  // additive
  std::optional<std::vector<std::string>> relays;       // additive: the workload's relay set
  std::optional<std::vector<EnvironmentVariable>> env;  // additive: what the template lets be set
  bool operator==(const SpawnRequest&) const = default;
};
BOOST_DESCRIBE_STRUCT(SpawnRequest, (),
                      (cashu_token, pod_spec_id, pod_image, ssh_username, ssh_password,
                       template_slug, replication, primary_npub, workload_id, volume_encryption,
                       request_id, relays, env))

struct TopUpRequest {
  std::string pod_npub;
  std::string cashu_token;              // secret
  std::optional<RequestId> request_id;  // additive
  bool operator==(const TopUpRequest&) const = default;
};
BOOST_DESCRIBE_STRUCT(TopUpRequest, (), (pod_npub, cashu_token, request_id))

struct StatusRequest {
  std::string pod_id;
  std::optional<RequestId> request_id;  // additive
  bool operator==(const StatusRequest&) const = default;
};
BOOST_DESCRIBE_STRUCT(StatusRequest, (), (pod_id, request_id))

struct StopRequest {  // additive: {"pod_id": ..., "action": "stop"}
  std::string pod_id;
  std::optional<RequestId> request_id;
  bool operator==(const StopRequest&) const = default;
};
BOOST_DESCRIBE_STRUCT(StopRequest, (), (pod_id, request_id))

using Request = std::variant<SpawnRequest, TopUpRequest, StatusRequest, StopRequest>;

// --- replies (encrypted, provider to consumer) ---------------------------------------------------
struct TemplateAccessPort {
  uint16_t host_port = 0;
  uint16_t container_port = 0;
  std::string protocol = "tcp";
  std::string label;
  bool operator==(const TemplateAccessPort&) const = default;
};
BOOST_DESCRIBE_STRUCT(TemplateAccessPort, (), (host_port, container_port, protocol, label))

// A workload runs, a standby is reserved (node_port 0), or a standby has taken over.
struct AccessDetails {
  std::string pod_npub;  // "container-<n>" or "standby-slot-<workload_id>"
  uint16_t node_port = 0;
  Rfc3339 expires_at;
  uint64_t cpu_millicores = 0;
  uint64_t memory_mb = 0;
  std::string pod_spec_name;
  std::string pod_spec_description;
  std::vector<std::string> instructions;  // for people; old clients find the password only here
  std::string host_address;               // default "", left out when empty
  std::vector<TemplateAccessPort> template_ports;  // default [], left out when empty
  std::optional<RequestId> request_id;             // additive, as everything below
  std::optional<std::string> ssh_username;
  std::optional<std::string> ssh_password;  // secret
  std::optional<std::string> workload_id;
  std::optional<uint64_t> epoch;         // of a warm-standby workload
  std::optional<std::string> guarantee;  // what its fail-over promises
  bool operator==(const AccessDetails&) const = default;
};
BOOST_DESCRIBE_STRUCT(AccessDetails, (),
                      (pod_npub, node_port, expires_at, cpu_millicores, memory_mb, pod_spec_name,
                       pod_spec_description, instructions, host_address, template_ports, request_id,
                       ssh_username, ssh_password, workload_id, epoch, guarantee))

struct TopUpReply {
  bool success = true;
  std::string pod_npub;  // as the request wrote it
  uint64_t extended_duration_seconds = 0;
  Rfc3339 new_expires_at;
  std::string message;
  std::optional<RequestId> request_id;  // additive
  bool operator==(const TopUpReply&) const = default;
};
BOOST_DESCRIBE_STRUCT(TopUpReply, (),
                      (success, pod_npub, extended_duration_seconds, new_expires_at, message,
                       request_id))

struct RefundToken {  // additive: one per mint that a lease was paid from
  std::string token;  // secret
  std::string mint;
  Msat msat;
  bool operator==(const RefundToken&) const = default;
};
BOOST_DESCRIBE_STRUCT(RefundToken, (), (token, mint, msat))

// Also the answer to a stop: status "Stopped", with the refund.
struct StatusReply {
  std::string pod_id;
  std::string status;  // "Running", "Expired"; ours also "Stopped"
  Rfc3339 expires_at;
  uint64_t time_remaining_seconds = 0;
  uint64_t cpu_millicores = 0;
  uint64_t memory_mb = 0;
  std::string ssh_host;
  uint16_t ssh_port = 0;
  std::string ssh_username;
  std::optional<RequestId> request_id;  // additive, as everything below
  std::optional<std::string> state;     // of the workload's state machine
  std::optional<std::string> role;      // "primary" or "standby"
  std::optional<uint64_t> epoch;
  std::optional<PubKey> holder;  // who may run it now
  std::optional<std::string> guarantee;
  std::optional<Msat> credit_msat;
  std::optional<std::vector<TemplateAccessPort>> template_ports;
  std::optional<std::string> refund_token;  // secret; the largest of `refunds`
  std::optional<std::vector<RefundToken>> refunds;
  std::optional<Msat> refund_msat;  // their sum
  bool operator==(const StatusReply&) const = default;
};
BOOST_DESCRIBE_STRUCT(StatusReply, (),
                      (pod_id, status, expires_at, time_remaining_seconds, cpu_millicores,
                       memory_mb, ssh_host, ssh_port, ssh_username, request_id, state, role, epoch,
                       holder, guarantee, credit_msat, template_ports, refund_token, refunds,
                       refund_msat))

struct ErrorReply {
  std::string error_type;  // to_text(ErrorType); peers may send others
  std::string message;
  std::optional<std::string> details;   // written as null; the refund token when there is one
  std::optional<RequestId> request_id;  // additive, as everything below
  std::optional<TokenState> token_state;
  std::optional<bool> token_touched;        // token_state is not "untouched"
  std::optional<bool> interim;              // the final answer follows
  std::optional<std::string> refund_token;  // secret; the largest of `refunds`
  std::optional<std::vector<RefundToken>> refunds;
  std::optional<Msat> refund_msat;  // their sum
  std::optional<uint64_t> retry_after_secs;
  bool operator==(const ErrorReply&) const = default;
};
BOOST_DESCRIBE_STRUCT(ErrorReply, (),
                      (error_type, message, details, request_id, token_state, token_touched,
                       interim, refund_token, refunds, refund_msat, retry_after_secs))

using Reply = std::variant<AccessDetails, TopUpReply, StatusReply, ErrorReply>;

// --- JSON (compact, serde_json's bytes) ----------------------------------------------------------
std::string to_json(const Offer& m);
std::string to_json(const Heartbeat& m);
std::string to_json(const Revocation& m);
std::string to_json(const Promotion& m);
std::string to_json(const Claim& m);
std::string to_json(const Request& m);
std::string to_json(const Reply& m);

// Refuse what is not a message of that shape. Error::where is the path of the field at fault
// ("replication.standby_providers[2]"). No error quotes a value or an unknown key of the input.
Result<Offer> parse_offer(std::string_view json);
Result<Heartbeat> parse_heartbeat(std::string_view json);
Result<Revocation> parse_revocation(std::string_view json);
Result<Promotion> parse_promotion(std::string_view json);
Result<Claim> parse_claim(std::string_view json);

// The network's union without a tag: Spawn, else TopUp, else by pod_id Status, each only if the
// whole body fits it, so that a spawn with a malformed optional member is no spawn. Ours: a body
// that fits Status and has a non-null `action` is Stop when that is "stop", else it is refused.
Result<Request> parse_request(std::string_view json);
// Tried in the order Error, AccessDetails, TopUp, Status.
Result<Reply> parse_reply(std::string_view json);

// The request's own id, or the id a reply echoes, where there is one.
const std::optional<RequestId>& request_id_of(const Request& m);
const std::optional<RequestId>& request_id_of(const Reply& m);

}  // namespace paygress::market
