// NIP-59 gift wraps and NIP-17 private messages: above all, what must be refused.
#include "core/nostr/nip59.h"

#include "tests/core/nostr/support.h"

namespace paygress::nostr {
namespace {

using namespace testing;
using crypto::Keypair;

constexpr UnixSeconds kNow{1'700'000'000};

Keypair keypair_of(const boost::json::value& hex) {
  return *Keypair::from(SecretKey(bytes32(hex)));
}

// Builds wraps layer by layer, so that each layer can be made wrong.
struct Forge {
  Keypair sender = keypair(1);
  Keypair receiver = keypair(2);
  Draft rumor_draft{kNow, 14, {{"p", keypair(2).public_key().hex()}}, "hello"};
  std::string rumor_json = to_json(make_rumor(sender.public_key(), rumor_draft));
  Draft seal_draft{kNow, kind::kSeal, {}, ""};
  Draft wrap_draft{kNow, kind::kGiftWrap, {{"p", receiver.public_key().hex()}}, ""};
  std::string seal_json;  // replaces the built one unless empty

  static std::string locked(const Keypair& from, const PubKey& to, const std::string& text) {
    return *nip44::encrypt(*nip44::conversation_key(from.secret(), to), text, {});
  }
  Event seal() {
    seal_draft.content = locked(sender, receiver.public_key(), rumor_json);
    return sign(sender, seal_draft, {});
  }
  VerifiedEvent wrap() {
    const Keypair once = keypair(9);
    const std::string inner = seal_json.empty() ? to_json(seal()) : seal_json;
    wrap_draft.content = locked(once, receiver.public_key(), inner);
    return *verify(sign(once, wrap_draft, {}));
  }
  // Where the check failed, or "accepted".
  std::string verdict() {
    const auto result = unwrap(wrap(), receiver);
    return result ? "accepted" : result.error().where;
  }
};

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(Unwrap, Nip17Examples) {
  const auto file = vector_json("nip17-example.json");
  ASSERT_EQ(file.at("vectors").as_array().size(), 2u);
  for (const auto& v : file.at("vectors").as_array()) {
    const auto wrap = verify(*parse_event(serialize(v.at("wrap"))));
    ASSERT_TRUE(wrap);
    const auto message = unwrap(*wrap, keypair_of(v.at("recipient_sec")));
    // The second is the sender's own copy, whose rumor is the same one.
    ASSERT_TRUE(message) << to_string(message.error());
    EXPECT_EQ(message->sender.hex(), text_of(file.at("sender_pub")));
    EXPECT_EQ(message->rumor_id.hex(),
              "cf4d60706f9681a31c1cd5850779bcabe1578c1ae293296be20748c2e0771749");
    EXPECT_EQ(message->wrap_id, (*wrap)->id);
    EXPECT_EQ(message->content, "Hola, que tal?");
    EXPECT_EQ(message->kind, kind::kPrivateMessage);
    EXPECT_EQ(message->created_at, UnixSeconds{1703172058});
    EXPECT_EQ(*tag_value(message->tags, "p"), text_of(file.at("receiver_pub")));
  }
}

TEST(Unwrap, Nip59Example) {
  const auto file = vector_json("nip59-example.json");
  const auto wrap = verify(*parse_event(serialize(file.at("wrap"))));
  ASSERT_TRUE(wrap);
  const auto message = unwrap(*wrap, keypair_of(file.at("recipient_sec")));
  ASSERT_TRUE(message) << to_string(message.error());
  EXPECT_EQ(message->sender.hex(), text_of(file.at("author_pub")));
  EXPECT_EQ(message->rumor_id.hex(), text_of(file.at("rumor").at("id")));
  EXPECT_EQ(message->content, text_of(file.at("rumor").at("content")));
}

TEST(Unwrap, AcceptsAWellMadeWrap) {
  EXPECT_EQ(Forge{}.verdict(), "accepted");
  Forge ephemeral;
  ephemeral.wrap_draft.kind = kind::kEphemeralGiftWrap;
  EXPECT_EQ(ephemeral.verdict(), "accepted");
}

TEST(Unwrap, RefusesAWrapOfAnotherKind) {
  Forge forge;
  forge.wrap_draft.kind = 1060;
  EXPECT_EQ(forge.verdict(), "wrap.kind");
}

TEST(Unwrap, RefusesAWrapForSomebodyElse) {
  Forge forge;
  forge.wrap_draft.tags = {{"p", keypair(3).public_key().hex()}};
  EXPECT_EQ(forge.verdict(), "wrap.tags");
  forge.wrap_draft.tags = {{"p"}, {"e", forge.receiver.public_key().hex()}};
  EXPECT_EQ(forge.verdict(), "wrap.tags");
}

TEST(Unwrap, RefusesAWrapThatOthersMustRead) {
  Forge forge;
  const VerifiedEvent wrap = forge.wrap();
  EXPECT_FALSE(unwrap(wrap, keypair(3)));
  // Named by the tag, but encrypted for somebody else.
  Event event = *wrap;
  event.tags = {{"p", keypair(3).public_key().hex()}};
  const Draft draft{event.created_at, event.kind, event.tags, event.content};
  const auto result = unwrap(*verify(sign(keypair(9), draft, {})), keypair(3));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().where, "wrap");
}

TEST(Unwrap, RefusesASealOfAnotherKind) {
  Forge forge;
  forge.seal_draft.kind = 1;
  EXPECT_EQ(forge.verdict(), "seal.kind");
}

TEST(Unwrap, RefusesASealWithTags) {
  Forge forge;
  forge.seal_draft.tags = {{"p", forge.receiver.public_key().hex()}};
  EXPECT_EQ(forge.verdict(), "seal.tags");
}

// Anybody can encrypt a seal in another's name: the shared key is no proof of who made it, since
// the receiver could have made it, and a forger can claim any pubkey in an unsigned seal.
TEST(Unwrap, RefusesAForgedSeal) {
  Forge forge;
  const Event good = forge.seal();
  Event event = good;
  event.sig.bytes[0] ^= 1;
  forge.seal_json = to_json(event);
  EXPECT_EQ(forge.verdict(), "seal.sig");
  event = good;
  event.id.bytes[0] ^= 1;
  forge.seal_json = to_json(event);
  EXPECT_EQ(forge.verdict(), "seal.id");
  event = good;
  event.pubkey = keypair(3).public_key();
  forge.seal_json = to_json(event);
  EXPECT_EQ(forge.verdict(), "seal.id");
  event.id = event_id(event.pubkey, Draft{event.created_at, event.kind, {}, event.content});
  forge.seal_json = to_json(event);
  EXPECT_EQ(forge.verdict(), "seal.sig");
  forge.seal_json = "{}";
  EXPECT_EQ(forge.verdict(), "seal.id");
  forge.seal_json = "not json";
  EXPECT_TRUE(forge.verdict().starts_with("seal"));
}

TEST(Unwrap, RefusesASealThatCannotBeDecrypted) {
  Forge forge;
  forge.seal_draft.content = "x";
  forge.seal_json = to_json(sign(forge.sender, forge.seal_draft, {}));
  EXPECT_EQ(forge.verdict(), "seal");
}

// The known attack: a sealed message of mine that says it is of somebody else.
TEST(Unwrap, RefusesARumorOfAnotherAuthorThanTheSeals) {
  Forge forge;
  forge.rumor_json = to_json(make_rumor(keypair(3).public_key(), forge.rumor_draft));
  EXPECT_EQ(forge.verdict(), "rumor.pubkey");
}

TEST(Unwrap, ARumorWithoutIdGetsTheRightOne) {
  Forge forge;
  const Rumor rumor = make_rumor(forge.sender.public_key(), forge.rumor_draft);
  forge.rumor_json = replaced(forge.rumor_json, "\"id\":\"" + rumor.id.hex() + "\",", "");
  const auto message = unwrap(forge.wrap(), forge.receiver);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->rumor_id, rumor.id);
}

TEST(Unwrap, RefusesARumorWithAWrongId) {
  Forge forge;
  const Rumor rumor = make_rumor(forge.sender.public_key(), forge.rumor_draft);
  forge.rumor_json = replaced(forge.rumor_json, rumor.id.hex(), std::string(64, 'a'));
  EXPECT_EQ(forge.verdict(), "rumor.id");
}

TEST(Unwrap, ASignatureInTheRumorMeansNothing) {
  Forge forge;
  forge.rumor_json.pop_back();
  forge.rumor_json += ",\"sig\":\"\"}";
  EXPECT_EQ(forge.verdict(), "accepted");
}

TEST(Unwrap, RefusesMalformedRumors) {
  for (const auto& [json, where] : std::vector<std::pair<std::string, std::string>>{
           {"[]", "rumor"},
           {"{}", "rumor.pubkey"},
           {replaced(Forge{}.rumor_json, "\"kind\":14", "\"kind\":14,\"kind\":15"), "rumor.kind"},
           {replaced(Forge{}.rumor_json, "\"kind\":14", "\"kind\":14.0"), "rumor.kind"},
           {replaced(Forge{}.rumor_json, ",\"kind\":14", ""), "rumor.kind"},
           {replaced(Forge{}.rumor_json, "[[", "[[],["), "rumor.tags"}}) {
    Forge forge;
    forge.rumor_json = json;
    EXPECT_EQ(forge.verdict(), where) << json;
  }
}

TEST(Unwrap, ReportsTheEarlierExpiry) {
  Forge forge;
  forge.rumor_draft.tags.push_back({"expiration", "500"});
  forge.rumor_json = to_json(make_rumor(forge.sender.public_key(), forge.rumor_draft));
  EXPECT_EQ(unwrap(forge.wrap(), forge.receiver)->expires_at, UnixSeconds{500});
  forge.wrap_draft.tags.push_back({"expiration", "400"});
  EXPECT_EQ(unwrap(forge.wrap(), forge.receiver)->expires_at, UnixSeconds{400});
  EXPECT_EQ(unwrap(Forge{}.wrap(), forge.receiver)->expires_at, std::nullopt);
}

TEST(Unwrap, NeverCrashesOnDamagedLayers) {
  const std::string seal_json = to_json(Forge{}.seal());
  const std::string rumor_json = Forge{}.rumor_json;
  EXPECT_TRUE(rc::check([&] {
    Forge forge;
    if (*rc::gen::arbitrary<bool>())
      forge.seal_json = *damaged(seal_json) + " ";
    else
      forge.rumor_json = *damaged(rumor_json) + " ";
    const auto message = unwrap(forge.wrap(), forge.receiver);
    if (message) RC_ASSERT(message->sender == forge.sender.public_key());
  }));
}

TEST(Wrap, IsUnwrappedByItsReceiver) {
  const Keypair sender = keypair(1);
  const Keypair receiver = keypair(2);
  EXPECT_TRUE(rc::check([&](uint64_t seed, bool cached) {
    SeededEntropy entropy(seed, 0, "wrap");
    ConversationKeys keys;
    const Rumor rumor = make_rumor(
        sender.public_key(), Draft{kNow, 14, {{"p", receiver.public_key().hex()}}, "a\n\u00e9"});
    const auto event = wrap(rumor, sender, receiver.public_key(), kNow, entropy);
    RC_ASSERT(event.has_value());
    const auto message = unwrap(verify(*event).value(), receiver, cached ? &keys : nullptr);
    RC_ASSERT(message.has_value());
    RC_ASSERT(message->rumor_id == rumor.id);
    RC_ASSERT(message->sender == sender.public_key());
    RC_ASSERT(message->content == rumor.draft.content);
    RC_ASSERT(message->tags == rumor.draft.tags);
    RC_ASSERT(message->created_at == kNow);
  }));
}

TEST(Wrap, DatesAreSpreadOverTwoDaysAndNeverAhead) {
  const Keypair sender = keypair(1);
  const PubKey receiver = keypair(2).public_key();
  const Rumor rumor = make_rumor(sender.public_key(), Draft{kNow, 14, {}, "x"});
  SeededEntropy entropy(7, 0, "wrap");
  int64_t nearest = kBackdateMax.value;
  int64_t farthest = 0;
  for (int i = 0; i < 64; ++i) {
    const auto event = wrap(rumor, sender, receiver, kNow, entropy);
    const int64_t back = elapsed(event->created_at, kNow).value;
    EXPECT_GE(back, 0);
    EXPECT_LE(back, kBackdateMax.value);
    nearest = std::min(nearest, back);
    farthest = std::max(farthest, back);
  }
  EXPECT_LT(nearest, kBackdateMax.value / 4);
  EXPECT_GT(farthest, kBackdateMax.value * 3 / 4);
}

TEST(Wrap, SealAndWrapHaveTheirOwnDates) {
  const Keypair sender = keypair(1);
  const Keypair receiver = keypair(2);
  const Rumor rumor = make_rumor(sender.public_key(), Draft{kNow, 14, {}, "x"});
  SeededEntropy entropy(7, 0, "wrap");
  const auto event = wrap(rumor, sender, receiver.public_key(), kNow, entropy);
  const auto key = nip44::conversation_key(receiver.secret(), event->pubkey);
  const auto seal = parse_event(nip44::decrypt(*key, event->content).value());
  ASSERT_TRUE(seal);
  EXPECT_NE(seal->created_at, event->created_at);
  EXPECT_NE(seal->created_at, kNow);
  EXPECT_EQ(seal->tags, std::vector<Tag>{});
  EXPECT_EQ(seal->kind, kind::kSeal);
}

TEST(Wrap, EveryWrapHasAKeyOfItsOwnAndTheSameRumor) {
  const Keypair sender = keypair(1);
  const Keypair receiver = keypair(2);
  const Rumor rumor = make_rumor(sender.public_key(), Draft{kNow, 14, {}, "x"});
  SeededEntropy entropy(7, 0, "wrap");
  const auto first = wrap(rumor, sender, receiver.public_key(), kNow, entropy);
  const auto second = wrap(rumor, sender, receiver.public_key(), kNow, entropy);
  EXPECT_NE(first->pubkey, second->pubkey);
  EXPECT_NE(first->pubkey, sender.public_key());
  EXPECT_NE(first->id, second->id);
  for (const Event& event : {*first, *second})
    EXPECT_EQ(unwrap(*verify(event), receiver)->rumor_id, rumor.id);
}

TEST(Wrap, OtherStylesAreDatedNow) {
  const Keypair sender = keypair(1);
  const PubKey receiver = keypair(2).public_key();
  const Rumor rumor = make_rumor(sender.public_key(), Draft{kNow, 14, {}, "x"});
  SeededEntropy entropy(7, 0, "wrap");
  const auto now = wrap(rumor, sender, receiver, kNow, entropy, WrapStyle::StoredNow);
  EXPECT_EQ(now->created_at, kNow);
  EXPECT_EQ(now->kind, 1059);
  const auto ephemeral = wrap(rumor, sender, receiver, kNow, entropy, WrapStyle::Ephemeral);
  EXPECT_EQ(ephemeral->created_at, kNow);
  EXPECT_EQ(ephemeral->kind, 21059);
}

TEST(Wrap, RefusesWhatItCannotDo) {
  const Keypair sender = keypair(1);
  const PubKey receiver = keypair(2).public_key();
  SeededEntropy entropy(7, 0, "wrap");
  const auto of = [&](size_t size) {
    return make_rumor(sender.public_key(), Draft{kNow, 14, {}, std::string(size, 'x')});
  };
  EXPECT_FALSE(wrap(of(1), keypair(3), receiver, kNow, entropy));  // not its author
  EXPECT_FALSE(wrap(of(1), sender, PubKey{}, kNow, entropy));      // no such key
  EXPECT_FALSE(wrap(of(40000), sender, receiver, kNow, entropy));  // wrap too large
  EXPECT_FALSE(wrap(of(100000), sender, receiver, kNow, entropy));
  const auto large = wrap(of(24 * 1024 - 300), sender, receiver, kNow, entropy);
  ASSERT_TRUE(large);
  EXPECT_LE(to_json(*large).size(), kEventBytesMax);
}

TEST(ConversationKeys, GivesTheSameKeyAsWithoutCache) {
  ConversationKeys keys;
  const Keypair me = keypair(1);
  const Keypair other = keypair(2);
  for (size_t i = 0; i < ConversationKeys::kEntriesMax + 40; ++i) {
    SecretKey secret;
    secret.bytes[30] = static_cast<uint8_t>(i >> 8);
    secret.bytes[31] = static_cast<uint8_t>(i + 3);
    const auto peer = Keypair::from(secret);
    if (!peer) continue;
    const auto expected = nip44::conversation_key(me.secret(), peer->public_key());
    for (int again = 0; again < 2; ++again)
      EXPECT_EQ(keys.get(me, peer->public_key())->secret.bytes, expected->secret.bytes);
    EXPECT_NE(keys.get(other, peer->public_key())->secret.bytes, expected->secret.bytes);
  }
  EXPECT_FALSE(keys.get(me, PubKey{}));
}

}  // namespace
}  // namespace paygress::nostr
