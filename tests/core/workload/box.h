// A supervisor with an engine that does as it is told.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>

#include "core/base/check.h"
#include "core/workload/supervisor.h"

namespace paygress::workload {

inline LeaseId lease_of(uint8_t n) {
  LeaseId id;
  id.bytes[0] = n;
  return id;
}

inline Spec spec_of(uint8_t n) {
  Spec spec;
  spec.labels.lease = lease_of(n);
  spec.labels.spec_digest = "d";
  return spec;
}

inline std::string name_of(uint8_t n, uint32_t generation) {
  return "paygress-" + lease_of(n).hex().substr(0, 12) + "-g" + std::to_string(generation);
}

// The supervisor with an engine that does as it is told. Calls wait until the test answers them.
struct Box {
  explicit Box(SupervisorConfig config = {}) : config_(config) {
    renew();
    pass(0);
    serve();  // the first inventory; the next sweep is a minute away
  }

  void renew() {
    supervisor = std::make_unique<Supervisor>(config_, [this] { return CallId{++next_call}; });
    calls.clear();
  }
  void take(Step step) {
    for (auto& r : step.records) records.push_back(std::move(r));
    for (auto& c : step.calls) calls.push_back(std::move(c));
    for (auto& e : step.events) events.push_back(std::move(e));
    supervisor->check_invariants();
  }
  template <class F>
  void with(F f) {
    Step step;
    f(step);
    take(std::move(step));
  }
  void want(uint8_t n, RestartPolicy policy = {}) {
    with([&](Step& s) { supervisor->want(now, spec_of(n), policy, s); });
  }
  void retire(uint8_t n) {
    with([&](Step& s) { supervisor->retire(now, lease_of(n), s); });
  }
  void look(uint8_t n) {
    with([&](Step& s) { supervisor->look(now, lease_of(n), s); });
  }
  void pass(int64_t seconds) {
    now.mono += micros(Seconds{seconds});
    now.wall = now.wall + Seconds{seconds};
    with([&](Step& s) { supervisor->handle_timer(now, s); });
  }
  // Lets time pass until a call is made.
  void wait_for_call() {
    for (int i = 0; calls.empty() && i < 20; ++i) {
      const auto next = supervisor->next_deadline();
      ASSERT_TRUE(next.has_value());
      const int64_t wait = (std::max(*next, now.mono) - now.mono).value / 1'000'000;
      pass(wait + (wait == 0 && i > 0));
    }
    ASSERT_FALSE(calls.empty());
  }
  Call call() {
    PG_CHECK(!calls.empty());
    Call c = calls.front();
    calls.pop_front();
    return c;
  }
  void answer(const Call& c, Answer a) {
    a.id = c.id;
    a.verb = c.verb;
    a.name = c.name;
    with([&](Step& s) { supervisor->handle_answer(now, a, s); });
  }
  void answer(const Call& c, Outcome outcome, Fault fault = Fault::None) {
    Answer a;
    a.outcome = outcome;
    a.fault = fault;
    answer(c, a);
  }
  // What the engine holds, by name.
  Object object(const std::string& name) const {
    Object o;
    o.name = name;
    o.running = engine.contains(name) ? engine.at(name) : Running::Absent;
    if (o.running == Running::Stopped) o.exit_code = exit_code;
    if (o.running == Running::Stopped) o.stopped_at = stopped_at;
    if (!name.empty())
      o.labels.lease = LeaseId::parse(name.substr(9, 12) + std::string(20, '0')).value();
    return o;
  }
  // Carries out and answers what is asked, in order, until nothing is.
  void serve() {
    while (!calls.empty()) serve_one();
  }
  Verb serve_one() {
    const Call c = call();
    Answer a;
    a.outcome = Outcome::Done;
    if (c.verb == Verb::Create && !engine.contains(c.name)) engine[c.name] = Running::Stopped;
    if (c.verb == Verb::Start || c.verb == Verb::Resume) engine[c.name] = Running::Running;
    if (c.verb == Verb::Stop && engine.contains(c.name)) engine[c.name] = Running::Stopped;
    if (c.verb == Verb::Remove) engine.erase(c.name);
    if (c.verb == Verb::Inspect) a.objects = {object(c.name)};
    if (c.verb == Verb::List)
      for (const auto& [name, running] : engine) a.objects.push_back(object(name));
    answer(c, a);
    return c.verb;
  }
  std::optional<State> state(uint8_t n) const { return supervisor->state_of(lease_of(n)); }
  template <class E>
  std::vector<E> seen() const {
    std::vector<E> found;
    for (const auto& e : events)
      if (const auto* one = std::get_if<E>(&e)) found.push_back(*one);
    return found;
  }
  void live(uint8_t n, RestartPolicy policy = {}) {
    want(n, policy);
    serve();
    EXPECT_EQ(state(n), State::Live);
    events.clear();
  }
  // It stops by itself and comes back; returns after how many seconds.
  int64_t crash_once(uint8_t n, uint32_t generation) {
    engine[name_of(n, generation)] = Running::Stopped;
    look(n);
    serve();
    const Micros from = now.mono;
    for (int i = 0; i < 10 && state(n) != State::Live; ++i) {
      wait_for_call();
      serve();
    }
    return (now.mono - from).value / 1'000'000;
  }

  SupervisorConfig config_;
  std::unique_ptr<Supervisor> supervisor;
  Now now{Micros{1'000'000'000}, UnixSeconds{1'780'000'000}};
  uint64_t next_call = 0;
  std::map<std::string, Running> engine;
  std::optional<int32_t> exit_code = 1;
  std::optional<UnixSeconds> stopped_at;
  std::vector<WorkloadRecord> records;
  std::deque<Call> calls;
  std::vector<WorkloadEvent> events;
};

}  // namespace paygress::workload
