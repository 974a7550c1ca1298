// A pure model of an engine (core/workload/backend.h), for the simulator. It holds objects as the
// real ones do and adds what goes wrong with them: faults are planned by name or drawn from rates.
// Deterministic: the same calls at the same instants give the same answers.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/base/random.h"
#include "core/base/units.h"
#include "core/workload/backend.h"

namespace paygress::sim {

inline constexpr size_t kPlannedFaultsMax = 10'000;
inline constexpr size_t kNoticesMax = 1'000;  // words that nobody took: later ones are lost

enum class BackendFault : uint8_t {
  None,
  AnswerLost,     // carried out; no answer ever
  FailedButDone,  // carried out; answers Failed/Internal
  Hang,           // not carried out; no answer ever
  Refused,        // not carried out; answers Failed/Busy
  Dies,           // (Start) answers Done, and the workload exits with 137 after `dies_after`
  Ignored,        // (Stop, Remove) answers Done and changes nothing
  StaleList,      // (List) answers what was true at the List before this one
  Late,           // (Create) no answer ever; carried out `late_after` later
};

struct BackendModelConfig {
  InstallId install;                  // what List and Inspect see
  Micros create_latency = {400'000};  // until the object exists and Create is answered
  Micros start_latency = {200'000};   // until it runs and Start is answered
  Micros call_latency = {20'000};     // of every other answer
  Micros dies_after = {500'000};      // see BackendFault::Dies
  Micros late_after = {460'000'000};  // see BackendFault::Late
  workload::NodeCapacity capacity{8000, 16384, 200};  // Create beyond it is Failed/Quota
  bool serves_ssh = true;
  // Chance of each fault per call it applies to, in parts per million; all zero by default.
  std::map<BackendFault, uint32_t> fault_ppm;
};

// The answer to one call: due at `due` on the monotonic clock; absent when none ever comes (the
// caller's own deadline then makes it Unknown).
struct BackendReply {
  std::optional<workload::Answer> answer;
  Micros due;
};

// Whether a fault can happen to a call of this verb.
bool applies(BackendFault fault, workload::Verb verb);

class BackendModel {
 public:
  BackendModel(BackendModelConfig config, uint64_t seed, uint64_t entity);

  // Precondition: now.mono does not go back between calls.
  BackendReply handle(const workload::Call& call, Now now);
  // Asked whether the guard lets the group of this name run; nothing while there is no such group.
  // Without it (as at first) a guarded Create is refused.
  using Thawed = std::function<std::optional<bool>(const std::string& name, Now now)>;
  void set_guard(Thawed thawed) { thawed_ = std::move(thawed); }
  // The guard ended every process of the object.
  void guard_killed(const std::string& name, Now now);
  // Whether the object runs, paused or not, or is being started.
  bool has_processes(const std::string& name, Now now) const;
  // As a daemon with another install id on the same engine would ask.
  BackendReply handle_as(InstallId install, const workload::Call& call, Now now);

  // The next `count` calls of `verb` (and `name`, unless empty) suffer `fault`, before any rate.
  void plan_fault(workload::Verb verb, BackendFault fault, std::string name = {},
                  uint32_t count = 1);
  // Replaces the configured chances; an empty map heals.
  void set_fault_rates(std::map<BackendFault, uint32_t> ppm) { config_.fault_ppm = std::move(ppm); }
  // Ports on which somebody else listens: what publishes one cannot be started.
  void set_foreign_ports(std::set<uint16_t> ports) { foreign_ports_ = std::move(ports); }
  // While true every call is answered Failed/Unreachable and changes nothing; workloads go on.
  void set_unreachable(bool unreachable) { unreachable_ = unreachable; }
  // Every workload stops with no stop time kept; what was being made is lost. Frozen ones too.
  void reboot_host(Now now);
  // Members of a cluster, by name and address: objects are placed on one after the other. Without
  // any (as at first) there is one machine, which is not named.
  void set_members(std::vector<std::pair<std::string, std::string>> members) {
    members_ = std::move(members);
  }
  // While cut off nobody can say what became of a member's objects; they go on.
  void set_cut_off(std::set<std::string> members) { cut_off_ = std::move(members); }
  // What the engine has said by itself since it was last asked, of this model's own install.
  std::vector<workload::Noticed> take_noticed() { return std::exchange(noticed_, {}); }
  // The workload exits by itself. Returns false when it is not running.
  bool exit_workload(const std::string& name, int32_t exit_code, Now now);
  // Somebody else removes the object behind our back. Returns false when it does not exist.
  bool lose_object(const std::string& name, Now now);

  // What is true in the model's world, whatever it would answer: for the simulator's checks.
  // It executes: running, not paused, not frozen by the guard.
  bool executes(const std::string& name, Now now) const;
  // Changes whenever something about the objects may have; until next_change() nothing else does.
  uint64_t version() const { return version_; }
  // When the next object comes to be, runs or dies by itself; what a guard does is not counted.
  std::optional<Micros> next_change(Now now) const;
  workload::Running running(const std::string& name, Now now) const;
  // Names of the objects that run (or are paused, or frozen) at `now`, of every install.
  std::vector<std::string> running_names(Now now) const;
  std::vector<std::string> names(Now now) const;  // of whatever exists, in any state
  const workload::Spec* spec(const std::string& name, Now now) const;

 private:
  struct Object {
    workload::Spec spec;
    Micros exists_from;
    std::optional<Micros> runs_from;  // absent: stopped
    std::optional<Micros> dies_at;
    UnixSeconds dies_wall;  // the engine's time of it
    bool paused = false;
    std::optional<UnixSeconds> stopped_at;
    std::optional<int32_t> exit_code;
    std::optional<size_t> member;  // of members_
  };
  struct Planned {
    workload::Verb verb;
    BackendFault fault;
    std::string name;
    uint32_t count;
  };

  void settle(Now now);
  BackendFault draw_fault(const workload::Call& call);
  const Object* find(const std::string& name, Now now) const;
  Object* find_ours(InstallId install, const std::string& name, Now now);
  workload::Running state_of(const Object& object, Now now) const;
  workload::Object view(const std::string& name, const Object& object, Now now) const;
  bool is_frozen(const Object& object, Now now) const;
  bool is_cut_off(const Object& object) const;
  void say(const Object& object);
  workload::NodeCapacity free_capacity() const;
  void carry_out(InstallId install, const workload::Call& call, Now now, Micros& due,
                 workload::Answer& answer);
  void create(InstallId install, const workload::Call& call, Now now, Micros& due,
              workload::Answer& answer);
  void change(workload::Verb verb, Object& object, Now now, Micros& due, workload::Answer& answer);
  // Ends the run that is under way, if any.
  void halt(Object& object, std::optional<int32_t> exit_code, std::optional<UnixSeconds> when,
            Now now);

  BackendModelConfig config_;
  RandomStream stream_;
  Thawed thawed_;
  std::map<std::string, Object> objects_;
  std::deque<Planned> planned_;
  std::vector<workload::Object> last_list_;
  Micros last_list_at_;
  uint64_t version_ = 0;
  std::set<uint16_t> foreign_ports_;
  std::vector<std::pair<std::string, std::string>> members_;
  std::set<std::string> cut_off_;
  size_t placed_ = 0;
  std::vector<workload::Noticed> noticed_;
  bool unreachable_ = false;
  Micros last_seen_;
};

}  // namespace paygress::sim
