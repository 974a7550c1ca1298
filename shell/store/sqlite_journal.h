// The ledger's file: journal::Storage in SQLite (WAL, synchronous=FULL), and its opening.
//
// In the data directory (mode 0700): ledger.sqlite3 (0600, with its -wal), ledger.lock (held with
// flock while a writer is open), ledger.mark (the high-water mark; see high_water.h).
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/base/random.h"
#include "core/journal/journal.h"

namespace paygress::store {

constexpr const char* kLedgerFile = "ledger.sqlite3";
constexpr const char* kLockFile = "ledger.lock";
constexpr const char* kMarkFile = "ledger.mark";
// SQLite's application_id of our files ("PgJ1"): a foreign database is told by it.
constexpr uint32_t kApplicationId = 0x50674a31;

struct LedgerOptions {
  std::string directory;        // made with mode 0700 when absent; its parent must exist
  std::string high_water_path;  // empty: ledger.mark in `directory`
  // The operator's word (`ledger recover`): the mark is not asked, a ledger that is gone is made
  // anew, of the same install when a mark tells it, and the mark stays as it is until a batch that
  // says so is durable.
  bool take_up = false;
  // The batch of a snapshot: the ledger is followed from there (journal.h).
  std::optional<journal::Tip> known = std::nullopt;
  // Pages of the write-ahead log before SQLite moves them into the file.
  int checkpoint_pages = 1000;
  // SQLite VFS by name, for the database file only; tests fail, tear and lose writes through it.
  const char* vfs = nullptr;
};

// A journal open for writing, with its lock and its mark.
class Ledger {
 public:
  // Opens the ledger, making it when the directory has neither a ledger nor a mark. Every batch is
  // verified and passed to `replay` in order. Refused, in words that name the file and what to do:
  // a second writer, a foreign or damaged file, a newer format, a broken chain, a ledger that ends
  // before the mark, and a mark without a ledger. Nothing is ever replaced by an empty ledger.
  static Result<std::unique_ptr<Ledger>> open(const LedgerOptions& options, Entropy& entropy,
                                              const journal::Visitor& replay);
  // Writes the mark when nothing failed, then releases the lock.
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  journal::Header header() const;
  // See journal::Journal. commit() also moves the mark when it is due; a mark that cannot be
  // written is not an error of the commit (`mark_problem` tells).
  Result<uint64_t> append(const journal::Records& records);
  Result<uint64_t> commit();
  Result<void> read(uint64_t from, const journal::Visitor& visit);
  const journal::Tip& acknowledged() const;
  uint64_t resumed_after() const;
  bool failed() const;
  const std::optional<Error>& mark_problem() const;

 private:
  struct State;
  explicit Ledger(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// The storage alone, for writing: no lock file, no mark (Ledger brings both). `may_create`: make
// the ledger when the file is absent or empty; otherwise that is an error.
Result<std::unique_ptr<journal::Storage>> open_ledger_storage(const LedgerOptions& options,
                                                              Entropy& entropy, bool may_create);

// For verbs when no daemon runs: takes no lock, changes nothing, and sees what is committed. The
// chain is not checked here; journal::verify does.
Result<std::unique_ptr<journal::Storage>> open_ledger_read_only(const LedgerOptions& options);

}  // namespace paygress::store
