// One member's machine: the daemon with the fail-over machine in it, its journal, an engine with
// one workload, and a guard.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sim/members/brain.h"
#include "sim/members/net.h"

namespace paygress::sim::members {

class Host;

// What the world wants to know of it.
class HostWatcher {
 public:
  virtual ~HostWatcher() = default;
  virtual void on_running(uint32_t member, bool runs) = 0;
  virtual void on_phase(uint32_t member, failover::Phase phase) = 0;
  virtual void on_epoch(uint32_t member, uint64_t epoch) = 0;  // it holds, with a quorum
  virtual void on_holding(uint32_t member) = 0;  // it says so, for the first time or again
  virtual void on_promoting(uint32_t member, uint64_t epoch) = 0;
  virtual void on_line(uint32_t member, const std::string& text) = 0;
};

class Host final : public NetUser {
 public:
  Host(const Plan& plan, uint32_t member, Queue& queue, Net& net, HostWatcher& watcher);

  void boot();                    // the machine, and the daemon on it
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
  void crash_guard();
  void start_guard();

  bool machine_up() const { return machine_up_; }
  bool daemon_up() const { return daemon_ != nullptr; }
  bool runs() const { return runs_; }
  bool holds() const;             // its own machine says that it may run now
  std::string phase() const;

  void on_subscribed(uint32_t relay) override;
  void on_closed(uint32_t relay) override;
  void on_event(uint32_t relay, const EventRef& event) override;
  void on_ok(uint32_t relay, const EventId& event) override;
  void on_answer(uint32_t relay, uint64_t query, bool complete) override;

 private:
  using Told = std::function<void(Now, failover::Step&)>;
  struct Sending {
    EventRef event;
    std::optional<Micros> not_after;
    std::set<uint32_t> taken;     // relays that answered OK
    bool newest = true;           // of its kind
  };
  struct Daemon {
    std::unique_ptr<Brain> brain;
    uint64_t run = 0;
    std::set<EventId> seen;
    std::map<failover::PublishNo, Sending> sending;
    std::map<uint64_t, std::set<uint32_t>> queries;  // -> relays that answered
    bool paused = false;
    std::deque<Told> inbox;       // what came while it was paused
  };

  Micros mono() const;
  Micros true_time(Micros local) const;
  Now now() const;
  void line(const std::string& text);
  void tell(Told told);
  void step(const Told& told);
  void arm_timer();
  void handle_own_timer();
  void do_output(const failover::Output& output);
  void publish(failover::PublishNo id, failover::Heard heard, std::optional<Micros> not_after);
  void send(Sending& sending, uint32_t relay);
  UnixSeconds stamp();

  // the engine
  void engine_do(Micros takes, std::function<void()> what);
  void engine_run();
  void engine_start();
  void engine_pause(bool kill);
  void engine_remove();
  void tell_workload(failover::WorkloadNews news, bool unstopped = false);
  void inventory();
  // the guard
  void guard_do(const failover::Output& output);
  void guard_watch(Micros deadline);
  void freeze();
  void refresh_runs();

  const Plan& plan_;
  const uint32_t member_;
  Queue& queue_;
  Net& net_;
  HostWatcher& watcher_;
  RandomStream random_;
  int64_t drift_ppm_ = 0;
  Micros booted_at_;
  Seconds wall_offset_;

  bool machine_up_ = false;
  std::unique_ptr<Daemon> daemon_;
  uint64_t daemon_runs_ = 0;
  uint64_t machine_boots_ = 0;
  std::vector<failover::FailoverRecord> journal_;
  UnixSeconds last_stamp_;
  failover::Phase phase_ = failover::Phase::Unarmed;
  std::optional<int> crash_after_;
  uint64_t timer_ = 0;

  struct Engine {
    bool exists = false;
    bool started = false;         // and not paused: it runs, unless it is frozen
    std::optional<Micros> started_at;
    bool wanted = false;
    uint64_t change = 0;          // of what is wanted: older calls do nothing any more
    bool hangs = false;
    std::vector<std::function<void()>> stuck;
  } engine_;
  Micros create_time_;
  bool create_fails_ = false;

  struct Guard {
    bool up = true;
    bool frozen = false;
    bool freezing = false;        // asked for, not yet done
    std::optional<Micros> deadline;  // local
    uint64_t watch = 0;
  } guard_;
  bool runs_ = false;
};

}  // namespace paygress::sim::members
