// A start from a snapshot is a start from the ledger: when there is none, when it is damaged, of
// another history or of another version, the ledger is read whole.
#include "shell/provider/snapshots.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "core/base/codec.h"
#include "core/provider/records.h"
#include "shell/provider/ledger_view.h"
#include "shell/store/sqlite_journal.h"
#include "tests/shell/temporary_directory.h"

namespace paygress::daemon {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr uint64_t kEvery = 5;  // batches a snapshot

class SnapshotsTest : public ::testing::Test {
 protected:
  std::unique_ptr<provider::Provider> empty() {
    provider::Settings settings;
    settings.ranges = ranges_;
    return std::make_unique<provider::Provider>(std::move(settings), entropy_, 1);
  }
  Snapshots::Empty maker() {
    return [this] { return empty(); };
  }
  std::string file() const { return data_ + "/" + store::kSnapshotFile; }

  // Each batch says that a relay was read up to its own number.
  void append(store::Ledger& ledger, int batches) {
    for (int i = 0; i < batches; ++i) {
      ++written_;
      const provider::Record record(provider::OwnRecord(provider::RelayRead{
          "wss://relay-" + std::to_string(written_ % 3), UnixSeconds{written_}}));
      ASSERT_TRUE(ledger.append({encode_bytes(record)}));
    }
    ASSERT_TRUE(ledger.commit());
  }
  struct Opened {
    std::unique_ptr<store::Ledger> ledger;
    std::unique_ptr<provider::Provider> provider;
  };
  Opened open() {
    Snapshots snapshots(data_, kEvery);
    store::LedgerOptions options;
    options.directory = data_;
    options.known = snapshots.read();
    auto ledger = store::Ledger::open(options, entropy_, {});
    EXPECT_TRUE(ledger) << to_string(ledger.error());
    auto provider = snapshots.open(**ledger, maker());
    EXPECT_TRUE(provider) << to_string(provider.error());
    return {*std::move(ledger), *std::move(provider)};
  }
  // What reading every batch makes.
  Bytes whole(store::Ledger& ledger) {
    auto provider = empty();
    EXPECT_TRUE(ledger.read(1, [&](const journal::SealedBatch& b) {
      return each_record(b, [&](uint64_t, const provider::Record& r) { provider->fold(r); });
    }));
    return provider->snapshot();
  }
  uint64_t snapshot_at() const {
    const auto found = store::read_snapshot(file());
    return found && *found ? (*found)->tip.sequence : 0;
  }
  std::vector<std::string> problems() {
    const auto closed = open_closed_ledger(data_);
    EXPECT_TRUE(closed);
    return verify_ledger(closed->header, closed->mark, closed->snapshot, closed->scan).problems;
  }
  // A ledger with a snapshot at batch 7, closed.
  void make_snapshot() {
    append(*open().ledger, 7);
    open();
    ASSERT_EQ(snapshot_at(), 7U);
  }

  test::TemporaryDirectory directory_;
  std::string data_ = directory_.file("data");
  SeededEntropy entropy_{1, 2, "install"};
  lease::Ranges ranges_;
  int64_t written_ = 0;
};

TEST_F(SnapshotsTest, AreMadeAtAStartWhenTheLedgerHasGrownEnough) {
  append(*open().ledger, 4);
  open();
  EXPECT_EQ(snapshot_at(), 0U);
  append(*open().ledger, 3);
  const Opened seventh = open();
  EXPECT_EQ(snapshot_at(), 7U);
  struct stat info{};
  ASSERT_EQ(stat(file().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U) << "it holds what the ledger holds";
}

TEST_F(SnapshotsTest, StandForTheBatchesBeforeThem) {
  make_snapshot();
  append(*open().ledger, 3);
  const Opened opened = open();
  EXPECT_EQ(opened.ledger->resumed_after(), 7U);
  EXPECT_EQ(opened.provider->snapshot(), whole(*opened.ledger));
  EXPECT_EQ(snapshot_at(), 7U) << "made again although little was added";
}

TEST_F(SnapshotsTest, DamagedOnesAreNotUsed) {
  make_snapshot();
  {
    std::fstream bytes(file(), std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekp(100);
    bytes.put('?');
  }
  const Opened opened = open();
  EXPECT_EQ(opened.ledger->resumed_after(), 0U);
  EXPECT_EQ(opened.provider->snapshot(), whole(*opened.ledger));
  EXPECT_EQ(snapshot_at(), 7U) << "a sound one was made";
}

TEST_F(SnapshotsTest, OfAnotherHistoryAreNotUsed) {
  make_snapshot();
  auto other = *store::read_snapshot(file());
  other->tip.hash[0] ^= 1;
  ASSERT_TRUE(store::write_snapshot(file(), *other));
  const Opened opened = open();
  EXPECT_EQ(opened.ledger->resumed_after(), 0U);
  EXPECT_EQ(opened.provider->snapshot(), whole(*opened.ledger));
}

TEST_F(SnapshotsTest, ForOtherRangesAreNotUsedAndTheWholeChainIsFollowed) {
  make_snapshot();
  ranges_.port_first += 1000;
  {
    const Opened opened = open();
    EXPECT_EQ(opened.ledger->resumed_after(), 7U) << "what is in it was not known at the opening";
    EXPECT_EQ(opened.provider->snapshot(), whole(*opened.ledger));
  }
  EXPECT_EQ(store::read_snapshot(file()).value()->state, open().provider->snapshot());
}

TEST_F(SnapshotsTest, AVerifiedLedgerSaysWhenTheSnapshotLies) {
  make_snapshot();
  EXPECT_THAT(problems(), SizeIs(0));
  auto lie = *store::read_snapshot(file());
  auto liar = empty();
  liar->fold(provider::OwnRecord(provider::RelayRead{"wss://nowhere", UnixSeconds{1}}));
  lie->state = liar->snapshot();
  ASSERT_TRUE(store::write_snapshot(file(), *lie));
  ASSERT_THAT(problems(), SizeIs(1));
  EXPECT_THAT(problems()[0], HasSubstr("is not what the ledger says at batch 7"));
}

TEST_F(SnapshotsTest, AreMadeWhileTheProviderWorks) {
  net::Loop loop;
  Snapshots snapshots(data_, kEvery);
  store::LedgerOptions options;
  options.directory = data_;
  auto ledger = store::Ledger::open(options, entropy_, {});
  ASSERT_TRUE(ledger);
  append(**ledger, 2000);  // several slices
  net::WorkerPool pool(loop, 2);
  JournalWriter writer(loop, pool, **ledger, {[](auto) {}, [](const Error&) {}});
  snapshots.watch(loop, pool, writer, maker(), Micros{1000});
  EXPECT_TRUE(loop.run_until([&] { return snapshot_at() == 2000; }, micros(Seconds{60})));
  EXPECT_EQ(store::read_snapshot(file()).value()->state, whole(**ledger));
}

}  // namespace
}  // namespace paygress::daemon
