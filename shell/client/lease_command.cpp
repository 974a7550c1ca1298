// status, topup, stop: verbs about a pod that this wallet rented.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json/array.hpp>

#include "core/market/time_text.h"
#include "shell/base/clock.h"
#include "shell/client/lease_session.h"
#include "shell/client/lease_view.h"
#include "shell/client/set_view.h"
#include "shell/client/terminal.h"

namespace paygress::client {
namespace {

namespace json = boost::json;

struct PodOptions {
  std::string pod;
  std::string provider;
  PaymentOptions payment;
};

consumer::RequestMade request_for(const Options& options, const consumer::LeaseSeen& lease) {
  consumer::RequestMade request;
  request.request = fresh_request_id();
  request.provider = lease.provider;
  request.provider_name = lease.provider_name;
  request.transport = options.transport == "nip04" ? consumer::Transport::Nip04 : lease.transport;
  request.relays = lease.relays;
  if (options.names_relays())
    for (const std::string& url : split_csv(options.relays_csv))
      if (std::ranges::find(request.relays, url) == request.relays.end())
        request.relays.push_back(url);
  request.at = shell::now().wall;
  return request;
}

// Who runs it now, in words.
std::string holder_line(const SetSeen& set) {
  if (!set.holder.key) return "in doubt: two providers say that they took over";
  if (set.holder.revoked)
    return "nobody: " + set.holder_name + " has stopped it, no other took over";
  return fmt::format("{} (take-over {})", set.holder_name, set.holder.epoch);
}

Outcome<void> print_status(const Options& options, const consumer::LeaseSeen& lease,
                           const market::Reply& reply, const std::optional<SetSeen>& set = {}) {
  const auto* status = std::get_if<market::StatusReply>(&reply);
  if (status == nullptr) return failure(ExitCode::Failed, "the provider's answer is no status");
  const std::string ssh = ssh_command(status->ssh_username, status->ssh_host, status->ssh_port);
  const auto ports = status->template_ports.value_or(std::vector<market::TemplateAccessPort>{});
  if (options.json) {
    json::object out{{"pod_id", lease.pod},
                     {"status", status->status},
                     {"state", status->state.value_or("")},
                     {"role", status->role.value_or("")},
                     {"provider", lease.provider.hex()},
                     {"provider_name", lease.provider_name},
                     {"expires_at", status->expires_at.at.value},
                     {"time_remaining_seconds", status->time_remaining_seconds},
                     {"cpu_millicores", status->cpu_millicores},
                     {"memory_mb", status->memory_mb},
                     {"ssh_command", ssh},
                     {"ports", ports_json(ports, status->ssh_host)},
                     {"credit_msat", nullptr},
                     {"refund_msat", nullptr}};
    if (set) {
      out["workload_id"] = set->workload_id;
      out["guarantee"] = set->guarantee;
      out["holder"] = nullptr;
      if (set->holder.key) out["holder"] = set->holder.key->hex();
      out["epoch"] = set->holder.epoch;
      out["held"] = set->holder.key && !set->holder.revoked;
      out["ssh_password"] = lease.password;
    }
    if (status->credit_msat) out["credit_msat"] = status->credit_msat->value;
    if (status->refund_msat) out["refund_msat"] = status->refund_msat->value;
    print_json(out);
    return {};
  }
  std::vector<std::vector<std::string>> rows{
      {"pod", lease.pod},
      {"provider", lease.provider_name},
      {"status", status->state ? status->status + " (" + *status->state + ")" : status->status},
      {"expires", fmt::format("{} (in {} s)", market::to_human_time(status->expires_at.at),
                              status->time_remaining_seconds)}};
  if (set) {
    rows.push_back({"holder", holder_line(*set)});
    if (!set->guarantee.empty()) rows.push_back({"guarantee", set->guarantee});
  }
  if (!ssh.empty()) rows.push_back({"log in", ssh});
  if (set && !ssh.empty())
    rows.push_back({"password", lease.password.empty() ? "not told yet: ask again in a moment"
                                                       : lease.password});
  for (const auto& port : ports) rows.push_back({port.label, port_line(port, status->ssh_host)});
  if (status->refund_msat)
    rows.push_back({"refund", fmt::format("{} msat", status->refund_msat->value)});
  print_table(rows);
  return {};
}

// What was left of a pod that is over is in its status: it is taken when it is not here yet.
Outcome<void> fetch_refunds(const Options& options, const market::Reply& reply,
                            const market::RequestId& request) {
  const std::vector<std::string> refunds = refunds_of(reply);
  if (refunds.empty()) return {};
  auto session = open_session(options);
  if (!session) return std::unexpected(session.error());
  for (const std::string& refund : refunds) take_refund(**session, refund, request);
  return {};
}

// Needs no lock: nothing is paid, so nothing has to be recorded.
Outcome<void> status(const Options& options, const PodOptions& wanted) {
  auto identity = load_identity(options.home);
  if (!identity) return std::unexpected(identity.error());
  auto state = WalletFile::look(options.home);
  if (!state) return std::unexpected(state.error());
  auto lease = find_lease(*state, wanted.pod, wanted.provider);
  if (!lease) return std::unexpected(lease.error());
  net::Loop loop;
  const auto set = look_at_set(loop, *identity, *state, *lease);
  if (set && (!set->holder.key || set->holder.revoked)) note(holder_line(*set));
  if (set && set->at_holder) *lease = *set->at_holder;
  consumer::RequestMade request = request_for(options, *lease);
  request.json =
      market::to_json(market::Request{market::StatusRequest{lease->pod, request.request}});
  auto answer = exchange(loop, *identity, request, Seconds{wanted.payment.timeout_seconds},
                         [](const market::ErrorReply& interim) { progress(interim.message); });
  if (!answer) return std::unexpected(answer.error());
  auto reply = meaning(answer->reply, request);
  if (!reply) return std::unexpected(reply.error());
  if (auto ok = fetch_refunds(options, *reply, lease->request); !ok) return ok;
  return print_status(options, *lease, *reply, set);
}

Outcome<market::Reply> end_pod(const Options& options, Session& session, consumer::LeaseSeen& lease,
                               Seconds timeout) {
  consumer::RequestMade request = request_for(options, lease);
  request.json = market::to_json(market::Request{market::StopRequest{lease.pod, request.request}});
  if (auto ok = session.file->commit({request}); !ok) return std::unexpected(ok.error());
  auto reply = ask_provider(session, request, timeout,
                            "paygress stop " + lease.pod + " --provider " + lease.provider_name);
  if (!reply) return reply;
  const auto* status = std::get_if<market::StatusReply>(&*reply);
  if (status == nullptr || status->status == "Running")
    return failure(ExitCode::Failed, "this provider cannot end a pod early: it answered its status",
                   "The pod ends by itself when its paid time is over.");
  lease.expires_at = lease.at = shell::now().wall;
  if (auto ok = session.file->commit({lease}); !ok) return std::unexpected(ok.error());
  return reply;
}

// Of a set every part that is still paid for, the holder's last: who stands by when that one ends
// would take over. With a provider named, that part alone.
std::vector<consumer::LeaseSeen> parts_to_end(Session& session, const PodOptions& wanted,
                                              const consumer::LeaseSeen& lease) {
  const auto set = wanted.provider.empty()
                       ? look_at_set(session.loop, session.identity, session.file->state(), lease)
                       : std::nullopt;
  if (!set) return {lease};
  const UnixSeconds now = shell::now().wall;
  std::vector<consumer::LeaseSeen> parts;
  for (const consumer::LeaseSeen& part : set->parts)
    if (part.expires_at > now && part.provider != set->holder.key) parts.push_back(part);
  if (set->at_holder) parts.push_back(*set->at_holder);
  if (parts.empty()) parts.push_back(lease);
  return parts;
}

Outcome<void> stop(const Options& options, const PodOptions& wanted) {
  if (wanted.pod.empty()) return failure(ExitCode::Usage, "name a pod");
  auto session = open_session(options);
  if (!session) return std::unexpected(session.error());
  const auto lease = find_lease((*session)->file->state(), wanted.pod, wanted.provider);
  if (!lease) return std::unexpected(lease.error());
  auto parts = parts_to_end(**session, wanted, *lease);
  std::optional<Failure> failed;
  std::optional<market::Reply> last;
  for (consumer::LeaseSeen& part : parts) {
    auto reply = end_pod(options, **session, part, Seconds{wanted.payment.timeout_seconds});
    if (reply) {
      last = *std::move(reply);
      continue;
    }
    if (parts.size() > 1) note(printable(part.provider_name + ": " + reply.error().message));
    if (!failed) failed = reply.error();
  }
  if (failed) return std::unexpected(*failed);
  return print_status(options, parts.back(), *last);
}

Outcome<void> print_topup(const Options& options, Session& session, consumer::LeaseSeen lease,
                          const market::Reply& reply) {
  const auto* more = std::get_if<market::TopUpReply>(&reply);
  if (more == nullptr) return failure(ExitCode::Failed, "the provider's answer is no top-up");
  lease.expires_at = more->new_expires_at.at;
  lease.at = shell::now().wall;
  if (auto ok = session.file->commit({lease}); !ok) return ok;
  if (options.json)
    print_json(json::object{{"pod_id", lease.pod},
                            {"extended_duration_seconds", more->extended_duration_seconds},
                            {"expires_at", lease.expires_at.value}});
  else
    print_line(fmt::format("{} runs {} s longer, until {}", lease.pod,
                           more->extended_duration_seconds,
                           market::to_human_time(lease.expires_at)));
  return {};
}

Outcome<void> topup(const Options& options, const PodOptions& wanted, const std::string& resume) {
  auto session = open_session(options);
  if (!session) return std::unexpected(session.error());
  auto lease = find_lease((*session)->file->state(), wanted.pod, wanted.provider);
  if (!lease) return std::unexpected(lease.error());
  consumer::RequestMade request;
  if (!resume.empty()) {
    const auto id = market::RequestId::parse(resume);
    const auto& requests = (*session)->file->state().requests();
    const auto found = id ? requests.find(*id) : requests.end();
    if (found == requests.end())
      return failure(ExitCode::NotFound, "no request " + resume + " in this wallet");
    request = found->second.made;
  } else {
    const PaymentOptions& pay = wanted.payment;
    if (pay.amount == 0 && pay.seconds == 0 && pay.token.empty())
      return failure(ExitCode::Usage, "one of --amount, --seconds and --token is needed");
    // Who runs it now is paid; a standby's own time when that one is named.
    if (wanted.provider.empty())
      if (const auto set = look_at_set((*session)->loop, (*session)->identity,
                                       (*session)->file->state(), *lease);
          set && set->at_holder)
        *lease = *set->at_holder;
    if (lease->rate_msats_per_sec == 0 && pay.seconds > 0)
      return failure(ExitCode::Usage, "the pod's rate is not known here: use --amount");
    request = request_for(options, *lease);
    auto token = payment_token(**session, lease->mints, lease->rate_msats_per_sec, pay);
    if (!token) return std::unexpected(token.error());
    request.token = *token;
    request.json = market::to_json(market::Request{
        market::TopUpRequest{lease->pod, (*session)->purse.text_of(*token), request.request}});
    if (auto ok = (*session)->file->commit({request}); !ok) return ok;
  }
  auto reply =
      ask_provider(**session, request, Seconds{wanted.payment.timeout_seconds},
                   fmt::format("paygress topup {} --resume {}", lease->pod, request.request.hex()));
  if (!reply) return std::unexpected(reply.error());
  return print_topup(options, **session, *lease, *reply);
}

void run(const Options& options, int& exit_code, const Outcome<void>& done) {
  if (!done) exit_code = report(done.error(), options.json);
}

CLI::Option* add_pod_option(CLI::App& command, PodOptions& wanted) {
  command.add_option("--provider", wanted.provider,
                     "Of this provider: its name, or the first characters of its key");
  return command.add_option("pod", wanted.pod, "Its id or a unique prefix; the newest if left out");
}

}  // namespace

void add_status_command(CLI::App& app, const Options& options, int& exit_code) {
  auto wanted = std::make_shared<PodOptions>();
  wanted->payment.timeout_seconds = 30;
  auto* command = app.add_subcommand("status", "Ask how a pod is");
  add_pod_option(*command, *wanted);
  command->add_option("--timeout", wanted->payment.timeout_seconds, "Seconds to wait")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->callback(
      [&options, &exit_code, wanted] { run(options, exit_code, status(options, *wanted)); });
}

void add_stop_command(CLI::App& app, const Options& options, int& exit_code) {
  auto wanted = std::make_shared<PodOptions>();
  auto* command = app.add_subcommand("stop", "End a pod; what was not used comes back");
  add_pod_option(*command, *wanted)->required();
  command->add_option("--timeout", wanted->payment.timeout_seconds, "Seconds to wait")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->callback(
      [&options, &exit_code, wanted] { run(options, exit_code, stop(options, *wanted)); });
}

void add_topup_command(CLI::App& app, const Options& options, int& exit_code) {
  auto wanted = std::make_shared<PodOptions>();
  auto again = std::make_shared<std::string>();
  auto* command = app.add_subcommand("topup", "Pay for more time");
  add_pod_option(*command, *wanted);
  command->add_option("--resume", *again, "Repeat exactly this request, whose outcome is unknown");
  add_payment_options(*command, wanted->payment, false);
  command->footer("Example:\n  paygress topup container-1000 --seconds 600");
  command->callback([&options, &exit_code, wanted, again] {
    run(options, exit_code, topup(options, *wanted, *again));
  });
}

}  // namespace paygress::client
