// Assertions that stay on in release builds. A broken invariant ends the process: a provider that
// no longer knows whose money it holds must not go on (docs/architecture.md, "Assertions").
#pragma once

namespace paygress {

// Reports the failed expression through the installed handler, then aborts. Never returns.
[[noreturn]] void check_failed(const char* expression, const char* file, int line);

// Called with the failed expression before the process aborts, so that the shell can close the
// journal and write a log line. The default does nothing. Not thread-safe: install it at start.
using CheckHandler = void (*)(const char* expression, const char* file, int line);
void set_check_handler(CheckHandler handler);

}  // namespace paygress

#define PG_CHECK(expression) \
  ((expression) ? static_cast<void>(0) : ::paygress::check_failed(#expression, __FILE__, __LINE__))
