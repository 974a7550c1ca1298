// A Redeemer with a journal in memory, its curve work done inline and its calls made to a real
// mint, one after the other. Its clock is ahead of the real one by all the waits that were skipped.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/cashu/curve_work.h"
#include "core/cashu/redeemer.h"
#include "shell/base/clock.h"
#include "tests/peers/foreign_mint.h"

namespace paygress::peers {

class Receiver {
 public:
  Receiver(ForeignMint& mint, const cashu::WalletSeed& seed) : mint_(mint), seed_(seed) { start(); }

  // When set, asked about each call whose answer has come: true throws the answer away.
  std::function<bool(const cashu::MintCall&)> loses_answer;
  bool dies_with_lost_answer = false;
  // The answers thrown away.
  std::vector<cashu::MintAnswer> lost;

  const cashu::Redeemer& redeemer() const { return *redeemer_; }
  const std::vector<cashu::RedeemRecord>& journal() const { return journal_; }
  const std::vector<cashu::RedeemEvent>& events() const { return events_; }
  template <class T, class Variants>
  static std::vector<T> all(const Variants& variants) {
    std::vector<T> found;
    for (const auto& one : variants)
      if (const auto* match = std::get_if<T>(&one)) found.push_back(*match);
    return found;
  }

  // The process dies, between what it has done and what it would do next; a new one folds the
  // journal and goes on.
  void restart() {
    queue_.clear();
    start();
  }

  // Hands the token in; drives until its operation is closed one way or the other.
  std::expected<OpId, cashu::Refusal> receive(const cashu::Token& token) {
    auto op = begin(token);
    if (op) settle(*op);
    return op;
  }
  // Hands the token in, and carries nothing out yet.
  std::expected<OpId, cashu::Refusal> begin(const cashu::Token& token) {
    auto quote = redeemer_->quote(token, now());
    if (!quote) return std::unexpected(quote.error());
    const auto checked = cashu::check_token(redeemer_->check(*quote));
    EXPECT_EQ(checked.problem, "");
    auto begun = redeemer_->begin(now(), *quote, checked.ys);
    if (!begun) return std::unexpected(begun.error());
    take(begun->step);
    return begun->op;
  }
  void settle(const OpId& op) {
    drive_until([&] {
      const auto* known = redeemer_->state().summary(op);
      return known != nullptr && known->status != cashu::OpStatus::Open &&
             known->status != cashu::OpStatus::HoldOver;
    });
  }
  // Pays the invoice with at most `most`; drives until that has ended.
  std::optional<cashu::MeltQuote> pay(const ClaimId& id, const std::string& invoice,
                                      cashu::Amount most) {
    take(redeemer_->quote_melt(mint_.url(), "sat", invoice).step);
    drive_until([&] { return !all<cashu::MeltQuoted>(events_).empty(); });
    const cashu::MeltQuoted quoted = all<cashu::MeltQuoted>(events_).back();
    EXPECT_EQ(quoted.problem, "");
    if (!quoted.quote) return std::nullopt;
    auto begun = redeemer_->begin_melt(now(), id, mint_.url(), "sat", *quoted.quote, most);
    EXPECT_TRUE(begun.has_value());
    if (!begun) return std::nullopt;
    take(std::move(begun->step));
    drive_until([&] { return !all<cashu::MeltDone>(journal_).empty(); });
    return quoted.quote;
  }
  // Carries effects out, and skips to the next deadline whenever there is none, until `done`.
  void drive_until(const std::function<bool()>& done) {
    for (int steps = 0; steps < kStepsMax; ++steps) {
      if (done()) return;
      if (!queue_.empty()) {
        auto effect = std::move(queue_.front());
        queue_.pop_front();
        std::visit([this](const auto& work) { carry_out(work); }, effect);
      } else {
        const auto deadline = redeemer_->next_deadline();
        if (!deadline) break;
        skipped_ += std::max(0_us, *deadline - now().mono);
        take(redeemer_->handle_timer(now()));
      }
    }
    ADD_FAILURE() << "the redeemer did not come to an end";
  }
  cashu::Amount balance() const { return redeemer_->state().wallet().balance(purse()); }
  std::vector<cashu::Proof> proofs() const { return redeemer_->state().wallet().proofs(purse()); }
  const cashu::OpSummary& summary(const OpId& op) const { return *redeemer_->state().summary(op); }

 private:
  static constexpr int kStepsMax = 2000;

  cashu::WalletStore::Purse purse() const { return {mint_.url(), "sat"}; }
  Now now() const {
    const Now real = shell::now();
    return {real.mono + skipped_, real.wall + Seconds{skipped_.value / 1'000'000}};
  }
  void start() {
    redeemer_ = std::make_unique<cashu::Redeemer>(std::vector<std::string>{mint_.url()});
    for (const auto& record : journal_) redeemer_->apply(record);
    take(redeemer_->recover(now(), {++boot_ << 32}));
    const auto& book = redeemer_->mints();
    drive_until([&] { return book.ready(mint_.url()) && !book.reading(mint_.url()); });
  }
  // Records first; only then effects.
  void take(cashu::RedeemStep step) {
    journal_.insert(journal_.end(), step.records.begin(), step.records.end());
    events_.insert(events_.end(), step.events.begin(), step.events.end());
    queue_.insert(queue_.end(), step.effects.begin(), step.effects.end());
    redeemer_->check_invariants();
  }
  void carry_out(const cashu::MintCall& call) {
    const auto http =
        mint_.request(cashu::is_post(call.endpoint),
                      cashu::endpoint_path(call.endpoint, call.path_argument), call.body);
    cashu::MintAnswer answer = cashu::NoReply{};
    if (http.status != 0)
      answer = cashu::parse_answer(call.endpoint, http.status, as_text(http.body));
    if (loses_answer && loses_answer(call)) {
      lost.push_back(std::exchange(answer, cashu::NoReply{}));
      if (dies_with_lost_answer) return restart();
    }
    take(redeemer_->handle(now(), cashu::MintReply{call.id, std::move(answer)}));
  }
  void carry_out(const cashu::MakeOutputs& work) {
    take(redeemer_->handle(now(), cashu::make_outputs(work, seed_)));
  }
  void carry_out(const cashu::OpenSignatures& work) {
    take(redeemer_->handle(now(), cashu::open_signatures(work, seed_)));
  }
  void carry_out(const cashu::CheckToken& work) {
    take(redeemer_->handle(now(), cashu::check_token(work)));
  }

  ForeignMint& mint_;
  cashu::WalletSeed seed_;
  std::unique_ptr<cashu::Redeemer> redeemer_;
  std::vector<cashu::RedeemRecord> journal_;
  std::vector<cashu::RedeemEvent> events_;
  std::deque<cashu::RedeemEffect> queue_;
  Micros skipped_;
  uint64_t boot_ = 0;
};

}  // namespace paygress::peers
