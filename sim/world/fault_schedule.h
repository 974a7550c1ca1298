// Makes the faults of a plan happen, and end.
#pragma once

#include <optional>
#include <vector>

#include "sim/world/armed_faults.h"
#include "sim/world/world.h"

namespace paygress::sim {

class FaultSchedule {
 public:
  explicit FaultSchedule(World& world) : world_(world), active_(world.plan().faults.size()) {}

  // Once, before anything else happens.
  void start();
  // Ends what is going on, except what concerns a node that is frozen.
  void heal();

  // --- the mint's
  bool mint_unreachable() const { return mint_cut_ > 0; }
  std::optional<Fault> take_mint_fault() {
    return mint_faults_.take([](const Fault&) { return true; });
  }
  // Whoever pays now pays with a token that is held: it is pending until then.
  std::optional<Micros> pending_until() const { return pending_until_; }

 private:
  void begin(size_t index);
  void end(size_t index);
  void begin_link(const Fault& fault);
  void begin_mint(const Fault& fault);
  void end_mint(const Fault& fault);
  void hold_pending();
  void set_lightning();
  void change(const Fault& fault, bool on);

  World& world_;
  std::vector<bool> active_;
  ArmedFaults mint_faults_;
  int mint_cut_ = 0;
  int mint_stalls_ = 0;
  std::vector<FaultKind> lightning_;  // that is wrong with it
  int mint_swings_ = 0;
  uint64_t fee_before_ = 0;  // of the swing
  std::optional<Micros> pending_until_;
};

}  // namespace paygress::sim
