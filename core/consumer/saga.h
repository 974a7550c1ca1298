// One operation of the wallet with its mint, from the recorded bytes to their end: sans-IO.
//
//   POST -> signatures            -> OpDone
//        -> anything else -> restore (NUT-09) -> all ours: OpDone
//                                             -> none: state of the inputs (NUT-07) or of the quote
//                                                unspent: the same bytes again
//
// An operation of an earlier start begins at restore. Nothing but what the mint shows decides; when
// it does not show enough, the operation stays open and the next start goes on.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/cashu/mint_api.h"
#include "core/cashu/nut13.h"
#include "core/consumer/records.h"

namespace paygress::consumer {

inline constexpr int kPostsMax = 3;  // of one operation in one start
inline constexpr int kWaitsMax = 5;  // 1, 2, 4, 4, 4 seconds
// A refused operation of which an earlier POST is in doubt may still be carried out: so old it must
// be before its inputs are free again; and a spent input whose outputs are not to be seen must be
// that old before it counts as somebody else's doing (a lagging mint).
inline constexpr Seconds kSettled{300};
// For inputs that were ours: they were spent by nobody else unless we gave them away.
inline constexpr Seconds kSettledOwn{24 * 3600};

struct Ask {  // of the operation's mint
  cashu::Endpoint endpoint = cashu::Endpoint::Info;
  std::string argument;
  Bytes body;
};

// An operation before it starts: derives the outputs and writes the body. Error when the keyset is
// malformed or the counters are used up. `op.inputs`, `keyset`, `counter_start` are set.
Result<OpStarted> with_outputs(OpStarted op, const std::vector<cashu::Amount>& amounts,
                               const cashu::WalletSeed& seed);

class Saga {
 public:
  // `fresh`: OpStarted was recorded by this process just now and nothing was sent yet.
  Saga(OpStarted op, bool fresh, std::map<cashu::Amount, cashu::Point> keys,
       const cashu::WalletSeed& seed);

  enum class End : uint8_t {
    Going,
    Done,    // `record` is OpDone
    Failed,  // `record` is OpFailed
    Open     // no answer for now; `why` says so
  };
  // Exactly one of: an Ask to be answered by handle(), a wait to be answered by resume(), an end.
  struct Turn {
    std::optional<Ask> ask;
    std::optional<Micros> wait;
    End end = End::Going;
    std::optional<Record> record;
    std::string why;
  };
  Turn start(UnixSeconds now);
  Turn handle(UnixSeconds now, const cashu::MintAnswer& answer);
  Turn resume(UnixSeconds now);

 private:
  enum class Phase : uint8_t { Idle, Posting, Restoring, Checking };
  Turn step_post();
  Turn step_restore();
  Turn step_check();
  Turn step_wait(std::string why);
  Turn on_posted(UnixSeconds now, const cashu::MintAnswer& answer);
  Turn on_restored(UnixSeconds now, const cashu::MintAnswer& answer);
  Turn on_checked(UnixSeconds now, const cashu::MintAnswer& answer);
  Turn on_quote(UnixSeconds now, const std::string& state);
  Turn on_unspent(UnixSeconds now);
  Turn finish(UnixSeconds now, const std::vector<cashu::BlindSignature>& signatures);
  Turn give_up(UnixSeconds now, std::string why, std::vector<std::string> spent);

  OpStarted op_;
  bool fresh_;
  std::map<cashu::Amount, cashu::Point> keys_;
  cashu::WalletSeed seed_;
  Phase phase_ = Phase::Idle;
  int posts_ = 0;
  int waits_ = 0;
  bool unanswered_post_ = false;             // some POST may still be under way
  std::optional<cashu::MintError> refusal_;  // of the last POST
};

}  // namespace paygress::consumer
