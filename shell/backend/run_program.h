// A helper program, run to its end without a shell.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace paygress::backend {

struct ProgramResult {
  int status = -1;     // exit status, 128 + signal, or -1 when it could not be started
  std::string output;  // the last kProgramOutputBytesMax of stdout and stderr together
};
inline constexpr size_t kProgramOutputBytesMax = 4096;

// Among the system's programs; empty: not installed.
std::filesystem::path find_program(const std::string& name);

// argv[0] is looked up in our PATH. Stdin is empty, the environment holds only a fixed PATH,
// descriptors are not passed on, and it gets a session of its own. Killed after `limit`.
// Also killed, when `enough` is not empty, as soon as the output contains that.
// Blocks: not for the loop's thread.
ProgramResult run_program(const std::vector<std::string>& argv, std::chrono::milliseconds limit,
                          std::string_view enough = {});
// The same, where only its success is wanted; the error says what the program said.
Result<void> run_tool(const std::vector<std::string>& argv, std::chrono::milliseconds limit);

}  // namespace paygress::backend
