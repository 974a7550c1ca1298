#include "shell/store/sqlite_handle.h"

#include "core/base/check.h"

namespace paygress::store {
namespace {

const char* advice_for(int code) {
  switch (code & 0xff) {
    case SQLITE_NOTADB:
      return "; this is not a ledger: move the file away, or name another data directory";
    case SQLITE_CORRUPT:
      return "; the file is damaged: keep a copy of it and put back your last backup";
    case SQLITE_FULL: return "; free some space, then start again";
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return "; another program has it open";
    default: return "";
  }
}

}  // namespace

Result<Database> Database::open(const std::string& path, int flags, const char* vfs) {
  Database database(path);
  const int code = sqlite3_open_v2(path.c_str(), &database.handle_, flags, vfs);
  if (code != SQLITE_OK) return database.failure();
  sqlite3_extended_result_codes(database.handle_, 1);
  return database;
}

void Database::wait_when_busy(std::chrono::milliseconds limit) {
  sqlite3_busy_timeout(handle_, static_cast<int>(limit.count()));
}

Database::~Database() {
  if (handle_ != nullptr) sqlite3_close_v2(handle_);
}

Result<void> Database::run(const std::string& sql) {
  if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) return failure();
  return {};
}

Result<int64_t> Database::number(const std::string& sql) {
  auto statement = Statement::prepare(*this, sql);
  if (!statement) return std::unexpected(statement.error());
  auto row = statement->step();
  if (!row) return std::unexpected(row.error());
  if (!*row) return fail("no answer to: " + sql, path_);
  return statement->integer(0);
}

Result<std::string> Database::text(const std::string& sql) {
  auto statement = Statement::prepare(*this, sql);
  if (!statement) return std::unexpected(statement.error());
  auto row = statement->step();
  if (!row) return std::unexpected(row.error());
  if (!*row) return fail("no answer to: " + sql, path_);
  return statement->text(0);
}

std::unexpected<Error> Database::failure() const {
  if (handle_ == nullptr) return fail("out of memory", path_);
  const int code = sqlite3_extended_errcode(handle_);
  return fail(std::string(sqlite3_errmsg(handle_)) + " (SQLite code " + std::to_string(code) + ")" +
                  advice_for(code),
              path_);
}

Result<Statement> Statement::prepare(const Database& database, std::string_view sql) {
  sqlite3_stmt* handle = nullptr;
  const int code = sqlite3_prepare_v2(database.handle(), sql.data(), static_cast<int>(sql.size()),
                                      &handle, nullptr);
  if (code != SQLITE_OK) return database.failure();
  PG_CHECK(handle != nullptr);
  return Statement(database, handle);
}

Statement::~Statement() { sqlite3_finalize(handle_); }

void Statement::bind(int parameter, int64_t value) {
  PG_CHECK(sqlite3_bind_int64(handle_, parameter, value) == SQLITE_OK);
}

void Statement::bind(int parameter, ByteView blob) {
  PG_CHECK(sqlite3_bind_blob64(handle_, parameter, blob.data(), blob.size(), SQLITE_STATIC) ==
           SQLITE_OK);
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(handle_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return database_->failure();
}

void Statement::reset() {
  sqlite3_reset(handle_);
  sqlite3_clear_bindings(handle_);
}

int64_t Statement::integer(int column) const { return sqlite3_column_int64(handle_, column); }

ByteView Statement::blob(int column) const {
  const auto* data = static_cast<const uint8_t*>(sqlite3_column_blob(handle_, column));
  return {data, static_cast<size_t>(sqlite3_column_bytes(handle_, column))};
}

std::string Statement::text(int column) const {
  const auto* data = sqlite3_column_text(handle_, column);
  return data == nullptr ? std::string() : reinterpret_cast<const char*>(data);
}

}  // namespace paygress::store
