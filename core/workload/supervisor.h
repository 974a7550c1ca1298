// Makes the engine hold exactly the workloads that are wanted: creates, starts, restarts with
// backoff, retires, adopts what it finds after a restart, and sweeps away what belongs to nobody.
//
// Decides nothing about money. Told what is wanted by want() and retire(), of the engine by
// handle_answer(), of time by handle_timer(). Every function appends to the Step given to it; the
// caller makes `records` durable BEFORE it carries out `calls`.
//
// "Unknown" changes no state: the supervisor looks again. Nothing destructive follows from it.
//
// An object with our labels that no lease wants: an older generation of a lease is stopped and
// removed at the next sweep; one of no lease at all is stopped, kept for the quarantine, removed.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "core/base/indexed_map.h"
#include "core/base/lookup.h"
#include "core/base/rule.h"
#include "core/workload/workload.h"

namespace paygress::workload {

struct SupervisorConfig {
  Seconds sweep_every{60};       // List: sights, strays, confirmations (money-sagas.md flaw 4)
  Seconds create_deadline{300};  // an image pull takes its time
  Seconds call_deadline{30};
  Seconds give_up_after{1200};       // Provisioning without success
  Seconds give_up_down_after{1800};  // Respawning without success
  Seconds create_lost_after{1800};   // a create so old is no longer carried out
  Seconds quarantine{600};           // an object of no lease is stopped so long before its removal
  uint32_t create_failures_max = 4;
  Seconds attempts_reset_after{600};  // Live this long: the restart count begins anew
  size_t calls_max = 32;              // under way at once, so that one slow pull delays nobody
};

// Each rule that a test may switch off to show that it is missed.
struct SupervisorPolicy {
  Rule labels;  // off: objects are known by their newest name alone, and nothing is swept
  Rule unknown_is_not_absent;  // off: an engine that does not answer has lost the object
};

BOOST_DESCRIBE_STRUCT(SupervisorPolicy, (), (labels, unknown_is_not_absent))

struct Step {
  std::vector<WorkloadRecord> records;
  std::vector<Call> calls;
  std::vector<WorkloadEvent> events;
};

// "paygress-<12 hex of lease>-g<generation>".
std::string object_name(const LeaseId& lease, uint32_t generation);

class Supervisor {
 public:
  // `next_call` gives fresh CallIds, unique over restarts.
  Supervisor(SupervisorConfig config, std::function<CallId()> next_call,
             SupervisorPolicy policy = {});

  // Precondition: no workload of this lease is known. `spec.name` is set by the supervisor.
  void want(Now now, Spec spec, RestartPolicy restart, Step& out) {
    want(now, std::move(spec), restart, false, out);
  }
  // The same for a gated one: nothing is made, started or resumed until allow(). After every start
  // of this program it is not allowed again.
  void want_gated(Now now, Spec spec, RestartPolicy restart, Step& out) {
    want(now, std::move(spec), restart, true, out);
  }
  // Gated only, without effect on a retired one. A failed one begins anew.
  void allow(Now now, const LeaseId& lease, Step& out);
  // Nothing is asked for any more that would make it run. A start that is under way is not undone.
  void forbid(const LeaseId& lease);
  // Of a forbidden one: pauses (or stops, with `kill`) it on the engine, again until that is seen;
  // then it is Found. For when the guard cannot.
  void halt(Now now, const LeaseId& lease, bool kill, Step& out);
  // It is known from elsewhere that a forbidden one does not run: fenced, and down since now.
  void set_halted(Now now, const LeaseId& lease, Step& out);
  // The guard has the group `name`: what waits for it goes on.
  void group_made(Now now, const LeaseId& lease, const std::string& name, Step& out);
  // The name of the newest object, or of the one that will be made next. Empty: not known.
  std::string object_of(const LeaseId& lease) const;
  // Highest generation of the lease's objects so far.
  uint32_t generation_of(const LeaseId& lease) const;
  bool is_gated(const LeaseId& lease) const;
  bool is_allowed(const LeaseId& lease) const;  // true of every workload that is not gated
  // Whether the newest object has an SSH server, as far as the engine has said.
  bool serves_ssh(const LeaseId& lease) const;
  // After PortsTaken: what was made is left to the next sweep, and the next generation is made with
  // these ports. No effect on what ran already, is retired or gated.
  void set_ports(Now now, const Spec& spec, Step& out);
  // Stop, remove, confirm; for ever if need be. No effect on one that is already retired or gone.
  void retire(Now now, const LeaseId& lease, Step& out);
  // Ask the engine about this workload soon: a lease ends only on an observation.
  void look(Now now, const LeaseId& lease, Step& out);
  // Looks at once at what the engine spoke of; asks for the list when its words were lost.
  void notice(Now now, const Noticed& noticed, Step& out);

  void handle_answer(Now now, const Answer& answer, Step& out);
  void handle_timer(Now now, Step& out);
  std::optional<Micros> next_deadline() const;

  // The only function that changes durable state, live and at recovery alike.
  void apply(const WorkloadRecord& record);
  // What the records made, for a snapshot of a supervisor that only they have changed.
  template <class Self>
  static auto durable(Self& self) {
    return std::tie(self.workloads_, self.running_count_);
  }
  // After the fold: everything is looked at anew, and the engine's list is asked for.
  void recover(Now now, Step& out);

  // Suspect instead of Live while `lost` (see workload.h).
  void set_quorum_lost(bool lost) { quorum_lost_ = lost; }
  std::optional<State> state_of(const LeaseId& lease) const;
  bool is_retiring(const LeaseId& lease) const;
  size_t running_count() const { return running_count_; }
  size_t size() const { return workloads_.size(); }
  // True once an inventory was seen since start: before it, nothing expires (flaw 10).
  bool has_inventory() const { return has_inventory_; }
  void check_invariants() const;

