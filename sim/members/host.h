// One member's machine: the daemon with the fail-over machine in it, its journal, an engine with
// the member's workloads, and a guard.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/failover/receipts.h"
#include "sim/members/brain.h"
#include "sim/members/net.h"

namespace paygress::sim::members {

// Interesting things that happen to a member; a set of histories without one of them tried less
// than it seems to.
enum class Mark : uint8_t {
  TookOver,
  Fenced,
  GuardFroze,
  HoldTooLate,
  Killed,
  Revoked,
  ClaimWithdrawn,
  PromotionWithdrawn,
  PromotedInVain,
  ClaimsCrossed,
  Superseded,
  CopyRemoved,
  NeverStarted,
  WentOn,
  RestartFenced,
  CrashedInStep,
  Zombie,
  StartAborted,
  StartFailed,
  CannotRun,
  RelayForgot,
  HolderEnded,
  RevokedAtEnd,
  Lied
};
std::string_view to_text(Mark mark);

// What the world wants to know of it.
class HostWatcher {
 public:
  virtual ~HostWatcher() = default;
  virtual void on_running(uint32_t member, uint32_t workload, bool runs) = 0;
  virtual void on_phase(uint32_t member, uint32_t workload, failover::Phase before,
                        failover::Phase phase) = 0;
  // It holds, with a quorum.
  virtual void on_epoch(uint32_t member, uint32_t workload, uint64_t epoch) = 0;
  // It says so, for the first time or again.
  virtual void on_holding(uint32_t member, uint32_t workload) = 0;
  virtual void on_promoting(uint32_t member, uint32_t workload, uint64_t epoch) = 0;
  virtual void on_line(uint32_t member, const std::string& text) = 0;
  virtual void on_mark(uint32_t member, Mark mark) = 0;
  // Before its outputs are carried out.
  virtual void on_step(uint32_t member, const failover::Step& step) = 0;
  // Whoever has the member's key says this of a workload.
  virtual void on_lie(uint32_t member, uint32_t workload, uint64_t epoch) = 0;
  // A reader refused what a member sent.
  virtual void on_refused(uint32_t member, const Sent& event) = 0;
};

class Host final : public NetUser {
 public:
  Host(const Plan& plan, uint32_t member, Events& queue, Net& net, Codec& codec,
       HostWatcher& watcher);

  void boot();  // the machine, and the daemon on it
  void crash_daemon();
  // The daemon ends within its next step, after `outputs` of its outputs; not even its records
  // are durable when that is negative.
  void crash_in_step(int outputs) { crash_after_ = outputs; }
  void start_daemon();
  void crash_host();
  void pause_daemon();
  void continue_daemon(bool timers_first);
  void clock_step(Seconds by) { wall_offset_ = wall_offset_ + by; }
  void set_create(Micros time) { create_time_ = time; }
  void set_create_fails(bool fails) { create_fails_ = fails; }
  void set_engine_hangs(bool hangs);
  void exhaust();
  void lose_engine();
  // Its leases are over: its workloads are removed, and it serves none of them any more.
  void end_leases();
  void crash_guard();
  void start_guard();
  // Its machine is gone for good, and whoever has its key lies. Until told to be silent.
  void lie(bool on);

  bool machine_up() const { return machine_up_; }
  bool daemon_up() const { return daemon_ != nullptr; }
  bool leases_over() const { return leases_over_; }
  bool stolen() const { return stolen_; }  // its key
  // Precondition of these: it is a member of that workload.
  bool runs(uint32_t workload) const { return slot_of(workload).runs; }
  bool holds(uint32_t workload) const;  // its own machine says that it may run now
  failover::Phase phase(uint32_t workload) const { return slot_of(workload).phase; }
  std::string phase_text(uint32_t workload) const;
  size_t bytes() const;  // of memory, roughly

  void on_subscribed(uint32_t relay) override;
  void on_closed(uint32_t relay) override;
  void on_event(uint32_t relay, const EventRef& event) override;
  void on_ok(uint32_t relay, const EventRef& event) override;
  void on_answer(uint32_t relay, uint64_t query, bool complete) override;

