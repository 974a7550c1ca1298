#include "tests/shell/store/test_vfs.h"

#include <algorithm>
#include <cstring>

namespace paygress::test {
namespace {

// What SQLite allocates for each open file.
struct File {
  sqlite3_file base;
  TestVfs* vfs;
  sim::Disk* disk;
};

File& of(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }
TestVfs& of(sqlite3_vfs* vfs) { return *static_cast<TestVfs*>(vfs->pAppData); }

int close_file(sqlite3_file*) { return SQLITE_OK; }

int read_file(sqlite3_file* file, void* out, int length, sqlite3_int64 offset) {
  const Bytes& content = of(file).disk->content();
  const auto from = std::min(static_cast<size_t>(offset), content.size());
  const size_t there = std::min(static_cast<size_t>(length), content.size() - from);
  std::memset(out, 0, static_cast<size_t>(length));
  if (there > 0) std::memcpy(out, content.data() + from, there);
  return there == static_cast<size_t>(length) ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

int write_file(sqlite3_file* file, const void* data, int length, sqlite3_int64 offset) {
  of(file).vfs->count(*of(file).disk);
  const ByteView bytes(static_cast<const uint8_t*>(data), static_cast<size_t>(length));
  return of(file).disk->write(static_cast<size_t>(offset), bytes) ? SQLITE_OK : SQLITE_FULL;
}

int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  of(file).vfs->count(*of(file).disk);
  return of(file).disk->truncate(static_cast<size_t>(size)) ? SQLITE_OK : SQLITE_IOERR_TRUNCATE;
}

int sync_file(sqlite3_file* file, int) {
  of(file).vfs->count(*of(file).disk);
  return of(file).disk->sync() ? SQLITE_OK : SQLITE_IOERR_FSYNC;
}

int size_of_file(sqlite3_file* file, sqlite3_int64* size) {
  *size = static_cast<sqlite3_int64>(of(file).disk->content().size());
  return SQLITE_OK;
}

int lock_file(sqlite3_file*, int) { return SQLITE_OK; }
int check_reserved_lock(sqlite3_file*, int* held) { return *held = 0, SQLITE_OK; }
int control_file(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
int sector_size(sqlite3_file*) { return static_cast<int>(sim::kDiskPageBytes); }
// As SQLite assumes of a real disk.
int characteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

// Version 1: no shared memory, so the log works in exclusive mode only.
const sqlite3_io_methods& methods() {
  static const sqlite3_io_methods table = [] {
    sqlite3_io_methods m{};
    m.iVersion = 1;
    m.xClose = close_file;
    m.xRead = read_file;
    m.xWrite = write_file;
    m.xTruncate = truncate_file;
    m.xSync = sync_file;
    m.xFileSize = size_of_file;
    m.xLock = lock_file;
    m.xUnlock = lock_file;
    m.xCheckReservedLock = check_reserved_lock;
    m.xFileControl = control_file;
    m.xSectorSize = sector_size;
    m.xDeviceCharacteristics = characteristics;
    return m;
  }();
  return table;
}

int open_file(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* opened_as) {
  of(file).base.pMethods = nullptr;
  const std::string path = name == nullptr ? "temporary" : name;
  if ((flags & SQLITE_OPEN_CREATE) == 0 && !of(vfs).exists(path)) return SQLITE_CANTOPEN;
  of(file).vfs = &of(vfs);
  of(file).disk = &of(vfs).file(path);
  of(file).base.pMethods = &methods();
  if (opened_as != nullptr) *opened_as = flags;
  return SQLITE_OK;
}

int delete_file(sqlite3_vfs* vfs, const char* name, int) {
  return of(vfs).remove(name) ? SQLITE_OK : SQLITE_IOERR_DELETE;
}

int access_file(sqlite3_vfs* vfs, const char* name, int, int* there) {
  *there = of(vfs).exists(name) ? 1 : 0;
  return SQLITE_OK;
}

int full_path(sqlite3_vfs*, const char* name, int length, char* out) {
  sqlite3_snprintf(length, out, "%s", name);
  return SQLITE_OK;
}

int randomness(sqlite3_vfs* vfs, int length, char* out) {
  for (int i = 0; i < length; ++i) out[i] = static_cast<char>(of(vfs).stream().next());
  return length;
}

int sleep_not(sqlite3_vfs*, int microseconds) { return microseconds; }

int current_time(sqlite3_vfs*, double* julian_day) { return *julian_day = 2'460'000.5, SQLITE_OK; }

}  // namespace

TestVfs::TestVfs(uint64_t seed) : stream_(seed, 0, "vfs"), seed_(seed) {
  static int made = 0;
  name_ = "paygress-test-" + std::to_string(++made);
  vfs_.iVersion = 1;
  vfs_.szOsFile = sizeof(File);
  vfs_.mxPathname = 512;
  vfs_.zName = name_.c_str();
  vfs_.pAppData = this;
  vfs_.xOpen = open_file;
  vfs_.xDelete = delete_file;
  vfs_.xAccess = access_file;
  vfs_.xFullPathname = full_path;
  vfs_.xRandomness = randomness;
  vfs_.xSleep = sleep_not;
  vfs_.xCurrentTime = current_time;
  PG_CHECK(sqlite3_vfs_register(&vfs_, 0) == SQLITE_OK);
}

TestVfs::~TestVfs() { sqlite3_vfs_unregister(&vfs_); }

void TestVfs::fail_operation(uint64_t n, sim::FaultSpan span) {
  fail_at_ = operations_ + n;
  span_ = span;
}

bool TestVfs::fails_now() {
  const uint64_t index = operations_++;
  if (!fail_at_) return false;
  return span_ == sim::FaultSpan::ForEver ? index >= *fail_at_ : index == *fail_at_;
}

void TestVfs::count(sim::Disk& disk) {
  if (fails_now()) disk.fail_operation(0);
}

sim::Disk& TestVfs::file(const std::string& path) {
  auto& disk = files_[path];
  if (disk == nullptr)
    disk = std::make_unique<sim::Disk>(RandomStream(seed_, name64(path), "file"));
  return *disk;
}

bool TestVfs::remove(const std::string& path) {
  if (fails_now()) return false;
  if (auto node = files_.extract(path)) removed_.push_back(std::move(node.mapped()));
  return true;
}

void TestVfs::crash(sim::CrashLoss loss) {
  fail_at_.reset();
  removed_.clear();
  for (auto& [path, disk] : files_) disk->crash(loss);
}

std::map<std::string, Bytes> TestVfs::snapshot() const {
  std::map<std::string, Bytes> copies;
  for (const auto& [path, disk] : files_) copies[path] = disk->snapshot();
  return copies;
}

void TestVfs::restore(const std::map<std::string, Bytes>& copies) {
  files_.clear();
  for (const auto& [path, copy] : copies) file(path).restore(copy);
}

}  // namespace paygress::test
