// NIP-01, "Events and signatures" and "Kinds"; NIP-40.
#include "core/nostr/event.h"

#include <map>

#include "core/nostr/message.h"
#include "tests/core/nostr/support.h"

namespace paygress::nostr {
namespace {

using namespace testing;

const std::string kId(64, 'a');
const std::string kSig(128, 'b');

// A well-formed event (its id is wrong) in which one field's text can be replaced.
std::string with(const std::string& field, const std::string& value) {
  std::vector<std::pair<std::string, std::string>> fields = {
      {"id", '"' + kId + '"'},      {"pubkey", '"' + kId + '"'},
      {"created_at", "1700000000"}, {"kind", "1"},
      {"tags", R"([["p","x"]])"},   {"content", "\"hi\""},
      {"sig", '"' + kSig + '"'}};
  std::string json = "{";
  for (auto& [name, text] : fields) {
    if (name == field) text = value;
    if (text.empty()) continue;
    json += (json.size() > 1 ? ",\"" : "\"") + name + "\":" + text;
  }
  return json + "}";
}

std::string where(const std::string& json) {
  const auto event = parse_event(json);
  EXPECT_FALSE(event) << json;
  return event ? "" : event.error().where;
}

TEST(ParseEvent, ReadsEveryField) {
  const auto event = parse_event(with("", ""));
  ASSERT_TRUE(event) << to_string(event.error());
  EXPECT_EQ(event->id.hex(), kId);
  EXPECT_EQ(event->pubkey.hex(), kId);
  EXPECT_EQ(event->sig.hex(), kSig);
  EXPECT_EQ(event->created_at, UnixSeconds{1700000000});
  EXPECT_EQ(event->kind, 1);
  EXPECT_EQ(event->tags, (std::vector<Tag>{{"p", "x"}}));
  EXPECT_EQ(event->content, "hi");
}

TEST(ParseEvent, RefusesAMissingFieldAndSaysWhich) {
  for (const char* field : {"id", "pubkey", "created_at", "kind", "tags", "content", "sig"})
    EXPECT_EQ(where(with(field, "")), field);
}

TEST(ParseEvent, RefusesWrongTypesInEveryField) {
  for (const char* field : {"id", "pubkey", "created_at", "kind", "tags", "content", "sig"})
    for (const char* value : {"null", "true", "{}", "1.5", "\"x\"", "[\"x\"]", "[[]]", "[[1]]",
                              "[[[\"x\"]]]", "[{}]", "-1"}) {
      if (field == std::string("content") && value == std::string("\"x\"")) continue;
      EXPECT_EQ(where(with(field, value)), field) << value;
    }
}

TEST(ParseEvent, IntegersAreStrict) {
  for (const char* value : {"1.0", "1e9", "-1", "-0", "\"1\"", "9007199254740992",
                            "18446744073709551615", "99999999999999999999"})
    EXPECT_EQ(where(with("created_at", value)), "created_at") << value;
  for (const char* value : {"65536", "1.0", "-0"}) EXPECT_EQ(where(with("kind", value)), "kind");
  EXPECT_TRUE(parse_event(with("created_at", "9007199254740991")));
  EXPECT_TRUE(parse_event(with("kind", "65535")));
  EXPECT_FALSE(parse_event(with("kind", "01")));
}

TEST(ParseEvent, HexIsLowerCaseAndOfTheRightLength) {
  for (const char* field : {"id", "pubkey"}) {
    EXPECT_EQ(where(with(field, '"' + std::string(64, 'A') + '"')), field);
    EXPECT_EQ(where(with(field, '"' + std::string(63, 'a') + '"')), field);
    EXPECT_EQ(where(with(field, '"' + std::string(66, 'a') + '"')), field);
    EXPECT_EQ(where(with(field, '"' + std::string(64, 'g') + '"')), field);
  }
}

TEST(ParseEvent, RefusesDuplicateKeysEvenWhenEqualOrEscaped) {
  const std::string base = with("", "");
  const auto add = [&](const std::string& more) {
    return base.substr(0, base.size() - 1) + "," + more + "}";
  };
  EXPECT_EQ(where(add("\"kind\":1")), "kind");
  EXPECT_EQ(where(add("\"k\\u0069nd\":1")), "kind");
  EXPECT_EQ(where(add("\"content\":\"other\"")), "content");
  EXPECT_FALSE(parse_event(add("\"x\":1,\"x\":1")));
  EXPECT_TRUE(parse_event(add("\"x\":1,\"y\":{\"x\":[1.5,null,{\"z\":true}]}")));
}

TEST(ParseEvent, BoundsUnknownFieldsDepthAndSize) {
  std::string many = with("", "");
  many.pop_back();
  for (int i = 0; i < 40; ++i) many += ",\"u" + std::to_string(i) + "\":0";
  EXPECT_FALSE(parse_event(many + "}"));
  std::string deep = with("", "");
  deep.pop_back();
  deep += ",\"x\":" + std::string(5000, '[') + std::string(5000, ']') + "}";
  EXPECT_FALSE(parse_event(deep));
  EXPECT_FALSE(parse_event(std::string(5000, '{')));
  EXPECT_TRUE(parse_event(with("content", '"' + std::string(64000, 'x') + '"')));
  EXPECT_FALSE(parse_event(with("content", '"' + std::string(65536, 'x') + '"')));
}

TEST(ParseEvent, RefusesTextThatIsNotStrictJson) {
  for (const std::string& bad : std::initializer_list<std::string>{
           "", "{", "[]", "\"x\"", "1", "null", "{\"id\":}", "{\"id\" \"x\"}", "{'id':1}"})
    EXPECT_FALSE(parse_event(bad)) << bad;
  EXPECT_FALSE(parse_event(with("", "") + "x"));
  EXPECT_FALSE(parse_event(with("", "") + with("", "")));
  EXPECT_TRUE(parse_event(" " + with("", "") + " \n"));
  EXPECT_FALSE(parse_event(with("content", "\"a\nb\"")));  // a raw control character
}

TEST(ParseEvent, RefusesBadUtf8AndLoneSurrogates) {
  for (const char* text : {"\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82",
                           "\\ud800", "\\udc00", "\\ud800\\u0041", "\\udc00\\ud800", "\\ud83d"}) {
    EXPECT_FALSE(parse_event(with("content", '"' + std::string(text) + '"'))) << text;
    EXPECT_FALSE(parse_event(with("tags", "[[\"" + std::string(text) + "\"]]"))) << text;
  }
  const auto event = parse_event(with("content", R"("\ud83d\ude00\u00e9\u0000\/")"));
  ASSERT_TRUE(event);
  EXPECT_EQ(event->content, std::string("\xf0\x9f\x98\x80\xc3\xa9\0/", 8));
}

TEST(ParseEvent, NeverCrashesOnDamagedInput) {
  const std::string json = to_json(signed_event(Draft{{1}, 1, {{"p", "\n\""}, {"e"}}, "h\u00e9"}));
  EXPECT_TRUE(rc::check([&] {
    const std::string text = *damaged(json);
    const auto event = parse_event(text);
    if (!event) return;
    RC_ASSERT(parse_event(to_json(*event)).value() == *event);
    if (auto verified = verify(*event)) RC_ASSERT(**verified == *event);
  }));
}

TEST(Canonical, EscapesExactlyAsNip01Says) {
  const Draft draft{
      {5}, 7, {{"t\n", "\x7f"}}, std::string("\b\t\n\f\r\"\\/\x01\x1f\0\x7f", 12) + "\u2028\u00e9"};
  EXPECT_EQ(canonical(PubKey{}, draft),
            "[0,\"" + std::string(64, '0') + "\",5,7,[[\"t\\n\",\"\x7f\"]],\"" +
                "\\b\\t\\n\\f\\r\\\"\\\\/\\u0001\\u001f\\u0000\x7f\u2028\u00e9\"]");
}

TEST(Canonical, NoTagsIsAnEmptyList) {
  EXPECT_EQ(canonical(PubKey{}, Draft{}), "[0,\"" + std::string(64, '0') + "\",0,0,[],\"\"]");
}

TEST(Canonical, EscapesEveryCharacterAtEveryPlace) {
  const std::string prefix = [] {
    const std::string empty = canonical(PubKey{}, Draft{});
    return empty.substr(0, empty.size() - 2);
  }();
  ASSERT_TRUE(prefix.ends_with(",\""));
  const std::map<char, std::string> letters = {{'\b', "\\b"}, {'\t', "\\t"}, {'\n', "\\n"},
                                               {'\f', "\\f"}, {'\r', "\\r"}, {'"', "\\\""},
                                               {'\\', "\\\\"}};
  for (int code = 0; code < 0x80; ++code)
    for (size_t place = 0; place < 20; ++place) {
      const char c = static_cast<char>(code);
      std::string written(1, c);
      if (letters.contains(c))
        written = letters.at(c);
      else if (code < 0x20)
        written = "\\u00" + to_hex(ByteArray<1>{static_cast<uint8_t>(code)});
      const std::string before(place, 'x');
      const std::string after(20 - place, '\x7f');
      EXPECT_EQ(canonical(PubKey{}, Draft{{0}, 0, {}, before + c + after}),
                prefix + before + written + after + "\"]");
    }
}

TEST(Verify, AcceptsEveryEventOfTheRealRelays) {
  const auto lines = vector_lines("real-relay-events.jsonl");
  ASSERT_EQ(lines.size(), 532u);
  for (const std::string& line : lines) {
    auto message = parse_relay_frame(line);
    ASSERT_TRUE(message) << to_string(message.error()) << line;
    const auto event = verify(std::get<EventFor<Event>>(*message).event);
    ASSERT_TRUE(event) << to_string(event.error()) << line;
  }
}

TEST(Verify, RefusesNip70sPublishedExampleWhoseIdDoesNotMatch) {
  const auto event = parse_event(serialize(vector_json("nip70-example.json").at("event")));
  ASSERT_TRUE(event);
  const auto verified = verify(*event);
  ASSERT_FALSE(verified);
  EXPECT_EQ(verified.error().where, "id");
}

TEST(Verify, AcceptsNip13sExample) {
  const auto event = parse_event(serialize(vector_json("nip13-example.json").at("event")));
  ASSERT_TRUE(event);
  EXPECT_TRUE(verify(*event));
}

TEST(Verify, NoticesAChangeOfAnyField) {
  const Event good = signed_event(Draft{{1700000000}, 1, {{"p", "x"}}, "pay 1"});
  ASSERT_TRUE(verify(good));
  const auto refused = [&](auto change) {
    Event event = good;
    change(event);
    const auto verified = verify(event);
    return verified ? std::string("accepted") : verified.error().where;
  };
  EXPECT_EQ(refused([](Event& e) { e.content = "pay 2"; }), "id");
  EXPECT_EQ(refused([](Event& e) { e.tags[0][1] = "y"; }), "id");
  EXPECT_EQ(refused([](Event& e) { e.kind = 2; }), "id");
  EXPECT_EQ(refused([](Event& e) { e.created_at.value += 1; }), "id");
  EXPECT_EQ(refused([](Event& e) { e.pubkey = keypair(2).public_key(); }), "id");
  EXPECT_EQ(refused([](Event& e) { e.id.bytes[0] ^= 1; }), "id");
  EXPECT_EQ(refused([](Event& e) { e.sig.bytes[63] ^= 1; }), "sig");
  // A rightful id does not help without the author's signature.
  EXPECT_EQ(refused([](Event& e) {
              e.content = "pay 2";
              e.id = event_id(e.pubkey, Draft{e.created_at, e.kind, e.tags, e.content});
            }),
            "sig");
}

TEST(Event, AnyDraftSurvivesSigningWritingAndReading) {
  const auto key = keypair(3);
  EXPECT_TRUE(rc::check([&](uint16_t kind, uint32_t time, const ByteArray<32>& aux) {
    const auto text = rc::gen::container<std::string>(
        rc::gen::map(rc::gen::inRange(0, 128), [](int c) { return static_cast<char>(c); }));
    Draft draft{{time}, kind, {}, *text + "\u00e9\U0001F600"};
    const int tags = *rc::gen::inRange(0, 4);
    for (int i = 0; i < tags; ++i) draft.tags.push_back({*text, *text});
    const Event event = sign(key, draft, aux);
    const auto read = parse_event(to_json(event));
    RC_ASSERT(read.has_value());
    RC_ASSERT(*read == event);
    RC_ASSERT(verify(*read).has_value());
  }));
}

TEST(Event, SigningWithAKeypairOrItsSecretIsTheSame) {
  const Draft draft{{1}, 1, {}, "x"};
  EXPECT_EQ(sign(keypair(5), draft, {}), sign(keypair(5).secret(), draft, {}));
}

TEST(Event, KindsAreReplacedAsNip01Says) {
  EXPECT_EQ(replacement_of(0), Replacement::Replaceable);
  EXPECT_EQ(replacement_of(3), Replacement::Replaceable);
  for (uint16_t kind : {1, 2, 4, 44, 1000, 1059, 9999})
    EXPECT_EQ(replacement_of(kind), Replacement::Regular) << kind;
  for (uint16_t kind : {10000, 10050, 19999})
    EXPECT_EQ(replacement_of(kind), Replacement::Replaceable) << kind;
  for (uint16_t kind : {20000, 20384, 29999})
    EXPECT_EQ(replacement_of(kind), Replacement::Ephemeral) << kind;
  for (uint16_t kind : {30000, 38383, 39999})
    EXPECT_EQ(replacement_of(kind), Replacement::Addressable) << kind;
  EXPECT_EQ(replacement_of(40000), Replacement::Regular);
}

TEST(Event, TheNewerWinsAndAtEqualTimesTheLowestId) {
  Event a;
  Event b;
  a.created_at = {10};
  b.created_at = {9};
  a.id.bytes[0] = 9;
  EXPECT_TRUE(supersedes(a, b));
  EXPECT_FALSE(supersedes(b, a));
  b.created_at = {10};
  EXPECT_TRUE(supersedes(b, a));
  EXPECT_FALSE(supersedes(a, b));
  EXPECT_FALSE(supersedes(a, a));
}

TEST(Event, ExpiryIsAPlainNumber) {
  const auto at = [](const char* text) { return expires_at({{"p"}, {"expiration", text}}); };
  EXPECT_EQ(at("1700000000"), UnixSeconds{1700000000});
  for (const char* bad : {"", "x", "1.5", "-1", " 1", "1 ", "99999999999999999999"})
    EXPECT_FALSE(at(bad)) << bad;
  EXPECT_FALSE(expires_at({{"expiration"}}));
  EXPECT_TRUE(is_expired({{"expiration", "100"}}, {100}));
  EXPECT_FALSE(is_expired({{"expiration", "100"}}, {99}));
  EXPECT_FALSE(is_expired({}, {99}));
}

TEST(Event, TagValueIsTheFirstOneThatHasAValue) {
  const std::vector<Tag> tags = {{"d"}, {"d", "1"}, {"d", "2"}};
  ASSERT_NE(tag_value(tags, "d"), nullptr);
  EXPECT_EQ(*tag_value(tags, "d"), "1");
  EXPECT_EQ(tag_value(tags, "e"), nullptr);
}

}  // namespace
}  // namespace paygress::nostr