 private:
  enum class Pending : uint8_t { Nothing, Look, Create, Start, Resume, Halt, Stop, Remove };
  enum class Halting : uint8_t { No, Pause, Kill };
  struct Workload {
    // durable
    Spec spec;
    RestartPolicy restart;
    State state = State::Provisioning;
    UnixSeconds since;        // of the state
    uint8_t attempts = 0;     // restarts used
    uint32_t generation = 0;  // 0: none asked for yet
    bool started_once = false;
    bool retired = false;
    bool gated = false;
    // Generations whose create was not answered and whose object was not seen. Kept over a restart
    // by the records of those that never ran.
    std::map<uint32_t, UnixSeconds> creates;
    // volatile
    bool allowed = false;       // gated only
    bool started_here = false;  // by this process
    bool has_group = false;     // the guard has the newest object's group
    bool waits_for_group = false;
    Halting halting = Halting::No;
    Pending pending = Pending::Nothing;
    CallId call;
    Micros asked_at;            // of the call
    std::optional<Micros> due;  // next action, when nothing is pending
    uint32_t failures = 0;      // of the engine, in a row
    bool removed = false;       // the engine confirmed a removal; absence is not yet confirmed
    bool create_lost = false;   // the last create has no answer: it may still come
    bool serves_ssh = true;
    bool noticed = false;  // the look under way may be older than what the engine spoke of
    std::string node;      // where it was seen running
    std::string address;
    bool settled = false;  // retired: it is known whether it ran until then (flaw 11)
    std::optional<Micros> seen_running;
    bool may_start = true;  // the next look that finds it stopped may start it
    Micros live_since;
    Micros provisioning_since;
    Seconds backoff_charged;
    std::optional<uint64_t> seen_in;  // `engine_losses_` when it was last seen running

    template <class Self>
    static auto durable(Self& self) {
      return std::tie(self.spec, self.restart, self.state, self.since, self.attempts,
                      self.generation, self.started_once, self.retired, self.gated, self.creates);
    }
  };

  Workload* find(const LeaseId& lease);
  Workload* find_gated(const LeaseId& lease);
  void want(Now now, Spec spec, RestartPolicy restart, bool gated, Step& out);
  static bool may_run(const Workload& w) { return !w.gated || w.allowed; }
  void on_found(Now now, const LeaseId& lease, Workload& w, const Object& object, Step& out);
  void fence(Now now, const LeaseId& lease, Workload& w, std::optional<UnixSeconds> since,
             Step& out);
  Micros give_up_at(const Workload& w) const;
  void schedule(const LeaseId& lease, Workload& w, Micros at);
  void unschedule(const LeaseId& lease, Workload& w);
  void advance(Now now, const LeaseId& lease, Workload& w, Step& out);
  void ask(Now now, const LeaseId& lease, Workload& w, Verb verb, Pending pending, Step& out);
  void ask_list(Now now, Step& out);
  bool is_old(Now now, const Answer& answer) const;
  void set_removed(const LeaseId& lease, Workload& w, bool removed);
  void on_create(Now now, const LeaseId& lease, Workload& w, const Answer& answer, Step& out);
  void on_list(Now now, const Answer& answer, Step& out);
  void on_look(Now now, const LeaseId& lease, Workload& w, const Answer& answer, Step& out);
  void on_observed(Now now, const LeaseId& lease, Workload& w, const Object& object, Step& out);
  void on_running(Now now, const LeaseId& lease, Workload& w, const Object& object, Step& out);
  void on_not_running(Now now, const LeaseId& lease, Workload& w, const Object& object, Step& out);
  void on_retired_look(Now now, const LeaseId& lease, Workload& w, const Answer& answer, Step& out);
  void confirm_gone(Now now, const LeaseId& lease, Workload& w, Step& out);
  void on_trouble(Now now, const LeaseId& lease, Workload& w, const Answer& answer, Step& out);
  void make_generation(Now now, const LeaseId& lease, Workload& w, Step& out);
  void give_up(Now now, const LeaseId& lease, Workload& w, std::string reason, Step& out);
  void become(Now now, const LeaseId& lease, State state, uint8_t attempts, std::string reason,
              Step& out);
  void record(WorkloadRecord record, Step& out);
  void sweep_stray(Now now, const Object& object, bool of_lease, Step& out);

  SupervisorConfig config_;
  SupervisorPolicy policy_;
  std::function<CallId()> next_call_;
  IndexedMap<LeaseId, Workload, IdHash> workloads_;
  std::set<std::pair<Micros, LeaseId>> due_;
  LookupMap<uint64_t, LeaseId, std::hash<uint64_t>> calls_;  // call id -> lease
  struct Stray {
    std::string name;
    bool remove = false;  // as soon as it is stopped
  };
  std::map<CallId, Stray> stray_calls_;        // stop/remove of objects of nobody
  std::map<std::string, Micros> quarantined_;  // objects of no lease: stopped since
  std::optional<CallId> list_call_;
  Micros list_asked_at_;
  std::set<LeaseId> removed_;      // every workload with `removed`
  std::set<LeaseId> confirmable_;  // removed before the list under way was asked for
  bool list_again_ = false;        // something was removed after it was asked for
  Micros next_sweep_;
  bool has_inventory_ = false;
  bool quorum_lost_ = false;
  uint64_t engine_losses_ = 0;  // how often the engine was found not to answer
  size_t running_count_ = 0;
};

}  // namespace paygress::workload
