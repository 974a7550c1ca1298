#include "core/provider/quote.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "core/market/role.h"
#include "core/market/volume.h"
#include "core/nostr/relay_url.h"

namespace paygress::provider {
namespace {

using market::ErrorType;
namespace text = market::text;

constexpr size_t kImageBytesMax = 255;
constexpr std::string_view kContainer = "container-";
constexpr std::string_view kStandbySlot = "standby-slot-";

std::unexpected<Refused> refuse(ErrorType type, std::string message,
                                std::optional<Seconds> retry_after = {}) {
  return std::unexpected(
      Refused{type, std::move(message), market::TokenState::Untouched, retry_after, {}});
}

bool matches_pattern(std::string_view pattern, std::string_view name) {
  const size_t star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == name;
  const std::string_view head = pattern.substr(0, star);
  if (!name.starts_with(head)) return false;
  const std::string_view rest = pattern.substr(star + 1);
  for (size_t at = head.size(); at <= name.size(); ++at)
    if (matches_pattern(rest, name.substr(at))) return true;
  return false;
}

std::optional<uint32_t> parse_number(std::string_view pod) {
  if (pod.starts_with(kContainer)) pod.remove_prefix(kContainer.size());
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(pod.data(), pod.data() + pod.size(), number);
  if (error != std::errc{} || end != pod.data() + pod.size() || pod.empty()) return std::nullopt;
  return number;
}

// The relay set of the workload: as the request says, else our own. Each relay once.
Result<std::vector<std::string>> relay_set(const Settings& settings,
                                           const market::SpawnRequest& request) {
  std::set<std::string> own;
  for (const std::string& url : settings.relays)
    if (auto canonical = nostr::canonical_relay_url(url)) own.insert(*std::move(canonical));
  if (!request.relays) return std::vector<std::string>(own.begin(), own.end());
  std::vector<std::string> set;
  for (size_t i = 0; i < request.relays->size(); ++i) {
    const std::string where = "relays[" + std::to_string(i) + "]";
    auto url = nostr::canonical_relay_url((*request.relays)[i]);
    if (!url) return fail(url.error().message, where);
    if (!own.contains(*url) && !nostr::is_public_relay(*url))
      return fail("is in a private network, and none of our own relays", where);
    if (std::find(set.begin(), set.end(), *url) == set.end()) set.push_back(*std::move(url));
  }
  if (set.empty()) return fail("must not be empty", "relays");
  if (set.size() > kWorkloadRelaysMax)
    return fail("names more than " + std::to_string(kWorkloadRelaysMax) + " relays", "relays");
  return set;
}

bool fit_workload_id(std::string_view id) {
  return id.size() <= kWorkloadIdBytesMax && std::all_of(id.begin(), id.end(), [](char c) {
           return c > 0x20 && c < 0x7f && c != '"' && c != '\\';
         });
}

// The terms of a warm-standby request; nothing for a plain one. One without standbys is plain too:
// nobody could take over, so nothing has to be fenced (failover.md rule 5).
std::expected<std::optional<failover::Terms>, Refused> check_replication(
    const QuoteBooks& books, const market::SpawnRequest& request) {
  const Settings& settings = books.settings;
  if (!market::is_warm_standby(request)) return std::nullopt;
  if (market::role_of(request, settings.self).kind == market::RoleKind::NotAddressed)
    return refuse(ErrorType::NotAddressed, text::not_addressed());
  if (!request.workload_id || request.workload_id->empty())
    return refuse(ErrorType::MissingWorkloadId, text::missing_workload_id());
  if (!fit_workload_id(*request.workload_id))
    return refuse(ErrorType::InvalidRequest, "workload_id: at most " +
                                                 std::to_string(kWorkloadIdBytesMax) +
                                                 " printable characters without spaces");
  const auto members = market::members_of(request);
  if (!members) return refuse(ErrorType::InvalidRequest, to_string(members.error()));
  if (members->keys.size() < 2) return std::nullopt;
  auto relays = relay_set(settings, request);
  if (!relays) return refuse(ErrorType::InvalidRequest, to_string(relays.error()));

  failover::Terms terms;
  terms.workload_id = *request.workload_id;
  for (const PubKey& key : members->keys) {
    if (key == settings.self) terms.rank = static_cast<uint32_t>(terms.members.size());
    const bool asks = books.knows_rules && key != settings.self;
    terms.members.push_back({key, !asks || books.knows_rules(key)});
  }
  terms.relays = *std::move(relays);
  // Who does not know the rules does not know our numbers either: the default ones fit its own.
  const bool fenced = failover::guarantee_of(terms) == failover::Guarantee::Fenced;
  terms.profile = fenced ? settings.profile : failover::kDefaultProfile;
  terms.quorums = failover::quorums(static_cast<uint32_t>(terms.relays.size()));
  if (auto ok = failover::check_terms(terms); !ok)
    return refuse(ErrorType::UnsupportedReplication,
                  text::unsupported_replication(to_string(ok.error())));
  const auto why = books.standby_refusal ? books.standby_refusal(terms)
                                         : std::optional<std::string>("not offered here");
  if (why)
    return refuse(ErrorType::StandbyUnavailable, text::standby_unavailable(*why), Seconds{60});
  return terms;
}

// Null for a plain box.
std::expected<const market::Template*, Refused> check_template(
    const Settings& settings, const market::SpawnRequest& request) {
  const std::optional<std::string>& slug = request.template_slug;
  if (!slug || slug->empty()) {
    if (request.env && !request.env->empty())
      return refuse(ErrorType::InvalidRequest, "Variables can be set for templates only");
    return nullptr;
  }
  const market::Template* info = settings.templates.find(*slug);
  if (info == nullptr) return refuse(ErrorType::UnknownTemplate, text::unknown_template(*slug));
  if (info->image_for(settings.engine) == nullptr)
    return refuse(ErrorType::TemplateUnsupported,
                  text::template_unsupported(*slug, settings.engine));
  const auto variables = market::environment_of(
      *info, request.env.value_or(std::vector<market::EnvironmentVariable>{}), {});
  if (!variables) return refuse(ErrorType::InvalidRequest, variables.error().message);
  return info;
}

// What the template needs; disk is not asked of the tier but added to it.
std::expected<void, Refused> check_minimum(const lease::Tier& tier, const market::Template& info) {
  if (tier.cpu_millicores >= info.cpu_millicores_min && tier.memory_mb >= info.memory_mb_min)
    return {};
  return refuse(ErrorType::InvalidRequest,
                "Tier " + tier.id + " is too small for template " + info.slug + ": it needs " +
                    std::to_string(info.cpu_millicores_min) + " millicores and " +
                    std::to_string(info.memory_mb_min) + " MB");
}

// What cannot be encrypted is refused, never served in the clear.
std::expected<std::optional<market::VolumeKey>, Refused> check_encryption(
    const Settings& settings, const market::SpawnRequest& request, const market::Template* info) {
  const auto refusal = [](std::string_view why) {
    return refuse(ErrorType::InvalidVolumeEncryption, text::invalid_volume_encryption(why));
  };
  if (!request.volume_encryption) return std::nullopt;
  const auto key = market::volume_key_of(*request.volume_encryption);
  if (!key) return refusal(to_string(key.error()));
  if (settings.encrypts == workload::Encrypts::Nothing)
    return refusal("this provider's backend cannot encrypt");
  const bool has_data = info != nullptr && !info->data_path.empty();
  if (settings.encrypts == workload::Encrypts::Data && !has_data)
    return refusal("there is no volume here to encrypt");
  return *key;
}

std::expected<const lease::Tier*, Refused> check_tier(const Settings& settings,
                                                      const std::optional<std::string>& id) {
  if (settings.tiers.empty()) return refuse(ErrorType::NoSpecs, text::no_specs());
  if (!id && settings.tiers.size() == 1) return &settings.tiers.front();
  const lease::Tier* tier = id ? settings.tier(*id) : nullptr;
  if (tier != nullptr) return tier;
  std::string sold;
  for (const lease::Tier& t : settings.tiers) sold += (sold.empty() ? "" : ", ") + t.id;
  return refuse(ErrorType::UnknownTier, text::unknown_tier(id, sold));
}

std::expected<cashu::TokenQuote, Refused> quote_token(const QuoteBooks& books, Now now,
                                                      const PrivateMessage& message) {
  if (!message.token)
    return refuse(ErrorType::InvalidToken, text::invalid_token(message.token_problem));
  auto quote = books.wallet.quote(*message.token, now);
  if (!quote) return std::unexpected(refused(quote.error(), *message.token));
  return *std::move(quote);
}

// Refused rather than taken and returned.
std::expected<void, Refused> check_maximum(const Settings& settings, Seconds left, Seconds bought) {
  const Seconds longest = std::min(settings.maximum_duration.value_or(kLeaseMax), kLeaseMax);
  if (bought <= longest + Seconds{1} && left + bought <= longest + Seconds{1}) return {};
  return refuse(ErrorType::InvalidRequest, "Payment buys more than the longest lease of " +
                                               std::to_string(longest.value) + " s");
}

std::expected<void, Refused> check_amount(const Settings& settings, const lease::Tier& tier,
                                          Msat value) {
  const auto rate = static_cast<uint64_t>(tier.rate_per_second.value);
  const Seconds minimum = std::max(settings.minimum_duration, Seconds{1});
  const Seconds bought = lease::buy(value, tier.rate_per_second).bought;
  if (bought < minimum)
    return refuse(ErrorType::InsufficientPayment, text::insufficient_payment(minimum, rate));
  return check_maximum(settings, Seconds{0}, bought);
}

}  // namespace

const lease::Tier* Settings::tier(std::string_view id) const {
  const auto it =
      std::find_if(tiers.begin(), tiers.end(), [&](const lease::Tier& t) { return t.id == id; });
  return it == tiers.end() ? nullptr : &*it;
}

std::expected<SpawnQuote, Refused> quote_spawn(const QuoteBooks& books, Now now,
                                               const market::SpawnRequest& request,
                                               const PrivateMessage& message) {
  const Settings& settings = books.settings;
  if (books.draining) return refuse(ErrorType::Draining, text::draining());
  auto standby = check_replication(books, request);
  if (!standby) return std::unexpected(standby.error());
  const auto info = check_template(settings, request);
  if (!info) return std::unexpected(info.error());
  const auto tier = check_tier(settings, request.pod_spec_id);
  if (!tier) return std::unexpected(tier.error());
  if (*info != nullptr)
    if (auto ok = check_minimum(**tier, **info); !ok) return std::unexpected(ok.error());
  if (*info == nullptr && !image_allowed(settings.images, request.pod_image))
    return refuse(ErrorType::ImageNotAllowed, text::image_not_allowed(request.pod_image));
  const auto key = check_encryption(settings, request, *info);
  if (!key) return std::unexpected(key.error());
  auto token = quote_token(books, now, message);
  if (!token) return std::unexpected(token.error());
  if (auto ok = check_amount(settings, **tier, token->value); !ok)
    return std::unexpected(ok.error());

  SpawnQuote quote;
  quote.token = *std::move(token);
  quote.tier = **tier;
  quote.image = request.pod_image;
  quote.volume_key = *key;
  if (*info != nullptr) {
    quote.template_info = **info;
    quote.image = *(*info)->image_for(settings.engine);
    quote.tier.storage_gb = std::max(quote.tier.storage_gb, (*info)->storage_gb_min);
    if (request.env) quote.variables = *request.env;
  }
  quote.workload_id = request.workload_id.value_or("");
  quote.standby = *std::move(standby);
  quote.checkpointed =
      request.replication && request.replication->mode == market::ReplicationKind::Checkpointed;
  const std::string& asked = request.ssh_password;
  const auto alphanumeric = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  if (asked.size() >= 12 && asked.size() <= 64 &&
      std::all_of(asked.begin(), asked.end(), alphanumeric))
    quote.password = asked;
  if (workload_id_taken(books.leases, quote.workload_id))
    return refuse(ErrorType::InvalidRequest, std::string(kWorkloadIdTaken));
  if (!books.leases.allocator().find(quote.tier, port_count(settings, quote)))
    return std::unexpected(sold_out(books.leases.allocator(), quote.tier));
  return quote;
}

std::expected<TopUpQuote, Refused> quote_top_up(const QuoteBooks& books, Now now,
                                                const market::TopUpRequest& request,
                                                const PrivateMessage& message) {
  const std::string& pod = request.pod_npub;
  if (!parse_number(pod) && !pod.starts_with(kStandbySlot))
    return refuse(ErrorType::InvalidPodId, text::invalid_pod_id(pod));
  const lease::Lease* found = lease_named(books.leases, pod, message.sender);
  if (found == nullptr || found->phase == lease::Phase::Void)
    return refuse(ErrorType::NotFound, text::pod_not_found(pod));
  if (found->terms.owner != message.sender) return refuse(ErrorType::NotOwner, text::not_owner());
  if (found->phase == lease::Phase::Reserved) return std::unexpected(not_paid_yet());
  const bool over =
      found->phase == lease::Phase::Ending || found->phase == lease::Phase::Ended ||
      (found->phase == lease::Phase::Running && books.leases.remaining(*found, now) == Seconds{0});
  if (over) return refuse(ErrorType::LeaseExpired, text::lease_expired(pod));
  if (books.settings.tier(found->terms.tier.id) == nullptr)
    return refuse(ErrorType::SpecUnavailable, text::spec_unavailable(pod, found->terms.tier.id));
  auto token = quote_token(books, now, message);
  if (!token) return std::unexpected(token.error());
  const Msat rate = found->terms.tier.rate_per_second;
  const auto money = checked_add(token->value.value, found->credit.value);
  const Seconds bought = money ? lease::buy(Msat{*money}, rate).bought : Seconds::max();
  if (bought == Seconds{0})
    return refuse(ErrorType::InsufficientPayment,
                  text::insufficient_topup(token->value, static_cast<uint64_t>(rate.value)));
  if (auto ok = check_maximum(books.settings, books.leases.remaining(*found, now), bought); !ok)
    return std::unexpected(ok.error());
  return TopUpQuote{*std::move(token), found->terms.lease};
}

Refused not_paid_yet() {
  return {ErrorType::NotFound,
          "The lease is not paid yet; try again shortly",
          market::TokenState::Untouched,
          Seconds{10},
          {}};
}

bool workload_id_taken(const lease::LeaseBook& leases, const std::string& workload_id) {
  const lease::Lease* other = leases.by_workload_id(workload_id);
  return !workload_id.empty() && other != nullptr && other->phase < lease::Phase::Ended;
}

uint16_t port_count(const Settings& settings, const SpawnQuote& quote) {
  const size_t ports = !quote.template_info ? 0 : quote.template_info->ports.size();
  return static_cast<uint16_t>(ports + (settings.serves_ssh ? 1 : 0));
}

Refused refused(const cashu::Refusal& refusal, const cashu::Token& token) {
  using enum cashu::RefusalReason;
  Refused out;
  out.known_op = refusal.op;
  switch (refusal.reason) {
    case MintNotAccepted:
      out.type = ErrorType::NonWhitelistedMint;
      out.message = text::non_whitelisted_mint(token.mint);
      return out;
    case MintNotReady:
      out.type = ErrorType::MintNetworkError;
      out.message = text::mint_network_error(refusal.message);
      out.retry_after = Seconds{30};
      return out;
    case MintUnsuitable:
      out.type = ErrorType::MintUnsuitable;
      out.message = text::mint_unsuitable(token.mint, refusal.message);
      return out;
    case UnitUnsupported:
      out.type = ErrorType::UnsupportedUnit;
      out.message = text::unsupported_unit(token.unit);
      return out;
    case TooSmall:
      out.type = ErrorType::InsufficientPayment;
      out.message = refusal.message;
      return out;
    case Known:
      out.type = ErrorType::TokenAlreadySpent;
      out.message = text::token_already_spent();
      out.state = market::TokenState::SpentElsewhere;
      return out;
    case Busy:
      out.type = ErrorType::RateLimited;
      out.message = text::rate_limited(Seconds{30});
      out.retry_after = Seconds{30};
      return out;
    case UnknownKeyset:
    case Malformed:
    case SpendingConditions:
    case TooLarge: break;
  }
  out.type = ErrorType::InvalidToken;
  out.message = text::invalid_token(refusal.message);
  return out;
}

const lease::Lease* lease_named(const lease::LeaseBook& leases, std::string_view pod,
                                const PubKey& asker) {
  if (const auto number = parse_number(pod)) return leases.by_number(*number, asker);
  if (pod.starts_with(kStandbySlot)) pod.remove_prefix(kStandbySlot.size());
  return leases.by_workload_id(std::string(pod), asker);
}

Refused sold_out(const lease::Allocator& allocator, const lease::Tier& tier) {
  const std::string_view short_of = allocator.shortage(tier);
  return {ErrorType::NoCapacity,
          text::no_capacity(short_of.empty() ? "ports" : short_of),
          market::TokenState::Untouched,
          Seconds{60},
          {}};
}

bool image_allowed(const std::vector<std::string>& patterns, std::string_view image) {
  const auto fit = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
           c == '_' || c == '-' || c == '/' || c == ':' || c == '@';
  };
  if (image.empty() || image.size() > kImageBytesMax || image.front() == '-' ||
      !std::all_of(image.begin(), image.end(), fit))
    return false;
  return patterns.empty() || std::any_of(patterns.begin(), patterns.end(),
                                         [&](const auto& p) { return matches_pattern(p, image); });
}

}  // namespace paygress::provider
