// A lease is a meter, and every msat is somewhere (lease_book.h; money-sagas.md flaws 10, 11, 13,
// 19 and 21).
#include "core/lease/lease_book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>

#include "core/base/codec.h"

namespace paygress::lease {
namespace {

const MintUnit kMintA{"https://a.example", "sat"};
const MintUnit kMintB{"https://b.example", "sat"};

template <class Id>
Id id_of(uint32_t n) {
  Id id;
  id.bytes[0] = static_cast<uint8_t>(n);
  id.bytes[1] = static_cast<uint8_t>(n >> 8);
  return id;
}

Lot lot(int64_t msat, const MintUnit& mint = kMintA) { return {mint.first, mint.second, {msat}}; }

// A book with its journal.
struct Ledger {
  LeaseBook book{{1'000'000, 1'000'000, 1'000'000}, {1000, 1999, 30'000, 39'999}};
  std::vector<std::vector<LeaseRecord>> batches;
  std::vector<LeaseEvent> events;
  Instant now{id_of<BootId>(1), Micros{1'000'000'000}, UnixSeconds{1'780'000'000}};

  std::map<uint32_t, uint32_t>
      ops;  // of the newest reservation, where it is not the lease's number
  OpId op_of(uint32_t n) const { return id_of<OpId>(ops.contains(n) ? ops.at(n) : n); }

