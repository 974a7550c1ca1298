// SQLite's C handles as values, with errors in words. Only shell/store includes this.
#pragma once

#include <sqlite3.h>

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace paygress::store {

class Database {
 public:
  // `flags`: SQLITE_OPEN_*. Extended result codes are on.
  static Result<Database> open(const std::string& path, int flags, const char* vfs);
  Database(Database&& other) noexcept
      : handle_(std::exchange(other.handle_, nullptr)), path_(std::move(other.path_)) {}
  Database& operator=(Database&& other) noexcept {
    std::swap(handle_, other.handle_);
    std::swap(path_, other.path_);
    return *this;
  }
  ~Database();

  // Statements without parameters; rows are dropped.
  // From now on a lock that somebody else holds is waited for, so long at most.
  void wait_when_busy(std::chrono::milliseconds limit);
  Result<void> run(const std::string& sql);
  // The first column of the first row; an error when there is none.
  Result<int64_t> number(const std::string& sql);
  Result<std::string> text(const std::string& sql);
  // What SQLite last said of this database, with what to do where that is known.
  std::unexpected<Error> failure() const;

  sqlite3* handle() const { return handle_; }
  const std::string& path() const { return path_; }

 private:
  explicit Database(std::string path) : path_(std::move(path)) {}
  sqlite3* handle_ = nullptr;
  std::string path_;
};

class Statement {
 public:
  // The database outlives the statement.
  static Result<Statement> prepare(const Database& database, std::string_view sql);
  Statement(Statement&& other) noexcept
      : database_(other.database_), handle_(std::exchange(other.handle_, nullptr)) {}
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  // Parameters and columns count from 1 and 0, as in SQLite.
  void bind(int parameter, int64_t value);
  void bind(int parameter, ByteView blob);  // the bytes live until reset() or the next bind
  // True: a row is there. False: done.
  Result<bool> step();
  void reset();
  int64_t integer(int column) const;
  ByteView blob(int column) const;  // until the next step
  std::string text(int column) const;

 private:
  Statement(const Database& database, sqlite3_stmt* handle)
      : database_(&database), handle_(handle) {}
  const Database* database_;
  sqlite3_stmt* handle_;
};

}  // namespace paygress::store
