#include "core/base/nearest.h"

#include <algorithm>
#include <array>

#include "core/base/check.h"

namespace paygress {

size_t edit_distance(std::string_view a, std::string_view b) {
  PG_CHECK(a.size() <= kWordBytesMax && b.size() <= kWordBytesMax);
  using Row = std::array<size_t, kWordBytesMax + 1>;
  Row before_last{};
  Row last{};
  Row row{};
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t change = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    before_last = last;
    last = row;
  }
  return last[b.size()];
}

std::optional<std::string_view> nearest(std::string_view word,
                                        std::span<const std::string_view> known) {
  if (word.size() > kWordBytesMax) return std::nullopt;
  for (const std::string_view candidate : known)
    if (!word.empty() && candidate.size() > word.size() && candidate.starts_with(word) &&
        candidate[word.size()] == '_')
      return candidate;
  std::optional<std::string_view> best;
  size_t best_distance = 0;
  for (const std::string_view candidate : known) {
    if (candidate.size() > kWordBytesMax) continue;
    const size_t distance = edit_distance(word, candidate);
    if (distance > std::max<size_t>(2, candidate.size() / 3)) continue;
    if (best && distance >= best_distance) continue;
    best = candidate;
    best_distance = distance;
  }
  return best;
}

}  // namespace paygress
