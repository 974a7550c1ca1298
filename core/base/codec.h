// One binary form for records, inputs and effects, derived from their described members
// (BOOST_DESCRIBE_STRUCT). The journal stores it, the simulator hashes it, tests compare it.
//
//   integers, enums, quantities   little endian, in their own width (bool: one byte, 0 or 1)
//   string, Bytes                 u32 length, then the bytes
//   ids, byte arrays              the bytes
//   optional                      one byte 0 or 1, then the value
//   pair                          both values
//   vector, set, map              u32 count, then the elements (sets and maps in key order)
//   variant                       u16 index, then the value
//   struct                        u16 count of members, then the members in declared order
//   class with durable()          as a struct of the members that it names
//
// A struct may gain members at its end: a reader with more members than the count leaves them at
// their defaults; a reader with fewer refuses (an old program must not fold what it cannot read).
// Where the bytes themselves are compared or hashed, a struct says `kWrittenAlways`: the members
// past so many are left out, from the last one backwards, while they have their defaults. What does
// not use them is then written as it was before there were such members.
//
// A class that is part of a snapshot (provider/snapshot.h) names its members itself:
//
//   template <class Self>
//   static auto durable(Self& self) { return std::tie(self.leases_, self.totals_); }
#pragma once

#include <boost/describe.hpp>
#include <boost/mp11.hpp>

#include <algorithm>
#include <bit>
#include <concepts>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/ids.h"
#include "core/base/random.h"
#include "core/base/units.h"

namespace paygress {

// Anything that takes bytes: a buffer, or a hash.
template <class S>
concept ByteSink = requires(S s, ByteView b) { s.put(b); };

struct BufferSink {
  Bytes& out;
  void put(ByteView b) { out.insert(out.end(), b.begin(), b.end()); }
};

// 64-bit hash of everything put into it, in order. Not cryptographic: it compares two runs.
class HashSink {
 public:
  void put(ByteView b) {
    for (uint8_t byte : b) {
      word_ |= static_cast<uint64_t>(byte) << (8 * (length_++ % 8));
      if (length_ % 8 == 0) absorb();
    }
  }
  uint64_t digest() const { return mix64(state_ ^ mix64(word_ ^ length_)); }

 private:
  void absorb() {
    state_ = mix64(state_ ^ word_) + 0x9e3779b97f4a7c15ULL;
    word_ = 0;
  }
  uint64_t state_ = 0x70617967726573ULL;
  uint64_t word_ = 0;
  uint64_t length_ = 0;
};

// Whether a struct may have fewer members than its reader knows.
enum class Reading : uint8_t { OlderToo, SameMembers };

// Reads what encode wrote. After the first failure every read fails; `ok()` tells.
class Decoder {
 public:
  explicit Decoder(ByteView bytes, Reading reading = Reading::OlderToo)
      : rest_(bytes), reading_(reading) {}
  // Of a struct that has `known` members, of which `always` are never left out, and was written
  // with `present` ones.
  bool takes(size_t present, size_t always, size_t known) const {
    return present <= known && (present >= always || reading_ == Reading::OlderToo);
  }
  bool take(std::span<uint8_t> out) {
    if (!ok_ || rest_.size() < out.size()) return ok_ = false;
    std::copy_n(rest_.begin(), out.size(), out.begin());
    rest_ = rest_.subspan(out.size());
    return true;
  }
  // The next `size` bytes, in place; fewer, and failed, when there are not so many.
  ByteView take_view(size_t size) {
    if (!ok_ || rest_.size() < size) return fail(), ByteView{};
    const ByteView taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
  }
  bool fail() { return ok_ = false; }
  bool ok() const { return ok_; }
  size_t remaining() const { return rest_.size(); }

