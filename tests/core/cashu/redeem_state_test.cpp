// The fold of redeem records: what it refuses to believe, and that it survives the journal's codec.
#include "core/cashu/redeem_state.h"

#include <gtest/gtest.h>

#include "core/base/codec.h"
#include "core/cashu/identity.h"

namespace paygress::cashu {
namespace {

const std::string kKeyset = "00aabbccddeeff00";
const std::string kTheMint = "https://mint.example";

OpId op(uint8_t n) {
  OpId id;
  id.bytes[0] = n;
  return id;
}
YHash y(uint8_t n) {
  YHash hash;
  hash.bytes[0] = n;
  return hash;
}
Proof proof(Amount amount, const std::string& secret) {
  return {amount, kKeyset, secret, {}, {}, {}};
}
OpOpened opened(uint8_t n, Amount amount = 9) {
  return {
      op(n),          kTheMint,         "sat",    {proof(amount, "in" + std::to_string(n))}, {y(n)},
      UnixSeconds{1}, UnixSeconds{601}, {Point{}}};
}
AttemptMade attempt(uint8_t n, uint32_t counter, std::vector<Amount> amounts = {8}) {
  AttemptMade made{op(n), {kKeyset, counter, {}, {1}}};
  for (const Amount amount : amounts) made.attempt.outputs.push_back({amount, kKeyset, {}});
  return made;
}

RedeemState fold(const std::vector<RedeemRecord>& records) {
  RedeemState state;
  for (const auto& record : records) state.apply(record);
  state.check_invariants();
  return state;
}

TEST(RedeemState, A_whole_life_folds_from_its_bytes) {
  const std::vector<RedeemRecord> records = {opened(1),
                                             attempt(1, 0),
                                             EmptySince{op(1), UnixSeconds{5}, ProofState::Spent},
                                             EmptySince{op(1), UnixSeconds{6}, ProofState::Pending},
                                             HoldEnded{op(1)},
                                             EmptySince{op(1), UnixSeconds{7}, ProofState::Unspent},
                                             OpClosed{op(1), Verdict::Released, UnixSeconds{9}},
                                             OpDone{op(1), {proof(8, "out")}, 1, true}};
  RedeemState state;
  const OpStatus after[] = {OpStatus::Open,     OpStatus::Open,     OpStatus::Open,
                            OpStatus::Open,     OpStatus::HoldOver, OpStatus::HoldOver,
                            OpStatus::Released, OpStatus::Done};
  for (size_t i = 0; i < records.size(); ++i) {
    const auto read = decode_bytes<RedeemRecord>(encode_bytes(records[i]));
    ASSERT_TRUE(read.has_value());
    EXPECT_EQ(encode_bytes(*read), encode_bytes(records[i]));
    state.apply(*read);
    EXPECT_EQ(state.summary(op(1))->status, after[i]);
  }
  state.check_invariants();
  EXPECT_EQ(state.wallet().balance({kTheMint, "sat"}), 8u);
  EXPECT_TRUE(state.summary(op(1))->late);
  EXPECT_EQ(state.live(op(1)), nullptr);
  EXPECT_EQ(state.op_of(y(1)), op(1));  // for ever
}

TEST(RedeemState, Counters_are_those_of_every_attempt_whatever_became_of_it) {
  const RedeemState state = fold({opened(1), attempt(1, 0, {4, 4}), opened(2), attempt(2, 7)});
  EXPECT_EQ(state.next_counter(kKeyset), 8u);
  EXPECT_EQ(state.next_counter("01"), 0u);
  ASSERT_EQ(state.used_keysets().size(), 1u);
  EXPECT_EQ(state.used_keysets()[0].first, kTheMint);
}

TEST(RedeemState, Forgetting_keeps_the_secrets) {
  const RedeemState state =
      fold({opened(1), attempt(1, 0), OpClosed{op(1), Verdict::SpentElsewhere, UnixSeconds{9}},
            OpForgotten{op(1)}});
  EXPECT_EQ(state.op_of(y(1)), op(1));
  EXPECT_EQ(state.summary(op(1))->status, OpStatus::SpentElsewhere);
  EXPECT_FALSE(state.summary(op(1))->watched);
  EXPECT_TRUE(state.live().empty());
}

// Of a refund that a lost life had made nothing of the inputs was spent: the next one takes them.
TEST(RedeemState, Inputs_of_a_refund_that_was_found_are_those_of_the_next) {
  const auto refund = [](uint8_t claim, const std::vector<Point>& points) {
    RefundOpened open;
    open.claim.bytes[0] = claim;
    open.op = own_op_id(open.claim, points);
    open.mint = kTheMint;
    open.unit = "sat";
    open.inputs = {proof(8, "out")};
    open.points = points;
    open.face = 7;
    return open;
  };
  const RefundOpened first = refund(1, {Point{}});
  const RefundOpened second = refund(2, {Point{}});
  AttemptMade made = attempt(1, 1);
  made.op = second.op;
  const RedeemState state =
      fold({opened(1), attempt(1, 0), OpDone{op(1), {proof(8, "out")}, 1, false}, first,
            RefundDone{first.op, {proof(7, "token")}, {}, 0, "token", true}, second, made});
  EXPECT_FALSE(state.refund_of(first.claim).has_value());
  EXPECT_EQ(state.refund_of(second.claim), second.op);
  EXPECT_TRUE(state.wallet().spendable({kTheMint, "sat"}).empty()) << "reserved for the second";
}

TEST(RedeemStateDeath, A_secret_has_one_operation) {
  OpOpened second = opened(2);
  second.ys = {y(1)};
  EXPECT_DEATH(fold({opened(1), attempt(1, 0), second}), "");
}

TEST(RedeemStateDeath, An_operation_is_done_once) {
  const OpDone done{op(1), {proof(8, "out")}, 1, false};
  EXPECT_DEATH(fold({opened(1), attempt(1, 0), done, done}), "");
}

TEST(RedeemStateDeath, Done_must_balance) {
  EXPECT_DEATH(fold({opened(1), attempt(1, 0), OpDone{op(1), {proof(8, "out")}, 0, false}}), "");
}

TEST(RedeemStateDeath, A_counter_is_used_once) {
  EXPECT_DEATH(fold({opened(1), attempt(1, 0, {4, 4}), opened(2), attempt(2, 1)}), "");
}

TEST(RedeemStateDeath, Outputs_do_not_exceed_inputs) {
  EXPECT_DEATH(fold({opened(1), attempt(1, 0, {8, 2})}), "");
}

TEST(WalletStore, Balances_follow_the_proofs) {
  WalletStore wallet;
  const WalletStore::Purse purse{kTheMint, "sat"};
  wallet.add(purse, proof(8, "a"));
  wallet.add(purse, proof(2, "b"));
  EXPECT_EQ(wallet.balance(purse), 10u);
  EXPECT_EQ(wallet.balance({kTheMint, "msat"}), 0u);
  wallet.remove(purse, "a");
  EXPECT_EQ(wallet.balance(purse), 2u);
  EXPECT_FALSE(wallet.contains(purse, "a"));
  EXPECT_EQ(wallet.proofs(purse).size(), 1u);
  wallet.check_invariants();
  EXPECT_DEATH(wallet.remove(purse, "a"), "");
  EXPECT_DEATH(wallet.add(purse, proof(2, "b")), "");
}

}  // namespace
}  // namespace paygress::cashu
