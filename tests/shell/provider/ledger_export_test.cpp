// What `ledger export` says of a ledger's money (shell/provider/ledger_export.h).
#include "shell/provider/ledger_export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "core/base/codec.h"
#include "core/journal/chain.h"

namespace paygress::daemon {
namespace {

using ::testing::HasSubstr;

constexpr const char* kMint = "https://mint.example";

template <class Id>
Id id_of(uint8_t n) {
  Id id;
  id.bytes[0] = n;
  return id;
}

// A ledger of one batch for each step of a lease's life.
class Life {
 public:
  void add(lease::LeaseStep step) {
    journal::Records records;
    for (const auto& r : step.records) records.push_back(encode_bytes(provider::Record(r)));
    batches_.push_back(journal::link(tip_, *journal::encode_records(records)));
    tip_ = {batches_.back().sequence, batches_.back().hash};
  }
  Scan scan() const {
    return [this](const journal::Visitor& visit) -> Result<void> {
      for (const auto& batch : batches_)
        if (auto seen = visit(batch); !seen) return seen;
      return {};
    };
  }

 private:
  journal::Tip tip_ = journal::genesis({});
  std::vector<journal::SealedBatch> batches_;
};

lease::LeaseReserved terms() {
  lease::LeaseReserved r;
  r.lease = id_of<LeaseId>(1);
  r.op = id_of<OpId>(1);
  r.owner = id_of<PubKey>(1);
  r.number = 1000;
  r.tier.rate_per_second = Msat{100};
  r.ssh_port = 30'000;
  r.minimum = Seconds{1};
  return r;
}

// Bought for 10 050 msat at 100 a second, runs 30 s, ends early: 70 s and the credit are owed.
Life one_lease(const std::string& mint) {
  Life life;
  lease::LeaseBook book({1000, 1000, 1000}, {1000, 1999, 30'000, 39'999});
  lease::Instant now{{}, Micros{1'000'000}, UnixSeconds{1'780'000'000}};
  const auto step = [&](auto act) {
    lease::LeaseStep out;
    act(out);
    life.add(std::move(out));
  };
  const LeaseId lease = terms().lease;
  step([&](auto& s) { book.reserve(terms(), s); });
  step([&](auto& s) {
    ASSERT_TRUE(
        book.credit_spawn({now.mono, now.wall}, lease, terms().op, {mint, "sat", Msat{10'050}}, s));
  });
  step([&](auto& s) { book.on_started(now, lease, true, s); });
  now.mono += micros(Seconds{30});
  now.wall = now.wall + Seconds{30};
  step([&](auto& s) { book.on_gave_up(now, lease, s); });
  step([&](auto& s) { book.on_gone(now, lease, std::nullopt, s); });
  return life;
}

TEST(LedgerExport, EveryBatchBalancesAndTheSumsAreTheBooks) {
  const Life life = one_lease(kMint);
  const auto movements = money_movements(life.scan());
  ASSERT_TRUE(movements.has_value()) << to_string(movements.error());
  ASSERT_GE(movements->size(), 2U);
  lease::Totals sum;
  std::map<uint64_t, Msat> unexplained;  // by batch
  for (const Movement& m : *movements) {
    unexplained[m.batch] += m.redeemed - m.consumed - m.on_leases - m.owed - m.kept;
    EXPECT_EQ(m.lease, terms().lease) << m.text;
    sum.redeemed += m.redeemed;
    sum.consumed += m.consumed;
    sum.open += m.on_leases;
    sum.claims += m.owed;
    sum.kept += m.kept;
  }
  for (const auto& [batch, msat] : unexplained) EXPECT_EQ(msat, Msat{0}) << "batch " << batch;
  Books books;
  ASSERT_TRUE(each_record(life.scan(), [&](uint64_t, const provider::Record& r) {
                books.fold(r);
              }).has_value());
  EXPECT_EQ(sum, books.leases().totals().at({kMint, "sat"}));
  EXPECT_EQ(sum.redeemed, Msat{10'050});
  EXPECT_EQ(sum.consumed, Msat{3'000});
  EXPECT_EQ(sum.open, Msat{0});
}

TEST(LedgerExport, CsvQuotesWhatComesFromOutsideAndStartsNoFormula) {
  const Life life = one_lease("=HYPERLINK(\"https://a\",\"b\")");
  const std::string csv = to_csv(to_json(money_movements(life.scan()).value()));
  EXPECT_THAT(csv, ::testing::StartsWith("batch,at,lease,mint,unit,redeemed_msat,"));
  EXPECT_THAT(csv, HasSubstr(",\"'=HYPERLINK(\"\"https://a\"\",\"\"b\"\")\",sat,10050,"));
}

TEST(LedgerExport, ALedgerThatCannotBeReadIsAnError) {
  const Scan broken = [](const journal::Visitor&) -> Result<void> { return fail("torn", "x"); };
  EXPECT_FALSE(money_movements(broken).has_value());
}

}  // namespace
}  // namespace paygress::daemon
