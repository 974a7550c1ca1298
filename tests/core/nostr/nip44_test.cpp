// NIP-44 version 2, with the official vectors and those of the extended length prefix; NIP-04.
#include "core/nostr/nip44.h"

#include "core/crypto/cipher.h"
#include "core/crypto/ecdh.h"
#include "core/crypto/hash.h"
#include "core/nostr/nip04.h"
#include "tests/core/nostr/support.h"

namespace paygress::nostr {
namespace {

using namespace testing;
using nip44::ConversationKey;

ConversationKey key_of(const boost::json::value& hex) {
  return ConversationKey{SecretKey(bytes32(hex))};
}

const boost::json::value& vectors() {
  static const boost::json::value all = vector_json("nip44.vectors.json").at("v2");
  return all;
}
const boost::json::array& list(const char* validity, const char* name) {
  return vectors().at(validity).at(name).as_array();
}

std::string repeated(const boost::json::value& vector) {
  std::string text;
  const std::string pattern = text_of(vector.at("pattern"));
  for (int64_t i = 0; i < vector.at("repeat").as_int64(); ++i) text += pattern;
  return text;
}

std::string sha256_hex(std::string_view text) { return to_hex(crypto::sha256(as_bytes(text))); }

TEST(Nip44, ConversationKeys) {
  ASSERT_EQ(list("valid", "get_conversation_key").size(), 35u);
  for (const auto& v : list("valid", "get_conversation_key")) {
    const auto key =
        nip44::conversation_key(SecretKey(bytes32(v.at("sec1"))), PubKey{bytes32(v.at("pub2"))});
    ASSERT_TRUE(key);
    EXPECT_EQ(to_hex(key->secret.bytes), text_of(v.at("conversation_key")));
  }
}

TEST(Nip44, RefusesKeysOutsideTheCurve) {
  ASSERT_EQ(list("invalid", "get_conversation_key").size(), 8u);
  for (const auto& v : list("invalid", "get_conversation_key"))
    EXPECT_FALSE(
        nip44::conversation_key(SecretKey(bytes32(v.at("sec1"))), PubKey{bytes32(v.at("pub2"))}))
        << serialize(v);
}

TEST(Nip44, MessageKeys) {
  const auto& group = vectors().at("valid").at("get_message_keys");
  const ConversationKey key = key_of(group.at("conversation_key"));
  ASSERT_EQ(group.at("keys").as_array().size(), 32u);
  for (const auto& v : group.at("keys").as_array()) {
    nip44::MessageKeys keys;
    derive(key, bytes32(v.at("nonce")), keys);
    EXPECT_EQ(to_hex(keys.chacha_key), text_of(v.at("chacha_key")));
    EXPECT_EQ(to_hex(keys.chacha_nonce), text_of(v.at("chacha_nonce")));
    EXPECT_EQ(to_hex(keys.hmac_key), text_of(v.at("hmac_key")));
  }
}

TEST(Nip44, PaddedLengths) {
  for (const auto& v : list("valid", "calc_padded_len"))
    EXPECT_EQ(nip44::padded_length(v.at(0).to_number<uint64_t>()), v.at(1).to_number<uint64_t>());
  EXPECT_EQ(nip44::padded_length(1), 32u);
  EXPECT_EQ(nip44::padded_length(0xffffffff), 0x100000000u);  // needs 64 bits
}

TEST(Nip44, EncryptAndDecrypt) {
  ASSERT_EQ(list("valid", "encrypt_decrypt").size(), 10u);
  for (const auto& v : list("valid", "encrypt_decrypt")) {
    const auto two = crypto::Keypair::from(SecretKey(bytes32(v.at("sec2"))));
    const auto key = nip44::conversation_key(SecretKey(bytes32(v.at("sec1"))), two->public_key());
    EXPECT_EQ(to_hex(key->secret.bytes), text_of(v.at("conversation_key")));
    const auto payload = nip44::encrypt(*key, text_of(v.at("plaintext")), bytes32(v.at("nonce")));
    EXPECT_EQ(payload.value(), text_of(v.at("payload")));
    EXPECT_EQ(nip44::decrypt(*key, *payload).value(), text_of(v.at("plaintext")));
  }
}

void check_long(const boost::json::value& v) {
  const ConversationKey key = key_of(v.at("conversation_key"));
  const std::string text = repeated(v);
  ASSERT_EQ(sha256_hex(text), text_of(v.at("plaintext_sha256")));
  const auto payload = nip44::encrypt(key, text, bytes32(v.at("nonce")));
  ASSERT_TRUE(payload);
  EXPECT_EQ(sha256_hex(*payload), text_of(v.at("payload_sha256")));
  EXPECT_EQ(nip44::decrypt(key, *payload).value(), text);
}

TEST(Nip44, LongMessages) {
  ASSERT_EQ(list("valid", "encrypt_decrypt_long_msg").size(), 3u);
  for (const auto& v : list("valid", "encrypt_decrypt_long_msg")) check_long(v);
}

TEST(Nip44, ExtendedLengthPrefix) {
  const auto file = vector_json("nip44-extended-prefix.json");
  ASSERT_EQ(file.at("vectors").as_array().size(), 3u);
  for (const auto& v : file.at("vectors").as_array()) check_long(v);
}

TEST(Nip44, RefusesInvalidPayloads) {
  ASSERT_EQ(list("invalid", "decrypt").size(), 12u);
  for (const auto& v : list("invalid", "decrypt"))
    EXPECT_FALSE(nip44::decrypt(key_of(v.at("conversation_key")), text_of(v.at("payload"))))
        << text_of(v.at("note"));
}

TEST(Nip44, RefusesImpossibleSizesBeforeAnyWork) {
  const ConversationKey key;
  EXPECT_FALSE(nip44::encrypt(key, "", {}));
  EXPECT_TRUE(nip44::encrypt(key, std::string(65536, 'x'), {}));  // stale in the vectors' file
  EXPECT_TRUE(nip44::encrypt(key, std::string(nip44::kPlaintextBytesMax, 'x'), {}));
  EXPECT_FALSE(nip44::encrypt(key, std::string(nip44::kPlaintextBytesMax + 1, 'x'), {}));
  EXPECT_FALSE(nip44::decrypt(key, std::string(nip44::kPayloadCharsMax + 4, 'A')));
  const auto largest = nip44::encrypt(key, std::string(nip44::kPlaintextBytesMax, 'x'), {});
  EXPECT_LE(largest->size(), nip44::kPayloadCharsMax);
  EXPECT_TRUE(nip44::decrypt(key, *largest));
}

// A payload with a right MAC whose decrypted bytes are chosen by the sender: the case of
// RUSTSEC-2026-0216, where a short one made the receiver read past its end.
std::string forge(const ConversationKey& key, Bytes padded) {
  const ByteArray<32> nonce{};
  nip44::MessageKeys keys;
  derive(key, nonce, keys);
  crypto::chacha20(keys.chacha_key, keys.chacha_nonce, padded);
  const auto mac = crypto::hmac_sha256(keys.hmac_key, {nonce, padded});
  Bytes payload = {2};
  payload.insert(payload.end(), nonce.begin(), nonce.end());
  payload.insert(payload.end(), padded.begin(), padded.end());
  payload.insert(payload.end(), mac.begin(), mac.end());
  return to_base64(payload, Base64::Standard, true);
}

TEST(Nip44, RefusesForgedLengths) {
  const ConversationKey key;
  const auto padded = [](std::initializer_list<uint8_t> head, size_t zeros) {
    Bytes bytes(head);
    bytes.resize(bytes.size() + zeros, 'a');
    return bytes;
  };
  EXPECT_TRUE(nip44::decrypt(key, forge(key, padded({0, 1}, 32))));
  EXPECT_FALSE(nip44::decrypt(key, forge(key, padded({0, 0}, 32))));   // zero length
  EXPECT_FALSE(nip44::decrypt(key, forge(key, padded({0, 33}, 32))));  // beyond the end
  EXPECT_FALSE(nip44::decrypt(key, forge(key, padded({0xff, 0xff}, 32))));
  EXPECT_FALSE(nip44::decrypt(key, forge(key, padded({0, 1}, 64))));  // too much padding
  EXPECT_FALSE(nip44::decrypt(key, forge(key, padded({0, 0, 0, 0, 0, 5}, 32))));  // not shortest
  EXPECT_FALSE(nip44::decrypt(key, forge(key, padded({0, 0, 0xff, 0xff, 0xff, 0xff}, 64))));
  EXPECT_FALSE(nip44::decrypt(key, forge(key, padded({0, 0, 0, 1, 0, 0}, 65535))));
  EXPECT_TRUE(nip44::decrypt(key, forge(key, padded({0, 0, 0, 1, 0, 0}, 65536))));
  for (size_t size = 0; size < 40; ++size)
    EXPECT_FALSE(nip44::decrypt(key, forge(key, Bytes(size)))) << size;
  EXPECT_FALSE(nip44::decrypt(key, forge(key, padded({0, 2, 0xc3, 0x28}, 30))));  // not UTF-8
}

TEST(Nip44, NeverCrashesOnDamagedPayloads) {
  const ConversationKey key;
  const std::string payload = *nip44::encrypt(key, "hello", {});
  EXPECT_TRUE(rc::check([&] {
    const std::string text = *damaged(payload);
    const auto plain = nip44::decrypt(key, text);
    RC_ASSERT(plain.has_value() == (text == payload));
  }));
}

TEST(Nip44, DecryptsWhatItEncrypts) {
  EXPECT_TRUE(rc::check([](const ByteArray<32>& secret, const ByteArray<32>& nonce) {
    const ConversationKey key{SecretKey(secret)};
    const std::string text(*rc::gen::inRange<size_t>(1, 5000), 'x');
    RC_ASSERT(nip44::decrypt(key, nip44::encrypt(key, text, nonce).value()).value() == text);
  }));
}

TEST(Nip04, DecryptsWhatItEncryptsAndNothingElse) {
  const auto alice = keypair(1);
  const auto bob = keypair(2);
  SeededEntropy entropy(1, 2, "test");
  const auto draft = nip04::seal(alice, bob.public_key(), "{\"pod_id\":\"\u00e9\"}", {5}, entropy);
  ASSERT_TRUE(draft);
  EXPECT_EQ(draft->kind, 4);
  EXPECT_EQ(draft->tags,
            (std::vector<Tag>{{"p", bob.public_key().hex()}, {"alt", "Private Message"}}));
  const VerifiedEvent event = *verify(sign(alice, *draft, {}));
  EXPECT_EQ(nip04::open(event, bob).value(), "{\"pod_id\":\"\u00e9\"}");
  EXPECT_FALSE(nip04::open(event, keypair(3)));  // not addressed to it
  EXPECT_FALSE(nip04::open(*verify(signed_event(Draft{{1}, 1, draft->tags, draft->content})), bob));
  EXPECT_FALSE(nip04::seal(alice, PubKey{}, "x", {5}, entropy));
  EXPECT_FALSE(nip04::seal(alice, bob.public_key(), std::string(60000, 'x'), {5}, entropy));
}

// The key is the bare x coordinate: 1 * 2G here, so the key is 2G's own, as anybody can check.
TEST(Nip04, KeyIsTheBareCoordinate) {
  const auto shared = crypto::shared_x(keypair(1).secret(), keypair(2).public_key());
  const std::string content = nip04::encrypt(*shared, "hi", {});
  const SecretKey expected(keypair(2).public_key().bytes);
  EXPECT_EQ(nip04::decrypt(expected, content).value(), "hi");
  EXPECT_TRUE(content.ends_with("?iv=AAAAAAAAAAAAAAAAAAAAAA=="));
}

TEST(Nip04, SaysTheSameForEveryFailure) {
  const SecretKey key(keypair(1).public_key().bytes);
  const std::string good = nip04::encrypt(key, "text", {});
  const std::string iv = good.substr(good.find("?iv="));
  const std::string not_text = nip04::encrypt(key, "\xff\xfe", {});
  for (const std::string& bad :
       {std::string(), std::string("x"), std::string("?iv="), iv, good.substr(0, 24), good + "=",
        good.substr(0, good.size() - 4), "AAAA" + iv, std::string(24, '=') + iv, not_text,
        std::string(nip04::kContentBytesMax + 1, 'A') + iv}) {
    const auto text = nip04::decrypt(key, bad);
    ASSERT_FALSE(text) << bad;
    EXPECT_EQ(text.error(), (Error{"cannot be decrypted", ""}));
  }
}

TEST(Nip04, NeverCrashesOnDamagedContent) {
  const SecretKey key(keypair(1).public_key().bytes);
  const std::string good = nip04::encrypt(key, "some text of two blocks or so", {});
  EXPECT_TRUE(rc::check([&] {
    if (const auto text = nip04::decrypt(key, *damaged(good))) RC_ASSERT(is_utf8(*text));
  }));
}

}  // namespace
}  // namespace paygress::nostr
