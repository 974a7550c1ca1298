#include "shell/backend/keeper.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

#include "shell/backend/sandbox_layout.h"

namespace paygress::backend {

namespace fs = std::filesystem;

StateLock::StateLock(const fs::path& state)
    : fd_(open((state / kLockFile).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (fd_ < 0 || fcntl(fd_, F_OFD_SETLK, &lock) == 0) return;
  close(fd_);
  fd_ = -1;
}

StateLock::~StateLock() {
  if (fd_ >= 0) close(fd_);
}

BoundedLog::BoundedLog(fs::path file) : file_(std::move(file)) { reopen(O_APPEND); }

void BoundedLog::append(const char* data, size_t size) {
  if (written_ + size > kSandboxLogBytesMax) {
    rename(file_.c_str(), (file_.string() + ".1").c_str());
    reopen(O_TRUNC);
  }
  if (fd_ >= 0 && write(fd_, data, size) > 0) written_ += size;
}

void BoundedLog::drain(int& from) {
  char chunk[4096];
  while (from >= 0) {
    const ssize_t n = read(from, chunk, sizeof chunk);
    if (n < 0) return;
    if (n == 0) {
      close(from);
      from = -1;
      return;
    }
    append(chunk, static_cast<size_t>(n));
  }
}

void BoundedLog::reopen(int how) {
  if (fd_ >= 0) close(fd_);
  fd_ = open(file_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | how, 0600);
  const off_t end = fd_ < 0 ? 0 : lseek(fd_, 0, SEEK_END);
  written_ = end > 0 ? static_cast<size_t>(end) : 0;
}

namespace {

bool take_lock(const fs::path& state) {
  static StateLock* lock = nullptr;  // never given back: it dies with this process
  if (!lock) lock = new StateLock(state);
  return lock->held();
}

bool run_in_background(const std::function<int(int)>& keep) {
  int ready[2];
  if (pipe2(ready, O_CLOEXEC) != 0) return false;
  const pid_t child = fork();
  if (child < 0) return false;
  if (child == 0) {
    close(ready[0]);
    setsid();
    if (chdir("/") != 0) _exit(1);
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd : {0, 1, 2}) dup2(null, fd);
    _exit(keep(ready[1]));
  }
  close(ready[1]);
  char word = 'F';
  const bool said = read(ready[0], &word, 1) == 1;
  close(ready[0]);
  return said && word == 'R';
}

}  // namespace

int keeper_main(int argc, char** argv, const KeeperNames& names,
                const std::function<int(const fs::path& state, int ready)>& keep) {
  if (argc != 2 || argv[1][0] != '/') {
    std::fprintf(stderr, "usage: %s <absolute state directory>\n", names.program);
    return 2;
  }
  const fs::path state = argv[1];
  if (!take_lock(state)) {
    std::fprintf(stderr, "%s: it runs already, or its lock cannot be taken\n", names.program);
    return kRunsAlready;
  }
  if (run_in_background([&](int ready) { return keep(state, ready); })) return 0;
  std::fprintf(stderr, "%s: the %s did not start\n", names.program, names.kept);
  return 1;
}

}  // namespace paygress::backend
