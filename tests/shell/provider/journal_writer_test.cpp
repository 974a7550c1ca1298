// Persist before you act (docs/architecture.md, "The one idea").
#include "shell/provider/journal_writer.h"

#include <gtest/gtest.h>

#include "core/base/codec.h"
#include "shell/base/entropy.h"
#include "tests/shell/temporary_directory.h"

namespace paygress::daemon {
namespace {

constexpr Micros kPatience = micros(Seconds{20});

class JournalWriterTest : public ::testing::Test {
 protected:
  JournalWriterTest() {
    options_.directory = directory_.file("data");
    ledger_ = *store::Ledger::open(options_, entropy_, {});
    writer_ = std::make_unique<JournalWriter>(
        loop_, pool_, *ledger_,
        JournalWriter::Events{[this](std::vector<provider::Effect> effects) {
                                for (const auto& effect : effects)
                                  released_.push_back({std::get<provider::Tell>(effect).text,
                                                       ledger_->acknowledged().sequence});
                              },
                              [this](const Error&) { ++failures_; }});
  }
  ~JournalWriterTest() override { writer_.reset(); }

  static provider::Step step(int64_t records, const std::string& effect) {
    provider::Step out;
    for (int64_t i = 0; i < records; ++i)
      out.records.push_back(provider::OwnRecord(provider::Stamped{UnixSeconds{i}}));
    out.tell(provider::Level::Info, effect);
    return out;
  }
  void settle() {
    ASSERT_TRUE(loop_.run_until([&] { return writer_->idle(); }, kPatience));
  }

  struct Released {
    std::string text;
    uint64_t acknowledged;
  };
  test::TemporaryDirectory directory_;
  shell::OsEntropy entropy_;
  store::LedgerOptions options_;
  net::Loop loop_;
  std::unique_ptr<store::Ledger> ledger_;
  net::WorkerPool pool_{loop_, 2};
  std::unique_ptr<JournalWriter> writer_;
  std::vector<Released> released_;
  int failures_ = 0;
};

TEST_F(JournalWriterTest, AnEffectWaitsForItsRecordsAndForEarlierOnes) {
  writer_->take(step(1, "a"));
  EXPECT_TRUE(released_.empty()) << "its record is not durable yet";
  writer_->take(step(0, "b"));
  EXPECT_TRUE(released_.empty()) << "the record of the step before is not durable yet";
  writer_->take(step(2, "c"));
  settle();
  ASSERT_EQ(released_.size(), 3U);
  EXPECT_EQ(released_[0].text, "a");
  EXPECT_EQ(released_[1].text, "b");
  EXPECT_EQ(released_[2].text, "c");
  EXPECT_EQ(released_[0].acknowledged, 2U) << "one sync for the steps of one turn";
}

TEST_F(JournalWriterTest, WithoutRecordsAndNothingWaitingEffectsGoAtOnce) {
  writer_->take(step(0, "a"));
  EXPECT_EQ(released_.size(), 1U);
}

// A step's records are one batch: whole or absent after a crash.
TEST_F(JournalWriterTest, EachStepIsOneBatchInItsOrder) {
  writer_->take(step(3, "a"));
  writer_->take(step(1, "b"));
  settle();
  std::vector<size_t> sizes;
  ASSERT_TRUE(ledger_
                  ->read(1,
                         [&](const journal::SealedBatch& batch) -> Result<void> {
                           sizes.push_back(journal::decode_records(batch.payload)->size());
                           return {};
                         })
                  .has_value());
  EXPECT_EQ(sizes, (std::vector<size_t>{3, 1}));
}

TEST_F(JournalWriterTest, AfterAFailedWriteNothingIsReleasedAnyMore) {
  provider::Step huge;
  huge.records.push_back(provider::OwnRecord(
      provider::RequestAnswered{{}, std::string(journal::kRecordBytesMax + 1, 'x'), {}}));
  huge.tell(provider::Level::Info, "never");
  writer_->take(std::move(huge));
  writer_->take(step(1, "never either"));
  ASSERT_TRUE(loop_.run_until([&] { return failures_ > 0; }, kPatience));
  writer_->take(step(0, "nor this"));
  EXPECT_TRUE(released_.empty());
  EXPECT_EQ(failures_, 1);
}

TEST_F(JournalWriterTest, ReadingSeesWhatIsDurable) {
  writer_->take(step(1, "a"));
  settle();
  uint64_t seen = 0;
  ASSERT_TRUE(writer_->with_ledger([&seen](store::Ledger& ledger) {
    const uint64_t found = ledger.acknowledged().sequence;
    return [&seen, found] { seen = found; };
  }));
  EXPECT_TRUE(loop_.run_until([&] { return seen != 0; }, kPatience));
  EXPECT_EQ(seen, 1U);
  EXPECT_TRUE(writer_->lock_out());
}

}  // namespace
}  // namespace paygress::daemon
