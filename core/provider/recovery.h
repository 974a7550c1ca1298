// A ledger that misses the end of what it has done: an older copy that was put back, or a new one
// in place of one that is gone (money-sagas.md flaw 15). Between RecoveryBegan and RecoveryEnded,
// both the operator's word, nothing is sold, paid back, taken out, ended, made or removed. The
// mints are searched until the wallet says what is true, and the engine is asked what there is.
//
//   start -> MintRead -> search (cashu/restorer.h), again until it is complete
//         -> List, until it is answered
//
// When nothing is waited for any more the operator may release it: then everything goes on as after
// any start. Decides nothing durable; after a crash it begins anew, and finds nothing twice.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/cashu/redeemer.h"
#include "core/provider/step.h"

namespace paygress::provider {

inline constexpr Seconds kRecoveryRetry{60};  // a mint that was not searched to its end, the engine

class Recovery {
 public:
  // Both must outlive it. `calls` are the workloads'.
  Recovery(cashu::Redeemer& wallet, CallIds& calls) : wallet_(wallet), calls_(calls) {}

  void start(Now now, Step& out);
  // The mint may be searched now; the step of that, when it begins.
  std::optional<cashu::RedeemStep> on_mint_read(Now now, const std::string& mint);
  void on_searched(Now now, const cashu::MintSearched& searched, Step& out);
  void on_answer(const workload::Answer& answer, Step& out);
  std::vector<cashu::RedeemStep> handle_timer(Now now, Step& out);
  std::optional<Micros> next_deadline() const { return again_; }
  // In words; empty: it may be released.
  std::vector<std::string> waits_for() const;

 private:
  void ask_engine(Step& out);

  cashu::Redeemer& wallet_;
  CallIds& calls_;
  std::set<std::string> searched_;  // mints, to their end
  std::optional<CallId> list_;
  bool has_inventory_ = false;
  std::optional<Micros> again_;
};

}  // namespace paygress::provider
