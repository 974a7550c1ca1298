#include "core/market/texts.h"

#include <initializer_list>

#include "core/base/check.h"

namespace paygress::market {
namespace {

std::string join(std::initializer_list<std::string_view> parts) {
  std::string out;
  for (const std::string_view part : parts) out += part;
  return out;
}

std::string number(int64_t value) { return std::to_string(value); }
std::string number(uint64_t value) { return std::to_string(value); }

constexpr uint64_t kPromotionDelaySeconds = 30;  // per index, what the existing network tells

}  // namespace

std::string excerpt(std::string_view text) {
  const bool cut = text.size() > kExcerptBytesMax;
  if (cut) {
    size_t end = kExcerptBytesMax;
    while (end > 0 && (static_cast<uint8_t>(text[end]) & 0xc0) == 0x80) --end;
    text = text.substr(0, end);
  }
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    out += byte < 0x20 || byte == 0x7f ? '?' : c;
  }
  return cut ? out + "..." : out;
}

std::vector<std::string> access_instructions(const AccessText& access) {
  std::vector<std::string> lines = {"🚀 Workload provisioned successfully!"};
  const std::string expires = "⌛ Expires: " + to_human_time(access.expires_at);
  if (access.ssh_port) {
    lines.push_back("👤 Username: root");
    lines.push_back("🔑 Password: " + access.password);
    lines.push_back(expires);
    lines.push_back("Access: You can connect to the container using SSH.");
    lines.push_back(join({"  ssh -p ", number(uint64_t{*access.ssh_port}), " root@", access.host}));
  } else {
    lines.push_back(expires);
    lines.push_back("Access: This workload has no SSH server; use its ports.");
  }
  if (!access.ports.empty()) lines.push_back("Workload ports:");
  for (const TemplateAccessPort& p : access.ports)
    lines.push_back(join({"  ", p.label, " (", p.protocol, "): ", p.protocol, "://", access.host,
                          ":", number(uint64_t{p.host_port})}));
  if (access.checkpointed_asked)
    lines.push_back(
        "Note: replication \"checkpointed\" runs as \"none\" here: nothing is checkpointed.");
  return lines;
}

std::vector<std::string> standby_instructions(uint32_t index, uint32_t count,
                                              std::string_view workload_id,
                                              const std::optional<std::string>& primary) {
  PG_CHECK(index < count);
  return {join({"🛏️  Standby slot reserved (index ", number(uint64_t{index}), "/",
                number(uint64_t{count}), " for workload ", excerpt(workload_id), ")."}),
          join({"Will promote on LeaseRevocation event from primary ",
                primary ? excerpt(*primary) : "(unset)", "."}),
          join({"Expected promotion delay: ", number(index * kPromotionDelaySeconds),
                " seconds (index * 30s backoff)."})};
}

std::string port_label(uint16_t container_port) {
  return "port-" + number(uint64_t{container_port});
}

std::string topup_text(Seconds extended, Msat paid, uint64_t rate_msats_per_sec) {
  return join({"Lease extended by ", number(extended.value), "s (", number(paid.value), " msats @ ",
               number(rate_msats_per_sec), " msats/sec)"});
}

