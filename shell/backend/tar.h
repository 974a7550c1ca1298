// Just enough of ustar (POSIX.1-1988) to hand a few small files to an engine and to get one back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace paygress::backend {

class TarWriter {
 public:
  // Paths are relative, at most 100 bytes. Owner is root.
  void add_directory(std::string_view path, uint32_t mode = 0755);
  void add_file(std::string_view path, std::string_view content, uint32_t mode = 0644);
  void add_symlink(std::string_view path, std::string_view target);
  // The archive. The writer is empty afterwards.
  std::string finish();

 private:
  void add_header(std::string_view path, char type, size_t size, uint32_t mode,
                  std::string_view target);
  std::string archive_;
};

// The content of the first regular file of the archive; nothing when it has none or is damaged.
std::optional<std::string> first_file(std::string_view archive);

}  // namespace paygress::backend
