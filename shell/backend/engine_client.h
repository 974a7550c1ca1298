// What the backends share that ask an engine over HTTP: one operation per call, calls for one name
// in their order, one answer each, and "it may have happened" kept apart from "it did not".
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "core/base/check.h"
#include "shell/backend/backend.h"
#include "shell/backend/calls.h"
#include "shell/net/http_client.h"

namespace paygress::backend {

// `Scratch` is what an engine's operations keep between their steps.
template <class Scratch>
class EngineClient : public Backend {
 public:
  void call(const workload::Call& call, Done done) final {
    auto finish = calls_->begin(call, std::move(done));
    if (!finish) return;
    std::string wrong = what_is_wrong_with(call, guarding());
    if (wrong.empty() && call.verb == workload::Verb::Create &&
        call.spec->labels.install != install_)
      wrong = "the spec carries another install";
    if (!wrong.empty()) {
      auto refused =
          answer_to(call, workload::Outcome::Failed, workload::Fault::Invalid, std::move(wrong));
      loop_.post([finish, refused = std::move(refused)] { finish(refused); });
      return;
    }
    auto op = std::make_shared<Operation>();
    op->call = call;
    op->finish = std::move(finish);
    op->give_up_at = net::Loop::now().mono + bounded_deadline(call);
    op->answer = answer_to(call, workload::Outcome::Done);
    if (!call.name.empty()) {
      auto& queue = queues_[call.name];
      queue.push_back(op);
      if (queue.size() > 1) return;
    }
    run(op);
  }

 protected:
  // One call on its way. Each ends in exactly one conclude().
  struct Operation : Scratch {
    workload::Call call;
    Calls::Finish finish;
    Micros give_up_at;        // monotonic
    workload::Answer answer;  // being put together
  };
  using Op = std::shared_ptr<Operation>;
  using Handler = std::function<void(const net::Answered&)>;
  using Next = std::function<void()>;

  EngineClient(net::Loop& loop, InstallId install)
      : loop_(loop),
        install_(install),
        calls_(std::make_shared<Calls>(loop)),
        http_(loop, kCallsOutstandingMax) {}

  virtual void run(const Op& op) = 0;
  virtual Guarding guarding() const { return Guarding::Impossible; }
  // The engine was not there, or went away in the middle: it may be another one next time.
  virtual void contact_lost() = 0;

  void conclude(const Op& op, workload::Answer answer) {
    const auto queue = queues_.find(op->call.name);
    if (queue != queues_.end()) {
      PG_CHECK(!queue->second.empty() && queue->second.front() == op);
      queue->second.pop_front();
      // The next one starts from the loop: the answer of this one may destroy us.
      if (queue->second.empty())
        queues_.erase(queue);
      else
        later(Micros{0}, [this, next = queue->second.front()] { run(next); });
    }
    op->finish(std::move(answer));
  }
  void done(const Op& op) { conclude(op, op->answer); }
  void fail_as(const Op& op, workload::Fault fault, const std::string& message) {
    using workload::Fault;
    // Only the absence of the object itself is NotFound; a missing image or network is not.
    if (op->call.verb == workload::Verb::Create && fault == Fault::NotFound)
      fault = Fault::Internal;
    conclude(op, answer_to(op->call, workload::Outcome::Failed, fault, message));
  }
  void unknown(const Op& op, const std::string& why) {
    conclude(op, answer_to(op->call, workload::Outcome::Unknown, workload::Fault::None, why));
  }
  Micros time_left(const Op& op) const { return op->give_up_at - net::Loop::now().mono; }
  // Not when we are gone by then.
  void later(Micros wait, Next next) {
    loop_.after(wait, [alive = std::weak_ptr(calls_), next = std::move(next)] {
      if (!alive.expired()) next();
    });
  }
  // `handler` sees whatever the engine answered, and nothing is called when we are gone by then;
  // what did not arrive there concludes the operation.
  void exchange(const Op& op, net::HttpCall http, Handler handler) {
    const Micros left = time_left(op);
    if (left <= Micros{0}) return unknown(op, "out of time");
    http.timeout = left;
    http_.start(std::move(http),
                [this, op, handler = std::move(handler)](net::HttpOutcome outcome) {
                  if (const auto* answered = std::get_if<net::Answered>(&outcome))
                    return handler(*answered);
                  contact_lost();
                  if (const auto* unsent = std::get_if<net::NotSent>(&outcome))
                    return fail_as(op, workload::Fault::Unreachable, unsent->reason);
                  unknown(op, std::get<net::Uncertain>(outcome).reason);
                });
  }

  net::Loop& loop_;
  const InstallId install_;

 private:
  std::shared_ptr<Calls> calls_;
  std::map<std::string, std::deque<Op>> queues_;  // by name; the first one is under way
  net::HttpClient http_;                          // last: its callbacks use the others
};

}  // namespace paygress::backend
