// How the market's messages stand in JSON, where their types alone do not say it.
#pragma once

#include "core/market/json_map.h"

namespace paygress::market::json {

template <>
struct JsonRules<Offer> {
  static constexpr std::array kExceptions = {
      Exception{"location", Rule::Null}, Exception{"api_endpoint", Rule::Null},
      Exception{"version", Rule::Default}, Exception{"isolation_level", Rule::Default}};
};
struct VersionHasDefault {
  static constexpr std::array kExceptions = {Exception{"version", Rule::Default}};
};
template <>
struct JsonRules<Heartbeat> : VersionHasDefault {};
template <>
struct JsonRules<Revocation> : VersionHasDefault {};
template <>
struct JsonRules<Promotion> : VersionHasDefault {};
template <>
struct JsonRules<Claim> : VersionHasDefault {};
template <>
struct JsonRules<VolumeEncryption> : VersionHasDefault {};
template <>
struct JsonRules<SpawnRequest> {
  static constexpr std::array kExceptions = {Exception{"pod_spec_id", Rule::Null}};
};
template <>
struct JsonRules<AccessDetails> {
  static constexpr std::array kExceptions = {Exception{"host_address", Rule::SkipEmpty},
                                             Exception{"template_ports", Rule::SkipEmpty}};
};
template <>
struct JsonRules<ErrorReply> {
  static constexpr std::array kExceptions = {Exception{"details", Rule::Null}};
};

template <>
struct JsonValue<IsolationLevel> : TextEnum<IsolationLevel, isolation_level_from> {};
template <>
struct JsonValue<ReplicationKind> : TextEnum<ReplicationKind, replication_kind_from> {};
template <>
struct JsonValue<TokenState> : TextEnum<TokenState, token_state_from> {};

// Written as hex; read as hex, npub or nostr: (NIP-19, NIP-21), because stock clients send both.
template <>
struct JsonValue<PubKey> {
  static void read(Reading& in, const Where& at, const Node& node, PubKey& value);
  static void write(std::string& out, const PubKey& value);
};
// A whole number of seconds, at most kUnixSecondsMax.
template <>
struct JsonValue<UnixSeconds> {
  static void read(Reading& in, const Where& at, const Node& node, UnixSeconds& value);
  static void write(std::string& out, const UnixSeconds& value);
};
template <>
struct JsonValue<Rfc3339> {
  static void read(Reading& in, const Where& at, const Node& node, Rfc3339& value);
  static void write(std::string& out, const Rfc3339& value);
};
template <>
struct JsonValue<Percent> {
  static void read(Reading& in, const Where& at, const Node& node, Percent& value);
  static void write(std::string& out, const Percent& value);
};
// Tagged by `mode` inside the object; `standby_providers` belongs to warm-standby alone.
template <>
struct JsonValue<ReplicationMode> {
  static void read(Reading& in, const Where& at, const Node& node, ReplicationMode& value);
  static void write(std::string& out, const ReplicationMode& value);
};

}  // namespace paygress::market::json
