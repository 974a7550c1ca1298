// The rules that the journal keeps above its storage. Crashes are in tests/conformance/journal.
#include "core/journal/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace paygress::journal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// What a storage holds, kept by the test while journals come and go.
struct Shelf {
  Header header{kFormatVersion, InstallId{{7}}};
  std::vector<SealedBatch> batches;
  int syncs = 0;
  bool write_fails = false;
  bool sync_fails = false;
};

class ShelfStorage final : public Storage {
 public:
  explicit ShelfStorage(Shelf& shelf) : shelf_(shelf) {}
  Header header() const override { return shelf_.header; }
  Result<void> write(const SealedBatch& batch) override {
    if (shelf_.write_fails) return fail("no space");
    shelf_.batches.push_back(batch);
    return {};
  }
  Result<void> sync() override {
    ++shelf_.syncs;
    if (shelf_.sync_fails) return fail("input/output error");
    return {};
  }
  Result<void> scan(uint64_t from, const Visitor& visit) override {
    for (const SealedBatch& batch : shelf_.batches)
      if (batch.sequence >= from)
        if (auto ok = visit(batch); !ok) return ok;
    return {};
  }

 private:
  Shelf& shelf_;
};

std::unique_ptr<Journal> opened(Shelf& shelf, const std::optional<Tip>& mark = {}) {
  auto journal = Journal::open(std::make_unique<ShelfStorage>(shelf), mark, {});
  EXPECT_TRUE(journal) << to_string(journal.error());
  return journal ? std::move(*journal) : nullptr;
}

std::string refusal(Shelf& shelf, const std::optional<Tip>& mark = {}) {
  auto journal = Journal::open(std::make_unique<ShelfStorage>(shelf), mark, {});
  return journal ? "" : to_string(journal.error());
}

void write(Shelf& shelf, uint8_t from, uint8_t to) {
  auto journal = opened(shelf);
  for (uint8_t i = from; i <= to; ++i) ASSERT_TRUE(journal->append({Bytes{i}}));
  ASSERT_TRUE(journal->commit());
}

TEST(Journal, AcknowledgesAGroupWithOneSync) {
  Shelf shelf;
  auto journal = opened(shelf);
  EXPECT_EQ(journal->append({Bytes{1}}).value(), 1U);
  EXPECT_EQ(journal->append({Bytes{2}, Bytes{3}}).value(), 2U);
  EXPECT_EQ(journal->acknowledged().sequence, 0U);
  EXPECT_EQ(journal->commit().value(), 2U);
  EXPECT_EQ(journal->acknowledged(), journal->appended());
  EXPECT_EQ(journal->commit().value(), 2U);
  EXPECT_EQ(shelf.syncs, 1) << "nothing to do touches no disk";
}

TEST(Journal, GoesOnWhereItEnded) {
  Shelf shelf;
  write(shelf, 1, 3);
  std::vector<uint64_t> replayed;
  auto journal =
      Journal::open(std::make_unique<ShelfStorage>(shelf), std::nullopt, [&](const SealedBatch& b) {
        replayed.push_back(b.sequence);
        return Result<void>{};
      });
  ASSERT_TRUE(journal);
  EXPECT_THAT(replayed, ElementsAre(1, 2, 3));
  EXPECT_EQ((*journal)->append({Bytes{4}}).value(), 4U);
  ASSERT_TRUE((*journal)->commit());
  ShelfStorage storage(shelf);
  EXPECT_EQ(verify(storage).value(), (*journal)->acknowledged());
}

TEST(Journal, AcknowledgesNothingAfterAFailedSync) {
  Shelf shelf;
  auto journal = opened(shelf);
  ASSERT_TRUE(journal->append({Bytes{1}}));
  shelf.sync_fails = true;
  EXPECT_FALSE(journal->commit());
  shelf.sync_fails = false;
  EXPECT_TRUE(journal->failed());
  EXPECT_FALSE(journal->commit());
  EXPECT_FALSE(journal->append({Bytes{2}}));
  EXPECT_EQ(journal->acknowledged().sequence, 0U);
  EXPECT_EQ(shelf.syncs, 1) << "the disk was asked again";
}

TEST(Journal, AcknowledgesNothingAfterAFailedWrite) {
  Shelf shelf;
  auto journal = opened(shelf);
  ASSERT_TRUE(journal->append({Bytes{1}}));
  shelf.write_fails = true;
  EXPECT_FALSE(journal->append({Bytes{2}}));
  EXPECT_FALSE(journal->commit());
  EXPECT_EQ(shelf.syncs, 0);
}

TEST(Journal, AnErrorOfTheReplayEndsTheOpening) {
  Shelf shelf;
  write(shelf, 1, 3);
  auto journal =
      Journal::open(std::make_unique<ShelfStorage>(shelf), std::nullopt, [](const SealedBatch& b) {
        return b.sequence == 2 ? Result<void>(fail("cannot be folded")) : Result<void>{};
      });
  ASSERT_FALSE(journal);
  EXPECT_EQ(journal.error().message, "cannot be folded");
}

TEST(Journal, RefusesANewerFormat) {
  Shelf shelf;
  shelf.header.format_version = kFormatVersion + 1;
  EXPECT_THAT(refusal(shelf), HasSubstr("not known to this program"));
}

