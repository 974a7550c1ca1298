// The ledger as a file: what it refuses, in which words, and who may read it. Crashes are in
// tests/conformance/journal.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "shell/store/high_water.h"
#include "shell/store/sqlite_journal.h"
#include "tests/shell/temporary_directory.h"

namespace paygress::store {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class LedgerFile : public ::testing::Test {
 protected:
  LedgerFile() { options_.directory = directory_.file("data"); }

  std::string path(const std::string& name = kLedgerFile) const {
    return options_.directory + "/" + name;
  }
  Result<std::unique_ptr<Ledger>> open() {
    found_ = 0;
    return Ledger::open(options_, entropy_, [this](const journal::SealedBatch&) -> Result<void> {
      ++found_;
      return {};
    });
  }
  std::string refusal() {
    auto ledger = open();
    return ledger ? "" : to_string(ledger.error());
  }
  // Opens, appends and acknowledges this many batches, and closes.
  void write(int batches) {
    auto ledger = open();
    ASSERT_TRUE(ledger) << to_string(ledger.error());
    for (int i = 0; i < batches; ++i) {
      ASSERT_TRUE((*ledger)->append({Bytes{static_cast<uint8_t>(i + 1)}}));
      ASSERT_TRUE((*ledger)->commit());
    }
  }
  void sql(const char* text) {
    sqlite3* handle = nullptr;
    ASSERT_EQ(sqlite3_open(path().c_str(), &handle), SQLITE_OK);
    char* problem = nullptr;
    EXPECT_EQ(sqlite3_exec(handle, text, nullptr, nullptr, &problem), SQLITE_OK) << problem;
    sqlite3_close(handle);
  }
  void put(const std::string& content) {
    std::filesystem::create_directory(options_.directory);
    std::filesystem::permissions(options_.directory, std::filesystem::perms::owner_all);
    std::ofstream(path(), std::ios::binary) << content;
  }
  std::string content() const {
    std::ifstream file(path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static unsigned mode_of(const std::string& file) {
    struct stat info{};
    EXPECT_EQ(stat(file.c_str(), &info), 0) << file;
    return info.st_mode & 0777;
  }

  test::TemporaryDirectory directory_;
  SeededEntropy entropy_{1, 2, "install"};
  LedgerOptions options_;
  int found_ = 0;
};

TEST_F(LedgerFile, KeepsItsInstallAndItsBatches) {
  write(3);
  auto ledger = open();
  ASSERT_TRUE(ledger) << to_string(ledger.error());
  EXPECT_EQ(found_, 3);
  InstallId expected;
  SeededEntropy(1, 2, "install").fill(expected.bytes);
  EXPECT_EQ((*ledger)->header().install, expected);
  EXPECT_EQ((*ledger)->acknowledged().sequence, 3U);
}

TEST_F(LedgerFile, IsForItsOwnerOnly) {
  const mode_t before = umask(0);
  auto ledger = open();
  umask(before);
  ASSERT_TRUE(ledger);
  ASSERT_TRUE((*ledger)->append({Bytes{1}}));
  ASSERT_TRUE((*ledger)->commit());
  EXPECT_EQ(mode_of(options_.directory), 0700U);
  for (const auto& entry : std::filesystem::directory_iterator(options_.directory))
    EXPECT_EQ(mode_of(entry.path()), 0600U) << entry.path();
}

TEST_F(LedgerFile, HasOneWriter) {
  auto first = open();
  ASSERT_TRUE(first);
  EXPECT_THAT(refusal(), HasSubstr("another paygress-provider uses this data directory"));
  first->reset();
  EXPECT_EQ(refusal(), "");
}

TEST_F(LedgerFile, RefusesAFileThatIsNoDatabaseAndLeavesItAlone) {
  put(std::string(10'000, 'x'));
  EXPECT_THAT(refusal(),
              AllOf(HasSubstr(path()), HasSubstr("not a ledger"), HasSubstr("move the file away")));
  EXPECT_EQ(content(), std::string(10'000, 'x'));
}

TEST_F(LedgerFile, RefusesTheDatabaseOfAnotherProgramAndLeavesItAlone) {
  put("");
  sql("CREATE TABLE wallet (coin TEXT); INSERT INTO wallet VALUES ('gold')");
  const std::string before = content();
  EXPECT_THAT(refusal(), AllOf(HasSubstr(path()), HasSubstr("another program")));
  EXPECT_EQ(content(), before);
}

TEST_F(LedgerFile, RefusesChangedContent) {
  write(3);
  sql("UPDATE batch SET payload = x'0100000001000000ff' WHERE sequence = 2");
  EXPECT_THAT(refusal(), AllOf(HasSubstr(path()), HasSubstr("batch 2: content was changed")));
}

TEST_F(LedgerFile, RefusesAMissingBatchAndACutEnd) {
  write(4);
  sql("DELETE FROM batch WHERE sequence = 4");
  EXPECT_THAT(refusal(), HasSubstr("ends at batch 3, but batch 4 was acknowledged"));
  sql("DELETE FROM batch WHERE sequence = 2");
  EXPECT_THAT(refusal(), HasSubstr("batch 2: missing"));
}

TEST_F(LedgerFile, RefusesDamagedPages) {
  write(200);
  {
    std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(std::filesystem::file_size(path()) / 2));
    file << std::string(4096, '\x5a');
  }
  const std::string before = content();
  EXPECT_THAT(refusal(), HasSubstr(path()));
  EXPECT_EQ(content(), before);
}

TEST_F(LedgerFile, NeverReplacesALostLedgerByAnEmptyOne) {
  write(1);
  std::filesystem::remove(path());
  EXPECT_NE(refusal(), "");
  EXPECT_FALSE(std::filesystem::exists(path()));
  put("");
  EXPECT_THAT(refusal(), HasSubstr("missing or empty"));
}

TEST_F(LedgerFile, RefusesANewerFormat) {
  write(1);
  sql("UPDATE meta SET format = 2");
  EXPECT_THAT(refusal(), AllOf(HasSubstr("format 2"), HasSubstr("newer program")));
}

TEST_F(LedgerFile, RefusesAnOlderCopy) {
  write(2);
  const std::string older = content();
  write(2);
  put(older);
  EXPECT_THAT(refusal(), HasSubstr("older copy"));
}

// The operator's word: the mark stays what it is until a batch that says so is durable.
TEST_F(LedgerFile, TakesUpAnOlderCopyWhenItsOperatorSaysSo) {
  write(2);
  const std::string older = content();
  write(2);
  put(older);
  options_.take_up = true;
  ASSERT_TRUE(open());
  options_.take_up = false;
  EXPECT_THAT(refusal(), HasSubstr("older copy"));  // nothing was said in it yet
  options_.take_up = true;
  write(1);
  options_.take_up = false;
  EXPECT_EQ(refusal(), "");
  EXPECT_EQ(found_, 3);
}

TEST_F(LedgerFile, IsMadeAnewOfTheSameInstallWhenItsOperatorSaysSo) {
  write(2);
  const InstallId install = (*open())->header().install;
  for (const char* name : {kLedgerFile, "ledger.sqlite3-wal", "ledger.sqlite3-shm"})
    std::filesystem::remove(path(name));
  EXPECT_NE(refusal(), "");
  options_.take_up = true;
  write(1);
  options_.take_up = false;
  const auto ledger = open();
  ASSERT_TRUE(ledger) << to_string(ledger.error());
  EXPECT_EQ((*ledger)->header().install, install);
  EXPECT_EQ(found_, 1);
}

TEST_F(LedgerFile, MovesItsMarkInBlocksAndAtTheClose) {
  auto ledger = open();
  ASSERT_TRUE(ledger);
  const auto marked = [&] {
    const auto mark = read_high_water(path(kMarkFile), (*ledger)->header().install);
    return mark && *mark ? (*mark)->sequence : UINT64_MAX;
  };
  for (uint64_t i = 1; i <= kBatchesPerMark; ++i) {
    EXPECT_EQ(marked(), 0U);
    ASSERT_TRUE((*ledger)->append({Bytes{1}}));
    ASSERT_TRUE((*ledger)->commit());
  }
  EXPECT_EQ(marked(), kBatchesPerMark);
  ASSERT_TRUE((*ledger)->append({Bytes{1}}));
  ASSERT_TRUE((*ledger)->commit());
  const InstallId install = (*ledger)->header().install;
  ledger->reset();
  EXPECT_EQ((**read_high_water(path(kMarkFile), install)).sequence, kBatchesPerMark + 1);
}

TEST_F(LedgerFile, RefusesADamagedMarkAndAnotherLedgersMark) {
  write(1);
  const std::string mark = path(kMarkFile);
  ASSERT_TRUE(write_high_water(mark, InstallId{{9}}, {1, {}}));
  EXPECT_THAT(refusal(), AllOf(HasSubstr(mark), HasSubstr("another ledger")));
  std::ofstream(mark) << "nonsense";
  EXPECT_THAT(refusal(), AllOf(HasSubstr(mark), HasSubstr("damaged")));
}

TEST_F(LedgerFile, IsReadWithoutBeingChanged) {
  write(3);
  const std::string before = content();
  auto storage = open_ledger_read_only(options_);
  ASSERT_TRUE(storage) << to_string(storage.error());
  EXPECT_EQ(journal::verify(**storage)->sequence, 3U);
  EXPECT_FALSE((*storage)->write(journal::link({3, {}}, Bytes{1})));
  storage->reset();
  EXPECT_EQ(content(), before);
}

// A killed daemon leaves its lock to the kernel and its last batches in the write-ahead log.
TEST_F(LedgerFile, IsReadAndGoesOnAfterAKill) {
  const pid_t child = fork();
  if (child == 0) {
    auto ledger = open();
    const bool ok = ledger && (*ledger)->append({Bytes{1}}) && (*ledger)->append({Bytes{2}}) &&
                    (*ledger)->commit();
    _exit(ok ? 0 : 1);  // without any destructor
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  EXPECT_TRUE(std::filesystem::exists(path() + "-wal"));
  {
    auto storage = open_ledger_read_only(options_);
    ASSERT_TRUE(storage) << to_string(storage.error());
    EXPECT_EQ(journal::verify(**storage)->sequence, 2U);
  }
  auto ledger = open();
  ASSERT_TRUE(ledger) << to_string(ledger.error());
  EXPECT_EQ(found_, 2);
}

TEST_F(LedgerFile, ReadingNeitherMakesALedgerNorDisturbsAWriter) {
  EXPECT_FALSE(open_ledger_read_only(options_));
  EXPECT_FALSE(std::filesystem::exists(path()));
  auto ledger = open();
  ASSERT_TRUE(ledger);
  EXPECT_FALSE(open_ledger_read_only(options_)) << "the daemon answers for it";
  ASSERT_TRUE((*ledger)->append({Bytes{1}}));
  EXPECT_TRUE((*ledger)->commit());
}

TEST_F(LedgerFile, RefusesADirectoryThatOthersMayEnter) {
  std::filesystem::create_directory(options_.directory);
  std::filesystem::permissions(options_.directory, std::filesystem::perms(0755));
  EXPECT_THAT(refusal(), AllOf(HasSubstr(options_.directory), HasSubstr("chmod 700")));
}

}  // namespace
}  // namespace paygress::store
