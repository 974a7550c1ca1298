// NIP-19 and NIP-21.
#include "core/nostr/nip19.h"

#include "core/base/bech32.h"
#include "tests/core/nostr/support.h"

namespace paygress::nostr {
namespace {

using namespace testing;

TEST(Nip19, PublishedExamples) {
  const auto file = vector_json("nip19.json");
  int seen = 0;
  for (const auto& v : file.at("vectors").as_array()) {
    const std::string text = text_of(v.at("bech32"));
    ++seen;
    if (text.starts_with("npub")) {
      const PubKey key{bytes32(v.at("hex"))};
      EXPECT_EQ(parse_public_key(text).value(), key);
      EXPECT_EQ(to_npub(key), text);
    } else if (text.starts_with("nsec")) {
      const auto secret = parse_secret_key(text);
      ASSERT_TRUE(secret);
      EXPECT_EQ(secret->bytes, bytes32(v.at("hex")));
      EXPECT_EQ(to_nsec(*secret), text);
    } else {
      const ProfilePointer profile{PubKey{bytes32(v.at("pubkey"))},
                                   {text_of(v.at("relays").at(0)), text_of(v.at("relays").at(1))}};
      EXPECT_EQ(parse_pointer(text).value(), Pointer(profile));
      EXPECT_EQ(to_nip19(profile).value(), text);
      EXPECT_EQ(parse_public_key(text).value(), profile.pubkey);
    }
  }
  EXPECT_EQ(seen, 4);
}

TEST(Nip19, EveryPointerSurvivesWritingAndReading) {
  const PubKey key = keypair(1).public_key();
  const EventId id{key.bytes};
  const Pointer pointers[] = {key,
                              id,
                              ProfilePointer{key, {}},
                              ProfilePointer{key, {"wss://a", "wss://b"}},
                              EventPointer{id, {}, {}, {}},
                              EventPointer{id, {"wss://a"}, key, 70000},
                              AddressPointer{"", key, 38383, {}},
                              AddressPointer{"d\u00e9", key, 30000, {"wss://a"}}};
  for (const Pointer& pointer : pointers) {
    const auto text = to_nip19(pointer);
    ASSERT_TRUE(text);
    EXPECT_EQ(parse_pointer(*text).value(), pointer) << *text;
    EXPECT_EQ(parse_pointer("nostr:" + *text).value(), pointer);
  }
  EXPECT_FALSE(to_nip19(AddressPointer{std::string(256, 'x'), key, 1, {}}));
}

TEST(Nip19, LeavesOutRelaysThatDoNotFit) {
  const PubKey key = keypair(1).public_key();
  const auto text = to_nip19(ProfilePointer{key, {"", std::string(300, 'x'), "wss://a"}});
  EXPECT_EQ(parse_pointer(*text).value(), Pointer(ProfilePointer{key, {"wss://a"}}));
  const auto many = to_nip19(ProfilePointer{key, std::vector<std::string>(99, "wss://a")});
  EXPECT_LE(many->size(), kBech32CharsMax);
  EXPECT_EQ(std::get<ProfilePointer>(*parse_pointer(*many)).relays.size(), 8u);
}

TEST(Nip19, UnknownEntriesAreIgnoredAndBrokenOnesRefused) {
  const PubKey key = keypair(1).public_key();
  Bytes data = {0, 32};
  data.insert(data.end(), key.bytes.begin(), key.bytes.end());
  Bytes unknown = data;
  unknown.insert(unknown.end(), {9, 2, 1, 1});
  EXPECT_EQ(parse_pointer(to_bech32("nprofile", unknown)).value(),
            Pointer(ProfilePointer{key, {}}));
  const auto broken = [&](std::initializer_list<uint8_t> more) {
    Bytes bytes = data;
    bytes.insert(bytes.end(), more);
    return parse_pointer(to_bech32("nprofile", bytes));
  };
  EXPECT_FALSE(broken({1}));           // no length
  EXPECT_FALSE(broken({1, 5, 'w'}));   // cut short
  EXPECT_FALSE(broken({2, 1, 0}));     // author of one byte
  EXPECT_FALSE(broken({3, 2, 0, 1}));  // kind of two bytes
  EXPECT_FALSE(broken({1, 1, 0xff}));  // relay that is no text
  EXPECT_FALSE(parse_pointer(to_bech32("nprofile", Bytes{})));
  EXPECT_FALSE(parse_pointer(to_bech32("nprofile", Bytes{0, 1, 7})));
  EXPECT_FALSE(parse_pointer(to_bech32("nevent", Bytes{1, 1, 'w'})));
  EXPECT_FALSE(parse_pointer(to_bech32("naddr", data)));  // lacks author and kind
  EXPECT_FALSE(parse_pointer(to_bech32("npub", Bytes(31))));
  EXPECT_FALSE(parse_pointer(to_bech32("note", Bytes(33))));
  EXPECT_FALSE(parse_pointer(to_bech32("nrelay", data)));
}

TEST(Nip19, ASecretIsNoPointerAndIsNeverQuoted) {
  const std::string nsec = to_nsec(keypair(1).secret());
  EXPECT_FALSE(parse_pointer(nsec));
  const auto wrong = parse_public_key(nsec);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(to_string(wrong.error()).find(nsec), std::string::npos);
  const auto npub = parse_secret_key(to_npub(keypair(1).public_key()));
  EXPECT_FALSE(npub);
}

TEST(Nip19, PublicKeysAreReadHoweverPeopleWriteThem) {
  const PubKey key = keypair(2).public_key();
  std::string upper = key.hex();
  for (char& c : upper) c = static_cast<char>(std::toupper(c));
  for (const std::string& text : {key.hex(), upper, to_npub(key), "nostr:" + to_npub(key),
                                  *to_nip19(ProfilePointer{key, {"wss://a"}})}) {
    EXPECT_EQ(parse_public_key(text).value(), key) << text;
    EXPECT_TRUE(same_key(text, to_npub(key)));
  }
  for (const std::string& text :
       {std::string(), std::string("npub1"), key.hex().substr(1), key.hex() + "00",
        std::string(64, '0'), to_note(EventId{key.bytes}), " " + key.hex(),
        to_npub(PubKey{})})  // zero is not on the curve
    EXPECT_FALSE(parse_public_key(text)) << text;
  EXPECT_FALSE(same_key(key.hex(), keypair(3).public_key().hex()));
  EXPECT_FALSE(same_key("x", "x"));
}

TEST(Nip19, SecretKeysAreValidOnes) {
  EXPECT_EQ(parse_secret_key(std::string(63, '0') + "1")->bytes, keypair(1).secret().bytes);
  for (const std::string& text : {std::string(), std::string(64, '0'), std::string(64, 'f'),
                                  std::string(62, '1'), to_bech32("nsec", Bytes(31, 1))})
    EXPECT_FALSE(parse_secret_key(text));
}

TEST(Nip19, NeverCrashesOnAnyEntries) {
  EXPECT_TRUE(rc::check([](const Bytes& data) {
    for (const char* prefix : {"nprofile", "nevent", "naddr", "npub", "note"})
      if (const auto pointer = parse_pointer(to_bech32(prefix, data)))
        RC_ASSERT(to_nip19(*pointer).has_value());
  }));
}

}  // namespace
}  // namespace paygress::nostr
