#include "core/market/time_text.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "core/base/check.h"

namespace paygress::market {
namespace {

constexpr int64_t kSecondsPerDay = 86'400;
constexpr UnixSeconds kFirst{-62'167'219'200};  // 0000-01-01T00:00:00Z
constexpr UnixSeconds kLast{253'402'300'799};   // 9999-12-31T23:59:59Z
constexpr int64_t kDaysPerEra = 146'097;        // 400 Gregorian years
constexpr int64_t kEpochDay = 719'468;          // days from 0000-03-01 to 1970-01-01

struct Date {
  int64_t year = 0;
  int64_t month = 0;  // 1 to 12
  int64_t day = 0;    // 1 to 31
};

// The year is counted from March, so that the leap day is the last of its year.
int64_t days_from_civil(Date d) {
  const int64_t year = d.month <= 2 ? d.year - 1 : d.year;
  const int64_t era = (year >= 0 ? year : year - 399) / 400;
  const int64_t year_of_era = year - era * 400;
  const int64_t day_of_year = (153 * (d.month + (d.month > 2 ? -3 : 9)) + 2) / 5 + d.day - 1;
  const int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * kDaysPerEra + day_of_era - kEpochDay;
}

Date civil_from_days(int64_t days) {
  const int64_t shifted = days + kEpochDay;
  const int64_t era = (shifted >= 0 ? shifted : shifted - (kDaysPerEra - 1)) / kDaysPerEra;
  const int64_t day_of_era = shifted - era * kDaysPerEra;
  const int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t month_from_march = (5 * day_of_year + 2) / 153;
  Date d;
  d.day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
  d.month = month_from_march + (month_from_march < 10 ? 3 : -9);
  d.year = year_of_era + era * 400 + (d.month <= 2 ? 1 : 0);
  return d;
}

bool is_leap(int64_t year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

int64_t days_in_month(int64_t year, int64_t month) {
  constexpr std::array<int64_t, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  PG_CHECK(month >= 1 && month <= 12);
  return month == 2 && is_leap(year) ? 29 : kDays[static_cast<size_t>(month - 1)];
}

void put_digits(std::string& out, int64_t value, size_t width) {
  std::string digits = std::to_string(value);
  PG_CHECK(value >= 0 && digits.size() <= width);
  out.append(width - digits.size(), '0');
  out += digits;
}

std::string date_and_time(UnixSeconds at, char between) {
  const UnixSeconds clamped = std::clamp(at, kFirst, kLast);
  const int64_t shifted = clamped.value - kFirst.value;
  const int64_t days = shifted / kSecondsPerDay + kFirst.value / kSecondsPerDay;
  const int64_t second = shifted % kSecondsPerDay;
  const Date d = civil_from_days(days);
  std::string out;
  put_digits(out, d.year, 4);
  out += '-';
  put_digits(out, d.month, 2);
  out += '-';
  put_digits(out, d.day, 2);
  out += between;
  put_digits(out, second / 3600, 2);
  out += ':';
  put_digits(out, second / 60 % 60, 2);
  out += ':';
  put_digits(out, second % 60, 2);
  return out;
}

// Reads a text of fixed fields from its front.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}
  bool number(size_t width, int64_t low, int64_t high, int64_t& value) {
    if (rest_.size() < width) return false;
    value = 0;
    for (const char c : rest_.substr(0, width)) {
      if (c < '0' || c > '9') return false;
      value = value * 10 + (c - '0');
    }
    rest_.remove_prefix(width);
    return value >= low && value <= high;
  }
  bool one_of(std::string_view choices, char* which = nullptr) {
    if (rest_.empty() || choices.find(rest_.front()) == choices.npos) return false;
    if (which) *which = rest_.front();
    rest_.remove_prefix(1);
    return true;
  }
  bool fraction() {
    if (rest_.empty() || rest_.front() != '.') return true;
    const size_t end = std::min(rest_.find_first_not_of("0123456789", 1), rest_.size());
    if (end < 2) return false;
    rest_.remove_prefix(end);
    return true;
  }
  bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

bool scan_offset(Scanner& in, int64_t& seconds) {
  char sign = 0;
  if (!in.one_of("Zz+-", &sign)) return false;
  seconds = 0;
  if (sign == 'Z' || sign == 'z') return true;
  int64_t hours = 0;
  int64_t minutes = 0;
  if (!in.number(2, 0, 23, hours) || !in.one_of(":") || !in.number(2, 0, 59, minutes)) return false;
  seconds = (hours * 3600 + minutes * 60) * (sign == '-' ? -1 : 1);
  return true;
}

}  // namespace

std::string to_rfc3339(UnixSeconds at) { return date_and_time(at, 'T') + "+00:00"; }

std::string to_human_time(UnixSeconds at) { return date_and_time(at, ' ') + " UTC"; }

Result<UnixSeconds> parse_rfc3339(std::string_view text) {
  const auto malformed = [] { return fail("not an RFC 3339 time"); };
  Scanner in(text);
  Date d;
  int64_t hour = 0;
  int64_t minute = 0;
  int64_t second = 0;
  int64_t offset = 0;
  const bool date = in.number(4, 0, 9999, d.year) && in.one_of("-") &&
                    in.number(2, 1, 12, d.month) && in.one_of("-") && in.number(2, 1, 31, d.day);
  if (!date || d.day > days_in_month(d.year, d.month)) return malformed();
  const bool time = in.one_of("Tt ") && in.number(2, 0, 23, hour) && in.one_of(":") &&
                    in.number(2, 0, 59, minute) && in.one_of(":") && in.number(2, 0, 60, second) &&
                    in.fraction();
  if (!time || !scan_offset(in, offset) || !in.at_end()) return malformed();
  const int64_t of_day = hour * 3600 + minute * 60 + second - offset;
  return UnixSeconds{days_from_civil(d) * kSecondsPerDay + of_day};
}

}  // namespace paygress::market
