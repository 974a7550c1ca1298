#include "core/cashu/condition.h"

#include <boost/json.hpp>

namespace paygress::cashu {
namespace {

constexpr size_t kKindBytesMax = 32;

// A kind is a stranger's text and ends in messages.
std::string printable(std::string_view kind) {
  std::string out;
  for (const char c : kind.substr(0, kKindBytesMax)) out.push_back(c >= ' ' && c <= '~' ? c : '?');
  return out;
}

}  // namespace

std::optional<std::string> spending_condition(std::string_view secret) {
  // Cheap first: an ordinary secret is hex and never reaches the parser.
  const size_t start = secret.find_first_not_of(" \t\r\n");
  if (start == std::string_view::npos || secret[start] != '[') return std::nullopt;
  boost::system::error_code error;
  boost::json::parse_options options;
  options.max_depth = 8;
  const auto value = boost::json::parse(boost::json::string_view(secret.data(), secret.size()),
                                        error, {}, options);
  if (error) return std::nullopt;
  const auto* array = value.if_array();
  if (array == nullptr || array->size() != 2) return std::nullopt;
  const auto* kind = (*array)[0].if_string();
  if (kind == nullptr || !(*array)[1].is_object()) return std::nullopt;
  return printable({kind->data(), kind->size()});
}

Result<void> check_unlocked(const Token& token) {
  for (size_t i = 0; i < token.proofs.size(); ++i)
    if (const auto kind = spending_condition(token.proofs[i].secret))
      return fail(
          "the token is locked (" + *kind + "); only plain, unlocked ecash is accepted as payment",
          "proofs[" + std::to_string(i) + "]");
  return {};
}

}  // namespace paygress::cashu
