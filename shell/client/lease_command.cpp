// status, topup, stop: verbs about a pod that this wallet rented.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json/array.hpp>

#include "core/market/time_text.h"
#include "shell/base/clock.h"
#include "shell/client/command_line.h"
#include "shell/client/lease_session.h"
#include "shell/client/lease_view.h"
#include "shell/client/set_view.h"
#include "shell/client/status_view.h"
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

// Whom it was asked of may be gone: who holds the set is known all the same.
Failure unheard(Failure why, const std::optional<SetSeen>& set) {
  if (set) why.message += "; holder: " + holder_line(*set);
  return why;
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
  if (set && set->at_holder) *lease = *set->at_holder;
  consumer::RequestMade request = request_for(options, *lease);
  request.json =
      market::to_json(market::Request{market::StatusRequest{lease->pod, request.request}});
  auto answer = exchange(loop, *identity, request, Seconds{wanted.payment.timeout_seconds},
                         [](const market::ErrorReply& interim) { progress(interim.message); });
  if (!answer) return std::unexpected(unheard(answer.error(), set));
  auto reply = meaning(answer->reply, nullptr, "");
  if (!reply) return std::unexpected(unheard(reply.error(), set));
  if (auto ok = fetch_refunds(options, *reply, lease->request); !ok) return ok;
  const auto* status = std::get_if<market::StatusReply>(&*reply);
  if (status == nullptr) return failure(ExitCode::Failed, "the provider's answer is no status");
  const PodStatus pod{*lease, *status};
  if (options.json)
    print_json(status_json(pod, set ? &*set : nullptr));
  else
    print_table(status_rows(pod, set ? &*set : nullptr));
  return {};
}

