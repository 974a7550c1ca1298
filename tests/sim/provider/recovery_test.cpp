// A ledger that misses the end of what it has done, taken up by its operator's word
// (core/provider/recovery.h), and the search of the wallet by its seed (core/cashu/restorer.h):
// nothing that is ours is left at the mint, nothing is counted that is spent, and no output is made
// twice, from whichever batch on the ledger is gone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "core/cashu/token.h"
#include "core/provider/free_money.h"
#include "tests/sim/provider/rig.h"

namespace paygress::sim {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Secrets = std::set<std::string>;

struct Past {
  Rig rig;
  Secrets owned;  // at its end, as the proofs
  std::vector<cashu::Proof> proofs;
  std::map<ClaimId, Secrets> refunds;
  size_t batches = 0;
  std::string pod;  // of alice's lease

  // Two leases, one of them topped up, and the other stopped and paid back; earnings are taken out.
  Past() {
    rig.start();
    rig.run_for(Seconds{2});
    const auto alice = rig.buy(rig.alice, 100);
    pod = alice.pod_npub;
    const auto bob = rig.buy(rig.bob, 50);
    rig.ask(rig.bob, market::TopUpRequest{bob.pod_npub, rig.spawn(30).cashu_token, request_id(3)});
    rig.run_for(Seconds{300});
    rig.ask(rig.alice, market::StopRequest{alice.pod_npub, request_id(4)});
    rig.run_for(Seconds{30});
    provider::Withdraw send;
    send.id.bytes[0] = 7;
    send.mint = mint();
    send.unit = "sat";
    send.amount = 10;
    send.purpose = lease::kSend;
    rig.step(send);
    rig.run_for(Seconds{30});
    rig.replies(rig.alice);
    rig.replies(rig.bob);
    owned = in_wallet();
    proofs = wallet().wallet().proofs({mint(), "sat"});
    refunds = paid_back();
    batches = rig.ledger().size();
    rig.stop_process();
  }

