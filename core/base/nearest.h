// "Did you mean": the known word nearest to one that somebody typed.
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace paygress {

// Number of inserted, removed, changed or swapped neighbouring characters between the two.
// Precondition: both at most kWordBytesMax long.
inline constexpr size_t kWordBytesMax = 64;
size_t edit_distance(std::string_view a, std::string_view b);

// The first `known` word of which `word` is the beginning, up to a '_': "rate" of
// "rate_msats_per_sec". Else the first of the nearest ones, if it differs in at most a third of its
// characters (and in at most two of a short one). Nothing for words longer than kWordBytesMax.
std::optional<std::string_view> nearest(std::string_view word,
                                        std::span<const std::string_view> known);

}  // namespace paygress
