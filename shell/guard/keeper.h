// What the guard remembers and decides: one deadline per group (core/workload/guard.h). Time is
// given; nothing here waits.
//
// A restarted guard must know the deadlines, or it would freeze what runs rightly. They stand in a
// small file that names the boot and is written before a deadline is answered. Whatever it does not
// name, or names for another boot, is frozen.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "shell/guard/freezer.h"
#include "shell/guard/protocol.h"

namespace paygress::guard {

// The longest time between two looks at the groups.
inline constexpr Micros kLookEvery = 100'000_us;
// A killing on v1 thaws the group for at most so long, then freezes it again.
inline constexpr Micros kDyingTime = 50'000_us;

struct Reply {
  uint64_t client = 0;
  workload::GuardAnswered answer;
};

class Keeper {
 public:
  // `boot` identifies the boot of the machine.
  Keeper(Freezer freezer, std::filesystem::path file, std::string boot);

  // Once, first: takes over what is there.
  void begin(Micros now);
  // Replies come in `out`, now or from a later tick().
  void take(uint64_t client, const Request& request, Micros now, std::vector<Reply>& out);
  // Freezes what is due and finishes what was begun.
  void tick(Micros now, std::vector<Reply>& out);
  // When tick() is due; nothing while there is no group.
  std::optional<Micros> next_tick(Micros now) const;
  // Before an ordinary end: nothing may run unguarded. A successor thaws what may still run.
  void freeze_all() const;
  // Nobody waits for its answers any more; a killing goes on.
  void forget_client(uint64_t client);
  bool idle() const { return groups_.empty() && waiting_.empty(); }

  const Freezer& freezer() const { return freezer_; }

 private:
  struct Waiting {
    uint64_t client;
    CallId id;
    std::string name;
    bool kill = false;
    Micros give_up_at;
  };

  void perform(uint64_t client, const workload::GuardHold& r, Micros now, std::vector<Reply>& out);
  void perform(uint64_t client, const workload::GuardFreeze& r, Micros now,
               std::vector<Reply>& out);
  void perform(uint64_t client, const workload::GuardKill& r, Micros now, std::vector<Reply>& out);
  void perform(uint64_t client, const workload::GuardRelease& r, Micros now,
               std::vector<Reply>& out);
  void perform(uint64_t client, const workload::GuardQuery& r, Micros now, std::vector<Reply>& out);
  // Makes the group, frozen. Empty, or why it cannot be.
  std::string ensure(const std::string& name);
  void begin_freeze(Waiting waiting, Micros now, std::vector<Reply>& out);
  // True when the reply was given.
  bool settle(const Waiting& waiting, Micros now, std::vector<Reply>& out);
  void let_die(const std::string& name);
  void answer(uint64_t client, CallId id, workload::Outcome outcome, std::string message,
              const std::string& name, Micros now, std::vector<Reply>& out) const;
  workload::GuardGroup view(const std::string& name) const;
  bool save() const;

  Freezer freezer_;
  std::filesystem::path file_;
  std::string boot_;
  std::map<std::string, Micros> groups_;  // deadlines; 0: frozen by request
  std::vector<Waiting> waiting_;
};

}  // namespace paygress::guard