  template <class F>
  auto with(F f) {
    LeaseStep step;
    if constexpr (std::is_void_v<decltype(f(step))>) {
      f(step);
      finish(std::move(step));
    } else {
      const auto result = f(step);
      finish(std::move(step));
      return result;
    }
  }
  void finish(LeaseStep step) {
    if (!step.records.empty()) batches.push_back(std::move(step.records));
    for (auto& e : step.events) events.push_back(std::move(e));
    book.check_invariants();
  }
  Now plain() const { return {now.mono, now.wall}; }
  void pass(Seconds time) {
    now.mono += micros(time);
    now.wall = now.wall + time;
  }
  void reserve(uint32_t n, int64_t rate = 100, Seconds minimum = Seconds{1}) {
    LeaseReserved terms;
    terms.lease = id_of<LeaseId>(n);
    terms.op = op_of(n);
    terms.owner = id_of<PubKey>(n % 3);
    terms.tier.rate_per_second = Msat{rate};
    terms.minimum = minimum;
    terms.at = now.wall;
    const auto found = book.allocator().find(terms.tier, 1).value();
    terms.number = found.number;
    terms.ssh_port = found.port_block;
    with([&](LeaseStep& s) { book.reserve(terms, s); });
  }
  bool pay(uint32_t n, const Lot& money) {
    return with([&](LeaseStep& s) {
      return book.credit_spawn(plain(), id_of<LeaseId>(n), op_of(n), money, s);
    });
  }
  bool top_up(uint32_t n, uint32_t op, const Lot& money) {
    return with([&](LeaseStep& s) {
      return book.credit_top_up(plain(), id_of<LeaseId>(n), id_of<OpId>(op), money, s);
    });
  }
  void start(uint32_t n) {
    with([&](LeaseStep& s) { book.on_started(now, id_of<LeaseId>(n), true, s); });
  }
  void sight(uint32_t n) {
    with([&](LeaseStep& s) { book.on_sighted(now, id_of<LeaseId>(n), s); });
  }
  void down(uint32_t n, std::optional<UnixSeconds> since, bool own) {
    with([&](LeaseStep& s) { book.on_down(now, id_of<LeaseId>(n), since, own, s); });
  }
  void up(uint32_t n, Seconds backoff = Seconds{0}) {
    with([&](LeaseStep& s) { book.on_up(now, id_of<LeaseId>(n), backoff, s); });
  }
  void gone(uint32_t n) {
    with([&](LeaseStep& s) { book.on_gone(now, id_of<LeaseId>(n), std::nullopt, s); });
  }
  void timer() {
    with([&](LeaseStep& s) { book.handle_timer(now, s); });
  }
  const Lease& lease(uint32_t n) const { return *book.find(id_of<LeaseId>(n)); }
  Seconds remaining(uint32_t n) const { return book.remaining(lease(n), plain()); }
  // Running, paid for `seconds` at 100 msat/s.
  void running(uint32_t n, int64_t seconds = 1000) {
    reserve(n);
    ASSERT_TRUE(pay(n, lot(seconds * 100)));
    start(n);
    events.clear();
  }
  const Totals& totals(const MintUnit& mint = kMintA) { return book.totals().at(mint); }
};

TEST(LeaseBook, TheMeterStandsWhileItIsDownForAReasonOfOurs) {
  Ledger l;
  l.running(1);
  l.pass(Seconds{100});
  l.down(1, l.now.wall, false);
  EXPECT_EQ(l.remaining(1), Seconds{900});
  l.pass(Seconds{500});
  EXPECT_EQ(l.remaining(1), Seconds{900});
  l.up(1, Seconds{30});  // not its own exit: no backoff is charged
  EXPECT_EQ(l.remaining(1), Seconds{900});
  l.pass(Seconds{1});
  EXPECT_EQ(l.remaining(1), Seconds{899});
}

TEST(LeaseBook, AnExitOfItsOwnCostsTheBackoffAndNoMore) {
  Ledger l;
  l.running(1);
  l.down(1, l.now.wall, true);
  l.pass(Seconds{700});
  l.up(1, Seconds{30});
  EXPECT_EQ(l.remaining(1), Seconds{970});
}

TEST(LeaseBook, DownSinceTheEnginesStopTimeButNeverBeforeTheLastSight) {
  Ledger l;
  l.running(1);
  l.pass(Seconds{300});
  l.down(1, l.now.wall - Seconds{200}, false);
  EXPECT_EQ(l.lease(1).used, micros(Seconds{100}));

  l.running(2);
  l.pass(Seconds{100});
  l.sight(2);
  l.pass(Seconds{60});
  l.timer();  // the sight is a record now, of a minute ago
  l.pass(Seconds{200});
  l.down(2, l.now.wall - Seconds{10'000}, false);  // a wall clock that was set
  EXPECT_EQ(l.lease(2).used, micros(Seconds{100}));
}

// Flaw 10: an object that is gone tells no time; what nobody saw is not charged.
TEST(LeaseBook, WithoutAStopTimeTheLastSightCounts) {
  Ledger l;
  l.running(1);
  l.pass(Seconds{600});
  l.down(1, std::nullopt, false);
  EXPECT_EQ(l.lease(1).used, Micros{0});
}

// Also of a process that was stopped before it could record what it had seen.
TEST(LeaseBook, ASightIsRecordedAsOfWhenItWas) {
  Ledger l;
  l.running(1);
  l.pass(Seconds{30});
  l.sight(1);
  l.pass(Seconds{600});
  l.timer();
  l.down(1, std::nullopt, false);
  EXPECT_EQ(l.lease(1).used, micros(Seconds{30}));
}

TEST(LeaseBook, EndsOnlyOnASightAtOrAfterItsEnd) {
  Ledger l;
  l.running(1, 100);
  EXPECT_EQ(l.book.next_deadline(), l.now.mono + micros(Seconds{100}));
  l.pass(Seconds{99});
  l.timer();
  EXPECT_TRUE(l.events.empty());
  l.pass(Seconds{1});
  l.timer();
  ASSERT_EQ(l.events.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<Look>(l.events[0]));
  EXPECT_EQ(l.lease(1).phase, Phase::Running);
  l.pass(Seconds{5});
  l.timer();  // nobody answered: look again
  EXPECT_EQ(l.events.size(), 2u);
  l.sight(1);
  EXPECT_EQ(l.lease(1).phase, Phase::Ending);
  EXPECT_TRUE(std::holds_alternative<Retire>(l.events.back()));
  EXPECT_EQ(l.totals().consumed, Msat{0}) << "settled only when the object is gone";
  l.gone(1);
  EXPECT_EQ(l.lease(1).statement->used, Seconds{100});
  EXPECT_EQ(l.totals().consumed, Msat{10'000});
  EXPECT_EQ(l.totals().claims, Msat{0});
  EXPECT_EQ(l.book.jobs_completed(), 1u);
}

// Flaw 19.
TEST(LeaseBook, ATopUpUnderWayHoldsTheEndForSixtySeconds) {
  Ledger l;
  l.running(1, 100);
  l.book.expect_top_up(id_of<LeaseId>(1), id_of<OpId>(50));
  l.pass(Seconds{159});
  l.sight(1);
  EXPECT_EQ(l.lease(1).phase, Phase::Running);
  ASSERT_TRUE(l.top_up(1, 50, lot(10'000)));
  l.book.top_up_settled(id_of<LeaseId>(1), id_of<OpId>(50));
  EXPECT_EQ(l.remaining(1), Seconds{41});  // counted from the old end
  l.book.expect_top_up(id_of<LeaseId>(1), id_of<OpId>(51));
  l.pass(Seconds{101});
  l.sight(1);
  EXPECT_EQ(l.lease(1).phase, Phase::Ending);
  EXPECT_FALSE(l.top_up(1, 51, lot(7'000)));
  EXPECT_EQ(l.totals().claims, Msat{7'000});
}

TEST(LeaseBook, LateAndShortPaymentsAreClaims) {
  Ledger l;
  l.reserve(1, 100, Seconds{60});
  EXPECT_FALSE(l.pay(1, lot(5'999)));
  EXPECT_EQ(l.lease(1).phase, Phase::Void);
  EXPECT_EQ(l.totals().claims, Msat{5'999});
  l.reserve(2);
  l.with([&](LeaseStep& s) { l.book.void_reservation(l.plain(), id_of<LeaseId>(2), s); });
  EXPECT_FALSE(l.pay(2, lot(50'000)));
  EXPECT_EQ(l.totals().claims, Msat{55'999});
  l.with([&](LeaseStep& s) {
    l.book.credit_nobody(l.plain(), id_of<OpId>(3), id_of<PubKey>(1), lot(999), "late", s);
  });
  EXPECT_EQ(l.totals().kept, Msat{999});  // less than a token can hold
  EXPECT_EQ(l.book.allocator().size(), 0u);
}

// Flaw 21.
TEST(LeaseBook, LotsAreUsedFirstInFirstOutAndClaimedAtTheirMint) {
  Ledger l;
  l.running(1, 100);
  ASSERT_TRUE(l.top_up(1, 50, lot(20'050, kMintB)));
  l.pass(Seconds{150});
  l.with([&](LeaseStep& s) { l.book.on_gave_up(l.now, id_of<LeaseId>(1), s); });
  l.gone(1);
  EXPECT_EQ(l.totals(kMintA), (Totals{Msat{10'000}, Msat{10'000}, {}, {}, {}, {}, {}, {}, {}}));
  EXPECT_EQ(l.totals(kMintB),
            (Totals{Msat{20'050}, Msat{5'000}, Msat{15'050}, {}, {}, {}, {}, {}, {}}));
  ASSERT_EQ(l.book.claims().all().size(), 1u);
  EXPECT_EQ(l.book.claims().all().begin()->second.owed.lot.mint, kMintB.first);
}

TEST(LeaseBook, WithdrawalsAreBookedFromTheRequestToTheToken) {
  Ledger l;
  const auto id = [](uint32_t n) { return id_of<ClaimId>(n); };
  l.with([&](LeaseStep& s) {
    l.book.withdrawal_opened(l.plain(), id(1), lot(21'000), std::string(kPayout), {}, s);
    l.book.withdrawal_opened(l.plain(), id(2), lot(5'000), std::string(kSend), {}, s);
  });
  EXPECT_EQ(l.totals(kMintA).withdrawing, Msat{26'000});
  l.with([&](LeaseStep& s) {
    l.book.withdrawal_paid(l.plain(), id(1), "token", Msat{20'000}, Msat{1'000}, s);
    l.book.withdrawal_dropped(l.plain(), id(2), Msat{0}, "", s);
  });
  EXPECT_EQ(l.totals(kMintA).withdrawing, Msat{0});
  EXPECT_EQ(l.totals(kMintA).withdrawn, Msat{20'000});
  // A payout is remembered until its token is where it goes.
  l.pass(kWithdrawalForgetAfter);
  l.with([&](LeaseStep& s) { l.book.housekeep(l.plain(), s); });
  EXPECT_EQ(l.book.withdrawals().all().size(), 1u);
  l.with([&](LeaseStep& s) { l.book.withdrawal_delivered(l.plain(), id(1), s); });
  l.pass(kWithdrawalForgetAfter);
  l.with([&](LeaseStep& s) { l.book.housekeep(l.plain(), s); });
  EXPECT_TRUE(l.book.withdrawals().all().empty());
  EXPECT_EQ(l.totals(kMintA).withdrawn, Msat{20'000});
}

TEST(LeaseBook, InAnotherBootTheLeaseStandsSinceItsLastSight) {
  Ledger l;
  l.running(1);
  l.pass(Seconds{100});
  l.sight(1);
  l.pass(Seconds{60});
  l.timer();
  l.pass(Seconds{30});
  l.now.boot = id_of<BootId>(2);
  l.now.mono = Micros{5'000'000};
  l.with([&](LeaseStep& s) { l.book.recover(l.now, s); });
  EXPECT_EQ(l.lease(1).phase, Phase::Down);
  EXPECT_EQ(l.remaining(1), Seconds{900});
  l.sight(1);
  EXPECT_EQ(l.lease(1).phase, Phase::Running);
  l.pass(Seconds{40});
  EXPECT_EQ(l.remaining(1), Seconds{860});
}

TEST(LeaseBook, NewestIsTheNewestThatWasPaid) {
  Ledger l;
  l.running(1);
  l.reserve(4);  // the same owner
  EXPECT_EQ(l.book.newest_of(id_of<PubKey>(1))->terms.lease, id_of<LeaseId>(1));
  EXPECT_EQ(l.book.unpaid_of(id_of<PubKey>(1)), 1u);
  l.with([&](LeaseStep& s) { l.book.void_reservation(l.plain(), id_of<LeaseId>(4), s); });
  EXPECT_EQ(l.book.newest_of(id_of<PubKey>(1))->terms.lease, id_of<LeaseId>(1));
  EXPECT_EQ(l.book.unpaid_of(id_of<PubKey>(1)), 0u);
}

TEST(LeaseBook, AnEndedLeaseIsForgottenAfterThirtyDaysAndItsMoneyIsNot) {
  Ledger l;
  l.running(1, 10);
  l.pass(Seconds{10});
  l.sight(1);
  l.gone(1);
  const Totals before = l.totals();
  l.running(2, 10'000'000);
  for (const Seconds time : {kForgetAfter - Seconds{100}, Seconds{200}}) {
    EXPECT_NE(l.book.find(id_of<LeaseId>(1)), nullptr);
    l.pass(time);
    l.sight(2);
    l.pass(Seconds{60});
    l.timer();
    l.with([&](LeaseStep& s) { l.book.housekeep(l.plain(), s); });
  }
  EXPECT_EQ(l.book.find(id_of<LeaseId>(1)), nullptr);
  EXPECT_EQ(l.totals().consumed, before.consumed);
  EXPECT_EQ(l.book.jobs_completed(), 1u) << "one ended, one runs";
}

// The second that a clock was set back or a workload over-ran must not break the books.
TEST(LeaseBook, ALongOverrunIsChargedAtMostWhatWasPaid) {
  Ledger l;
  l.running(1, 100);
  l.pass(Seconds{50'000});
  l.down(1, l.now.wall, false);
  l.up(1);
  l.sight(1);
  EXPECT_EQ(l.lease(1).phase, Phase::Ending);
  l.gone(1);
  EXPECT_EQ(l.lease(1).statement->consumed, Msat{10'000});
}

// Everything that can be asked of it afterwards, as text.
std::string picture(const LeaseBook& book, Now now) {
  std::string text;
  for (const auto& [id, l] : book.leases()) {
    text += id.hex() + " " + std::string(to_string(l.phase)) + " " +
            std::to_string(l.bought.value) + " " + std::to_string(l.paid.value) + " " +
            std::to_string(l.credit.value) + " " + std::to_string(l.used.value) + " " +
            std::to_string(book.remaining(l, now).value) + " " + std::to_string(l.lots.size()) +
            (l.statement ? " " + std::to_string(l.statement->claimed.value) : "") + "\n";
  }
  for (const auto& [key, t] : book.totals())
    text += key.first + " " + std::to_string(t.redeemed.value) + " " +
            std::to_string(t.consumed.value) + " " + std::to_string(t.claims.value) + " " +
            std::to_string(t.kept.value) + " " + std::to_string(t.open.value) + "\n";
  text += std::to_string(book.claims().all().size()) + " " + std::to_string(book.jobs_completed()) +
          " " + std::to_string(book.allocator().size()) + " " +
          (book.next_deadline() ? "timer" : "no timer");
  return text;
}

// Any order of calls, in any state: the equation holds after each (check_invariants), the sum of
// what was put in is what the totals say, and the fold of the records is the live state.
TEST(LeaseBookProperty, MoneyIsConservedAndTheFoldIsTheState) {
  EXPECT_TRUE(rc::check([] {
    Ledger l;
    std::map<MintUnit, int64_t> put_in;
    uint32_t next_op = 1000;
    const int steps = *rc::gen::inRange(5, 120);
    for (int i = 0; i < steps; ++i) {
      const auto n = static_cast<uint32_t>(*rc::gen::inRange(1, 6));
      const Lease* known = l.book.find(id_of<LeaseId>(n));
      const MintUnit& mint = *rc::gen::arbitrary<bool>() ? kMintA : kMintB;
      const int64_t msat = *rc::gen::inRange<int64_t>(0, 60'000);
      switch (*rc::gen::inRange(0, 13)) {
        case 0:
          if (known != nullptr && known->phase != Phase::Void) break;
          l.ops[n] = ++next_op;  // an operation is paid once
          l.reserve(n, *rc::gen::inRange<int64_t>(1, 3'000), Seconds{10});
          break;
        case 1:
        case 2:
          // Once per operation, as the wallet promises.
          if (known != nullptr && known->phase == Phase::Reserved) {
            l.pay(n, lot(msat, mint));
            put_in[mint] += msat;
          }
          break;
        case 3:
          if (known != nullptr && known->phase != Phase::Reserved && known->phase != Phase::Void) {
            l.top_up(n, ++next_op, lot(msat, mint));
            put_in[mint] += msat;
          }
          break;
        case 4: l.start(n); break;
        case 5: l.pass(Seconds{*rc::gen::inRange<int64_t>(0, 90)}); break;
        case 6: l.sight(n); break;
        case 7:
          l.down(n,
                 *rc::gen::arbitrary<bool>()
                     ? std::optional(l.now.wall - Seconds{*rc::gen::inRange<int64_t>(-50, 200)})
                     : std::nullopt,
                 *rc::gen::arbitrary<bool>());
          break;
        case 8: l.up(n, Seconds{*rc::gen::inRange<int64_t>(0, 121)}); break;
        case 9:
          l.with([&](LeaseStep& s) { l.book.on_gave_up(l.now, id_of<LeaseId>(n), s); });
          break;
        case 10: l.gone(n); break;
        case 11: l.timer(); break;
        default:
          l.with([&](LeaseStep& s) {
            l.book.credit_nobody(l.plain(), id_of<OpId>(++next_op), id_of<PubKey>(n),
                                 lot(msat, mint), "late", s);
          });
          put_in[mint] += msat;
      }
    }
    for (const auto& [mint, money] : put_in) {
      const auto it = l.book.totals().find(mint);
      RC_ASSERT((it == l.book.totals().end() ? 0 : it->second.redeemed.value) == money);
    }
    LeaseBook folded{{1'000'000, 1'000'000, 1'000'000}, {1000, 1999, 30'000, 39'999}};
    for (const auto& batch : l.batches) {
      for (const LeaseRecord& record : batch)
        folded.apply(decode_bytes<LeaseRecord>(encode_bytes(record)).value());
      folded.check_invariants();
    }
    // What is seen since the last record of sights is volatile, and so is its timer.
    l.pass(Seconds{61});
    l.timer();
    for (const LeaseRecord& record :
         l.batches.empty() ? std::vector<LeaseRecord>{} : l.batches.back())
      if (std::holds_alternative<LeasesSighted>(record)) folded.apply(record);
    RC_ASSERT(picture(folded, l.plain()) == picture(l.book, l.plain()));
  }));
}

}  // namespace
}  // namespace paygress::lease
