// journal::Storage on one SQLite file: see sqlite_journal.h.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "core/base/check.h"
#include "shell/store/sqlite_handle.h"
#include "shell/store/sqlite_journal.h"

namespace paygress::store {
namespace {

constexpr std::chrono::milliseconds kReaderPatience{5'000};

// `meta` holds one row.
constexpr const char* kSchema =
    "CREATE TABLE meta (id INTEGER PRIMARY KEY CHECK (id = 1), format INTEGER NOT NULL,"
    "  install BLOB NOT NULL);"
    "CREATE TABLE batch (sequence INTEGER PRIMARY KEY, previous BLOB NOT NULL,"
    "  payload BLOB NOT NULL, hash BLOB NOT NULL);";

class SqliteStorage final : public journal::Storage {
 public:
  SqliteStorage(Database database, journal::Header header)
      : database_(std::move(database)), header_(header) {}

  journal::Header header() const override { return header_; }
  Result<void> write(const journal::SealedBatch& batch) override;
  Result<void> sync() override;
  Result<void> scan(uint64_t from, const journal::Visitor& visit) override;

 private:
  Database database_;
  journal::Header header_;
};

Result<void> SqliteStorage::write(const journal::SealedBatch& batch) {
  if (sqlite3_get_autocommit(database_.handle()) != 0)
    if (auto begun = database_.run("BEGIN IMMEDIATE"); !begun) return begun;
  auto insert = Statement::prepare(
      database_, "INSERT INTO batch (sequence, previous, payload, hash) VALUES (?, ?, ?, ?)");
  if (!insert) return std::unexpected(insert.error());
  insert->bind(1, static_cast<int64_t>(batch.sequence));
  insert->bind(2, batch.previous);
  insert->bind(3, batch.payload);
  insert->bind(4, batch.hash);
  auto done = insert->step();
  if (!done) return std::unexpected(done.error());
  return {};
}

Result<void> SqliteStorage::sync() {
  // SQLite may have rolled the transaction back by itself after an error; COMMIT then fails.
  return database_.run("COMMIT");
}

Result<void> SqliteStorage::scan(uint64_t from, const journal::Visitor& visit) {
  auto rows = Statement::prepare(database_,
                                 "SELECT sequence, previous, payload, hash FROM batch"
                                 " WHERE sequence >= ? ORDER BY sequence");
  if (!rows) return std::unexpected(rows.error());
  rows->bind(1, static_cast<int64_t>(from));
  for (;;) {
    auto row = rows->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return {};
    journal::SealedBatch batch;
    batch.sequence = static_cast<uint64_t>(rows->integer(0));
    const ByteView previous = rows->blob(1);
    const ByteView payload = rows->blob(2);
    if (payload.size() > journal::kPayloadBytesMax || previous.size() != batch.previous.size())
      return fail("is damaged", database_.path() + " batch " + std::to_string(batch.sequence));
    std::ranges::copy(previous, batch.previous.begin());
    batch.payload.assign(payload.begin(), payload.end());
    const ByteView hash = rows->blob(3);
    if (hash.size() != batch.hash.size())
      return fail("is damaged", database_.path() + " batch " + std::to_string(batch.sequence));
    std::ranges::copy(hash, batch.hash.begin());
    if (auto seen = visit(batch); !seen) return seen;
  }
}

// After a failed fsync the log's pages can be read and yet be on no disk, and SQLite would build on
// them. Writing the same bytes again makes them dirty, so that the next fsync covers them.
Result<void> rewrite_log(const LedgerOptions& options, const std::string& database_path) {
  sqlite3_vfs* vfs = sqlite3_vfs_find(options.vfs);
  PG_CHECK(vfs != nullptr);
  const std::string path = database_path + "-wal";
  int present = 0;
  if (vfs->xAccess(vfs, path.c_str(), SQLITE_ACCESS_EXISTS, &present) != SQLITE_OK)
    return fail("cannot be examined", path);
  if (present == 0) return {};
  // xOpen wants a name that sqlite3_create_filename made: it reads parameters behind it.
  const std::unique_ptr<const char, void (*)(const char*)> name(
      sqlite3_create_filename(database_path.c_str(), "", path.c_str(), 0, nullptr),
      [](const char* made) { sqlite3_free_filename(const_cast<char*>(made)); });
  if (name == nullptr) return fail("out of memory", path);
  const std::unique_ptr<sqlite3_file, void (*)(void*)> file(
      static_cast<sqlite3_file*>(std::calloc(1, static_cast<size_t>(vfs->szOsFile))), std::free);
  int opened_as = 0;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_WAL;
  if (file == nullptr ||
      vfs->xOpen(vfs, sqlite3_filename_wal(name.get()), file.get(), flags, &opened_as) != SQLITE_OK)
    return fail("cannot be opened", path);
  const sqlite3_io_methods& io = *file->pMethods;
  sqlite3_int64 size = 0;
  int code = io.xFileSize(file.get(), &size);
  std::vector<char> block(64 * 1024);
  for (sqlite3_int64 at = 0; code == SQLITE_OK && at < size;) {
    const int length = static_cast<int>(std::min<sqlite3_int64>(size - at, 64 * 1024));
    code = io.xRead(file.get(), block.data(), length, at);
    if (code == SQLITE_OK) code = io.xWrite(file.get(), block.data(), length, at);
    at += length;
  }
  if (code == SQLITE_OK) code = io.xSync(file.get(), SQLITE_SYNC_NORMAL);
  io.xClose(file.get());
  if (code != SQLITE_OK) return fail("cannot be made durable", path);
  return {};
}

Result<journal::Header> read_header(Database& database) {
  auto row = Statement::prepare(database, "SELECT format, install FROM meta");
  if (!row) return std::unexpected(row.error());
  auto there = row->step();
  if (!there) return std::unexpected(there.error());
  journal::Header header;
  if (!*there || row->blob(1).size() != header.install.bytes.size())
    return fail("the ledger's first row is damaged: put back your last backup", database.path());
  header.format_version = static_cast<uint32_t>(row->integer(0));
  std::ranges::copy(row->blob(1), header.install.bytes.begin());
  if (header.format_version != journal::kFormatVersion)
    return fail("is of format " + std::to_string(header.format_version) +
                    ", which this program does not know: use the newer program that wrote it",
                database.path());
  return header;
}

Result<journal::Header> create(Database& database, Entropy& entropy) {
  journal::Header header;
  entropy.fill(header.install.bytes);
  if (auto ok = database.run("BEGIN IMMEDIATE;" + std::string(kSchema)); !ok)
    return std::unexpected(ok.error());
  {
    auto insert = Statement::prepare(database, "INSERT INTO meta VALUES (1, ?, ?)");
    if (!insert) return std::unexpected(insert.error());
    insert->bind(1, int64_t{header.format_version});
    insert->bind(2, header.install.bytes);
    if (auto done = insert->step(); !done) return std::unexpected(done.error());
  }
  // The id is set in the same transaction: a file that carries it has the tables.
  if (auto ok =
          database.run("PRAGMA application_id = " + std::to_string(kApplicationId) + "; COMMIT");
      !ok)
    return std::unexpected(ok.error());
  return header;
}

// Ours, empty (nothing was ever in it), or foreign.
enum class Kind { Ours, Empty, Foreign };
Result<Kind> kind_of(Database& database) {
  auto id = database.number("PRAGMA application_id");
  if (!id) return std::unexpected(id.error());
  if (static_cast<uint32_t>(*id) == kApplicationId) return Kind::Ours;
  auto tables = database.number("SELECT count(*) FROM sqlite_master");
  if (!tables) return std::unexpected(tables.error());
  return *id == 0 && *tables == 0 ? Kind::Empty : Kind::Foreign;
}

Result<journal::Header> header_or_create(Database& database, Entropy* entropy) {
  auto kind = kind_of(database);
  if (!kind) return std::unexpected(kind.error());
  switch (*kind) {
    case Kind::Ours: return read_header(database);
    case Kind::Empty:
      if (entropy != nullptr) return create(database, *entropy);
      return fail("is missing or empty; put back your last backup", database.path());
    case Kind::Foreign: break;
  }
  return fail("is a database of another program: move it away, or name another data directory",
              database.path());
}

Result<void> expect_text(Database& database, const std::string& sql, std::string_view expected) {
  auto answer = database.text(sql);
  if (!answer) return std::unexpected(answer.error());
  if (*answer != expected)
    return fail(sql + " answered '" + *answer + "' instead of '" + std::string(expected) + "'",
                database.path());
  return {};
}

}  // namespace

Result<std::unique_ptr<journal::Storage>> open_ledger_storage(const LedgerOptions& options,
                                                              Entropy& entropy, bool may_create) {
  const std::string path = options.directory + "/" + kLedgerFile;
  if (auto ok = rewrite_log(options, path); !ok) return std::unexpected(ok.error());
  const int flags =
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (may_create ? SQLITE_OPEN_CREATE : 0);
  auto database = Database::open(path, flags, options.vfs);
  if (!database) return std::unexpected(database.error());
  // A verb that found no daemon may be reading the ledger at this very moment; it is soon done.
  database->wait_when_busy(kReaderPatience);
  // EXCLUSIVE before the first access: the log's index then lives in our memory, not in a file that
  // others could map. FULL: every COMMIT syncs the log.
  if (auto ok = expect_text(*database, "PRAGMA locking_mode = EXCLUSIVE", "exclusive"); !ok)
    return std::unexpected(ok.error());
  // Before anything is changed: a foreign database must not even be switched to WAL.
  auto kind = kind_of(*database);
  if (!kind) return std::unexpected(kind.error());
  if (*kind != Kind::Foreign) {
    if (auto ok = expect_text(*database, "PRAGMA journal_mode = WAL", "wal"); !ok)
      return std::unexpected(ok.error());
    if (auto ok = database->run("PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF;"
                                "PRAGMA wal_autocheckpoint = " +
                                std::to_string(options.checkpoint_pages));
        !ok)
      return std::unexpected(ok.error());
  }
  auto header = header_or_create(*database, may_create ? &entropy : nullptr);
  if (!header) return std::unexpected(header.error());
  return std::make_unique<SqliteStorage>(std::move(*database), *header);
}

Result<std::unique_ptr<journal::Storage>> open_ledger_read_only(const LedgerOptions& options) {
  const std::string path = options.directory + "/" + kLedgerFile;
  auto database = Database::open(path, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, options.vfs);
  if (!database) return std::unexpected(database.error());
  auto header = header_or_create(*database, nullptr);
  if (!header) return std::unexpected(header.error());
  return std::make_unique<SqliteStorage>(std::move(*database), *header);
}

}  // namespace paygress::store
