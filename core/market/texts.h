// What people read in the market's replies. Where the existing network has a text for the same
// fact, it is that text, because stock clients show and some scripts match it.
//
// A text that repeats what a requester wrote repeats at most kExcerptBytesMax of it, in one line.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/market/error_type.h"
#include "core/market/messages.h"
#include "core/market/time_text.h"

namespace paygress::market {

inline constexpr size_t kExcerptBytesMax = 80;
// `text` cut to that length at a character's border ("..." follows), control characters as '?'.
std::string excerpt(std::string_view text);

// --- instructions of AccessDetails ---------------------------------------------------------------
struct AccessText {
  std::string host;
  std::optional<uint16_t> ssh_port;  // nothing: the workload has no SSH server, and that is said
  std::string password;              // secret
  UnixSeconds expires_at;
  std::vector<TemplateAccessPort> ports;
  bool checkpointed_asked = false;  // adds a line: runs as `none`, nothing is checkpointed
};
std::vector<std::string> access_instructions(const AccessText& access);

// `index` from 0, as in the spawn's list; `primary` as the consumer wrote it.
std::vector<std::string> standby_instructions(uint32_t index, uint32_t count,
                                              std::string_view workload_id,
                                              const std::optional<std::string>& primary);

std::string port_label(uint16_t container_port);  // for a port whose template has no label

// --- top-up ------------------------------------------------------------------------------------
std::string topup_text(Seconds extended, Msat paid, uint64_t rate_msats_per_sec);

// --- refusals ------------------------------------------------------------------------------------
namespace text {

// Redeeming. `why` is ours or the mint's.
std::string invalid_token(std::string_view why);
std::string non_whitelisted_mint(std::string_view mint_url);
std::string token_already_spent();
std::string token_pending();
std::string mint_network_error(std::string_view why);
std::string unsupported_unit(std::string_view unit);
std::string mint_error(std::string_view why);
std::string mint_unsuitable(std::string_view mint_url, std::string_view missing);

// Spawn. `minimum` times the rate may be too large for 64 bits; then only the duration is named.
std::string invalid_request();
std::string not_addressed();
std::string template_unsupported(std::string_view slug, std::string_view backend);
std::string no_specs();
std::string unknown_tier(const std::optional<std::string>& id, std::string_view sold);
std::string insufficient_payment(Seconds minimum, uint64_t rate_msats_per_sec);
std::string provisioning_error(std::string_view why);
std::string unknown_template(std::string_view slug);
std::string invalid_volume_encryption(std::string_view why);
std::string missing_workload_id();
std::string backend_error(std::string_view why);
std::string no_capacity(std::string_view what);
std::string image_not_allowed(std::string_view image);
std::string unsupported_replication(std::string_view why);
std::string standby_unavailable(std::string_view why);
std::string draining();
std::string recovering();

// Top-up and status.
std::string invalid_pod_id(std::string_view pod);
std::string not_owner();
std::string pod_not_found(std::string_view pod);       // top-up
std::string workload_not_found(std::string_view pod);  // status, stop
std::string lease_expired(std::string_view pod);
std::string spec_unavailable(std::string_view pod, std::string_view spec_id);
std::string insufficient_topup(Msat paid, uint64_t rate_msats_per_sec);
std::string race_lost();

// All requests.
std::string request_expired(Seconds age);  // negative: from the future
std::string rate_limited(Seconds retry_after);
std::string refund_pending();
std::string stopped_before_running();
std::string paid_too_late();

}  // namespace text

// An error reply with the token's state said. PG_CHECKs may_answer(type, state).
ErrorReply error_reply(ErrorType type, std::string message, TokenState state);
// The same for errors whose state follows from the type. PG_CHECKs that it does.
ErrorReply error_reply(ErrorType type, std::string message);
// The one answer to a body that is no request: names the field, quotes nothing.
ErrorReply unparseable_reply(const Error& why);

}  // namespace paygress::market
