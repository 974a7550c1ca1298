// Arbitrary messages for property tests, derived from their described members.
#pragma once

#include <rapidcheck.h>

#include "core/base/codec.h"
#include "core/market/messages.h"

namespace paygress::market::testing {

template <class T>
T any();

// Valid UTF-8 with everything that needs escaping, from one byte to four.
inline std::string any_text() {
  static const std::vector<std::string> kPieces = {"a",
                                                   "Z",
                                                   "0",
                                                   " ",
                                                   "\"",
                                                   "\\",
                                                   "/",
                                                   "\n",
                                                   "\t",
                                                   "\r",
                                                   "\b",
                                                   "\f",
                                                   std::string(1, '\0'),
                                                   "\x1f",
                                                   "\x7f",
                                                   "é",
                                                   "€",
                                                   "🚀",
                                                   "npub1",
                                                   "{",
                                                   "]",
                                                   ","};
  std::string text;
  const auto pieces = *rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(kPieces));
  for (const std::string& piece : pieces) text += piece;
  return text;
}

inline int64_t between(int64_t low, int64_t high) { return *rc::gen::inRange<int64_t>(low, high); }

template <class T>
T any_struct() {
  T value;
  boost::mp11::mp_for_each<codec_detail::Members<T>>([&](auto m) {
    auto& member = value.*m.pointer;
    member = any<std::remove_reference_t<decltype(member)>>();
  });
  return value;
}

template <class T>
T any() {
  using namespace codec_detail;
  if constexpr (std::same_as<T, bool>) {
    return *rc::gen::arbitrary<bool>();
  } else if constexpr (std::same_as<T, std::string>) {
    return any_text();
  } else if constexpr (std::integral<T>) {
    return *rc::gen::arbitrary<bool>() ? std::numeric_limits<T>::max() : *rc::gen::arbitrary<T>();
  } else if constexpr (std::same_as<T, UnixSeconds>) {
    return {between(0, kUnixSecondsMax.value + 1)};
  } else if constexpr (IsQuantity<T>::value) {
    return {between(0, std::numeric_limits<int64_t>::max())};
  } else if constexpr (std::same_as<T, Percent>) {
    return {static_cast<uint32_t>(between(0, 100'001))};
  } else if constexpr (std::same_as<T, IsolationLevel> || std::same_as<T, ReplicationKind>) {
    return static_cast<T>(between(0, 3));
  } else if constexpr (std::same_as<T, TokenState>) {
    return static_cast<T>(between(0, 5));
  } else if constexpr (IsOpaqueId<T>::value) {
    T id;
    for (auto& byte : id.bytes) byte = *rc::gen::arbitrary<uint8_t>();
    return id;
  } else if constexpr (IsOptional<T>::value) {
    if (*rc::gen::arbitrary<bool>()) return std::nullopt;
    return any<typename T::value_type>();
  } else if constexpr (IsVector<T>::value) {
    T list(static_cast<size_t>(between(0, 4)));
    for (auto& element : list) element = any<typename T::value_type>();
    return list;
  } else if constexpr (std::same_as<T, ReplicationMode>) {
    T mode = any_struct<T>();
    if (mode.mode != ReplicationKind::WarmStandby) mode.standby_providers.clear();
    return mode;
  } else {
    return any_struct<T>();
  }
}

}  // namespace paygress::market::testing
