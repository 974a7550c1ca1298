#include "shell/backend/calls.h"

#include <boost/asio/ip/address.hpp>

#include <algorithm>
#include <utility>

namespace paygress::backend {

using workload::Answer;
using workload::Call;
using workload::Fault;
using workload::Outcome;
using workload::Verb;

Answer answer_to(const Call& call, Outcome outcome, Fault fault, std::string message) {
  PG_CHECK((outcome == Outcome::Failed) == (fault != Fault::None));
  Answer answer;
  answer.id = call.id;
  answer.verb = call.verb;
  answer.name = call.name;
  answer.outcome = outcome;
  answer.fault = fault;
  message.resize(std::min(message.size(), kMessageBytesMax));
  answer.message = std::move(message);
  return answer;
}

Micros bounded_deadline(const Call& call) { return std::clamp(call.deadline, 0_us, kDeadlineMax); }

bool is_object_name(std::string_view name) {
  if (name.empty() || name.size() > 63 || name.front() == '-') return false;
  return std::ranges::all_of(
      name, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

std::string what_is_wrong_with(const Call& call, Guarding guarding) {
  const bool named =
      call.verb != Verb::Probe && call.verb != Verb::List && call.verb != Verb::Capacity;
  if (named && !is_object_name(call.name)) return "not a name of an object";
  if (call.verb != Verb::Create) return {};
  if (!call.spec) return "create without a spec";
  const auto& spec = *call.spec;
  if (spec.name != call.name) return "the spec has another name";
  if (spec.cpu_millicores == 0 || spec.memory_mb == 0) return "the spec has no limits";
  if (spec.guarded && guarding == Guarding::Impossible)
    return "this engine cannot put a workload into the guard's group";
  if (spec.guarded && call.guard_group.empty()) return "the guard has no group for it";
  boost::system::error_code error;
  boost::asio::ip::make_address(spec.address, error);
  if (error) return "the spec's address is not an IP address";
  for (const auto& [key, value] : spec.env) {
    const bool plain = !key.empty() && key.find_first_of(std::string_view("=\0", 2)) == key.npos;
    if (!plain || value.find('\0') != value.npos) return "a variable's name or value is not usable";
  }
  return {};
}

Calls::~Calls() {
  for (const auto& [key, entry] : entries_) loop_.cancel(entry.timer);
}

Calls::Finish Calls::begin(const Call& call, Backend::Done done) {
  PG_CHECK(done != nullptr);
  if (entries_.size() >= kCallsOutstandingMax) {
    auto busy = answer_to(call, Outcome::Failed, Fault::Busy, "too many outstanding calls");
    loop_.post([done = std::move(done), busy = std::move(busy)] { done(busy); });
    return {};
  }
  const uint64_t key = next_key_++;
  const auto timer = loop_.after(bounded_deadline(call), [weak = weak_from_this(), key] {
    auto self = weak.lock();
    if (!self) return;
    if (auto it = self->entries_.find(key); it != self->entries_.end())
      self->finish(key, it->second.unknown);
  });
  auto unknown = answer_to(call, Outcome::Unknown, Fault::None,
                           "the engine did not answer within the deadline");
  entries_.emplace(key, Entry{std::move(unknown), std::move(done), timer});
  return [weak = weak_from_this(), key](Answer answer) {
    if (auto self = weak.lock()) self->finish(key, std::move(answer));
  };
}

void Calls::finish(uint64_t key, Answer answer) {
  auto node = entries_.extract(key);
  if (node.empty()) return;
  Entry& entry = node.mapped();
  PG_CHECK(answer.id == entry.unknown.id && answer.verb == entry.unknown.verb);
  loop_.cancel(entry.timer);
  entry.done(std::move(answer));
}

}  // namespace paygress::backend
