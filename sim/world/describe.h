// Any described value as one line of text: for the traces that tools print. Costs; only called when
// somebody reads it.
#pragma once

#include <boost/describe.hpp>
#include <boost/mp11.hpp>

#include <concepts>
#include <string>
#include <string_view>
#include <type_traits>

#include "core/base/codec.h"

namespace paygress::sim {

inline constexpr size_t kDescribedBytes = 8;    // of an id or of bytes; more are left out
inline constexpr size_t kDescribedText = 160;

// "Crashed" of "paygress::x::Crashed".
template <class T>
std::string type_name() {
  std::string_view name = __PRETTY_FUNCTION__;
  const size_t from = name.find("T = ") + 4;
  name = name.substr(from, name.find_first_of(";]", from) - from);
  const size_t end = name.find('<');
  return std::string(name.substr(name.substr(0, end).rfind(':') + 1));
}

template <class T>
std::string describe_text(const T& value) {
  using namespace codec_detail;
  const auto short_hex = [](ByteView bytes) {
    const std::string hex = to_hex(bytes.first(std::min(bytes.size(), kDescribedBytes)));
    return hex + (bytes.size() > kDescribedBytes ? ".." : "");
  };
  if constexpr (std::same_as<T, bool>) {
    return value ? "yes" : "no";
  } else if constexpr (std::integral<T>) {
    return std::to_string(value);
  } else if constexpr (std::is_enum_v<T>) {
    return std::to_string(static_cast<int>(value));
  } else if constexpr (IsQuantity<T>::value) {
    return std::to_string(value.value);
  } else if constexpr (IsByteArray<T>::value || std::same_as<T, Bytes>) {
    return short_hex(value);
  } else if constexpr (IsOpaqueId<T>::value) {
    return short_hex(value.bytes);
  } else if constexpr (std::same_as<T, CallId> || std::same_as<T, RelayIndex>) {
    return std::to_string(value.value);
  } else if constexpr (std::same_as<T, std::string>) {
    return "\"" + value.substr(0, kDescribedText) + (value.size() > kDescribedText ? "..\"" : "\"");
  } else if constexpr (IsOptional<T>::value) {
    return value ? describe_text(*value) : "-";
  } else if constexpr (IsVector<T>::value) {
    std::string text = "[";
    for (const auto& element : value) text += (text.size() > 1 ? " " : "") + describe_text(element);
    return text + "]";
  } else if constexpr (IsMap<T>::value) {
    std::string text = "{";
    for (const auto& [k, v] : value)
      text += (text.size() > 1 ? " " : "") + describe_text(k) + ":" + describe_text(v);
    return text + "}";
  } else if constexpr (IsVariant<T>::value) {
    return std::visit([](const auto& alternative) { return describe_text(alternative); }, value);
  } else if constexpr (requires { value.encoded_as(); }) {
    return describe_text(value.encoded_as());
  } else {
    std::string text = type_name<T>();
    boost::mp11::mp_for_each<Members<T>>([&](auto member) {
      text += " " + std::string(member.name) + "=" + describe_text(value.*member.pointer);
    });
    return "(" + text + ")";
  }
}

}  // namespace paygress::sim
