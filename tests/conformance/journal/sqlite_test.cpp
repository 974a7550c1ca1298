// The ledger holds to the journal's contract on a disk that fails, tears, loses and reorders.
#include "shell/store/sqlite_journal.h"
#include "tests/conformance/journal/journal_conformance.h"
#include "tests/shell/store/test_vfs.h"
#include "tests/shell/temporary_directory.h"

namespace paygress::conformance {
namespace {

class LedgerSession final : public JournalSession {
 public:
  explicit LedgerSession(std::unique_ptr<store::Ledger> ledger) : ledger_(std::move(ledger)) {}
  Result<uint64_t> append(const journal::Records& records) override {
    return ledger_->append(records);
  }
  Result<uint64_t> commit() override { return ledger_->commit(); }
  Result<void> read(uint64_t from, const journal::Visitor& visit) override {
    return ledger_->read(from, visit);
  }
  bool failed() const override { return ledger_->failed(); }

 private:
  std::unique_ptr<store::Ledger> ledger_;
};

class LedgerMachine final : public JournalMachine {
 public:
  explicit LedgerMachine(uint64_t seed) : vfs_(seed), entropy_(seed, 0, "install") {
    options_.directory = directory_.path();
    options_.checkpoint_pages = 6;  // so that checkpoints meet the faults too
    options_.vfs = vfs_.name();
  }

  Result<std::unique_ptr<JournalSession>> open(const journal::Visitor& replay) override {
    auto ledger = store::Ledger::open(options_, entropy_, replay);
    if (!ledger) return std::unexpected(ledger.error());
    return std::make_unique<LedgerSession>(std::move(*ledger));
  }
  uint64_t operations() const override { return vfs_.operations(); }
  void fail_operation(uint64_t n, sim::FaultSpan span) override { vfs_.fail_operation(n, span); }
  void heal() override { vfs_.heal(); }
  void crash(sim::CrashLoss loss) override { vfs_.crash(loss); }
  void save() override { saved_ = vfs_.snapshot(); }
  void restore() override { vfs_.restore(saved_); }

 private:
  test::TemporaryDirectory directory_;
  test::TestVfs vfs_;
  SeededEntropy entropy_;
  store::LedgerOptions options_;
  std::map<std::string, Bytes> saved_;
};

INSTANTIATE_TEST_SUITE_P(Sqlite, JournalConformance,
                         ::testing::Values(MakeMachine([](uint64_t seed) {
                           return std::make_unique<LedgerMachine>(seed);
                         })));

}  // namespace
}  // namespace paygress::conformance
