// The journal's contract (core/journal/journal.h) as tests that every journal::Storage must pass: a
// crash at every operation on the disk, with every fate of what was not synced.
//
// A program includes this, makes a JournalMachine of its own, and instantiates JournalConformance.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/random.h"
#include "core/journal/journal.h"
#include "sim/models/disk.h"

namespace paygress::conformance {

// A process that has the journal open. Destroying it is the process' end, orderly or not.
class JournalSession {
 public:
  virtual ~JournalSession() = default;
  virtual Result<uint64_t> append(const journal::Records& records) = 0;
  virtual Result<uint64_t> commit() = 0;
  virtual Result<void> read(uint64_t from, const journal::Visitor& visit) = 0;
  virtual bool failed() const = 0;
};

// A machine with one disk and one journal on it, which remembers the last acknowledged batch
// outside the journal.
class JournalMachine {
 public:
  virtual ~JournalMachine() = default;
  virtual Result<std::unique_ptr<JournalSession>> open(const journal::Visitor& replay) = 0;
  // As sim::Disk's, over every file of the journal.
  virtual uint64_t operations() const = 0;
  virtual void fail_operation(uint64_t n, sim::FaultSpan span) = 0;
  virtual void heal() = 0;                      // no fault from now on
  virtual void crash(sim::CrashLoss loss) = 0;  // with no session alive
  virtual void save() = 0;                      // keeps a copy of the journal's files...
  virtual void restore() = 0;                   // ...and puts it back
};

using MakeMachine = std::function<std::unique_ptr<JournalMachine>(uint64_t seed)>;

class JournalConformance : public ::testing::TestWithParam<MakeMachine> {
 protected:
  static constexpr size_t kCommits = 6;
  static constexpr uint64_t kOperationsMax = 400;

  // What a history wrote and what of it was acknowledged.
  struct Written {
    std::vector<journal::Records> appended;
    size_t acknowledged = 0;
  };

  static journal::Records records_of(RandomStream& stream) {
    journal::Records records(1 + stream.below(3));
    for (Bytes& record : records) {
      record.resize(1 + stream.below(stream.below(4) == 0 ? 6000 : 80));
      for (uint8_t& byte : record) byte = static_cast<uint8_t>(stream.next());
    }
    return records;
  }

  // Commits groups of one to three batches; false as soon as the session fails.
  static bool write(JournalSession& session, RandomStream& stream, size_t commits, Written& out) {
    for (size_t i = 0; i < commits; ++i) {
      for (uint64_t group = 1 + stream.below(3); group > 0; --group) {
        out.appended.push_back(records_of(stream));
        if (!session.append(out.appended.back())) return false;
      }
      const auto done = session.commit();
      if (!done) return false;
      EXPECT_EQ(*done, out.appended.size());
      out.acknowledged = out.appended.size();
    }
    return true;
  }

  // Opens, and checks that what is there is what was written, up to some batch not before the
  // acknowledged ones. The session goes on from what was found.
  static std::unique_ptr<JournalSession> reopen(JournalMachine& machine, Written& written) {
    std::vector<journal::Records> found;
    auto session = machine.open([&](const journal::SealedBatch& batch) -> Result<void> {
      auto records = journal::decode_records(batch.payload);
      if (!records) return std::unexpected(records.error());
      found.push_back(std::move(*records));
      return {};
    });
    if (!session) {
      ADD_FAILURE() << to_string(session.error());
      return nullptr;
    }
    EXPECT_GE(found.size(), written.acknowledged);
    if (found.size() > written.appended.size()) {
      ADD_FAILURE() << "batches that nobody wrote";
      return nullptr;
    }
    for (size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i], written.appended[i]) << i;
    written.appended = std::move(found);
    written.acknowledged = written.appended.size();
    return std::move(*session);
  }

  // The number of disk operations of the history below without a fault.
  uint64_t operations_of_history() const {
    auto machine = GetParam()(0);
    RandomStream stream(0, 0, "history");
    Written written;
    {
      auto session = reopen(*machine, written);
      if (session != nullptr) write(*session, stream, kCommits, written);
    }
    EXPECT_EQ(written.acknowledged, written.appended.size());
    return machine->operations();
  }

  void crash_at(uint64_t operation, sim::CrashLoss loss) const {
    auto machine = GetParam()(operation);
    RandomStream stream(0, 0, "history");
    Written written;
    machine->fail_operation(operation, sim::FaultSpan::ForEver);
    if (auto session = machine->open({})) write(**session, stream, kCommits, written);
    machine->crash(loss);
    {
      auto session = reopen(*machine, written);
      ASSERT_NE(session, nullptr);
      EXPECT_TRUE(write(*session, stream, 2, written)) << "a sound disk must acknowledge";
    }
    machine->crash(sim::CrashLoss::Everything);
    reopen(*machine, written);
  }

