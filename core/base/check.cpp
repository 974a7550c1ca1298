#include "core/base/check.h"

#include <cstdlib>

namespace paygress {
namespace {
CheckHandler installed_handler = nullptr;
}

void set_check_handler(CheckHandler handler) { installed_handler = handler; }

void check_failed(const char* expression, const char* file, int line) {
  if (installed_handler != nullptr) installed_handler(expression, file, line);
  std::abort();
}

}  // namespace paygress
