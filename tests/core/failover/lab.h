// One Failover on a bench: time, relays, guard and engine in the hand of the test.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/failover/failover.h"

namespace paygress::failover {

inline const LeaseId kLease{{7}};
inline const std::string kWorkload = "7e2f";

inline PubKey key(uint32_t rank) {
  PubKey k;
  k.bytes[0] = static_cast<uint8_t>(rank + 1);
  return k;
}

struct LabSetup {
  uint32_t rank = 1;
  uint32_t members = 3;
  uint32_t relays = 3;
  RulePolicy policy{};
  std::vector<uint32_t> old_members{};  // that do not know the rules
  Profile profile = kDefaultProfile;
};

class Lab {
 public:
  explicit Lab(LabSetup setup = {}) : setup_(setup) {
    start();
    Step out;
    const auto joined = machine_->join(now_, kLease, terms(), out);
    EXPECT_TRUE(joined.has_value());
    take(std::move(out));
    advance(1'000'000_us);  // two heartbeats are a second apart, and the first named nothing
  }

  Terms terms() const {
    Terms t;
    t.workload_id = kWorkload;
    for (uint32_t m = 0; m < setup_.members; ++m) t.members.push_back({key(m), true});
    for (const uint32_t m : setup_.old_members) t.members[m].knows_rules = false;
    t.rank = setup_.rank;
    for (uint32_t r = 0; r < setup_.relays; ++r) t.relays.push_back("wss://r" + std::to_string(r));
    t.profile = setup_.profile;
    t.quorums = quorums(setup_.relays);
    return t;
  }
  const Profile& profile() const { return setup_.profile; }

  // The daemon dies and comes back: what was in memory is gone.
  void restart() {
    const auto journal = journal_;
    machine_ = std::make_unique<Failover>(key(setup_.rank), profile().heartbeat, setup_.policy);
    for (const auto& record : journal) machine_->apply(record);
    outputs_.clear();
    Step out;
    machine_->recover(now_, out);
    take(std::move(out));
  }

  // --- time
  Micros mono() const { return now_.mono; }
  Now now() const { return now_; }
  void advance(Micros by) {
    const Micros end = now_.mono + by;
    for (auto next = machine_->next_deadline(); next && *next <= end;
         next = machine_->next_deadline()) {
      move_to(std::max(*next, now_.mono));
      Step out;
      machine_->handle_timer(now_, out);
      take(std::move(out));
    }
    move_to(end);
  }

  // --- relays
  void connect(std::vector<uint32_t> relays = {0, 1, 2}) {
    for (const uint32_t r : relays) unbroken(r, now_.mono);
  }
  void unbroken(uint32_t relay, std::optional<Micros> since) {
    with([&](Step& out) { machine_->handle_unbroken(now_, kLease, {relay}, since, out); });
  }
  void hear(uint32_t rank, decltype(Heard::message) message, int64_t later = 1) {
    with([&](Step& out) { machine_->handle_heard(now_, heard(rank, message, later), out); });
  }
  void beat(uint32_t rank, std::optional<uint64_t> epoch, int64_t later = 1) {
    market::Heartbeat m;
    m.provider_npub = key(rank);
    m.holds.emplace();
    if (epoch) m.holds->push_back({market::hold_tag(kWorkload), *epoch});
    hear(rank, m, later);
  }
  void promotion(uint32_t rank, uint64_t epoch, bool withdrawn = false) {
    hear(rank, market::Promotion{kWorkload, key(rank), {}, 1, epoch, withdrawn});
  }
  void claim(uint32_t rank, uint64_t epoch, bool withdrawn = false) {
    hear(rank, market::Claim{kWorkload, epoch, key(rank), rank, {}, withdrawn, 1});
  }
  void revocation(uint32_t rank, std::optional<uint64_t> epoch, int64_t later = 1) {
    market::Revocation m;
    m.workload_id = kWorkload;
    m.primary_provider_npub = key(rank);
    m.epoch = epoch;
    hear(rank, m, later);
  }
  void ok(PublishNo id, uint32_t relay) {
    with([&](Step& out) { machine_->handle_ok(now_, id, {relay}, out); });
  }
  void echo(PublishNo id, uint32_t relay) {
    with([&](Step& out) { machine_->handle_echo(now_, id, {relay}, out); });
  }
  void publish_reaches(PublishNo id, std::vector<uint32_t> relays = {0, 1}) {
    for (const uint32_t r : relays) {
      ok(id, r);
      echo(id, r);
    }
  }
  void answer(std::vector<uint32_t> relays = {0, 1}, bool complete = true) {
    const QueryNo id = last<Query>().id;
    for (const uint32_t r : relays)
      with([&](Step& out) { machine_->handle_query_answer(now_, id, {r}, complete, out); });
  }