TEST(Journal, TakesAMarkThatLags) {
  Shelf shelf;
  write(shelf, 1, 3);
  const Tip lagging{2, shelf.batches[1].hash};
  EXPECT_NE(opened(shelf, lagging), nullptr);
  EXPECT_NE(opened(shelf, genesis(shelf.header)), nullptr);
}

TEST(Journal, RefusesWhatEndsBeforeTheMark) {
  Shelf shelf;
  write(shelf, 1, 3);
  const Tip mark{3, shelf.batches[2].hash};
  shelf.batches.pop_back();
  EXPECT_THAT(refusal(shelf, mark), HasSubstr("ends at batch 2, but batch 3 was acknowledged"));
  shelf.batches.clear();
  EXPECT_THAT(refusal(shelf, mark), HasSubstr("ends at batch 0"));
}

// An old copy that was put back and written on has batch 3 again, but another one.
TEST(Journal, RefusesAnotherHistoryThanTheMarks) {
  Shelf shelf;
  write(shelf, 1, 3);
  const Tip mark{3, shelf.batches[2].hash};
  shelf.batches.pop_back();
  write(shelf, 99, 101);
  EXPECT_THAT(refusal(shelf, mark), HasSubstr("batch 3: is not the batch that was acknowledged"));
}

TEST(Journal, RefusesTheMarkOfAnotherInstall) {
  Shelf shelf;
  EXPECT_THAT(refusal(shelf, genesis(Header{kFormatVersion, InstallId{{8}}})),
              HasSubstr("another journal"));
}

// --- from a snapshot ---------------------------------------------------------------------------

struct Resumed {
  uint64_t after = 0;
  std::vector<uint64_t> replayed;
  std::string refusal;
};

Resumed resume(Shelf& shelf, const Tip& known, const std::optional<Tip>& mark = {}) {
  Resumed found;
  const auto replay = [&](const SealedBatch& b) {
    found.replayed.push_back(b.sequence);
    return Result<void>{};
  };
  auto journal = Journal::open(std::make_unique<ShelfStorage>(shelf), mark, replay, known);
  if (!journal) return found.refusal = to_string(journal.error()), found;
  found.after = (*journal)->resumed_after();
  EXPECT_EQ((*journal)->acknowledged().sequence, shelf.batches.size());
  return found;
}

Tip tip_of(const Shelf& shelf, uint64_t sequence) {
  return {sequence, shelf.batches.at(sequence - 1).hash};
}

TEST(JournalFromASnapshot, FollowsAndReplaysWhatComesAfterItOnly) {
  Shelf shelf;
  write(shelf, 1, 5);
  const Tip known = tip_of(shelf, 3);
  shelf.batches[0].payload[0] ^= 1;  // was verified when the snapshot was made
  for (const auto& mark : {std::optional<Tip>(), std::optional(tip_of(shelf, 5))}) {
    const Resumed found = resume(shelf, known, mark);
    EXPECT_EQ(found.refusal, "");
    EXPECT_EQ(found.after, 3U);
    EXPECT_THAT(found.replayed, ElementsAre(4, 5));
  }
}

TEST(JournalFromASnapshot, FollowsFromAnOlderMarkAndReplaysNoMore) {
  Shelf shelf;
  write(shelf, 1, 5);
  const Resumed found = resume(shelf, tip_of(shelf, 4), tip_of(shelf, 2));
  EXPECT_EQ(found.after, 4U);
  EXPECT_THAT(found.replayed, ElementsAre(5));
  shelf.batches[2].payload[0] ^= 1;  // between the mark and the snapshot
  EXPECT_THAT(resume(shelf, tip_of(shelf, 4), tip_of(shelf, 2)).refusal, HasSubstr("batch 3"));
}

TEST(JournalFromASnapshot, ReadsAllWhenItHoldsAnotherBatchThereOrNone) {
  Shelf shelf;
  write(shelf, 1, 3);
  Tip other = tip_of(shelf, 2);
  other.hash[0] ^= 1;
  for (const Tip& known : {other, Tip{9, other.hash}}) {
    const Resumed found = resume(shelf, known);
    EXPECT_EQ(found.after, 0U);
    EXPECT_THAT(found.replayed, ElementsAre(1, 2, 3));
  }
}

TEST(JournalFromASnapshot, IsRefusedAsWithoutOneWhenItWasPutBack) {
  Shelf shelf;
  write(shelf, 1, 5);
  const Tip known = tip_of(shelf, 3);
  Tip mark = tip_of(shelf, 2);
  mark.hash[0] ^= 1;  // of a history that is not this one
  EXPECT_THAT(resume(shelf, known, mark).refusal, HasSubstr("not the batch that was acknowledged"));
  mark = tip_of(shelf, 4);
  mark.hash[0] ^= 1;
  EXPECT_THAT(resume(shelf, known, mark).refusal, HasSubstr("not the batch that was acknowledged"));
  mark = tip_of(shelf, 5);
  shelf.batches.pop_back();
  EXPECT_THAT(resume(shelf, known, mark).refusal, HasSubstr("ends at batch 4"));
}

TEST(JournalFromASnapshot, RefusesABreakAfterIt) {
  Shelf shelf;
  write(shelf, 1, 5);
  shelf.batches[3].payload[0] ^= 1;
  EXPECT_THAT(resume(shelf, tip_of(shelf, 3)).refusal, HasSubstr("batch 4"));
}

}  // namespace
}  // namespace paygress::journal