 private:
  ByteView rest_;
  Reading reading_;
  bool ok_ = true;
};

namespace codec_detail {

template <class T>
struct IsQuantity : std::false_type {};
template <class Tag>
struct IsQuantity<Quantity<Tag>> : std::true_type {};
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T>
struct IsMap : std::false_type {};
template <class K, class V>
struct IsMap<std::map<K, V>> : std::true_type {};
template <class T>
struct IsSet : std::false_type {};
template <class T>
struct IsSet<std::set<T>> : std::true_type {};
template <class T>
struct IsPair : std::false_type {};
template <class A, class B>
struct IsPair<std::pair<A, B>> : std::true_type {};
template <class T>
struct IsVariant : std::false_type {};
template <class... T>
struct IsVariant<std::variant<T...>> : std::true_type {};
template <class T>
struct IsByteArray : std::false_type {};
template <size_t N>
struct IsByteArray<ByteArray<N>> : std::true_type {};
template <class T>
struct IsOpaqueId : std::false_type {};
template <class Tag, size_t N>
struct IsOpaqueId<OpaqueId<Tag, N>> : std::true_type {};

// LookupMap, IndexedMap.
template <class T>
concept Table = requires(const T& table) { table.each_in_order([](const auto&, const auto&) {}); };
template <class T>
concept HasDurable = requires(T& value) { T::durable(value); };

template <class T>
using Members = boost::describe::describe_members<T, boost::describe::mod_public>;

// How many of its members are written at least.
template <class T>
constexpr size_t written_always() {
  if constexpr (requires { T::kWrittenAlways; }) return T::kWrittenAlways;
  return boost::mp11::mp_size<Members<T>>::value;
}

// How many of its members are written.
template <class T>
size_t written_members(const T& value) {
  size_t written = written_always<T>();
  if constexpr (requires { T::kWrittenAlways; }) {
    size_t position = 0;
    static const T unset{};
    boost::mp11::mp_for_each<Members<T>>([&](auto member) {
      if (++position > written && !(value.*member.pointer == unset.*member.pointer))
        written = position;
    });
  }
  return written;
}

// The unsigned type in whose bytes a T is written.
template <std::integral T>
using Bits = std::make_unsigned_t<std::conditional_t<std::same_as<T, bool>, uint8_t, T>>;

// To little endian, and back.
template <std::unsigned_integral U>
constexpr U little_endian(U bits) {
  return std::endian::native == std::endian::little ? bits : std::byteswap(bits);
}

template <std::integral T, ByteSink S>
void put_integer(S& sink, T value) {
  sink.put(std::bit_cast<ByteArray<sizeof(T)>>(little_endian(static_cast<Bits<T>>(value))));
}

template <std::integral T>
bool take_integer(Decoder& in, T& value) {
  ByteArray<sizeof(T)> bytes{};
  if (!in.take(bytes)) return false;
  const auto bits = little_endian(std::bit_cast<Bits<T>>(bytes));
  if constexpr (std::same_as<T, bool>)
    if (bits > 1) return in.fail();
  value = static_cast<T>(bits);
  return true;
}

}  // namespace codec_detail

template <class T, ByteSink S>
void encode(S& sink, const T& value) {
  using namespace codec_detail;
  if constexpr (std::integral<T>) {
    put_integer(sink, value);
  } else if constexpr (std::is_enum_v<T>) {
    put_integer(sink, static_cast<std::underlying_type_t<T>>(value));
  } else if constexpr (IsQuantity<T>::value) {
    put_integer(sink, value.value);
  } else if constexpr (IsByteArray<T>::value) {
    sink.put(value);
  } else if constexpr (IsOpaqueId<T>::value) {
    sink.put(value.bytes);
  } else if constexpr (std::same_as<T, CallId> || std::same_as<T, RelayIndex>) {
    put_integer(sink, value.value);
  } else if constexpr (std::same_as<T, std::string>) {
    put_integer(sink, static_cast<uint32_t>(value.size()));
    sink.put(as_bytes(value));
  } else if constexpr (std::same_as<T, Bytes>) {
    put_integer(sink, static_cast<uint32_t>(value.size()));
    sink.put(value);
  } else if constexpr (IsOptional<T>::value) {
    put_integer(sink, value.has_value());
    if (value) encode(sink, *value);
  } else if constexpr (IsVector<T>::value || IsSet<T>::value) {
    put_integer(sink, static_cast<uint32_t>(value.size()));
    for (const auto& element : value) encode(sink, element);
  } else if constexpr (IsPair<T>::value) {
    encode(sink, value.first);
    encode(sink, value.second);
  } else if constexpr (Table<T>) {
    put_integer(sink, static_cast<uint32_t>(value.size()));
    value.each_in_order([&](const auto& k, const auto& v) {
      encode(sink, k);
      encode(sink, v);
    });
  } else if constexpr (IsMap<T>::value) {
    put_integer(sink, static_cast<uint32_t>(value.size()));
    for (const auto& [k, v] : value) {
      encode(sink, k);
      encode(sink, v);
    }
  } else if constexpr (IsVariant<T>::value) {
    put_integer(sink, static_cast<uint16_t>(value.index()));
    std::visit([&](const auto& alternative) { encode(sink, alternative); }, value);
  } else if constexpr (requires { value.encoded_as(); }) {
    encode(sink, value.encoded_as());  // a type with an invariant: written, never read back
  } else if constexpr (HasDurable<const T>) {
    std::apply(
        [&](const auto&... member) {
          put_integer(sink, static_cast<uint16_t>(sizeof...(member)));
          (encode(sink, member), ...);
        },
        T::durable(value));
  } else {
    const size_t written = written_members(value);
    put_integer(sink, static_cast<uint16_t>(written));
    size_t position = 0;
    boost::mp11::mp_for_each<Members<T>>([&](auto member) {
      if (position++ < written) encode(sink, value.*member.pointer);
    });
  }
}

// False (and `in` failed) when the bytes are not a T. Counts are bounded by the bytes that remain.
template <class T>
bool decode(Decoder& in, T& value) {
  using namespace codec_detail;
  const auto take_count = [&](uint32_t& count) {
    return take_integer(in, count) && (count <= in.remaining() || in.fail());
  };
  if constexpr (std::integral<T>) {
    return take_integer(in, value);
  } else if constexpr (std::is_enum_v<T>) {
    std::underlying_type_t<T> raw{};
    if (!take_integer(in, raw)) return false;
    value = static_cast<T>(raw);
    return true;
  } else if constexpr (IsQuantity<T>::value) {
    return take_integer(in, value.value);
  } else if constexpr (IsByteArray<T>::value) {
    return in.take(value);
  } else if constexpr (IsOpaqueId<T>::value) {
    return in.take(value.bytes);
  } else if constexpr (std::same_as<T, CallId> || std::same_as<T, RelayIndex>) {
    return take_integer(in, value.value);
  } else if constexpr (std::same_as<T, std::string>) {
    uint32_t size = 0;
    if (!take_count(size)) return false;
    value = as_text(in.take_view(size));
    return in.ok();
  } else if constexpr (std::same_as<T, Bytes>) {
    uint32_t size = 0;
    if (!take_count(size)) return false;
    const ByteView bytes = in.take_view(size);
    value.assign(bytes.begin(), bytes.end());
    return in.ok();
  } else if constexpr (IsOptional<T>::value) {
    bool present = false;
    if (!take_integer(in, present)) return false;
    if (!present) return value.reset(), true;
    return decode(in, value.emplace());
  } else if constexpr (IsVector<T>::value) {
    uint32_t count = 0;
    if (!take_count(count)) return false;
    value.clear();
    for (uint32_t i = 0; i < count; ++i)
      if (!decode(in, value.emplace_back())) return false;
    return true;
  } else if constexpr (IsSet<T>::value) {
    uint32_t count = 0;
    if (!take_count(count)) return false;
    value.clear();
    for (uint32_t i = 0; i < count; ++i) {
      typename T::value_type element{};
      if (!decode(in, element)) return false;
      value.emplace_hint(value.end(), std::move(element));
    }
    return value.size() == count || in.fail();
  } else if constexpr (IsPair<T>::value) {
    return decode(in, value.first) && decode(in, value.second);
  } else if constexpr (Table<T>) {
    uint32_t count = 0;
    if (!take_count(count) || !value.empty()) return in.fail();
    for (uint32_t i = 0; i < count; ++i) {
      typename T::key_type k{};
      typename T::mapped_type v{};
      if (!decode(in, k) || !decode(in, v) || value.contains(k)) return in.fail();
      value.insert(k, std::move(v));
    }
    return true;
  } else if constexpr (HasDurable<T>) {
    uint16_t present = 0;
    return std::apply(
        [&](auto&... member) {
          const bool same = take_integer(in, present) && present == sizeof...(member);
          return (same || in.fail()) && (decode(in, member) && ...);
        },
        T::durable(value));
  } else if constexpr (IsMap<T>::value) {
    uint32_t count = 0;
    if (!take_count(count)) return false;
    value.clear();
    for (uint32_t i = 0; i < count; ++i) {
      typename T::key_type k{};
      typename T::mapped_type v{};
      if (!decode(in, k) || !decode(in, v)) return false;
      value.emplace_hint(value.end(), std::move(k), std::move(v));
    }
    return value.size() == count || in.fail();
  } else if constexpr (IsVariant<T>::value) {
    uint16_t index = 0;
    if (!take_integer(in, index) || index >= std::variant_size_v<T>) return in.fail();
    return boost::mp11::mp_with_index<std::variant_size_v<T>>(
        index, [&](auto i) { return decode(in, value.template emplace<i>()); });
  } else {
    uint16_t present = 0;
    constexpr size_t kKnown = boost::mp11::mp_size<Members<T>>::value;
    constexpr size_t kAlways = written_always<T>();
    if (!take_integer(in, present) || !in.takes(present, kAlways, kKnown)) return in.fail();
    size_t position = 0;
    boost::mp11::mp_for_each<Members<T>>([&](auto member) {
      if (position++ < present && in.ok()) decode(in, value.*member.pointer);
    });
    return in.ok();
  }
}

template <class T>
Bytes encode_bytes(const T& value) {
  Bytes bytes;
  BufferSink sink{bytes};
  encode(sink, value);
  return bytes;
}

// The whole of `bytes` must be one T.
template <class T>
Result<T> decode_bytes(ByteView bytes) {
  T value{};
  Decoder in(bytes);
  if (!decode(in, value) || in.remaining() != 0) return fail("malformed record");
  return value;
}

template <class T>
uint64_t hash64(const T& value) {
  HashSink sink;
  encode(sink, value);
  return sink.digest();
}

}  // namespace paygress
