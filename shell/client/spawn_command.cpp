#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json/array.hpp>
#include <charconv>
#include <set>

#include "core/market/template.h"
#include "core/market/time_text.h"
#include "core/market/volume.h"
#include "shell/base/clock.h"
#include "shell/base/entropy.h"
#include "shell/client/lease_session.h"
#include "shell/client/lease_view.h"
#include "shell/client/market_view.h"
#include "shell/client/spawn_set.h"
#include "shell/client/terminal.h"

namespace paygress::client {
namespace {

namespace json = boost::json;
using consumer::Listing;

constexpr const char* kDefaultImage = "ubuntu:22.04";
constexpr size_t kPasswordLength = 16;

struct SpawnOptions {
  std::string provider;
  std::string tier;
  std::string image;
  std::string slug;
  std::string password;
  std::vector<std::string> variables;
  std::string resume;
  std::string standby;
  bool encrypt = false;
  PaymentOptions payment;
};

std::string fresh_password() {
  constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  constexpr uint8_t kFair = 256 / kLetters.size() * kLetters.size();
  shell::OsEntropy entropy;
  std::string password;
  while (password.size() < kPasswordLength) {
    ByteArray<1> byte{};
    entropy.fill(byte);
    if (byte[0] < kFair) password += kLetters[byte[0] % kLetters.size()];
  }
  return password;
}

// The tier that was named, else the one the template is made for, else the only one there is.
Outcome<const market::PodSpec*> choose_tier(const Listing& listing, const SpawnOptions& options) {
  if (listing.offer.specs.empty())
    return failure(ExitCode::NotFound,
                   "this provider sells nothing at the moment: nothing was "
                   "paid; choose another (paygress list)");
  std::string wanted = options.tier;
  std::string sold;
  const auto* known = market::TemplateRegistry::built_in().find(options.slug);
  for (const auto& tier : listing.offer.specs) {
    if (wanted.empty() && known != nullptr && tier.id == known->tier) wanted = tier.id;
    sold += (sold.empty() ? "" : ", ") + tier.id;
  }
  for (const auto& tier : listing.offer.specs)
    if (tier.id == wanted || (wanted.empty() && listing.offer.specs.size() == 1)) return &tier;
  if (wanted.empty())
    return failure(ExitCode::Usage, "--tier is needed: this provider sells " + sold);
  return failure(ExitCode::NotFound, "no tier \"" + wanted + "\": this provider sells " + sold);
}

Outcome<market::SpawnRequest> spawn_request(const SpawnOptions& wanted,
                                            const market::PodSpec& tier) {
  market::SpawnRequest request;
  request.pod_spec_id = tier.id;
  request.pod_image = wanted.image;
  if (!wanted.slug.empty()) {
    const auto* known = market::TemplateRegistry::built_in().find(wanted.slug);
    request.template_slug = wanted.slug;
    // What the existing network's providers read; others look the slug up.
    const std::string* image = known ? known->image_for("docker") : nullptr;
    if (request.pod_image.empty() && image) request.pod_image = *image;
  }
  for (const auto& assignment : wanted.variables) {
    const size_t equals = assignment.find('=');
    if (wanted.slug.empty() || equals == 0 || equals == assignment.npos)
      return failure(ExitCode::Usage, "--env: NAME=VALUE, with --template");
    if (!request.env) request.env.emplace();
    request.env->push_back({assignment.substr(0, equals), assignment.substr(equals + 1)});
  }
  if (request.pod_image.empty()) request.pod_image = kDefaultImage;
  request.ssh_username = "root";
  request.ssh_password = wanted.password.empty() ? fresh_password() : wanted.password;
  const auto alphanumeric = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  if (request.ssh_password.size() < 12 || request.ssh_password.size() > 64 ||
      !std::ranges::all_of(request.ssh_password, alphanumeric))
    return failure(ExitCode::Usage, "--password: 12 to 64 letters and digits");
  return request;
}

// The key can be made again from our secret key and the workload's name: nothing to keep.
void encrypt_volume(const SecretKey& secret, market::SpawnRequest& request) {
  if (!request.workload_id) request.workload_id = fresh_request_id().hex();
  const market::VolumeKey key = market::derive_volume_key(secret, *request.workload_id);
  request.volume_encryption = market::VolumeEncryption{1, std::string(market::kVolumeAlgorithm),
                                                       to_base64(key, Base64::UrlSafe, false)};
}

// Everything that can be refused without touching money is refused here.
Outcome<const Listing*> choose_provider(const consumer::Directory& directory,
                                        const std::string& who) {
  const auto found = directory.find(who);
  if (!found)
    return failure(found.error().ambiguous ? ExitCode::Usage : ExitCode::NotFound,
                   found.error().message, "`paygress list` shows who is there.");
  if (!(*found)->online(shell::now().wall))
    return failure(ExitCode::Failed,
                   (*found)->offer.hostname + " is offline: no heartbeat in the last 120 s",
                   "Nothing was sent and nothing was paid.");
  return *found;
}

json::object access_json(const consumer::LeaseSeen& lease, const market::AccessDetails& access) {
  json::object out{
      {"pod_id", lease.pod},
      {"provider", lease.provider.hex()},
      {"provider_name", lease.provider_name},
      {"request_id", lease.request.hex()},
      {"tier", lease.tier},
      {"host", lease.host},
      {"ssh_port", lease.ssh_port},
      {"ssh_username", lease.username},
      {"ssh_password", lease.password},
      {"ssh_command", ssh_command(lease.username, lease.host, lease.ssh_port)},
      {"ports", ports_json(access.template_ports, lease.host)},
      {"expires_at", lease.expires_at.value},
      {"workload_id", nullptr},
      {"instructions", json::array(access.instructions.begin(), access.instructions.end())}};
  if (access.workload_id) out["workload_id"] = *access.workload_id;
  return out;
}

std::vector<std::vector<std::string>> access_rows(const consumer::LeaseSeen& lease,
                                                  const market::AccessDetails& access) {
  std::vector<std::vector<std::string>> rows{{"pod", lease.pod},
                                             {"provider", lease.provider_name},
                                             {"expires", market::to_human_time(lease.expires_at)}};
  if (const std::string ssh = ssh_command(lease.username, lease.host, lease.ssh_port);
      !ssh.empty()) {
    rows.push_back({"log in", ssh});
    rows.push_back({"password", lease.password});
  }
  for (const auto& port : access.template_ports)
    rows.push_back({port.label, port_line(port, lease.host)});
  return rows;
}

consumer::LeaseSeen lease_of(const consumer::RequestMade& request,
                             const market::AccessDetails& access, consumer::LeaseSeen lease) {
  lease.pod = access.pod_npub;
  lease.provider = request.provider;
  lease.provider_name = request.provider_name;
  lease.request = request.request;
  lease.relays = request.relays;
  lease.transport = request.transport;
  lease.host = access.host_address;
  lease.ssh_port = access.node_port;
  lease.username = access.ssh_username.value_or("root");
  lease.password = password_of(access);
  lease.expires_at = access.expires_at.at;
  lease.at = shell::now().wall;
  return lease;
}

Outcome<void> remember_lease(const Options& options, Session& session,
                             const consumer::RequestMade& request, const market::Reply& reply,
                             const consumer::LeaseSeen& terms) {
  const auto* access = std::get_if<market::AccessDetails>(&reply);
  if (access == nullptr) return failure(ExitCode::Failed, "the provider's answer is no access");
  const consumer::LeaseSeen lease = lease_of(request, *access, terms);
  if (auto ok = session.file->commit({lease}); !ok) return ok;
  if (options.json)
    print_json(access_json(lease, *access));
  else
    print_table(access_rows(lease, *access));
  return {};
}

// The terms of a pod are known only while the offer is; of a resumed request they come from it.
Outcome<consumer::LeaseSeen> terms_of(Session& session, const consumer::RequestMade& request) {
  consumer::LeaseSeen terms;
  const auto message = market::parse_request(request.json);
  if (message)
    if (const auto* spawn = std::get_if<market::SpawnRequest>(&*message))
      terms.tier = spawn->pod_spec_id.value_or("");
  auto directory = read_market(session.loop, request.relays, session.identity.key);
  if (!directory) return terms;
  const auto listing = directory->find(request.provider.hex());
  if (!listing) return terms;
  terms.mints = normalised((*listing)->offer.whitelisted_mints);
  for (const auto& tier : (*listing)->offer.specs)
    if (tier.id == terms.tier) terms.rate_msats_per_sec = tier.rate_msats_per_sec;
  return terms;
}

std::string resume_text(const market::RequestId& id) {
  return "paygress spawn --resume " + id.hex();
}

Outcome<void> resume(const Options& options, const SpawnOptions& wanted) {
  auto session = open_session(options);
  if (!session) return std::unexpected(session.error());
  const auto found = find_request((*session)->file->state(), wanted.resume);
  if (!found) return std::unexpected(found.error());
  const consumer::StoredRequest& stored = *found;
  const auto message = market::parse_request(stored.made.json);
  if (!message || !std::holds_alternative<market::SpawnRequest>(*message))
    return failure(ExitCode::Usage, "request " + wanted.resume + " is no spawn",
                   "`paygress wallet history` shows what each request is; of a top-up: `paygress "
                   "topup --resume`.");
  const Seconds timeout{wanted.payment.timeout_seconds};
  // A final answer changes at most once, to a refund; so a refusal is asked about again.
  if (stored.answered) {
    auto reply = market::parse_reply(stored.answered->json);
    if (reply && std::holds_alternative<market::AccessDetails>(*reply)) {
      auto terms = terms_of(**session, stored.made);
      if (!terms) return std::unexpected(terms.error());
      return remember_lease(options, **session, stored.made, *reply, *terms);
    }
  }
  auto terms = terms_of(**session, stored.made);
  if (!terms) return std::unexpected(terms.error());
  auto reply = ask_provider(**session, stored.made, timeout, resume_text(stored.made.request));
  if (!reply) return std::unexpected(reply.error());
  return remember_lease(options, **session, stored.made, *reply, *terms);
}

// A number of standbys, or their names.
Outcome<SetOrder> order_of(const consumer::Directory& directory, const SpawnOptions& wanted,
                           const consumer::SetMember& primary) {
  SetOrder order;
  order.primary = primary;
  order.payment = wanted.payment;
  if (!wanted.payment.token.empty())
    return failure(ExitCode::Usage,
                   "--standby pays every provider on its own: use --amount or "
                   "--seconds instead of --token");
  const bool number =
      std::ranges::all_of(wanted.standby, [](char c) { return c >= '0' && c <= '9'; });
  if (number) {
    const auto [end, error] = std::from_chars(
        wanted.standby.data(), wanted.standby.data() + wanted.standby.size(), order.count);
    if (error != std::errc{} || order.count == 0 || order.count > market::kStandbysMax)
      return failure(ExitCode::Usage,
                     fmt::format("--standby: 1 to {}, or providers", market::kStandbysMax));
    return order;
  }
  std::set<PubKey> named = {primary.listing->key};
  for (const std::string& who : split_csv(wanted.standby)) {
    auto listing = choose_provider(directory, who);
    if (!listing) return std::unexpected(listing.error());
    const auto* tier = consumer::tier_for(**listing, *primary.tier);
    if (tier == nullptr)
      return failure(ExitCode::NotFound, (*listing)->offer.hostname + " sells no tier as large");
    if (!named.insert((*listing)->key).second)
      return failure(ExitCode::Usage, (*listing)->offer.hostname + " is named twice");
    order.named.push_back({*listing, tier});
  }
  if (order.named.empty()) return failure(ExitCode::Usage, "--standby: no provider is named");
  return order;
}

void print_set(const Options& options, const SpawnedSet& set, const consumer::LeaseSeen& primary) {
  if (options.json) {
    json::array members;
    for (const SetPart& part : set.parts)
      members.push_back(json::object{{"provider", part.request.provider.hex()},
                                     {"provider_name", part.request.provider_name},
                                     {"pod_id", part.access.pod_npub},
                                     {"request_id", part.request.request.hex()},
                                     {"expires_at", part.access.expires_at.at.value}});
    return print_json(
        json::object{{"workload_id", set.workload_id},
                     {"guarantee", set.guarantee},
                     {"pod_id", primary.pod},
                     {"ssh_command", ssh_command(primary.username, primary.host, primary.ssh_port)},
                     {"ssh_password", primary.password},
                     {"ports", ports_json(set.parts.front().access.template_ports, primary.host)},
                     {"members", std::move(members)}});
  }
  auto rows = access_rows(primary, set.parts.front().access);
  rows.push_back({"guarantee", set.guarantee});
  for (size_t rank = 1; rank < set.parts.size(); ++rank)
    rows.push_back({fmt::format("standby {}", rank), set.parts[rank].request.provider_name});
  print_table(rows);
}

Outcome<void> spawn_with_standbys(const Options& options, Session& session,
                                  const consumer::Directory& directory, const SpawnOptions& wanted,
                                  const consumer::SetMember& primary,
                                  const market::SpawnRequest& message) {
  auto order = order_of(directory, wanted, primary);
  if (!order) return std::unexpected(order.error());
  order->message = message;
  order->transport = options.wire();
  auto set = spawn_set(session, directory, *order);
  if (!set) return std::unexpected(set.error());
  std::vector<consumer::Record> leases;
  // The primary's last: it is the newest, so it is what `status` means without a name.
  for (size_t i = set->parts.size(); i-- > 0;)
    leases.emplace_back(lease_of(set->parts[i].request, set->parts[i].access, set->parts[i].terms));
  if (auto ok = session.file->commit(leases); !ok) return ok;
  print_set(options, *set, std::get<consumer::LeaseSeen>(leases.back()));
  return {};
}

Outcome<void> spawn(const Options& options, const SpawnOptions& wanted) {
  if (!wanted.resume.empty()) return resume(options, wanted);
  if (wanted.provider.empty())
    return failure(ExitCode::Usage, "name a provider", "`paygress list` shows who is there.");
  if (!wanted.image.empty() && !wanted.slug.empty())
    return failure(ExitCode::Usage, "--image and --template do not go together");
  if (wanted.encrypt && !wanted.standby.empty())
    return failure(ExitCode::Usage, "--encrypt and --standby do not go together");
  if (wanted.payment.amount == 0 && wanted.payment.seconds == 0 && wanted.payment.token.empty())
    return failure(ExitCode::Usage, "one of --amount, --seconds and --token is needed");
  auto relays = options.relays();
  if (!relays) return std::unexpected(relays.error());
  auto session = open_session(options);
  if (!session) return std::unexpected(session.error());
  auto directory = read_market((*session)->loop, *relays, (*session)->identity.key);
  if (!directory) return std::unexpected(directory.error());
  auto listing = choose_provider(*directory, wanted.provider);
  if (!listing) return std::unexpected(listing.error());
  auto tier = choose_tier(**listing, wanted);
  if (!tier) return std::unexpected(tier.error());
  auto message = spawn_request(wanted, **tier);
  if (!message) return std::unexpected(message.error());
  if (!wanted.standby.empty())
    return spawn_with_standbys(options, **session, *directory, wanted, {*listing, *tier}, *message);
  if (wanted.encrypt) encrypt_volume((*session)->identity.key.secret(), *message);

  consumer::LeaseSeen terms;
  terms.tier = (*tier)->id;
  terms.rate_msats_per_sec = (*tier)->rate_msats_per_sec;
  terms.mints = normalised((*listing)->offer.whitelisted_mints);
  auto token = payment_token(**session, terms.mints, terms.rate_msats_per_sec, wanted.payment);
  if (!token) return std::unexpected(token.error());

  consumer::RequestMade request;
  request.request = fresh_request_id();
  request.provider = (*listing)->key;
  request.provider_name = (*listing)->offer.hostname;
  request.transport = options.wire();
  request.relays = directory->write_relays(**listing);
  request.token = *token;
  request.at = shell::now().wall;
  message->cashu_token = (*session)->purse.text_of(*token);
  message->request_id = request.request;
  request.json = market::to_json(market::Request{*message});
  if (auto ok = (*session)->file->commit({request}); !ok) return ok;
  if (options.verbose) note("request " + request.request.hex());
  auto reply = ask_provider(**session, request, Seconds{wanted.payment.timeout_seconds},
                            resume_text(request.request));
  if (!reply) return std::unexpected(reply.error());
  return remember_lease(options, **session, request, *reply, terms);
}

}  // namespace

void add_spawn_command(CLI::App& app, const Options& options, int& exit_code) {
  auto* command = app.add_subcommand("spawn", "Rent a workload");
  auto wanted = std::make_shared<SpawnOptions>();
  command->add_option("provider", wanted->provider,
                      "Key, npub, unique prefix or name; see `paygress list`");
  command->add_option("-t,--tier", wanted->tier, "Its size; may be left out when one is sold");
  command->add_option("-i,--image", wanted->image, "Image to run (ubuntu:22.04)");
  command->add_option("--template", wanted->slug, "A template's name instead of an image");
  command->add_option("--env", wanted->variables,
                      "NAME=VALUE for the template, which says what may be set; repeatable");
  command->add_option("--password", wanted->password, "Root's password (made when left out)");
  command->add_option("--standby", wanted->standby,
                      "So many others stand by to take over, or these (commas between)");
  command->add_flag("--encrypt", wanted->encrypt,
                    "Keep its data encrypted with a key derived from yours; refused by providers "
                    "that cannot");
  command->add_option("--resume", wanted->resume,
                      "Repeat exactly this request, whose outcome is unknown");
  add_payment_options(*command, wanted->payment, false);
  command->footer(
      "Example:\n  paygress spawn SwiftGoldenOwl --tier basic --seconds 3600\n"
      "  paygress spawn 1f0c9a2b --template hello --amount 100\n"
      "  paygress spawn 1f0c9a2b --template hello --seconds 3600 --standby 2");
  command->callback([&options, &exit_code, wanted] {
    if (auto done = spawn(options, *wanted); !done) exit_code = report(done.error(), options.json);
  });
}

}  // namespace paygress::client
