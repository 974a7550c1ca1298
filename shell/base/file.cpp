#include "shell/base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace paygress::shell {
namespace {

Result<void> write_all(const FileDescriptor& file, std::string_view content,
                       const std::string& path) {
  while (!content.empty()) {
    const ssize_t put = write(file.number(), content.data(), content.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return system_failure("cannot be written", path);
    content.remove_prefix(static_cast<size_t>(put));
  }
  if (fsync(file.number()) != 0) return system_failure("cannot be made durable", path);
  return {};
}

std::string temporary_of(const std::string& path) {
  return fmt::format("{}.{}.new", path, getpid());
}

// Errors name the file that was asked for: nobody knows of the temporary one.
Result<FileDescriptor> make_temporary_of(const std::string& path) {
  const std::string temporary = temporary_of(path);
  unlink(temporary.c_str());
  const int number = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (number < 0) return system_failure("cannot be made", path);
  return FileDescriptor(number);
}

Result<void> sync_directory_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  auto handle = open_file(directory, O_RDONLY | O_DIRECTORY);
  if (!handle) return std::unexpected(handle.error());
  if (fsync(handle->number()) != 0) return system_failure("cannot be made durable", directory);
  return {};
}

}  // namespace

FileDescriptor::~FileDescriptor() {
  if (number_ >= 0) close(number_);
}

std::unexpected<Error> system_failure(std::string_view what, const std::string& path) {
  const int number = errno;
  std::array<char, 256> buffer{};
  return fail(fmt::format("{}: {}", what, strerror_r(number, buffer.data(), buffer.size())), path);
}

Result<FileDescriptor> open_file(const std::string& path, int flags, unsigned mode) {
  const int number = open(path.c_str(), flags | O_CLOEXEC, mode);
  if (number < 0) return system_failure("cannot be opened", path);
  return FileDescriptor(number);
}

Result<FileDescriptor> lock_file(const std::string& path, std::string_view held) {
  auto lock = open_file(path, O_RDWR | O_CREAT, 0600);
  if (!lock || flock(lock->number(), LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno == EWOULDBLOCK) return fail(std::string(held), path);
  return system_failure("cannot be locked", path);
}

Result<std::string> read_all(const FileDescriptor& file, size_t bytes_max,
                             const std::string& path) {
  std::string content;
  std::array<char, 16 * 1024> buffer;
  for (;;) {
    const ssize_t got = read(file.number(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_failure("cannot be read", path);
    if (got == 0) return content;
    if (content.size() + static_cast<size_t>(got) > bytes_max)
      return fail(fmt::format("is longer than {} bytes", bytes_max), path);
    content.append(buffer.data(), static_cast<size_t>(got));
  }
}

Result<void> check_writable(const std::string& path) {
  const auto made = make_temporary_of(path);
  if (!made) return std::unexpected(made.error());
  unlink(temporary_of(path).c_str());
  return {};
}

Result<void> write_whole_file(const std::string& path, std::string_view content, bool replace) {
  const std::string temporary = temporary_of(path);
  Result<void> result = [&]() -> Result<void> {
    auto file = make_temporary_of(path);
    if (!file) return std::unexpected(file.error());
    return write_all(*file, content, path);
  }();
  if (result) {
    const bool moved = replace ? rename(temporary.c_str(), path.c_str()) == 0
                               : link(temporary.c_str(), path.c_str()) == 0;
    if (!moved && errno == EEXIST)
      result = fail("exists already and is not replaced", path);
    else if (!moved)
      result = system_failure("cannot be put in place", path);
  }
  unlink(temporary.c_str());
  if (!result) return result;
  return sync_directory_of(path);
}

}  // namespace paygress::shell