  std::string mint() { return rig.settings().mints.front(); }
  const cashu::RedeemState& wallet() { return rig.core().wallet().state(); }
  Secrets in_wallet() {
    Secrets found;
    for (const cashu::Proof& proof : wallet().wallet().proofs({mint(), "sat"}))
      found.insert(proof.secret);
    return found;
  }
  std::map<ClaimId, Secrets> paid_back() {
    std::map<ClaimId, Secrets> found;
    for (const auto& [id, claim] : rig.core().leases().claims().all()) {
      if (!claim.paid) continue;
      const cashu::Token token = cashu::decode_token(claim.paid->token).value();
      for (const cashu::Proof& proof : token.proofs) found[id].insert(proof.secret);
    }
    return found;
  }
  // The ledger ends at batch `kept` now.
  void roll_back(size_t kept) { rig.ledger().resize(kept); }
  void say_so(size_t kept) {
    rig.ledger().push_back(
        {provider::OwnRecord(provider::RecoveryBegan{kept, batches, rig.now().wall})});
  }
  // Of these proofs of the wallet, those that the mint would not take.
  size_t phantoms() { return phantoms(wallet().wallet().proofs({mint(), "sat"})); }
  size_t phantoms(const std::vector<cashu::Proof>& held) {
    size_t count = 0;
    for (const cashu::Proof& proof : held)
      count += !rig.mint().is_valid(proof) ||
               rig.mint().state_of(rig.time(), proof) != cashu::ProofState::Unspent;
    return count;
  }
  // Proofs that were ours, can be spent, and are not in the wallet.
  size_t left_behind() {
    const Secrets now = in_wallet();
    return static_cast<size_t>(std::ranges::count_if(proofs, [&](const cashu::Proof& proof) {
      return !now.contains(proof.secret) &&
             rig.mint().state_of(rig.time(), proof) == cashu::ProofState::Unspent;
    }));
  }
  // NUT-13 outputs that were made since the ledger was cut, and that the mint knew before.
  size_t made_again(size_t kept, size_t swaps) {
    std::set<cashu::Point> known;
    for (size_t i = 0; i < swaps; ++i)
      for (const auto& output : rig.mint().swaps()[i].outputs) known.insert(output.b);
    size_t again = 0;
    for (size_t batch = kept; batch < rig.ledger().size(); ++batch)
      for (const provider::Record& record : rig.ledger()[batch]) {
        const auto* redeem = std::get_if<cashu::RedeemRecord>(&record);
        const auto* made = redeem ? std::get_if<cashu::AttemptMade>(redeem) : nullptr;
        if (made == nullptr) continue;
        const auto& outputs = made->attempt.outputs;
        for (size_t i = made->attempt.of_token; i < outputs.size(); ++i)
          again += known.contains(outputs[i].b);
      }
    return again;
  }
};

// Of what was lost nothing is missing and nothing is there twice, wherever the ledger was cut.
TEST(LedgerRecovery, FromWhicheverBatchOnTheLedgerIsGoneTheWalletIsWhatTheMintSays) {
  const size_t batches = Past().batches;
  for (size_t kept = 1; kept < batches; ++kept) {
    SCOPED_TRACE("kept " + std::to_string(kept) + " of " + std::to_string(batches));
    Past past;
    Rig& rig = past.rig;
    past.roll_back(kept);
    past.say_so(kept);
    const size_t swaps = rig.mint().swaps().size();
    rig.start();
    rig.run_for(Seconds{20});
    ASSERT_TRUE(rig.core().recovering());
    EXPECT_THAT(rig.core().recovery_waits_for(), IsEmpty());
    EXPECT_EQ(rig.mint().swaps().size(), swaps);
    EXPECT_EQ(past.phantoms(past.wallet().wallet().spendable({past.mint(), "sat"})), 0u);

    rig.step(provider::Release{});
    EXPECT_FALSE(rig.core().recovering());
    rig.run_for(Seconds{60});
    EXPECT_EQ(past.phantoms(), 0u);
    EXPECT_EQ(past.left_behind(), 0u);
    rig.buy(Identity(Tier::Fast, 503), 100);
    // Whoever was paid back is not paid back with other money.
    rig.ask(rig.alice, market::StopRequest{past.pod, request_id(9)});
    rig.run_for(Seconds{60});
    for (const auto& [claim, secrets] : past.paid_back())
      EXPECT_TRUE(!past.refunds.contains(claim) || past.refunds.at(claim) == secrets);
    EXPECT_EQ(past.made_again(kept, swaps), 0u);
    rig.core().check_invariants();
  }
}

// That is what the operator's word is for: without it the same ledger counts what is spent.
TEST(LedgerRecovery, WithoutItAnOlderLedgerHoldsWhatIsSpent) {
  const size_t batches = Past().batches;
  size_t wrong = 0;
  for (size_t kept = batches / 2; kept < batches; ++kept) {
    Past past;
    past.roll_back(kept);
    past.rig.start();
    past.rig.run_for(Seconds{60});
    wrong += past.phantoms() > 0 || past.left_behind() > 0;
  }
  EXPECT_GT(wrong, 0u);
}

// Nor does it matter where the process dies meanwhile, or what the mint does not answer.
TEST(LedgerRecovery, WhereverItDiesMeanwhileNothingIsFoundTwiceOrLeft) {
  struct History {
    Past past;
    uint64_t begun = 0;
    explicit History(std::optional<uint64_t> dies_after) {
      Rig& rig = past.rig;
      past.roll_back(past.batches / 2);
      past.say_so(past.batches / 2);
      begun = rig.boundaries();
      if (dies_after) rig.crash_at.insert(begun + *dies_after);
      for (const auto endpoint : {cashu::Endpoint::Restore, cashu::Endpoint::CheckState})
        rig.mint().plan_fault(endpoint, MintFault::DropAnswer);
      rig.start();
      for (int tries = 0; tries < 5; ++tries) {
        rig.run_for(Seconds{90});
        if (rig.up()) rig.step(provider::Release{});
      }
      rig.run_for(Seconds{60});
    }
  };
  uint64_t boundaries = 0;
  {
    History whole(std::nullopt);
    boundaries = whole.past.rig.boundaries() - whole.begun;
  }
  for (uint64_t boundary = 0; boundary < std::min<uint64_t>(boundaries, 150); boundary += 2) {
    SCOPED_TRACE("dies after " + std::to_string(boundary));
    History history(boundary);
    ASSERT_TRUE(history.past.rig.up());
    EXPECT_FALSE(history.past.rig.core().recovering());
    EXPECT_EQ(history.past.phantoms(), 0u);
    EXPECT_EQ(history.past.left_behind(), 0u);
    history.past.rig.core().check_invariants();
  }
}

TEST(LedgerRecovery, NothingIsSoldPaidMadeOrRemovedBeforeItIsReleased) {
  Past past;
  Rig& rig = past.rig;
  past.roll_back(past.batches / 2);
  past.say_so(past.batches / 2);
  const auto objects = rig.engine().names(rig.now());
  rig.start();
  rig.run_for(Seconds{5});
  rig.ask(rig.alice, rig.spawn(100));
  const size_t swaps = rig.mint().swaps().size();
  const auto refused = rig.error(rig.alice);
  EXPECT_EQ(refused.error_type, "token_pending");
  EXPECT_EQ(refused.interim, true);
  EXPECT_EQ(refused.token_state, market::TokenState::InDoubt);
  provider::Withdraw send;
  send.id.bytes[0] = 8;
  send.mint = past.mint();
  send.unit = "sat";
  send.amount = 1;
  rig.step(send);
  ASSERT_FALSE(rig.settled().empty());
  EXPECT_THAT(rig.settled().back().problem, HasSubstr("recovered"));
  rig.run_for(Seconds{7'200});
  EXPECT_EQ(rig.engine().names(rig.now()), objects);
  EXPECT_EQ(rig.mint().swaps().size(), swaps);

  rig.step(provider::Release{});
  rig.run_for(Seconds{30});
  rig.ask(rig.alice, rig.spawn(100));
  EXPECT_TRUE(std::holds_alternative<market::AccessDetails>(
      parsed(rig.replies(rig.alice, Seconds{30}).back())));
}

// The seed alone: no ledger, no mark.
TEST(LedgerRecovery, OfALedgerThatIsGoneFindsEveryProof) {
  Past past;
  past.roll_back(0);
  past.say_so(0);
  past.rig.start();
  past.rig.run_for(Seconds{20});
  EXPECT_EQ(past.in_wallet(), past.owned);
  EXPECT_THAT(past.rig.core().recovery_waits_for(), IsEmpty());
  // Again, by the next process: nothing is found twice.
  const size_t flows = past.wallet().flows().size();
  const auto restored = past.wallet().flows().begin()->second.restored;
  past.rig.restart();
  past.rig.run_for(Seconds{20});
  EXPECT_EQ(past.in_wallet(), past.owned);
  EXPECT_EQ(past.wallet().flows().size(), flows);
  EXPECT_EQ(past.wallet().flows().begin()->second.restored, restored);
  past.rig.step(provider::Release{});
  past.rig.run_for(Seconds{5});
  const auto money =
      provider::free_money(past.rig.core().leases(), past.wallet(), {past.mint(), "sat"});
  EXPECT_EQ(money.free, money.wallet);
}

// On every keyset, in whatever order the mint shows it; what a lagging mint hides is found later.
TEST(LedgerRecovery, FindsWhatIsOnARetiredKeysetAndWhatWasHiddenOnceItIsShown) {
  Rig rig;
  rig.start();
  rig.run_for(Seconds{2});
  rig.buy(rig.alice, 100);
  rig.mint().rotate(100);
  rig.run_for(Seconds{700});  // until it is read again
  rig.buy(rig.bob, 77);
  const std::string mint = rig.settings().mints.front();
  const auto balance = [&] { return rig.core().wallet().state().wallet().balance({mint, "sat"}); };
  const cashu::Amount owned = balance();
  rig.stop_process();
  rig.ledger() = {{provider::OwnRecord(provider::RecoveryBegan{0, 0, rig.now().wall})}};
  rig.mint().set_restore_reversed(true);
  rig.mint().cut_restores(1);
  rig.start();
  rig.run_for(Seconds{30});
  EXPECT_LT(balance(), owned);
  rig.step(provider::SearchWallet{});
  rig.run_for(Seconds{30});
  EXPECT_EQ(balance(), owned);
  std::set<std::string> keysets;
  for (const auto& proof : rig.core().wallet().state().wallet().proofs({mint, "sat"}))
    keysets.insert(proof.keyset);
  EXPECT_EQ(keysets.size(), 2u);
}

TEST(LedgerRecovery, AMintThatIsAwayIsWaitedForUnlessTheOperatorInsists) {
  Past past;
  Rig& rig = past.rig;
  past.roll_back(past.batches / 2);
  past.say_so(past.batches / 2);
  rig.mint().set_reachable(false);
  rig.start();
  rig.run_for(Seconds{300});
  rig.step(provider::Release{});
  ASSERT_FALSE(rig.released().empty());
  EXPECT_THAT(rig.released().back().waits_for, ::testing::ElementsAre(HasSubstr("the search of")));
  EXPECT_TRUE(rig.core().recovering());
  rig.mint().set_reachable(true);
  rig.run_for(Seconds{200});
  EXPECT_THAT(rig.core().recovery_waits_for(), IsEmpty());
  rig.mint().set_reachable(false);
  rig.restart();
  rig.run_for(Seconds{5});
  rig.step(provider::Release{.force = true});
  EXPECT_FALSE(rig.core().recovering());
  rig.core().check_invariants();
}

// Also in the middle of a day's work, again and again, and wherever the process dies.
TEST(WalletSearch, OfAWholeLedgerFindsNothingNew) {
  Rig rig;
  rig.start();
  rig.run_for(Seconds{2});
  rig.buy(rig.alice, 100);
  const auto flows = rig.core().wallet().state().flows();
  for (int i = 0; i < 3; ++i) {
    rig.step(provider::SearchWallet{});
    rig.buy(Identity(Tier::Fast, 510 + static_cast<uint64_t>(i)), 64);
    rig.run_for(Seconds{10});
  }
  ASSERT_EQ(rig.searched().size(), 3u);
  for (const auto& searched : rig.searched()) {
    EXPECT_TRUE(searched.complete);
    EXPECT_EQ(searched.units.at("sat").found, 0u);
    EXPECT_GT(searched.units.at("sat").known, 0u);
  }
  EXPECT_EQ(rig.core().wallet().state().flows().begin()->second.restored, 0u);
}

// A ledger that began anew while nobody knew: the search brings the old wallet into it, once.
TEST(WalletSearch, BringsWhatTheSeedOwnsIntoANewLedgerOnceWhereverItDies) {
  const size_t first = [] {
    Past past;
    past.roll_back(0);
    past.rig.start();
    past.rig.run_for(Seconds{5});
    return past.rig.boundaries();
  }();
  for (uint64_t boundary = first; boundary < first + 60; ++boundary) {
    SCOPED_TRACE("dies at " + std::to_string(boundary));
    Past past;
    past.roll_back(0);
    past.rig.start();
    past.rig.run_for(Seconds{5});
    past.rig.crash_at.insert(boundary);
    past.rig.step(provider::SearchWallet{});
    past.rig.run_for(Seconds{60});
    if (!past.rig.up()) continue;
    past.rig.step(provider::SearchWallet{});
    past.rig.run_for(Seconds{60});
    EXPECT_EQ(past.in_wallet(), past.owned);
    past.rig.core().check_invariants();
  }
}

}  // namespace
}  // namespace paygress::sim
