#include "core/base/codec.h"
#include "core/base/indexed_map.h"
#include "core/base/lookup.h"

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

// A class with private members, as those that a snapshot holds.
class Book {
 public:
  void add(LeaseId lease, uint16_t port) {
    found_.insert(lease, Inner{port, "found"});
    ordered_.insert(lease, Inner{port, "ordered"});
    due_.emplace(UnixSeconds{port}, lease);
  }
  template <class Self>
  static auto durable(Self& self) {
    return std::tie(self.found_, self.ordered_, self.due_);
  }
  const Inner* find(LeaseId lease) const { return ordered_.find(lease); }

 private:
  LookupMap<LeaseId, Inner, IdHash> found_;
  IndexedMap<LeaseId, Inner, IdHash> ordered_;
  std::set<std::pair<UnixSeconds, LeaseId>> due_;
};

LeaseId lease(uint8_t number) {
  LeaseId id;
  id.bytes[0] = number;
  return id;
}

struct SparingInner {
  uint16_t port = 0;
  std::optional<std::string> label;
  std::string path;
  uint32_t added = 7;
  bool operator==(const SparingInner&) const = default;
  static constexpr size_t kWrittenAlways = 2;
};
BOOST_DESCRIBE_STRUCT(SparingInner, (), (port, label, path, added))

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

TEST(Codec, AStrictReaderRefusesOlderRecordsToo) {
  const Bytes older = encode_bytes(Inner{5, "old"});
  GrownInner grown;
  Decoder in(older, Reading::SameMembers);
  EXPECT_FALSE(decode(in, grown));
  const Bytes spared = encode_bytes(SparingInner{5, "x", "", 7});
  SparingInner sparing;
  Decoder again(spared, Reading::SameMembers);
  EXPECT_TRUE(decode(again, sparing)) << "what is left out is not older";
}

TEST(Codec, WritesTheNamedMembersOfAClassInOneOrderAndReadsThemBack) {
  Book one;
  Book other;
  for (uint8_t i = 0; i < 100; ++i) {
    one.add(lease(i), i);
    other.add(lease(static_cast<uint8_t>(99 - i)), static_cast<uint16_t>(99 - i));
  }
  const Bytes bytes = encode_bytes(one);
  EXPECT_EQ(bytes, encode_bytes(other)) << "a hash table's order was written";
  Book read;
  Decoder in(bytes);
  ASSERT_TRUE(decode(in, read));
  EXPECT_EQ(in.remaining(), 0u);
  EXPECT_EQ(encode_bytes(read), bytes);
  ASSERT_NE(read.find(lease(42)), nullptr);
  EXPECT_EQ(*read.find(lease(42)), (Inner{42, "ordered"}));
  for (size_t n = 0; n < bytes.size(); n += 7) {
    Book cut;
    Decoder part(ByteView(bytes).first(n));
    EXPECT_FALSE(decode(part, cut)) << n;
  }
}

TEST(Codec, SparedMembersAreWrittenWhenTheyAreUsed) {
  EXPECT_EQ(encode_bytes(SparingInner{5, "x", "", 7}), encode_bytes(Inner{5, "x"}));
  for (const SparingInner& used :
       {SparingInner{5, "x", "/data", 7}, SparingInner{5, "x", "", 8}, SparingInner{5, "x", "", 7},
        SparingInner{5, std::nullopt, "/data", 9}}) {
    const auto read = decode_bytes<SparingInner>(encode_bytes(used));
    ASSERT_TRUE(read);
    EXPECT_EQ(*read, used);
  }
  EXPECT_FALSE(decode_bytes<Inner>(encode_bytes(SparingInner{5, "x", "/data", 7})))
      << "an old reader folds what it cannot read";
}

TEST(Codec, HashDependsOnEveryByte) {
  Outer other = sample();
  other.ports[1].port = 81;
  EXPECT_NE(hash64(sample()), hash64(other));
  EXPECT_EQ(hash64(sample()), hash64(sample()));
}

}  // namespace
}  // namespace paygress
