// Finds what the wallet's seed owns at a mint (NUT-13, NUT-09, NUT-07): after the ledger was lost,
// or replaced by an older one. Part of the Redeemer, which routes calls to it.
//
//   every keyset: MakeOutputs for the next 100 counters -> restore -> OpenSignatures -> CheckToken
//     -> checkstate -> ProofsFound, until nothing is signed 300 counters long
//
// What is found comes into the ledger once, whenever and however often it is looked for: only what
// the mint calls unspent, what no record has, and what no operation under way will bring. Nothing
// is sent that changes anything at the mint, so that a crash costs no more than looking again.
//
// After a lost life also the opposite: what the ledger holds, or is about to, and that life has
// spent, is ProofsLost; and no output is made on counters that a request of that life, which is on
// its way still, may carry.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/cashu/mint_book.h"
#include "core/cashu/redeem.h"
#include "core/cashu/redeem_state.h"

namespace paygress::cashu {

inline constexpr uint32_t kSearchBatch = 100;       // NUT-13
inline constexpr uint32_t kSearchEmptyBatches = 3;  // so many without a signature are the end
inline constexpr uint32_t kSearchMargin = 100;      // counters of a request on its way, an attempt
inline constexpr uint32_t kSearchTriesMax = 5;      // of one question; then it is given up

// Is the ledger a whole one, or does it miss the end of what it has done?
enum class SearchAfter : uint8_t { WholeLedger, LostLife };

class Restorer {
 public:
  struct Turn {
    Now now;
    MintBook& book;
    RedeemState& state;
    uint64_t& next_call;
    RedeemStep& step;
  };

  // No effect while this mint is being searched. Ends in the event MintSearched.
  void begin(Turn& turn, const std::string& mint, SearchAfter after);
  bool searching(const std::string& mint) const { return searches_.contains(mint); }
  // An answer to one of its calls.
  bool awaits(CallId call) const { return calls_.contains(call); }
  void handle(Turn& turn, const RedeemInput& input);
  void handle_timer(Turn& turn);
  std::optional<Micros> next_deadline() const;

 private:
  enum class Phase : uint8_t { Mint, Outputs, Restore, Open, Points, States, OwnPoints, OwnStates };
  struct Search {
    SearchAfter after = SearchAfter::WholeLedger;
    Phase phase = Phase::Mint;
    std::optional<CallId> call;
    Micros wake;                       // then, or when the call is given up
    uint32_t failures = 0;             // in a row
    std::vector<std::string> keysets;  // still to be looked through, the next one last
    uint32_t from = 0;                 // first counter of the batch
    uint32_t empty_batches = 0;
    uint32_t used = 0;                    // counters below it were signed, at least the last one
    std::vector<BlindedMessage> outputs;  // of the batch
    std::map<uint32_t, BlindSignature> signed_by;  // counters; not opened yet
    bool one_by_one = false;                       // one of them cannot be opened: which?
    std::vector<Proof> proofs;                     // of the batch, opened; or ours, being checked
    std::map<std::string, uint32_t> counters;      // of `proofs`, by secret
    std::vector<Point> points;                     // of `proofs`
    std::vector<WalletStore::Purse> purses;        // of ours, still to be checked
    std::vector<Proof> unchecked;                  // of the purse that is
    MintSearched report;
  };

  void ask(Turn& turn, const std::string& mint, Search& search);
  void ask_outputs(Turn& turn, const std::string& mint, Search& search);
  void ask_open(Turn& turn, const std::string& mint, Search& search);
  void ask_points(Turn& turn, const std::string& mint, Search& search);
  void ask_mint(Turn& turn, const std::string& mint, Search& search, Endpoint endpoint, Bytes body);
  void expect(Turn& turn, const std::string& mint, Search& search, CallId call);
  void enter(Turn& turn, const std::string& mint, Search& search, Phase phase);
  void on_outputs(Turn& turn, const std::string& mint, Search& search, const OutputsReady& made);
  void on_restored(Turn& turn, const std::string& mint, Search& search,
                   const RestoreAnswer& answer);
  void on_opened(Turn& turn, const std::string& mint, Search& search, const ProofsReady& ready);
  void on_points(Turn& turn, const std::string& mint, Search& search, const TokenChecked& checked);
  void on_states(Turn& turn, const std::string& mint, Search& search, const CheckAnswer& answer);
  void take(Turn& turn, const std::string& mint, Search& search,
            const std::vector<ProofState>& states);
  void drop_spent(Turn& turn, const std::string& mint, Search& search,
                  const std::vector<ProofState>& states);
  void next_batch(Turn& turn, const std::string& mint, Search& search);
  void next_keyset(Turn& turn, const std::string& mint, Search& search);
  void next_own(Turn& turn, const std::string& mint, Search& search);
  void skip_keyset(Turn& turn, const std::string& mint, Search& search);
  void reserve_counters(Turn& turn, const std::string& mint, Search& search,
                        std::vector<Proof> found);
  void fail_once(Turn& turn, const std::string& mint, Search& search);
  void finish(Turn& turn, const std::string& mint, bool complete);

  std::map<std::string, Search> searches_;  // by mint
  std::map<CallId, std::string> calls_;     // which search an answer belongs to
};

}  // namespace paygress::cashu
