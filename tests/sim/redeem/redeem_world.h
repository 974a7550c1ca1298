// A small world around one Redeemer: a disk that keeps batches, a mint model, payers who ask again,
// and a process that can die at every boundary between a decision, its record and its effect. Books
// are compared at the end: see audit().
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/cashu/nut13.h"
#include "core/cashu/redeemer.h"
#include "sim/models/mint.h"

namespace paygress::test {

enum class Tier { Fake, Real };

struct WorldSettings {
  Tier tier = Tier::Fake;
  sim::MintSettings mint;
  cashu::RedeemPolicy policy;
  Micros restart_delay = 3'000'000_us;
  Micros curve_delay = 500_us;
  // False verdicts within this lag are what the rules promise to prevent; with a mint that lags
  // longer they are corrected later (`late`), and not reported.
  bool judge_verdicts = true;
};

class RedeemWorld {
 public:
  explicit RedeemWorld(WorldSettings settings = {});

  sim::Mint& mint() { return mint_; }
  cashu::Redeemer& redeemer() { return *redeemer_; }
  Micros time() const { return time_; }

  // A payer hands in the token, and again every 30 s until it is known or refused for good.
  size_t pay(cashu::Token token);
  // At this time of the world.
  void at(Micros time, std::function<void(RedeemWorld&)> action);
  // Boundaries are counted from the start of the world; several crashes may be planned.
  void crash_at_boundary(uint64_t boundary) { crashes_.insert(boundary); }
  void crash();
  uint64_t boundaries() const { return boundary_; }
  void run_until(Micros time);
  // What the mint says is passed through this before it is delivered.
  void lie_with(std::function<void(sim::MintAnswer&)> lie) { lie_ = std::move(lie); }
  // A human clock that jumps; monotonic time does not.
  void shift_wall(Seconds by) { wall_shift_ = wall_shift_ + by; }

  // --- what was seen ---
  std::optional<OpId> op_of_payment(size_t payment) const;
  std::optional<cashu::OpStatus> status_of_payment(size_t payment) const;
  const std::optional<cashu::Refusal>& refusal_of_payment(size_t payment) const;
  const std::vector<cashu::RedeemRecord>& journal() const { return journal_; }
  const std::vector<cashu::RedeemEvent>& events() const { return events_; }
  template <class E>
  std::vector<E> events_of() const {
    std::vector<E> found;
    for (const auto& event : events_)
      if (const auto* match = std::get_if<E>(&event)) found.push_back(*match);
    return found;
  }
  template <class R>
  size_t count_records() const {
    size_t count = 0;
    for (const auto& record : journal_) count += std::holds_alternative<R>(record) ? 1 : 0;
    return count;
  }
  size_t calls_to(cashu::Endpoint endpoint) const;
  size_t open_operations() const { return redeemer_->state().open_count(); }

  // Compares journal, wallet and the mint's books; adds to violations().
  void audit();
  const std::vector<std::string>& violations() const { return violations_; }
  std::string violation_text() const;

 private:
  struct Payment {
    cashu::Token token;
    std::optional<cashu::Refusal> refusal;
    std::optional<YHash> y;  // of its first proof, once checked
    int asked = 0;           // after it was known
    bool done = false;       // nothing more to ask
  };

  Now now() const;
  Micros to_world(Micros mono) const { return mono + boot_at_; }
  void start();
  bool boundary();  // true: the process died here
  void process(cashu::RedeemStep step);
  bool persist(const cashu::RedeemStep& step);
  void carry_out(const cashu::RedeemEffect& effect);
  void carry_out(const cashu::MintCall& call);
  void deliver(Micros after, cashu::RedeemInput input);
  void hand_in(size_t payment);
  void on_checked(const cashu::TokenChecked& checked);
  void watch_record(const cashu::RedeemRecord& record);
  void watch_event(const cashu::RedeemEvent& event);
  void watch_post(const cashu::MintCall& call);
  const sim::MintSwap* swap_of_ours(const cashu::OpOpened& opened) const;
  void violate(std::string text) { violations_.push_back(std::move(text)); }

  WorldSettings settings_;
  sim::Mint mint_;
  cashu::WalletSeed seed_;
  std::unique_ptr<cashu::Redeemer> redeemer_;
  std::function<void(sim::MintAnswer&)> lie_;
  Micros time_;
  Micros boot_at_;
  Seconds wall_shift_;
  uint64_t boot_ = 0;
  uint64_t boundary_ = 0;
  std::set<uint64_t> crashes_;
  bool dying_ = false;
  uint64_t sequence_ = 0;
  std::map<std::pair<Micros, uint64_t>, cashu::RedeemInput> queue_;
  std::map<std::pair<Micros, uint64_t>, std::function<void(RedeemWorld&)>> actions_;
  std::vector<Payment> payments_;
  std::map<CallId, size_t> checks_;  // of this process

  std::vector<cashu::RedeemRecord> journal_;
  std::vector<cashu::RedeemEvent> events_;
  std::map<OpId, cashu::OpOpened> opened_;
  std::map<OpId, size_t> attempts_;
  std::map<OpId, size_t> credits_;
  std::set<OpId> hold_over_;
  std::set<Bytes> intents_;  // bodies of durable attempts
  std::set<std::pair<std::string, uint32_t>> counters_;
  std::set<cashu::Point> ours_;  // every B_ this wallet ever made, recorded or not
  std::map<cashu::Endpoint, size_t> calls_;
  std::vector<std::string> violations_;
};

}  // namespace paygress::test
