#include "core/cashu/invoice.h"

#include <algorithm>
#include <array>
#include <string>

namespace paygress::cashu {
namespace {

constexpr std::string_view kDataAlphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";  // BIP-173
constexpr size_t kDataCharsMin = 7 + 104 + 6;  // time, signature, checksum
constexpr size_t kAmountDigitsMax = 17;        // of more than there is
constexpr int64_t kMsatPerBitcoin = 100'000'000'000;
constexpr int64_t kMsatMax = 21'000'000 * kMsatPerBitcoin;

// The longer ones first: "tbs" is not "tb" and an "s".
constexpr std::array<std::string_view, 5> kCurrencies = {"bcrt", "tbs", "bc", "tb", "sb"};

char lowered(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_decimal(char c) { return c >= '0' && c <= '9'; }

// Of one unit of `multiplier`; 0 for one that there is not, and for "p", a tenth of a msat.
int64_t msat_per_unit(std::string_view multiplier) {
  if (multiplier.empty()) return kMsatPerBitcoin;
  if (multiplier == "m") return kMsatPerBitcoin / 1'000;
  if (multiplier == "u") return kMsatPerBitcoin / 1'000'000;
  return multiplier == "n" ? kMsatPerBitcoin / 1'000'000'000 : 0;
}

Result<std::optional<Msat>> read_invoice_amount(std::string_view text) {
  if (text.empty()) return std::optional<Msat>{};
  const auto end = std::find_if_not(text.begin(), text.end(), is_decimal);
  const std::string_view digits = text.substr(0, static_cast<size_t>(end - text.begin()));
  const std::string_view multiplier = text.substr(digits.size());
  const bool tenths = multiplier == "p";
  const int64_t unit = tenths ? 1 : msat_per_unit(multiplier);
  if (digits.empty() || digits.front() == '0' || digits.size() > kAmountDigitsMax || unit == 0)
    return fail("the amount is malformed");
  int64_t number = 0;
  for (const char digit : digits) number = number * 10 + (digit - '0');
  if (tenths && number % 10 != 0) return fail("the amount is no whole number of msat");
  if (tenths) number /= 10;
  int64_t sum = 0;
  if (__builtin_mul_overflow(number, unit, &sum) || sum > kMsatMax)
    return fail("the amount is more than there is");
  return std::optional(Msat{sum});
}

}  // namespace

Result<std::optional<Msat>> invoice_amount(std::string_view invoice) {
  const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  const auto is_lower = [](char c) { return c >= 'a' && c <= 'z'; };
  if (std::ranges::any_of(invoice, is_upper) && std::ranges::any_of(invoice, is_lower))
    return fail("upper and lower case are mixed");
  std::string text(invoice);
  std::ranges::transform(text, text.begin(), lowered);
  const size_t separator = text.rfind('1');
  if (!text.starts_with("ln") || separator == std::string::npos)
    return fail("it does not begin as one");
  const std::string_view data = std::string_view(text).substr(separator + 1);
  if (data.size() < kDataCharsMin) return fail("it is too short");
  if (data.find_first_not_of(kDataAlphabet) != std::string_view::npos)
    return fail("a character is not of its alphabet");
  const std::string_view prefix = std::string_view(text).substr(2, separator - 2);
  for (const std::string_view currency : kCurrencies)
    if (prefix.starts_with(currency)) return read_invoice_amount(prefix.substr(currency.size()));
  return fail("its currency is not known");
}

}  // namespace paygress::cashu
