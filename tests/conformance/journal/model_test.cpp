// The simulated disk holds to the journal's contract.
#include "tests/conformance/journal/journal_conformance.h"

namespace paygress::conformance {
namespace {

class ModelSession final : public JournalSession {
 public:
  ModelSession(std::unique_ptr<journal::Journal> journal, std::optional<journal::Tip>& mark)
      : journal_(std::move(journal)), mark_(mark) {
    mark_ = journal_->acknowledged();
  }
  Result<uint64_t> append(const journal::Records& records) override {
    return journal_->append(records);
  }
  Result<uint64_t> commit() override {
    auto done = journal_->commit();
    if (done) mark_ = journal_->acknowledged();
    return done;
  }
  Result<void> read(uint64_t from, const journal::Visitor& visit) override {
    return journal_->read(from, visit);
  }
  bool failed() const override { return journal_->failed(); }

 private:
  std::unique_ptr<journal::Journal> journal_;
  std::optional<journal::Tip>& mark_;
};

class ModelMachine final : public JournalMachine {
 public:
  explicit ModelMachine(uint64_t seed) : disk_(RandomStream(seed, 1, "disk")) {}

  Result<std::unique_ptr<JournalSession>> open(const journal::Visitor& replay) override {
    auto storage = sim::DiskStorage::open(disk_, InstallId{{1, 2, 3}});
    if (!storage) return std::unexpected(storage.error());
    auto journal = journal::Journal::open(std::move(*storage), mark_, replay);
    if (!journal) return std::unexpected(journal.error());
    return std::make_unique<ModelSession>(std::move(*journal), mark_);
  }
  uint64_t operations() const override { return disk_.operations(); }
  void fail_operation(uint64_t n, sim::FaultSpan span) override { disk_.fail_operation(n, span); }
  void heal() override { disk_.heal(); }
  void crash(sim::CrashLoss loss) override { disk_.crash(loss); }
  void save() override { saved_ = disk_.snapshot(); }
  void restore() override { disk_.restore(saved_); }

 private:
  sim::Disk disk_;
  std::optional<journal::Tip> mark_;
  Bytes saved_;
};

INSTANTIATE_TEST_SUITE_P(Model, JournalConformance,
                         ::testing::Values(MakeMachine([](uint64_t seed) {
                           return std::make_unique<ModelMachine>(seed);
                         })));

}  // namespace
}  // namespace paygress::conformance
