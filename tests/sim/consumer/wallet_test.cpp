// The consumer's wallet against the mint model, with a process that dies at every boundary between
// a decision, its record and the mint's answer (cashu.md 2.3; NUT-03, 04, 07, 09, 13). Afterwards
// the wallet's money is the mint's circulation: nothing lost, nothing twice.
#include <gtest/gtest.h>

#include "core/cashu/keyset.h"
#include "core/cashu/token.h"
#include "core/consumer/pending.h"
#include "core/consumer/pricing.h"
#include "core/consumer/saga.h"
#include "core/consumer/wallet_state.h"
#include "sim/models/mint.h"

namespace paygress::consumer {
namespace {

constexpr const char* kUnit = "sat";
constexpr UnixSeconds kNow{1'800'000'000};

struct Died {};

// One owner with a disk and a mint. Boundaries are counted; at one of them the process dies.
class World {
 public:
  explicit World(std::optional<int> dies_at = {}, std::optional<int> answer_lost = {})
      : mint_({}, sim::real_mint_crypto()), dies_at_(dies_at), answer_lost_(answer_lost) {
    seed_.bytes.fill(7);
  }

  sim::Mint& mint() { return mint_; }
  const WalletState& state() const { return state_; }
  int boundaries() const { return boundary_; }
  int answers() const { return answers_; }

  void commit(const std::vector<Record>& records) {
    boundary();
    disk_.push_back(records);
    for (const Record& record : records) state_.apply(record);
    state_.check_invariants();
    boundary();
  }

  cashu::MintAnswer ask(const Ask& what) {
    boundary();
    auto answer = mint_.handle(Micros{1}, what.endpoint, what.argument, what.body);
    boundary();
    if (answer_lost_ && answers_++ == *answer_lost_) return cashu::NoReply{};
    if (!answer_lost_) ++answers_;
    return answer;
  }

  // A new process: only the disk is left. Goes on with what is open.
  void restart() {
    dies_at_.reset();
    state_ = WalletState();
    for (const auto& batch : disk_)
      for (const Record& record : batch) {
        ASSERT_EQ(encode_bytes(record), encode_bytes(*decode_bytes<Record>(encode_bytes(record))));
        state_.apply(record);
      }
    state_.check_invariants();
    std::vector<Record> back;
    for (const uint64_t number : state_.stranded())
      back.push_back(TokenChanged{number, TokenFate::Returned, now_});
    if (!back.empty()) commit(back);
    const auto open = state_.open_ops();
    for (const auto& [number, op] : open) run(op, false);
    const auto quotes = state_.open_quotes();
    for (const auto& [number, quote] : quotes) start_mint(quote);
    std::vector<uint64_t> waiting;
    for (const auto& [number, token] : state_.tokens())
      if (token.stored.origin != TokenOrigin::Made && token.fate == TokenFate::Here)
        waiting.push_back(number);
    for (const uint64_t number : waiting) receive_stored(number);
  }

  void buy(cashu::Amount amount) {
    const auto quote = std::get<cashu::QuoteAnswer>(mint_.mint_quote(amount, kUnit));
    commit(
        {QuoteMade{state_.next_number(), url(), kUnit, quote.quote, quote.request, amount, now_}});
    start_mint(state_.open_quotes().rbegin()->second);
  }

  uint64_t send(cashu::Amount amount, bool for_request) {
    const cashu::Keyset keyset = active();
    const auto plan =
        plan_split(state_.purse().proofs({url(), kUnit}), amount, {&keyset, 1}, keyset);
    if (!plan) throw std::runtime_error(to_string(plan.error()));
    OpStarted op;
    op.number = state_.next_number();
    op.kind = OpKind::Split;
    op.token = op.number + 1;
    op.inputs = plan->inputs;
    op.given = plan->given;
    start(op, keyset.id, plan->amounts, for_request);
    return op.token;
  }

  void receive(const TokenStored& theirs) {
    TokenStored token = theirs;
    token.number = state_.next_number();
    token.origin = TokenOrigin::Given;
    token.from_purse = false;
    commit({token});
    receive_stored(token.number);
  }

  void receive_stored(uint64_t number) {
    const cashu::Keyset keyset = active();
    const TokenStored token = state_.tokens().at(number).stored;
    OpStarted op;
    op.number = state_.next_number();
    op.kind = OpKind::Receive;
    op.token = number;
    op.inputs = token.proofs;
    const auto fee = fee_of(token.proofs, {&keyset, 1}).value();
    start(op, keyset.id, cashu::split_amount(token.amount - fee, keyset.keys).value(), false);
  }

  // Everything the owner has: the purse, and tokens of ours that nobody took.
  cashu::Amount wealth() const {
    return state_.purse().balance({url(), kUnit}) + state_.underway({url(), kUnit});
  }
  void audit() const {
    EXPECT_TRUE(state_.open_ops().empty());
    EXPECT_EQ(wealth(), mint_.circulation());
    for (const auto& proof : state_.purse().proofs({url(), kUnit})) {
      EXPECT_TRUE(mint_.is_valid(proof));
      EXPECT_EQ(mint_.state_of(Micros{1}, proof), cashu::ProofState::Unspent);
    }
  }
  std::string url() const { return mint_.settings().url; }
  void later(Seconds by) { now_ = now_ + by; }

  void run(const OpStarted& op, bool fresh, bool for_request = true) {
    Saga saga(op, fresh, keys_of(op.keyset), seed_);
    auto turn = saga.start(now_);
    for (int turns = 0; turn.end == Saga::End::Going; ++turns) {
      ASSERT_LT(turns, 100);
      turn = turn.wait ? saga.resume(now_) : saga.handle(now_, ask(*turn.ask));
    }
    last_end_ = turn.end;
    if (turn.end == Saga::End::Open) return;
    std::vector<Record> records{*turn.record};
    if (const auto* done = std::get_if<OpDone>(&*turn.record); done && !op.given.empty()) {
      TokenStored token;
      token.number = op.token;
      token.for_request = for_request;
      token.mint = url();
      token.unit = kUnit;
      for (const uint32_t i : op.given) token.proofs.push_back(done->proofs.at(i));
      token.amount = cashu::total(token.proofs).value();
      token.text = "token";
      records.push_back(token);
      if (!fresh) records.push_back(TokenChanged{op.token, TokenFate::Returned, now_});
    }
    commit(records);
  }
  Saga::End last_end() const { return last_end_; }

 private:
  void boundary() {
    if (dies_at_ && boundary_ == *dies_at_) {
      ++boundary_;
      throw Died{};
    }
    ++boundary_;
  }
  std::map<cashu::Amount, cashu::Point> keys_of(const std::string& keyset) const {
    return std::get<cashu::KeysetsAnswer>(mint_.keys_of(keyset)).keysets.front().keys;
  }
  cashu::Keyset active() const {
    return std::get<cashu::KeysetsAnswer>(mint_.keys_of(mint_.active_keyset())).keysets.front();
  }
  void start_mint(const QuoteMade& quote) {
    const cashu::Keyset keyset = active();
    OpStarted op;
    op.number = quote.number;
    op.kind = OpKind::Mint;
    op.quote = quote.quote;
    start(op, keyset.id, cashu::split_amount(quote.amount, keyset.keys).value(), false);
  }
  void start(OpStarted op, const std::string& keyset, const std::vector<cashu::Amount>& amounts,
             bool for_request) {
    op.mint = url();
    op.unit = kUnit;
    op.keyset = keyset;
    op.counter_start = state_.next_counter(keyset);
    op.at = now_;
    auto made = with_outputs(op, amounts, seed_);
    ASSERT_TRUE(made.has_value());
    commit({*made});
    run(*made, true, for_request);
  }

  sim::Mint mint_;
  cashu::WalletSeed seed_;
  WalletState state_;
  std::vector<std::vector<Record>> disk_;
  std::optional<int> dies_at_;
  std::optional<int> answer_lost_;
  int boundary_ = 0;
  int answers_ = 0;
  UnixSeconds now_ = kNow;
  Saga::End last_end_ = Saga::End::Going;
};

// Buys, pays a provider who never takes it, and swaps the token back to itself.
void live(World& world) {
  world.buy(40);
  const uint64_t token = world.send(21, true);
  RequestMade request;
  request.token = token;
  request.json = "{}";
  world.commit({request});
  world.receive_stored(token);
}

TEST(ConsumerWallet, LivesOnAnHonestMint) {
  World world;
  live(world);
  world.audit();
  EXPECT_GT(world.wealth(), 36u);
  EXPECT_LT(world.wealth(), 40u);  // the mint's fees, and nothing else, are gone
  EXPECT_EQ(world.state().tokens().begin()->second.fate, TokenFate::Received);
}

TEST(ConsumerWallet, DiesAtEveryBoundaryAndLosesNothing) {
  World whole;
  live(whole);
  ASSERT_GT(whole.boundaries(), 20);
  for (int at = 0; at < whole.boundaries(); ++at) {
    SCOPED_TRACE(at);
    World world(at);
    EXPECT_THROW(live(world), Died);
    world.restart();
    world.audit();
  }
}

TEST(ConsumerWallet, LosesEachAnswerOnceAndLosesNothing) {
  World whole;
  live(whole);
  ASSERT_GE(whole.answers(), 3);
  for (int at = 0; at < whole.answers(); ++at) {
    SCOPED_TRACE(at);
    World world({}, at);
    live(world);
    world.audit();
  }
}

TEST(ConsumerWallet, TokenThatNeverLeftComesBackAtTheNextStart) {
  World world;
  world.buy(32);
  world.send(5, true);
  EXPECT_EQ(world.state().stranded().size(), 1u);
  const auto before = world.wealth();
  world.restart();
  world.audit();
  EXPECT_EQ(world.wealth(), before);
  EXPECT_EQ(world.state().underway({world.url(), kUnit}), 0u);
}

TEST(ConsumerWallet, PrintedTokenStaysGivenAway) {
  World world;
  world.buy(32);
  const uint64_t token = world.send(5, false);
  world.commit({TokenChanged{token, TokenFate::Sent, kNow}});
  world.restart();
  EXPECT_EQ(world.state().underway({world.url(), kUnit}), 5u);
  world.audit();
}

TEST(ConsumerWallet, ReturnedTokenThatTheProviderTookAfterAllIsLostAndTheRestIsNot) {
  World world;
  world.buy(32);
  const uint64_t token = world.send(5, true);
  RequestMade request;
  request.token = token;
  world.commit({request, TokenChanged{token, TokenFate::Returned, kNow}});
  const auto taken = world.state().tokens().at(token).stored.proofs;
  ASSERT_TRUE(world.mint().spend_elsewhere(Micros{1}, taken));
  // Everything is put into one swap: a part of it is spent, so nothing of it can be ours.
  const auto all = world.state().purse().balance({world.url(), kUnit});
  world.send(all - 1, true);
  EXPECT_EQ(world.last_end(), Saga::End::Failed);
  world.restart();
  EXPECT_EQ(world.state().purse().balance({world.url(), kUnit}), all - 5);
  for (const auto& proof : world.state().purse().proofs({world.url(), kUnit}))
    EXPECT_EQ(world.mint().state_of(Micros{1}, proof), cashu::ProofState::Unspent);
}

TEST(ConsumerWallet, SilentMintLeavesTheOperationOpenAndTheNextStartEndsIt) {
  // The swap is carried out and its answer lost, and restore lags behind.
  World lost({}, 1);
  lost.mint().set_restore_lag(Micros{1'000'000});
  lost.buy(32);
  lost.send(5, true);
  EXPECT_EQ(lost.last_end(), Saga::End::Open);
  EXPECT_EQ(lost.state().open_ops().size(), 1u);
  lost.mint().set_restore_lag(Micros{0});
  lost.restart();
  lost.audit();
}

TEST(ConsumerWallet, OfEveryTokenThatLeftItIsKnownWhatToWaitFor) {
  World world;
  world.buy(64);
  const uint64_t printed = world.send(3, false);
  world.commit({TokenChanged{printed, TokenFate::Sent, kNow}});
  const uint64_t asked = world.send(5, true);
  RequestMade request;
  request.request.bytes[0] = 1;
  request.token = asked;
  request.at = kNow;
  world.commit({request});
  const uint64_t refused = world.send(7, true);
  request.request.bytes[0] = 2;
  request.token = refused;
  world.commit({request, RequestAnswered{request.request, "{}", kNow}});
  const auto at = [&](UnixSeconds now) {
    std::map<uint64_t, PendingToken> all;
    for (const PendingToken& p : pending_tokens(world.state(), now)) all.emplace(p.number, p);
    return all;
  };
  auto soon = at(kNow + Seconds{60});
  ASSERT_EQ(soon.size(), 3u);
  EXPECT_EQ(soon.at(printed).waiting, Waiting::GivenAway);
  EXPECT_FALSE(soon.at(printed).may_take_back);
  EXPECT_EQ(soon.at(asked).waiting, Waiting::Sent);
  EXPECT_FALSE(soon.at(asked).may_take_back);  // it would race with the purchase
  EXPECT_EQ(soon.at(refused).waiting, Waiting::NotTaken);
  EXPECT_TRUE(soon.at(refused).may_take_back);
  EXPECT_TRUE(at(kNow + kTakeBackAfter).at(asked).may_take_back);
  world.commit({TokenChanged{asked, TokenFate::Taken, kNow}});
  EXPECT_EQ(at(kNow).count(asked), 0u);
}

TEST(ConsumerWallet, APrintedTokenIsCalledSendAndAPaidOnePay) {
  World world;
  world.buy(64);
  // A swap was needed for both, so neither knew yet where it would go.
  const uint64_t printed = world.send(3, true);
  world.commit({TokenChanged{printed, TokenFate::Sent, kNow}});
  const uint64_t paid = world.send(5, true);
  RequestMade request;
  request.token = paid;
  world.commit({request});
  const auto line = [&](uint64_t number) {
    return *std::ranges::find(world.state().history(), number, &HistoryEntry::number);
  };
  EXPECT_EQ(line(printed).what, "send");
  EXPECT_EQ(line(printed).amount, -3);
  EXPECT_EQ(line(paid).what, "pay");
}

// Money of somebody else that pays: not of the purse, but somewhere until its end is known.
TEST(ConsumerWallet, AHandedInTokenIsSeenWhereverItIs) {
  World world;
  const cashu::WalletStore::Purse purse{world.url(), kUnit};
  TokenStored token;
  token.number = world.state().next_number();
  token.origin = TokenOrigin::Given;
  token.mint = world.url();
  token.unit = kUnit;
  token.amount = 21;
  world.commit({token});
  EXPECT_EQ(world.state().locked(purse), 21u);
  EXPECT_EQ(world.state().underway(purse), 0u);
  RequestMade request;
  request.token = token.number;
  world.commit({request});
  EXPECT_EQ(world.state().locked(purse), 0u);
  EXPECT_EQ(world.state().underway(purse), 21u);
  const HistoryEntry& line = world.state().history().back();
  EXPECT_EQ(line.what, "pay");
  EXPECT_EQ(line.amount, 0);
  EXPECT_EQ(line.token, 21u);
  world.commit({TokenChanged{token.number, TokenFate::Taken, kNow}});
  EXPECT_EQ(world.state().underway(purse), 0u);
}

TEST(ConsumerWallet, AGivenAwayTokenIsRedeemedWhenTheMintSaysSoAndNoSwapOfOursIsOpen) {
  World world({}, 2);  // the answer to the swap back is lost
  world.buy(64);
  const uint64_t token = world.send(3, false);
  world.commit({TokenChanged{token, TokenFate::Sent, kNow}});
  const PendingToken pending = pending_tokens(world.state(), kNow).front();
  EXPECT_TRUE(is_redeemed(world.state(), pending, cashu::ProofState::Spent));
  EXPECT_FALSE(is_redeemed(world.state(), pending, cashu::ProofState::Unspent));
  EXPECT_FALSE(is_redeemed(world.state(), pending, cashu::ProofState::Pending));
  world.mint().set_restore_lag(Micros{1'000'000});
  world.receive_stored(token);
  ASSERT_EQ(world.state().open_ops().size(), 1u);
  EXPECT_FALSE(is_redeemed(world.state(), pending, cashu::ProofState::Spent));
}

TEST(ConsumerWallet, CountersAreNeverUsedTwice) {
  World world;
  live(world);
  const auto keyset = world.mint().active_keyset();
  EXPECT_GT(world.state().next_counter(keyset), 5u);
  const uint32_t before = world.state().next_counter(keyset);
  world.restart();
  EXPECT_EQ(world.state().next_counter(keyset), before);
}

}  // namespace
}  // namespace paygress::consumer
