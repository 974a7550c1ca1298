// The high-water mark: the last acknowledged batch, remembered outside the ledger's file.
//
// What it proves: a ledger that ends before the mark, or has another batch at its sequence, is not
// the ledger that was written here last (an old copy was put back, or its end was cut off). It
// proves nothing about batches after the mark: it is written when kBatchesPerMark batches were
// acknowledged since, and at an orderly close, so after a crash it lags by up to that many.
// Somebody who puts back both files together is not noticed: keep the mark on another disk if you
// fear that (`high_water_path`).
#pragma once

#include <optional>
#include <string>

#include "core/journal/batch.h"

namespace paygress::store {

constexpr uint64_t kBatchesPerMark = 64;

struct HighWater {
  InstallId install;
  journal::Tip tip;
};

// Nothing when there is no file; an error when it is damaged. Of whichever ledger.
Result<std::optional<HighWater>> read_any_high_water(const std::string& path);
// Nothing when there is no file; an error when it is damaged or belongs to another install.
Result<std::optional<journal::Tip>> read_high_water(const std::string& path,
                                                    const InstallId& install);
// Whole or not at all, synced, mode 0600.
Result<void> write_high_water(const std::string& path, const InstallId& install,
                              const journal::Tip& tip);

}  // namespace paygress::store
