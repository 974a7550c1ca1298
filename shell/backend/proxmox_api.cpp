#include "shell/backend/proxmox_api.h"

#include <boost/json.hpp>

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>

#include "shell/backend/docker_json.h"
#include "shell/net/http_client.h"
#include "shell/net/loop.h"

namespace paygress::backend {
namespace {

namespace json = boost::json;
using workload::Fault;
using workload::Outcome;

constexpr Micros kRequestLimit = 30'000'000_us;
constexpr auto kLongestPause = std::chrono::milliseconds(300);
constexpr auto kLookSoon = std::chrono::milliseconds(10);  // at first; then less and less often
constexpr size_t kReplyBytesMax = size_t{16} << 20;

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

ProxmoxReply failed(Fault fault, std::string message) {
  ProxmoxReply reply;
  reply.outcome = Outcome::Failed;
  reply.fault = fault;
  reply.message = std::move(message);
  return reply;
}

ProxmoxReply unknown(std::string message) {
  ProxmoxReply reply;
  reply.message = std::move(message);
  return reply;
}

// {"data":null,"errors":{"vmid":"VM 218 already exists"}}
std::string errors_of(const json::value& body) {
  std::string text;
  const auto* errors = body.is_object() ? body.get_object().if_contains("errors") : nullptr;
  if (errors == nullptr || !errors->is_object()) return text;
  for (const auto& [key, why] : errors->get_object())
    if (why.is_string()) text += "; " + std::string(key) + ": " + json::value_to<std::string>(why);
  return text;
}

ProxmoxReply reply_of(const net::Answered& answered) {
  boost::system::error_code bad;
  json::value body = json::parse(answered.body, bad);
  if (answered.status != 200) {
    const std::string message = reason_phrase(answered.status_line) + (bad ? "" : errors_of(body));
    return failed(proxmox_fault(answered.status, message),
                  std::to_string(answered.status) + " " + message);
  }
  if (bad || !body.is_object() || !body.get_object().contains("data"))
    return failed(Fault::Internal, "the answer is not the API's");
  ProxmoxReply reply;
  reply.outcome = Outcome::Done;
  reply.data = body.get_object().at("data");
  return reply;
}

}  // namespace

std::string reason_phrase(const std::string& status_line) {
  const size_t code = status_line.find(' ');
  const size_t reason = code == status_line.npos ? code : status_line.find(' ', code + 1);
  return reason == status_line.npos ? std::string() : status_line.substr(reason + 1);
}

std::string form_encoded(const Form& form) {
  std::string text;
  for (const auto& [key, value] : form)
    text += (text.empty() ? "" : "&") + url_encode(key) + "=" + url_encode(value);
  return text;
}

Fault proxmox_fault(int status, const std::string& reason) {
  if (status == 401 || status == 403) return Fault::Refused;
  if (status >= 595 && status <= 599) return Fault::Unreachable;
  if (has(reason, "does not exist")) return Fault::NotFound;
  if (has(reason, "already exists") || has(reason, "already running") || has(reason, "not running"))
    return Fault::Conflict;
  if (has(reason, "got timeout") || has(reason, "is locked")) return Fault::Busy;
  if (has(reason, "No space left") || has(reason, "out of space")) return Fault::Quota;
  if (status == 400) return Fault::Invalid;
  return Fault::Internal;
}

ProxmoxReply ProxmoxApi::ask(const std::string& method, const std::string& path, const Form& form,
                             Micros until) const {
  const Micros left = until - net::Loop::now().mono;
  if (left <= 0_us) return unknown("out of time");
  net::HttpCall call;
  call.method = method;
  const std::string parameters = form_encoded(form);
  const bool in_body = method == "POST" || method == "PUT";
  call.url = config_.url + path + (in_body || parameters.empty() ? "" : "?" + parameters);
  if (in_body) {
    call.body = parameters;
    call.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
  }
  call.headers.emplace_back("Authorization",
                            "PVEAPIToken=" + config_.token_id + "=" + config_.token_secret);
  call.ca_file = config_.ca_file;
  call.pinned_key = config_.pinned_key;
  call.timeout = std::min(left, kRequestLimit);
  call.response_bytes_max = kReplyBytesMax;
  std::optional<net::HttpOutcome> outcome;
  net::Loop loop;
  net::HttpClient http(loop);
  http.start(std::move(call), [&](net::HttpOutcome got) { outcome = std::move(got); });
  loop.run_until([&] { return outcome.has_value(); }, kRequestLimit + kRequestLimit);
  if (!outcome) return unknown("no answer");
  if (const auto* unsent = std::get_if<net::NotSent>(&*outcome))
    return failed(Fault::Unreachable, unsent->reason);
  if (const auto* lost = std::get_if<net::Uncertain>(&*outcome)) return unknown(lost->reason);
  return reply_of(std::get<net::Answered>(*outcome));
}

ProxmoxTask ProxmoxApi::perform(const std::string& method, const std::string& path,
                                const Form& form, Micros until) const {
  for (;;) {
    ProxmoxReply reply = ask(method, path, form, until);
    if (reply.outcome == Outcome::Done && reply.data.is_string())
      reply = await(json::value_to<std::string>(reply.data), until);
    // Its lock is another task's, or waited for by too many: it did not happen.
    if (reply.fault != Fault::Busy || net::Loop::now().mono + 1'000'000_us > until) return reply;
    std::this_thread::sleep_for(kLongestPause);
  }
}

ProxmoxTask ProxmoxApi::await(const std::string& upid, Micros until) const {
  // "UPID:node:...": the task is on the node that was asked for it.
  const size_t at = std::min(upid.find(':'), upid.size() - 1) + 1;
  const std::string node = upid.substr(at, upid.find(':', at) - at);
  const std::string path = "/nodes/" + node + "/tasks/" + url_encode(upid) + "/status";
  auto pause = kLookSoon;
  for (;;) {
    // The task goes on whether we hear of it or not: only its own word is an end.
    const ProxmoxReply reply = ask("GET", path, {}, until);
    if (reply.outcome == Outcome::Done && reply.data.is_object()) {
      const auto& task = reply.data.get_object();
      const auto* status = task.if_contains("status");
      const auto* exit = task.if_contains("exitstatus");
      if (status != nullptr && *status == "stopped" && exit != nullptr && exit->is_string()) {
        const auto text = json::value_to<std::string>(*exit);
        if (text == "OK" || text.starts_with("WARNINGS")) {
          ProxmoxTask ended;
          ended.outcome = Outcome::Done;
          ended.message = text == "OK" ? "" : "the task ended with " + text;
          return ended;
        }
        return failed(proxmox_fault(500, text), "the task failed: " + text);
      }
    }
    if (net::Loop::now().mono >= until) return unknown("the task has not ended in time");
    std::this_thread::sleep_for(pause);
    pause = std::min(2 * pause, kLongestPause);
  }
}

}  // namespace paygress::backend
