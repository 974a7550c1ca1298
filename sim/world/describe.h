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

// Writes the text, piece by piece. One class and no template: hundreds of types are described, and
// what they have in common is compiled once.
class Describer {
 public:
  void word(std::string_view text) { text_ += text; }
  void number(int64_t value);
  void number(uint64_t value);
  void hex(ByteView bytes);            // the first few
  void quoted(std::string_view text);  // the beginning
  void open(char bracket);             // of a list, a map or a struct
  void element();                      // before each of a list's or a map's
  void member(std::string_view name);  // before each of a struct's
  void close(char bracket) { text_ += bracket; }
  // The type's name of what __PRETTY_FUNCTION__ says of a template of it: "Crashed" of
  // "... [T = paygress::x::Crashed]".
  void type(std::string_view pretty_function);
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

template <class T>
void describe(Describer& out, const T& value) {
  using namespace codec_detail;
  if constexpr (std::same_as<T, bool>) {
    out.word(value ? "yes" : "no");
  } else if constexpr (std::signed_integral<T>) {
    out.number(int64_t{value});
  } else if constexpr (std::unsigned_integral<T>) {
    out.number(uint64_t{value});
  } else if constexpr (std::is_enum_v<T>) {
    out.number(static_cast<int64_t>(value));
  } else if constexpr (IsQuantity<T>::value || std::same_as<T, CallId> ||
                       std::same_as<T, RelayIndex>) {
    describe(out, value.value);
  } else if constexpr (IsByteArray<T>::value || std::same_as<T, Bytes>) {
    out.hex(value);
  } else if constexpr (IsOpaqueId<T>::value) {
    out.hex(value.bytes);
  } else if constexpr (std::same_as<T, std::string>) {
    out.quoted(value);
  } else if constexpr (IsOptional<T>::value) {
    value ? describe(out, *value) : out.word("-");
  } else if constexpr (IsVector<T>::value) {
    out.open('[');
    for (const auto& element : value) {
      out.element();
      describe(out, element);
    }
    out.close(']');
  } else if constexpr (IsMap<T>::value) {
    out.open('{');
    for (const auto& [k, v] : value) {
      out.element();
      describe(out, k);
      out.word(":");
      describe(out, v);
    }
    out.close('}');
  } else if constexpr (IsVariant<T>::value) {
    std::visit([&](const auto& alternative) { describe(out, alternative); }, value);
  } else if constexpr (requires { value.encoded_as(); }) {
    describe(out, value.encoded_as());
  } else {
    out.open('(');
    out.type(__PRETTY_FUNCTION__);
    boost::mp11::mp_for_each<Members<T>>([&](auto member) {
      out.member(member.name);
      describe(out, value.*member.pointer);
    });
    out.close(')');
  }
}

template <class T>
std::string describe_text(const T& value) {
  Describer out;
  describe(out, value);
  return out.take();
}

}  // namespace paygress::sim
