#include "core/market/error_type.h"

#include <array>
#include <bit>
#include <concepts>

#include "core/base/check.h"

namespace paygress::market {
namespace {

constexpr TokenStates states(std::same_as<TokenState> auto... s) {
  return {static_cast<uint8_t>((0u | ... | (1u << static_cast<unsigned>(s))))};
}

using enum TokenState;
constexpr bool kNetwork = false;
constexpr bool kOurs = true;
constexpr TokenStates kUntouched = states(Untouched);
constexpr TokenStates kMintTrouble = states(Untouched, InDoubt, Released);
constexpr TokenStates kBeforeOrAfter = states(Untouched, Taken);

constexpr std::array kTable = {
    ErrorInfo{ErrorType::InvalidRequest, "invalid_request", kNetwork, kUntouched,
              "The message is none of the known requests, or names one key twice.",
              "Correct the field that `details` names and send again."},
    ErrorInfo{ErrorType::NotAddressed, "not_addressed", kNetwork, kUntouched,
              "A warm-standby spawn names this provider neither as primary nor as standby.",
              "Send it to the providers that it names."},
    ErrorInfo{ErrorType::TemplateUnsupported, "template_unsupported", kNetwork, kUntouched,
              "The template is known, but this provider's backend cannot run it.",
              "Choose another template or another provider."},
    ErrorInfo{ErrorType::InvalidToken, "invalid_token", kNetwork, kUntouched,
              "The token cannot be read, is too large, or carries a proof that does not verify.",
              "Make a new token and send again."},
    ErrorInfo{ErrorType::NonWhitelistedMint, "non_whitelisted_mint", kNetwork, kUntouched,
              "The token's mint is not one that the offer lists.",
              "Pay with a token of a mint in the offer."},
    ErrorInfo{ErrorType::TokenAlreadySpent, "token_already_spent", kNetwork, states(SpentElsewhere),
              "The mint says that somebody else has spent the token.",
              "Use another token; find out who had this one."},
    ErrorInfo{ErrorType::TokenPending, "token_pending", kNetwork, states(InDoubt),
              "The mint has not said yet what became of the token. The final answer follows.",
              "Wait, or send the same request again; do not make a new one."},
    ErrorInfo{ErrorType::MintNetworkError, "mint_network_error", kNetwork, kMintTrouble,
              "The mint could not be reached.",
              "Untouched or released: the token is yours. In doubt: send the same request again."},
    ErrorInfo{ErrorType::UnsupportedUnit, "unsupported_unit", kNetwork, kUntouched,
              "The token's unit is neither sat nor msat.", "Pay with sat or msat."},
    ErrorInfo{ErrorType::MintError, "mint_error", kNetwork, kMintTrouble,
              "The mint refused the token.",
              "Untouched or released: the token is yours. In doubt: send the same request again."},
    ErrorInfo{ErrorType::NoSpecs, "no_specs", kNetwork, kUntouched,
              "The provider sells no tier at the moment.", "Choose another provider."},
    ErrorInfo{ErrorType::InsufficientPayment, "insufficient_payment", kNetwork, kBeforeOrAfter,
              "The token, after the mint's fee, buys less than the minimum duration, or no second.",
              "Send a larger token. When this one was taken, a refund token is in the reply."},
    ErrorInfo{ErrorType::ProvisioningError, "provisioning_error", kNetwork, kBeforeOrAfter,
              "No id or port could be given to the workload.",
              "Choose another provider. When the token was taken, a refund token is in the reply."},
    ErrorInfo{ErrorType::UnknownTemplate, "unknown_template", kNetwork, kUntouched,
              "The template's name is not in the registry.",
              "Check the spelling of `template_slug`."},
    ErrorInfo{ErrorType::InvalidVolumeEncryption, "invalid_volume_encryption", kNetwork, kUntouched,
              "The volume key or its algorithm is not usable, there is nothing to encrypt, or the "
              "backend cannot.",
              "Correct it, leave it out, or choose another provider."},
    ErrorInfo{ErrorType::MissingWorkloadId, "missing_workload_id", kNetwork, kUntouched,
              "A warm-standby spawn has no `workload_id`.",
              "Give all providers of the workload the same `workload_id`."},
    ErrorInfo{ErrorType::BackendError, "backend_error", kNetwork, states(Taken),
              "The engine could not start the workload.",
              "Use the refund token in the reply with another provider."},
    ErrorInfo{ErrorType::InvalidPodId, "invalid_pod_id", kNetwork, kUntouched,
              "A top-up names its lease neither as `container-<n>`, `<n>` nor `standby-slot-<id>`.",
              "Use `pod_npub` of the access details."},
    ErrorInfo{ErrorType::NotOwner, "not_owner", kNetwork, kUntouched,
              "The lease belongs to another key.", "Sign with the key that spawned it."},
    ErrorInfo{ErrorType::NotFound, "not_found", kNetwork, kUntouched,
              "There is no such lease, or it belongs to another key.",
              "Check the id; an ended lease must be spawned again."},
    ErrorInfo{ErrorType::LeaseExpired, "lease_expired", kNetwork, kUntouched,
              "The lease's paid time is over.", "Spawn a new workload."},
    ErrorInfo{ErrorType::SpecUnavailable, "spec_unavailable", kNetwork, kUntouched,
              "The tier that the lease was bought at is no longer sold.",
              "Spawn a new workload on a tier of the offer."},
    ErrorInfo{ErrorType::RaceLost, "race_lost", kNetwork, states(Taken),
              "The lease ended while the mint was answering.",
              "The refund token is in the reply, or follows; spawn a new workload."},
    ErrorInfo{ErrorType::UnknownTier, "unknown_tier", kOurs, kUntouched,
              "`pod_spec_id` names no tier of the offer, or is absent where several are sold.",
              "Name one of the offer's tiers."},
    ErrorInfo{ErrorType::NoCapacity, "no_capacity", kOurs, kUntouched,
              "CPU, memory, disk or ports for this tier are sold out.",
              "Try later, a smaller tier, or another provider."},
    ErrorInfo{ErrorType::ImageNotAllowed, "image_not_allowed", kOurs, kUntouched,
              "The operator does not run this image.",
              "Choose a template, an allowed image, or another provider."},
    ErrorInfo{ErrorType::RequestExpired, "request_expired", kOurs, kUntouched,
              "The request is older than 600 s, or from more than 900 s in the future.",
              "Check the clock, then make a new request."},
    ErrorInfo{ErrorType::RateLimited, "rate_limited", kOurs, kUntouched,
              "Too many requests from this key, or from all keys together.",
              "Wait for `retry_after_secs`, then make a new request."},
    ErrorInfo{ErrorType::UnsupportedReplication, "unsupported_replication", kOurs, kUntouched,
              "The replication asked for cannot be given by this provider.",
              "Ask for `none`, or choose other providers."},
    ErrorInfo{ErrorType::StandbyUnavailable, "standby_unavailable", kOurs, kUntouched,
              "This provider cannot stand by for the workload: its relays, its profile, its "
              "`workload_id` or its members' offers do not allow it.",
              "Choose another standby."},
    ErrorInfo{ErrorType::Draining, "draining", kOurs, kUntouched,
              "The operator takes no new leases for now.", "Try later or choose another provider."},
    ErrorInfo{ErrorType::MintUnsuitable, "mint_unsuitable", kOurs, kUntouched,
              "The mint lacks what safe redemption needs (NUT-07 and NUT-09).",
              "Pay with a token of another mint of the offer."},
    ErrorInfo{ErrorType::RefundPending, "refund_pending", kOurs, states(Taken),
              "The refund is being made. The final answer follows.",
              "Wait, or send the same request again."},
};

}  // namespace

std::span<const ErrorInfo> error_table() { return kTable; }

const ErrorInfo& info_of(ErrorType type) {
  const auto i = static_cast<size_t>(type);
  PG_CHECK(i < kTable.size());
  PG_CHECK(kTable[i].type == type);
  return kTable[i];
}

std::string_view to_text(ErrorType type) { return info_of(type).text; }

std::optional<ErrorType> error_type_from(std::string_view text) {
  for (const ErrorInfo& info : kTable)
    if (info.text == text) return info.type;
  return std::nullopt;
}

std::optional<TokenState> token_state_of(ErrorType type) {
  const uint8_t bits = info_of(type).token.bits;
  PG_CHECK(bits != 0);
  if (!std::has_single_bit(bits)) return std::nullopt;
  return static_cast<TokenState>(std::countr_zero(bits));
}

bool may_answer(ErrorType type, TokenState state) { return info_of(type).token.contains(state); }

}  // namespace paygress::market