 private:
  using Told = std::function<void(Now, failover::Step&)>;
  struct Sending {
    EventRef event;
    std::optional<Micros> not_after;
    failover::RelayMask taken = 0;  // relays that answered OK
    bool newest = true;             // of its kind
  };
  struct Asked {  // a query
    uint32_t slot = 0;
    failover::RelayMask answered = 0;
  };
  struct Daemon {
    std::unique_ptr<Brain> brain;
    std::optional<uint64_t> phase_changes;  // when the slots' phases were looked at
    std::optional<Micros> timer_for;        // the deadline that the timer was last armed for
    uint64_t run = 0;
    std::vector<std::vector<bool>> seen;  // events, by author and number
    std::map<failover::PublishNo, Sending> sending;
    std::map<uint64_t, Asked> queries;
    bool paused = false;
    std::deque<Told> inbox;  // what came while it was paused
    failover::Step step;     // of the moment: its memory is used again
  };
  struct Engine {
    bool exists = false;
    bool started = false;  // and not paused: it runs, unless it is frozen
    std::optional<Micros> started_at;
    bool wanted = false;
    uint64_t change = 0;  // of what is wanted: older calls do nothing any more
  };
  struct Cage {  // what the guard holds of a workload
    bool frozen = false;
    bool freezing = false;           // asked for, not yet done
    std::optional<Micros> deadline;  // local
    uint64_t watch = 0;
  };
  struct Slot {  // one workload here
    uint32_t workload = 0;
    Engine engine;
    Cage cage;
    failover::Phase phase = failover::Phase::Unarmed;
    bool runs = false;
  };

  const Slot& slot_of(uint32_t workload) const { return slots_[slot_at_.at(workload)]; }
  Slot& slot_of(uint32_t workload) { return slots_[slot_at_.at(workload)]; }
  Slot& slot_of(const LeaseId& lease) { return slot_of(workload_of(lease)); }
  Micros mono() const;
  Micros true_time(Micros local) const;
  Now now() const;
  void line(const std::string& text) { watcher_.on_line(member_, text); }
  void mark(Mark what) { watcher_.on_mark(member_, what); }
  template <class F>
  void tell(F&& told);
  template <class F>
  void step(F&& told);
  void finish_step();
  void look_at_phases();
  void arm_timer();
  void on_timer(uint64_t timer);
  void handle_own_timer();
  void do_output(const failover::Output& output);
  void do_workload(const failover::Output& output);
  void publish(failover::PublishNo id, uint32_t workload, failover::Heard heard,
               std::optional<Micros> not_after);
  void send(Sending& sending, uint32_t relay);
  void ask(const failover::Query& query);
  Sending* sending_of(const Sent& event);
  UnixSeconds stamp();

  // a liar
  void tell_lies(uint64_t lying);
  void lie_once();
  EventRef make_lie(uint32_t workload);
  uint64_t lied_epoch();
  void overhear(const Sent& event);

  // the engine
  void engine_do(Micros takes, std::function<void()> what);
  void engine_run(Slot& slot);
  void engine_start(Slot& slot);
  void engine_pause(Slot& slot, bool kill);
  void engine_remove(Slot& slot);
  void go_on_ending();
  void tell_workload(const Slot& slot, failover::WorkloadNews news, bool unstopped = false);
  void inventory(Slot& slot);
  // the guard
  void guard_do(const failover::Output& output);
  void guard_hold(Slot& slot, Micros deadline);
  void guard_watch(Slot& slot, Micros deadline);
  void freeze(Slot& slot);
  void refresh_runs(Slot& slot);

  const Plan& plan_;
  const uint32_t member_;
  Events& queue_;
  Net& net_;
  Codec& codec_;
  HostWatcher& watcher_;
  RandomStream random_;
  int64_t drift_ppm_ = 0;
  Micros booted_at_;
  Seconds wall_offset_;

  bool leases_over_ = false;  // as the daemon's books say, over restarts too
  bool machine_up_ = false;
  std::unique_ptr<Daemon> daemon_;
  uint64_t daemon_runs_ = 0;
  uint64_t machine_boots_ = 0;
  std::vector<failover::FailoverRecord> journal_;
  UnixSeconds last_stamp_;
  uint32_t events_made_ = 0;
  std::optional<int> crash_after_;
  uint64_t timer_ = 0;
  std::optional<Micros> timer_at_;  // true time; the timer that is armed

  std::vector<Slot> slots_;
  std::map<uint32_t, size_t> slot_at_;
  bool engine_hangs_ = false;
  std::vector<std::function<void()>> stuck_;  // calls to an engine that hangs
  Micros create_time_;
  bool create_fails_ = false;
  bool guard_up_ = true;

  bool stolen_ = false;
  uint64_t lying_ = 0;      // counts begins and ends: an earlier spell of lies is over
  uint64_t overheard_ = 0;  // the highest epoch
  RandomStream lies_;
};

template <class F>
void Host::tell(F&& told) {
  if (!daemon_) return;
  if (daemon_->paused)
    daemon_->inbox.push_back(Told(std::forward<F>(told)));
  else
    step(told);
}

template <class F>
void Host::step(F&& told) {
  if (!daemon_) return;
  daemon_->step.records.clear();
  daemon_->step.outputs.clear();
  told(now(), daemon_->step);
  finish_step();
}

}  // namespace paygress::sim::members
