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

}  // namespace
}  // namespace paygress::journal
