#include "shell/base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <string.h>
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

Result<void> write_whole_file(const std::string& path, std::string_view content, bool replace) {
  const std::string temporary = fmt::format("{}.{}.new", path, getpid());
  unlink(temporary.c_str());
  Result<void> result = [&]() -> Result<void> {
    auto file = open_file(temporary, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (!file) return std::unexpected(file.error());
    return write_all(*file, content, temporary);
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
