#include "shell/provider/wallet_check.h"

#include <boost/json/array.hpp>

#include <algorithm>
#include <set>

#include "core/base/check.h"
#include "core/cashu/dhke.h"
#include "core/cashu/token_quote.h"

namespace paygress::daemon {
namespace {

namespace json = boost::json;

constexpr size_t kProofsPerQuestion = 100;
constexpr Micros kQuestionLimit = micros(Seconds{20});

}  // namespace

void WalletCheck::run(const cashu::RedeemState& state, AskMint ask, Done done) {
  const std::shared_ptr<WalletCheck> check(new WalletCheck(state, std::move(ask), std::move(done)));
  for (const auto& [purse, coins] : state.wallet().balances()) {
    if (coins == 0) continue;
    Tally& tally = check->tallies_[purse];
    const std::vector<cashu::Proof> proofs = state.wallet().spendable(purse);
    tally.in_doubt = state.wallet().reserved(purse);
    for (size_t at = 0; at < proofs.size(); at += kProofsPerQuestion) {
      const size_t end = std::min(proofs.size(), at + kProofsPerQuestion);
      check->pieces_.push_back({purse,
                                {proofs.begin() + static_cast<ptrdiff_t>(at),
                                 proofs.begin() + static_cast<ptrdiff_t>(end)}});
    }
  }
  check->next();
}

void WalletCheck::next() {
  if (pieces_.empty()) return done_(report());
  Piece piece = std::move(pieces_.back());
  pieces_.pop_back();
  std::vector<cashu::Point> points;
  for (const cashu::Proof& proof : piece.proofs)
    if (const auto y = cashu::hash_to_curve(proof.secret)) points.push_back(y->compressed());
  PG_CHECK(points.size() == piece.proofs.size());
  cashu::MintCall call;
  call.mint = piece.purse.mint;
  call.endpoint = cashu::Endpoint::CheckState;
  call.body = cashu::encode_check_request(points);
  call.deadline = kQuestionLimit;
  ask_(call, [self = shared_from_this(), piece = std::move(piece),
              points](const cashu::MintAnswer& answer) {
    self->take(piece, points, answer);
    self->next();
  });
}

void WalletCheck::take(const Piece& piece, const std::vector<cashu::Point>& points,
                       const cashu::MintAnswer& answer) {
  std::map<cashu::Point, cashu::ProofState> states;
  if (const auto* checked = std::get_if<cashu::CheckAnswer>(&answer))
    for (const cashu::StateEntry& entry : checked->states) states.emplace(entry.y, entry.state);
  std::set<std::string> still_free;  // no operation took them while the mint was asked
  for (const cashu::Proof& proof : state_.wallet().spendable(piece.purse))
    still_free.insert(proof.secret);
  Tally& tally = tallies_[piece.purse];
  for (size_t i = 0; i < piece.proofs.size(); ++i) {
    const cashu::Proof& proof = piece.proofs[i];
    const auto state = states.find(points[i]);
    if (!still_free.contains(proof.secret))
      tally.in_doubt += proof.amount;
    else if (state == states.end())
      tally.unanswered += proof.amount;
    else if (state->second == cashu::ProofState::Unspent)
      tally.unspent += proof.amount;
    else if (state->second == cashu::ProofState::Pending)
      tally.pending += proof.amount;
    else
      tally.spent += proof.amount;
  }
}

json::object WalletCheck::report() const {
  json::array purses;
  bool sound = true;
  bool complete = true;
  for (const auto& [purse, tally] : tallies_) {
    const auto msat = [&unit = purse.unit](cashu::Amount coins) {
      return coins == 0 ? 0 : cashu::value_of(coins, unit).value_or(Msat{0}).value;
    };
    sound = sound && tally.spent == 0;
    complete = complete && tally.unanswered == 0;
    purses.push_back(json::object{{"mint", purse.mint},
                                  {"unit", purse.unit},
                                  {"unspent_msat", msat(tally.unspent)},
                                  {"in_doubt_msat", msat(tally.in_doubt)},
                                  {"pending_msat", msat(tally.pending)},
                                  {"spent_msat", msat(tally.spent)},
                                  {"unanswered_msat", msat(tally.unanswered)}});
  }
  return {{"sound", sound}, {"complete", complete}, {"purses", std::move(purses)}};
}

}  // namespace paygress::daemon
