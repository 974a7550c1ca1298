// This machine, as backends without an engine of their own see it, and waiting for it.
#pragma once

#include <chrono>
#include <filesystem>
#include <thread>

#include "core/base/result.h"
#include "core/workload/backend.h"

namespace paygress::backend {

// Processors, memory that is available, and space that is free on the disk of `root`.
Result<workload::NodeCapacity> machine_capacity(const std::filesystem::path& root);

// Asks again and again, at most for `limit`; the condition's last value.
template <class Condition>
bool wait_until(Condition condition, std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

}  // namespace paygress::backend
