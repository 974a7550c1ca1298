#include "shell/backend/shadow.h"

#include <crypt.h>

#include <sstream>

namespace paygress::backend {

std::string shadow_hash(const std::string& password) {
  char salt[CRYPT_GENSALT_OUTPUT_SIZE];
  crypt_data work{};
  if (!crypt_gensalt_rn("$6$", 0, nullptr, 0, salt, sizeof salt)) return {};
  const char* hash = crypt_r(password.c_str(), salt, &work);
  return hash && hash[0] != '*' ? hash : "";
}

std::string with_root_hash(std::string_view shadow, const std::string& hash) {
  std::string result = "root:" + hash + ":19000::::::\n";
  std::istringstream lines{std::string(shadow)};
  for (std::string line; std::getline(lines, line);)
    if (!line.empty() && !line.starts_with("root:")) result += line + "\n";
  return result;
}

}  // namespace paygress::backend
