// Files that hold secrets: keys, mnemonics, the config that names them.
#pragma once

#include <string>
#include <string_view>

#include "core/base/result.h"
#include "shell/base/secret.h"

namespace paygress::shell {

constexpr size_t kSecretFileBytesMax = size_t{1} << 20;

// The whole file, white space at the end removed. Refused, with how to mend it, when it is not a
// regular file, belongs to another user (root's is fine), or its mode lets group or others read it.
Result<Secret> read_secret_file(const std::string& path);

// Writes mode 0600, whole or not at all: a temporary file beside it, fsync, rename, fsync of the
// directory. Replaces an existing file only when `replace` is set.
enum class Replace { No, Yes };
Result<void> write_secret_file(const std::string& path, std::string_view content, Replace replace);

// Makes the directory (not its parents) with mode 0700, or checks that an existing one is ours and
// closed to group and others.
Result<void> make_private_directory(const std::string& path);

}  // namespace paygress::shell
