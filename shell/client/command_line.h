// The command line of `paygress`: what a value may be, and what is said of a line that is wrong.
#pragma once

#include <CLI/App.hpp>
#include <CLI/Validators.hpp>

#include <cstdint>

namespace paygress::client {

inline constexpr uint64_t kSatsMax = 2'100'000'000'000'000;  // there will never be more
inline constexpr uint64_t kSecondsMax = 1'000'000'000'000;   // to pay for
inline constexpr uint64_t kTimeoutMax = 1'000'000;           // seconds to wait
inline constexpr uint64_t kNumbersMax = INT64_MAX;           // of operations and tokens

// A whole number in decimal digits, from 1 to `max`. The library's own conversion takes -1 and
// 010, and makes the largest number of what does not fit. For transform(): it takes zeros away.
CLI::Validator number_up_to(uint64_t max);

// Makes every option of `app` and its verbs refuse an empty value: it would mean that the option
// was left out. To be called when all of them are there.
void refuse_empty_values(CLI::App& app);

// Reads the line and runs what it says. 0 also when a verb failed: it has told its own exit code.
int parse_and_run(CLI::App& app, int argc, const char* const* argv);

}  // namespace paygress::client
