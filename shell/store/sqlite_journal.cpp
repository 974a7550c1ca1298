#include "shell/store/sqlite_journal.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <utility>

#include "core/base/check.h"
#include "shell/base/file.h"
#include "shell/base/secret_file.h"
#include "shell/store/high_water.h"

namespace paygress::store {
namespace {

Result<shell::FileDescriptor> take_lock(const std::string& directory) {
  return shell::lock_file(directory + "/" + kLockFile,
                          "is held: another paygress-provider uses this data directory");
}

// SQLite would make the file readable for others; its -wal takes the mode of the file.
Result<void> prepare_file(const std::string& path, bool may_create) {
  auto file = shell::open_file(path, O_RDWR | (may_create ? O_CREAT : 0), 0600);
  if (!file) return std::unexpected(file.error());
  struct stat info{};
  if (fstat(file->number(), &info) != 0) return shell::system_failure("cannot be examined", path);
  if (!S_ISREG(info.st_mode)) return fail("is not a regular file", path);
  if ((info.st_mode & 077) != 0 && fchmod(file->number(), 0600) != 0)
    return shell::system_failure("is open to others, and that cannot be changed", path);
  return {};
}

}  // namespace

struct Ledger::State {
  shell::FileDescriptor lock;  // first: released last
  std::string mark_path;
  uint64_t marked = 0;
  bool hold_mark = false;
  std::optional<Error> mark_problem;
  std::unique_ptr<journal::Journal> journal;

  void write_mark() {
    if (hold_mark) return;
    auto written = write_high_water(mark_path, journal->header().install, journal->acknowledged());
    mark_problem = written ? std::nullopt : std::optional(written.error());
    if (written) marked = journal->acknowledged().sequence;
  }
};

Ledger::Ledger(std::unique_ptr<State> state) : state_(std::move(state)) {}

Ledger::~Ledger() {
  if (!state_->journal->failed() && state_->journal->acknowledged().sequence != state_->marked)
    state_->write_mark();
}

namespace {

// Gives one id, again and again.
class OneId final : public Entropy {
 public:
  explicit OneId(const InstallId& id) : id_(id) {}
  void fill(std::span<uint8_t> out) override {
    PG_CHECK(out.size() == id_.bytes.size());
    std::ranges::copy(id_.bytes, out.begin());
  }

 private:
  InstallId id_;
};

}  // namespace

Result<std::unique_ptr<Ledger>> Ledger::open(const LedgerOptions& options, Entropy& entropy,
                                             const journal::Visitor& replay) {
  if (auto ok = shell::make_private_directory(options.directory); !ok)
    return std::unexpected(ok.error());
  auto state = std::make_unique<State>();
  auto lock = take_lock(options.directory);
  if (!lock) return std::unexpected(lock.error());
  state->lock = std::move(*lock);
  const std::string path = options.directory + "/" + kLedgerFile;
  state->mark_path = options.high_water_path.empty() ? options.directory + "/" + kMarkFile
                                                     : options.high_water_path;
  // A mark says that a ledger was here: then none is made, whatever became of it.
  const bool no_mark = access(state->mark_path.c_str(), F_OK) != 0 && errno == ENOENT;
  const bool may_create = no_mark || options.take_up;
  if (options.vfs == nullptr)
    if (auto ok = prepare_file(path, may_create); !ok) return std::unexpected(ok.error());
  std::optional<OneId> same_install;
  if (options.take_up)
    if (const auto mark = read_any_high_water(state->mark_path); mark && *mark)
      same_install.emplace((*mark)->install);
  Entropy& source = same_install ? static_cast<Entropy&>(*same_install) : entropy;
  auto storage = open_ledger_storage(options, source, may_create);
  if (!storage) return std::unexpected(storage.error());
  state->hold_mark = options.take_up;
  auto mark = options.take_up ? Result<std::optional<journal::Tip>>(std::nullopt)
                              : read_high_water(state->mark_path, (*storage)->header().install);
  if (!mark) return std::unexpected(mark.error());
  auto journal = journal::Journal::open(std::move(*storage), *mark, replay, options.known);
  if (!journal)
    return fail("the ledger cannot be trusted: " + to_string(journal.error()) +
                    "; nothing was changed. Put back a newer backup; if there is none, see "
                    "`paygress-provider ledger recover --help`",
                path);
  state->journal = std::move(*journal);
  if (*mark == state->journal->acknowledged())
    state->marked = state->journal->acknowledged().sequence;
  else
    state->write_mark();
  if (state->mark_problem) return std::unexpected(*state->mark_problem);
  return std::unique_ptr<Ledger>(new Ledger(std::move(state)));
}

journal::Header Ledger::header() const { return state_->journal->header(); }

Result<uint64_t> Ledger::append(const journal::Records& records) {
  return state_->journal->append(records);
}

Result<uint64_t> Ledger::commit() {
  const journal::Tip before = state_->journal->acknowledged();
  auto done = state_->journal->commit();
  if (done && std::exchange(state_->hold_mark, state_->hold_mark && *done == before.sequence))
    state_->write_mark();
  if (done && *done >= state_->marked + kBatchesPerMark) state_->write_mark();
  return done;
}

Result<void> Ledger::read(uint64_t from, const journal::Visitor& visit) {
  return state_->journal->read(from, visit);
}

const journal::Tip& Ledger::acknowledged() const { return state_->journal->acknowledged(); }
uint64_t Ledger::resumed_after() const { return state_->journal->resumed_after(); }
bool Ledger::failed() const { return state_->journal->failed(); }
const std::optional<Error>& Ledger::mark_problem() const { return state_->mark_problem; }

}  // namespace paygress::store