  // --- guard and engine
  void guard_confirms() {
    const GuardHold hold = last<GuardHold>();
    with([&](Step& out) { machine_->handle_guard_hold(now_, {hold.lease, hold.deadline}, out); });
  }
  void guard_has(std::optional<Micros> deadline) {
    std::vector<GuardDeadline> held;
    if (deadline) held.push_back({kLease, *deadline});
    with([&](Step& out) { machine_->handle_guard_state(now_, held, out); });
  }
  void workload(WorkloadNews news, bool unstopped = false) {
    with([&](Step& out) { machine_->handle_workload(now_, kLease, news, unstopped, out); });
  }

  template <class F>
  void with(F tell) {
    Step out;
    tell(out);
    take(std::move(out));
  }

  // --- what it asked for
  template <class T>
  std::vector<T> all() const {
    std::vector<T> found;
    for (const Output& output : outputs_)
      if (const auto* o = std::get_if<T>(&output)) found.push_back(*o);
    return found;
  }
  template <class T>
  T last() const {
    const auto found = all<T>();
    EXPECT_FALSE(found.empty());
    return found.empty() ? T{} : found.back();
  }
  template <class M>
  std::vector<std::pair<Publish, M>> published() const {
    std::vector<std::pair<Publish, M>> found;
    for (const Publish& publish : all<Publish>())
      if (const auto* m = std::get_if<M>(&publish.message)) found.emplace_back(publish, *m);
    return found;
  }
  // The first of the one before the first of the other.
  template <class A, class B>
  bool comes_before() const {
    for (const Output& output : outputs_) {
      if (std::holds_alternative<A>(output)) return true;
      if (std::holds_alternative<B>(output)) return false;
    }
    return false;
  }
  template <class T>
  size_t count() const {
    return all<T>().size();
  }
  template <class M>
  size_t sent() const {
    return published<M>().size();
  }
  bool told(News news) const {
    for (const TellOwner& tell : all<TellOwner>())
      if (tell.news == news) return true;
    return false;
  }
  void forget() { outputs_.clear(); }

  Phase phase() const { return machine_->status(kLease)->phase; }
  ReplicaStatus status() const { return *machine_->status(kLease); }
  bool may_run() const { return machine_->may_run(now_, kLease); }
  const std::vector<FailoverRecord>& journal() const { return journal_; }
  Failover& machine() { return *machine_; }

  // --- short cuts
  // The primary: its heartbeat has its quorum, the guard holds, the engine runs it.
  void hold_as_primary() {
    connect();
    publish_reaches(last<PublishBeat>().id);
    guard_confirms();
    workload(WorkloadNews::Running);
    EXPECT_TRUE(may_run());
  }
  // A standby whose primary fell silent long ago: a query is out.
  void doubt() {
    connect();
    beat(0, 0);
    advance(profile().silence + profile().backoff);
    EXPECT_EQ(phase(), Phase::Doubting);
  }
  void claim_now() {
    doubt();
    answer();
    EXPECT_EQ(phase(), Phase::Claiming);
  }
  void read_again() {
    claim_now();
    publish_reaches(published<market::Claim>().back().first.id);
    EXPECT_EQ(phase(), Phase::Reading);
  }
  void promote() {
    read_again();
    answer();
    EXPECT_EQ(phase(), Phase::Promoting);
  }
  void take_over() {
    promote();
    publish_reaches(published<market::Promotion>().back().first.id);
    guard_confirms();
    workload(WorkloadNews::Running);
    EXPECT_TRUE(may_run());
  }

 private:
  void start() {
    machine_ = std::make_unique<Failover>(key(setup_.rank), profile().heartbeat, setup_.policy);
    Step out;
    machine_->recover(now_, out);
    take(std::move(out));
  }
  void move_to(Micros at) {
    now_.wall = now_.wall + Seconds{at.value / 1'000'000 - now_.mono.value / 1'000'000};
    now_.mono = at;
  }
  Heard heard(uint32_t rank, decltype(Heard::message) message, int64_t later) {
    Heard h;
    h.author = key(rank);
    h.created_at = UnixSeconds{1'000'000 + (stamp_ += later)};
    h.event.bytes[0] = static_cast<uint8_t>(++event_);
    h.event.bytes[1] = static_cast<uint8_t>(event_ >> 8);
    h.message = std::move(message);
    return h;
  }
  void take(Step out) {
    machine_->check_invariants();
    journal_.insert(journal_.end(), out.records.begin(), out.records.end());
    outputs_.insert(outputs_.end(), out.outputs.begin(), out.outputs.end());
  }

  LabSetup setup_;
  std::unique_ptr<Failover> machine_;
  Now now_{Micros{5'000'000}, UnixSeconds{1'000'000}};
  std::vector<FailoverRecord> journal_;
  std::vector<Output> outputs_;
  int64_t stamp_ = 0;
  uint32_t event_ = 0;
};

}  // namespace paygress::failover