Outcome<PodStatus> end_pod(const Options& options, Session& session, consumer::LeaseSeen& lease,
                           Seconds timeout) {
  consumer::RequestMade request = request_for(options, lease);
  request.json = market::to_json(market::Request{market::StopRequest{lease.pod, request.request}});
  if (auto ok = session.file->commit({request}); !ok) return std::unexpected(ok.error());
  auto reply = ask_provider(session, request, timeout,
                            fmt::format("paygress stop {} --provider {}", lease.pod,
                                        provider_id(session.file->state(), lease.provider)));
  if (!reply) return std::unexpected(reply.error());
  const auto* status = std::get_if<market::StatusReply>(&*reply);
  if (status == nullptr || status->status == "Running")
    return failure(ExitCode::Failed, "this provider cannot end a pod early: it answered its status",
                   "The pod ends by itself when its paid time is over.");
  lease.expires_at = lease.at = shell::now().wall;
  if (auto ok = session.file->commit({lease}); !ok) return std::unexpected(ok.error());
  return PodStatus{lease, *status};
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

// The last is the holder's, or the only one.
void print_ended(const Options& options, const std::vector<PodStatus>& ended) {
  if (!options.json)
    return print_table(ended.size() == 1 ? status_rows(ended.front(), nullptr) : ended_rows(ended));
  json::object out = status_json(ended.back(), nullptr);
  json::array members;
  for (const PodStatus& part : ended) members.push_back(status_json(part, nullptr));
  out["members"] = std::move(members);
  print_json(out);
}

Outcome<void> stop(const Options& options, const PodOptions& wanted) {
  auto session = open_session(options);
  if (!session) return std::unexpected(session.error());
  const auto lease = find_lease((*session)->file->state(), wanted.pod, wanted.provider);
  if (!lease) return std::unexpected(lease.error());
  auto parts = parts_to_end(**session, wanted, *lease);
  std::optional<Failure> failed;
  std::vector<PodStatus> ended;
  for (consumer::LeaseSeen& part : parts) {
    auto reply = end_pod(options, **session, part, Seconds{wanted.payment.timeout_seconds});
    if (reply) {
      ended.push_back(*std::move(reply));
      continue;
    }
    if (parts.size() > 1) note(printable(part.provider_name + ": " + reply.error().message));
    if (!failed) failed = reply.error();
  }
  if (failed) return std::unexpected(*failed);
  print_ended(options, ended);
  return {};
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

// A top-up that is recorded, and the lease that it pays for.
struct TopUp {
  consumer::RequestMade request;
  consumer::LeaseSeen lease;
};

Outcome<TopUp> recorded_topup(const consumer::WalletState& state, const std::string& resume) {
  const auto found = find_request(state, resume);
  if (!found) return std::unexpected(found.error());
  const consumer::RequestMade& request = found->made;
  const auto message = market::parse_request(request.json);
  const auto* paid = message ? std::get_if<market::TopUpRequest>(&*message) : nullptr;
  if (paid == nullptr)
    return failure(ExitCode::Usage, "request " + resume + " is no top-up",
                   "`paygress wallet history` shows what each request is.");
  const auto lease = state.leases().find({request.provider, paid->pod_npub});
  if (lease == state.leases().end())
    return failure(ExitCode::NotFound, "no pod \"" + paid->pod_npub + "\" of that request");
  return TopUp{request, lease->second};
}

Outcome<TopUp> new_topup(const Options& options, Session& session, const PodOptions& wanted) {
  const PaymentOptions& pay = wanted.payment;
  if (pay.amount == 0 && pay.seconds == 0 && pay.token.empty())
    return failure(ExitCode::Usage, "one of --amount, --seconds and --token is needed");
  auto lease = find_lease(session.file->state(), wanted.pod, wanted.provider);
  if (!lease) return std::unexpected(lease.error());
  // Who runs it now is paid; a standby's own time when that one is named.
  if (wanted.provider.empty())
    if (const auto set = look_at_set(session.loop, session.identity, session.file->state(), *lease);
        set && set->at_holder)
      *lease = *set->at_holder;
  if (lease->rate_msats_per_sec == 0 && pay.seconds > 0)
    return failure(ExitCode::Usage, "the pod's rate is not known here: use --amount");
  consumer::RequestMade request = request_for(options, *lease);
  auto token = payment_token(session, lease->mints, lease->rate_msats_per_sec, pay);
  if (!token) return std::unexpected(token.error());
  request.token = *token;
  request.json = market::to_json(market::Request{
      market::TopUpRequest{lease->pod, session.purse.text_of(*token), request.request}});
  std::vector<consumer::Record> records{request};
  // What a standby runs since it took over is known from its letter only: --resume needs it.
  if (!session.file->state().leases().contains({lease->provider, lease->pod}))
    records.emplace_back(*lease);
  if (auto ok = session.file->commit(records); !ok) return std::unexpected(ok.error());
  return TopUp{std::move(request), *std::move(lease)};
}

Outcome<void> topup(const Options& options, const PodOptions& wanted, const std::string& resume) {
  auto session = open_session(options);
  if (!session) return std::unexpected(session.error());
  auto made = resume.empty() ? new_topup(options, **session, wanted)
                             : recorded_topup((*session)->file->state(), resume);
  if (!made) return std::unexpected(made.error());
  auto reply = ask_provider(**session, made->request, Seconds{wanted.payment.timeout_seconds},
                            "paygress topup --resume " + made->request.request.hex());
  if (!reply) return std::unexpected(reply.error());
  return print_topup(options, **session, std::move(made->lease), *reply);
}

constexpr const char* kAnyPod = "Its id or a unique prefix; the one rented last if left out";

void run(const Options& options, int& exit_code, const Outcome<void>& done) {
  if (!done) exit_code = report(done.error(), options.json);
}

CLI::Option* add_pod_option(CLI::App& command, PodOptions& wanted, const char* help) {
  command.add_option("--provider", wanted.provider,
                     "Of this provider: its name, or the first characters of its key");
  return command.add_option("pod", wanted.pod, help);
}

}  // namespace

void add_status_command(CLI::App& app, const Options& options, int& exit_code) {
  auto wanted = std::make_shared<PodOptions>();
  wanted->payment.timeout_seconds = 30;
  auto* command = app.add_subcommand("status", "Ask how a pod is");
  add_pod_option(*command, *wanted, kAnyPod);
  command->add_option("--timeout", wanted->payment.timeout_seconds, "Seconds to wait")
      ->transform(number_up_to(kTimeoutMax))
      ->capture_default_str();
  command->callback(
      [&options, &exit_code, wanted] { run(options, exit_code, status(options, *wanted)); });
}

void add_stop_command(CLI::App& app, const Options& options, int& exit_code) {
  auto wanted = std::make_shared<PodOptions>();
  auto* command = app.add_subcommand("stop", "End a pod; what was not used comes back");
  add_pod_option(*command, *wanted, "Its id or a unique prefix: what ends must be named")
      ->required();
  command->add_option("--timeout", wanted->payment.timeout_seconds, "Seconds to wait")
      ->transform(number_up_to(kTimeoutMax))
      ->capture_default_str();
  command->callback(
      [&options, &exit_code, wanted] { run(options, exit_code, stop(options, *wanted)); });
}

void add_topup_command(CLI::App& app, const Options& options, int& exit_code) {
  auto wanted = std::make_shared<PodOptions>();
  auto again = std::make_shared<std::string>();
  auto* command = app.add_subcommand("topup", "Pay for more time");
  add_pod_option(*command, *wanted, kAnyPod);
  command->add_option("--resume", *again, "Repeat exactly this request, whose outcome is unknown");
  add_payment_options(*command, wanted->payment, false);
  command->footer("Example:\n  paygress topup container-1000 --seconds 600");
  command->callback([&options, &exit_code, wanted, again] {
    run(options, exit_code, topup(options, *wanted, *again));
  });
}

}  // namespace paygress::client
