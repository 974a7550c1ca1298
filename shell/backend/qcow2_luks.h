// The LUKS header inside an encrypted qcow2 disk (QEMU, docs/interop/qcow2.txt, "Full disk
// encryption header pointer").
#pragma once

#include <filesystem>

#include "core/base/result.h"

namespace paygress::backend {

// Overwrites the header with its key slots: without them nobody can open the disk again, whoever
// has its key or a copy of its blocks. Done when it is on the disk. An error when the file is no
// qcow2 disk or not encrypted.
Result<void> destroy_qcow2_luks_header(const std::filesystem::path& disk);

}  // namespace paygress::backend