  // The operation fails once and the process starts again without a crash of the machine: what the
  // page cache shows is not what the disk holds.
  void fail_once_at(uint64_t operation) const {
    auto machine = GetParam()(operation);
    RandomStream stream(0, 0, "history");
    Written written;
    machine->fail_operation(operation, sim::FaultSpan::Once);
    if (auto session = machine->open({})) {
      if (!write(**session, stream, kCommits, written)) {
        EXPECT_TRUE((*session)->failed());
        EXPECT_FALSE((*session)->append(records_of(stream)));
        EXPECT_FALSE((*session)->commit()) << "acknowledged after a failure";
      }
      // The process is killed: an orderly close would write what the failure left out.
      machine->fail_operation(0, sim::FaultSpan::ForEver);
    }
    machine->heal();
    {
      auto session = reopen(*machine, written);
      ASSERT_NE(session, nullptr);
      EXPECT_TRUE(write(*session, stream, 2, written)) << "a sound disk must acknowledge";
      // The process is killed with the machine: no orderly close helps.
      machine->fail_operation(0, sim::FaultSpan::ForEver);
    }
    machine->crash(sim::CrashLoss::Everything);
    reopen(*machine, written);
  }
};

TEST_P(JournalConformance, SurvivesACrashAtEveryOperation) {
  const uint64_t operations = operations_of_history();
  ASSERT_GT(operations, kCommits);
  ASSERT_LT(operations, kOperationsMax);
  for (const auto loss :
       {sim::CrashLoss::Everything, sim::CrashLoss::Nothing, sim::CrashLoss::TornTail,
        sim::CrashLoss::GarbageTail, sim::CrashLoss::RandomPages}) {
    for (uint64_t n = 0; n <= operations && !HasFailure(); ++n) {
      SCOPED_TRACE("operation " + std::to_string(n) + ", loss " +
                   std::to_string(static_cast<int>(loss)));
      crash_at(n, loss);
    }
  }
}

TEST_P(JournalConformance, AcknowledgesNothingAfterAFailedOperation) {
  const uint64_t operations = operations_of_history();
  for (uint64_t n = 0; n <= operations && !HasFailure(); ++n) {
    SCOPED_TRACE("operation " + std::to_string(n));
    fail_once_at(n);
  }
}

TEST_P(JournalConformance, HasOneWriter) {
  auto machine = GetParam()(1);
  auto first = machine->open({});
  ASSERT_TRUE(first) << to_string(first.error());
  EXPECT_FALSE(machine->open({}));
  first->reset();
  EXPECT_TRUE(machine->open({}));
}

TEST_P(JournalConformance, ReadsOnlyWhatIsAcknowledged) {
  auto machine = GetParam()(2);
  auto session = machine->open({});
  ASSERT_TRUE(session) << to_string(session.error());
  std::vector<uint64_t> seen;
  const journal::Visitor visit = [&](const journal::SealedBatch& batch) -> Result<void> {
    seen.push_back(batch.sequence);
    return {};
  };
  for (uint8_t i = 1; i <= 3; ++i) ASSERT_TRUE((*session)->append({Bytes{i}}));
  ASSERT_TRUE((*session)->read(1, visit));
  EXPECT_TRUE(seen.empty());
  ASSERT_TRUE((*session)->commit());
  ASSERT_TRUE((*session)->append({Bytes{4}}));
  ASSERT_TRUE((*session)->read(2, visit));
  EXPECT_EQ(seen, (std::vector<uint64_t>{2, 3}));
}

TEST_P(JournalConformance, RefusesABatchItCannotKeepAndGoesOn) {
  auto machine = GetParam()(3);
  auto session = machine->open({});
  ASSERT_TRUE(session) << to_string(session.error());
  EXPECT_FALSE((*session)->append({}));
  EXPECT_FALSE((*session)->append({Bytes{}}));
  EXPECT_FALSE((*session)->append({Bytes(journal::kRecordBytesMax + 1, 0)}));
  EXPECT_FALSE((*session)->failed());
  EXPECT_EQ((*session)->append({Bytes{1}}).value_or(0), 1U);
  EXPECT_EQ((*session)->commit().value_or(0), 1U);
}

TEST_P(JournalConformance, NoticesAnOlderCopy) {
  auto machine = GetParam()(4);
  RandomStream stream(0, 0, "history");
  Written written;
  {
    auto session = reopen(*machine, written);
    ASSERT_NE(session, nullptr);
    write(*session, stream, 2, written);
  }
  machine->save();
  {
    auto session = reopen(*machine, written);
    ASSERT_NE(session, nullptr);
    write(*session, stream, 2, written);
  }
  machine->restore();
  const auto session = machine->open({});
  ASSERT_FALSE(session);
  EXPECT_NE(session.error().message.find("older copy"), std::string::npos)
      << session.error().message;
}

}  // namespace paygress::conformance
