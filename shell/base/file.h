// Small files and descriptors of the operating system, with errors in words.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "core/base/result.h"

namespace paygress::shell {

// Owns a file descriptor.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int number) : number_(number) {}
  FileDescriptor(FileDescriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~FileDescriptor();

  int number() const { return number_; }

 private:
  int number_ = -1;
};

// "<what>: <text of errno>", about `path`.
std::unexpected<Error> system_failure(std::string_view what, const std::string& path);

// open(2) with O_CLOEXEC.
Result<FileDescriptor> open_file(const std::string& path, int flags, unsigned mode = 0);

// A file, made with mode 0600 when there is none, that at most one process holds; as long as the
// descriptor lives. Error `held`, about `path`: another process does.
Result<FileDescriptor> lock_file(const std::string& path, std::string_view held);

// From the current position to the end; an error when it is longer than `bytes_max`.
Result<std::string> read_all(const FileDescriptor& file, size_t bytes_max, const std::string& path);

// Whether write_whole_file could write it now: makes and removes the temporary file.
Result<void> check_writable(const std::string& path);

// Mode 0600, whole or not at all, durable: a temporary file beside it, fsync, rename (or link, when
// an existing file must stay), fsync of the directory.
Result<void> write_whole_file(const std::string& path, std::string_view content, bool replace);

}  // namespace paygress::shell