namespace text {

std::string invalid_token(std::string_view why) {
  return join({"Invalid Cashu token: ", excerpt(why)});
}
std::string non_whitelisted_mint(std::string_view mint_url) {
  return join({"Mint ", excerpt(mint_url), " is not accepted by this provider"});
}
std::string token_already_spent() { return "This Cashu token has already been spent at the mint"; }
std::string token_pending() { return "Token is pending at the mint; retry shortly"; }
std::string mint_network_error(std::string_view why) {
  return join({"Could not reach mint: ", excerpt(why)});
}
std::string unsupported_unit(std::string_view unit) {
  return join({"Token unit ", excerpt(unit), " is not supported"});
}
std::string mint_error(std::string_view why) {
  return join({"Mint rejected redemption: ", excerpt(why)});
}
std::string mint_unsuitable(std::string_view mint_url, std::string_view missing) {
  return join(
      {"Mint ", excerpt(mint_url), " cannot be redeemed from safely: it lacks ", excerpt(missing)});
}

std::string invalid_request() { return "Failed to parse request"; }
std::string not_addressed() {
  return "warm-standby spawn arrived at a provider not designated as primary or standby";
}
std::string template_unsupported(std::string_view slug, std::string_view backend) {
  return join({"Template `", excerpt(slug), "` is not supported on the ", backend, " backend"});
}
std::string no_specs() { return "No pod specifications available on this provider"; }
std::string unknown_tier(const std::optional<std::string>& id, std::string_view sold) {
  if (!id) return join({"The request names no tier; this provider sells: ", excerpt(sold)});
  return join({"Unknown tier `", excerpt(*id), "`; this provider sells: ", excerpt(sold)});
}
std::string insufficient_payment(Seconds minimum, uint64_t rate_msats_per_sec) {
  uint64_t required = 0;
  const bool known = !__builtin_mul_overflow(minimum.value, rate_msats_per_sec, &required);
  return join({"Insufficient payment for minimum duration. Required: ",
               known ? number(required) : "too many", " msats for ", number(minimum.value), "s"});
}
std::string provisioning_error(std::string_view why) {
  return join({"Failed to find available ID: ", excerpt(why)});
}
std::string unknown_template(std::string_view slug) {
  return join({"Unknown template `", excerpt(slug), "` — provider does not advertise it"});
}
std::string invalid_volume_encryption(std::string_view why) {
  return join({"volume_encryption rejected: ", excerpt(why)});
}
std::string missing_workload_id() {
  return "warm-standby spawn missing workload_id (consumer-assigned UUID required to coordinate "
         "primary + standbys)";
}
std::string backend_error(std::string_view why) {
  return join({"Backend failed to create workload: ", excerpt(why)});
}
std::string no_capacity(std::string_view what) {
  return join({"Sold out: not enough ", what, " left for this tier"});
}
std::string image_not_allowed(std::string_view image) {
  return join({"Image `", excerpt(image), "` is not allowed on this provider"});
}
std::string unsupported_replication(std::string_view why) {
  return join({"This replication is not available here: ", excerpt(why)});
}
std::string standby_unavailable(std::string_view why) {
  return join({"This provider cannot stand by for the workload: ", excerpt(why)});
}
std::string draining() { return "This provider is draining and takes no new leases"; }
std::string recovering() {
  return "This provider's ledger is being recovered; ask again when that is done";
}

std::string invalid_pod_id(std::string_view pod) {
  return join({"Could not parse pod identifier `", excerpt(pod),
               "`; expected `container-<id>` or numeric id"});
}
std::string not_owner() { return "Pod not owned by requester"; }
std::string pod_not_found(std::string_view pod) {
  return join({"Pod ", excerpt(pod), " not found"});
}
std::string workload_not_found(std::string_view pod) {
  return join({"Workload ", excerpt(pod), " not found or you don't have access"});
}
std::string lease_expired(std::string_view pod) {
  return join({"Pod ", excerpt(pod), " lease has already expired; spawn a new pod instead"});
}
std::string spec_unavailable(std::string_view pod, std::string_view spec_id) {
  return join({"Pod ", excerpt(pod), " references unknown spec `", excerpt(spec_id),
               "`; provider misconfiguration"});
}
std::string insufficient_topup(Msat paid, uint64_t rate_msats_per_sec) {
  return join({"Insufficient topup: ", number(paid.value), " msats buys 0 seconds at ",
               number(rate_msats_per_sec), " msats/sec"});
}
std::string race_lost() {
  return "Pod was cleaned up before topup could be applied; the payment is refunded";
}

std::string request_expired(Seconds age) {
  if (age.value < 0)
    return join({"The request is from ", number(Seconds{-age.value}.value),
                 "s in the future; check the clock and make a new one"});
  return join({"The request is ", number(age.value), "s old; make a new one"});
}
std::string rate_limited(Seconds retry_after) {
  return join({"Too many requests; retry in ", number(retry_after.value), "s"});
}
std::string refund_pending() { return "The refund is being made; it follows shortly"; }
std::string stopped_before_running() {
  return "Stopped by its owner before the workload ran; the refund is in this reply";
}
std::string paid_too_late() {
  return "The mint confirmed the payment too late; the refund is in this reply";
}

}  // namespace text

ErrorReply error_reply(ErrorType type, std::string message, TokenState state) {
  PG_CHECK(may_answer(type, state));
  ErrorReply reply;
  reply.error_type = to_text(type);
  reply.message = std::move(message);
  reply.token_state = state;
  reply.token_touched = token_touched(state);
  return reply;
}

ErrorReply error_reply(ErrorType type, std::string message) {
  const auto state = token_state_of(type);
  PG_CHECK(state.has_value());
  return error_reply(type, std::move(message), *state);
}

ErrorReply unparseable_reply(const Error& why) {
  ErrorReply reply = error_reply(ErrorType::InvalidRequest, text::invalid_request());
  reply.details = "JSON parsing failed: " + to_string(why);
  return reply;
}

}  // namespace paygress::market
