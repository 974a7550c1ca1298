// Small files of ours beside the ledger that tell by themselves when they are damaged:
// magic | body | SHA-256 of both.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace paygress::store {

// The body. Nothing when there is no such file; an error when it cannot be read. A damaged one, or
// one longer than `bytes_max`, is the error kSealBroken.
inline constexpr const char* kSealBroken = "is damaged";
Result<std::optional<Bytes>> read_sealed_file(const std::string& path, std::string_view magic,
                                              size_t bytes_max);
// Whole or not at all, synced, mode 0600.
Result<void> write_sealed_file(const std::string& path, std::string_view magic, ByteView body);

}  // namespace paygress::store
