#include "core/base/codec.h"

#include <gtest/gtest.h>

namespace paygress {
namespace {

struct Inner {
  uint16_t port = 0;
  std::optional<std::string> label;
  bool operator==(const Inner&) const = default;
};
BOOST_DESCRIBE_STRUCT(Inner, (), (port, label))

struct Outer {
  LeaseId lease;
  Msat paid;
  std::vector<Inner> ports;
  std::map<std::string, std::string> env;
  std::variant<int32_t, Inner> choice;
  bool operator==(const Outer&) const = default;
};
BOOST_DESCRIBE_STRUCT(Outer, (), (lease, paid, ports, env, choice))

struct GrownInner {
  uint16_t port = 0;
  std::optional<std::string> label;
  uint32_t added = 7;
};
BOOST_DESCRIBE_STRUCT(GrownInner, (), (port, label, added))

Outer sample() {
  Outer o;
  o.lease.bytes[3] = 9;
  o.paid = 123456_msat;
  o.ports = {{22, "ssh"}, {80, std::nullopt}};
  o.env = {{"A", "1"}, {"B", ""}};
  o.choice = Inner{1, "x"};
  return o;
}

TEST(Codec, RoundTripsEveryKindOfMember) {
  const auto decoded = decode_bytes<Outer>(encode_bytes(sample()));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(*decoded, sample());
}

TEST(Codec, RefusesEveryTruncation) {
  const Bytes whole = encode_bytes(sample());
  for (size_t n = 0; n < whole.size(); ++n)
    EXPECT_FALSE(decode_bytes<Outer>(ByteView(whole).first(n))) << n;
}

TEST(Codec, RefusesTrailingBytes) {
  Bytes bytes = encode_bytes(sample());
  bytes.push_back(0);
  EXPECT_FALSE(decode_bytes<Outer>(bytes));
}

TEST(Codec, AnAddedMemberKeepsItsDefaultWhenAnOldRecordIsRead) {
  const auto grown = decode_bytes<GrownInner>(encode_bytes(Inner{5, "old"}));
  ASSERT_TRUE(grown);
  EXPECT_EQ(grown->port, 5);
  EXPECT_EQ(grown->added, 7u);
}

TEST(Codec, AnOldReaderRefusesANewerRecord) {
  EXPECT_FALSE(decode_bytes<Inner>(encode_bytes(GrownInner{})));
}

TEST(Codec, HashDependsOnEveryByte) {
  Outer other = sample();
  other.ports[1].port = 81;
  EXPECT_NE(hash64(sample()), hash64(other));
  EXPECT_EQ(hash64(sample()), hash64(sample()));
}

}  // namespace
}  // namespace paygress
