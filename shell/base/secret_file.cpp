#include "shell/base/secret_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "shell/base/file.h"

namespace paygress::shell {
namespace {

Result<void> check_private(const std::string& path, const struct stat& info, const char* mode) {
  if (info.st_uid != geteuid() && info.st_uid != 0)
    return fail("belongs to another user; it must be yours or root's", path);
  if ((info.st_mode & 077) != 0)
    return fail(fmt::format("may be used by others (mode {:04o}); run: chmod {} '{}'",
                            info.st_mode & 07777, mode, path),
                path);
  return {};
}

}  // namespace

void Secret::wipe() noexcept { explicit_bzero(text_.data(), text_.size()); }

Result<Secret> read_secret_file(const std::string& path) {
  auto file = open_file(path, O_RDONLY | O_NONBLOCK);
  if (!file) return std::unexpected(file.error());
  struct stat info{};
  if (fstat(file->number(), &info) != 0) return system_failure("cannot be examined", path);
  if (!S_ISREG(info.st_mode)) return fail("is not a regular file", path);
  if (auto ok = check_private(path, info, "600"); !ok) return std::unexpected(ok.error());
  auto content = read_all(*file, kSecretFileBytesMax, path);
  if (!content) return std::unexpected(content.error());
  const size_t end = content->find_last_not_of(" \t\r\n");
  content->resize(end == std::string::npos ? 0 : end + 1);
  return Secret(std::move(*content));
}

Result<void> write_secret_file(const std::string& path, std::string_view content, Replace replace) {
  return write_whole_file(path, content, replace == Replace::Yes);
}

Result<void> make_private_directory(const std::string& path) {
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    return system_failure("cannot be made", path);
  struct stat info{};
  if (stat(path.c_str(), &info) != 0) return system_failure("cannot be examined", path);
  if (!S_ISDIR(info.st_mode)) return fail("is not a directory", path);
  return check_private(path, info, "700");
}

}  // namespace paygress::shell
