// Encrypted disks: what cannot be encrypted is refused before payment, and a consumer's key gets to
// the backend without the ledger ever seeing it.
#include <gtest/gtest.h>

#include "core/base/codec.h"
#include "core/market/volume.h"
#include "core/provider/records.h"
#include "tests/sim/provider/rig.h"

namespace paygress::sim {
namespace {

using workload::Encrypts;

market::VolumeEncryption encryption(uint8_t fill) {
  market::VolumeKey key{};
  key.fill(fill);
  return {1, std::string(market::kVolumeAlgorithm), to_base64(key, Base64::UrlSafe, false)};
}

provider::Settings encrypting(Encrypts what) {
  provider::Settings settings = rig_settings();
  settings.encrypts = what;
  return settings;
}

TEST(Encryption, IsRefusedBeforePaymentWhereNothingCanBeEncrypted) {
  for (const auto what : {Encrypts::Nothing, Encrypts::Data}) {
    Rig rig(encrypting(what));
    rig.start();
    rig.run_for(Seconds{2});
    auto request = rig.spawn();
    request.volume_encryption = encryption(0x42);
    rig.ask(rig.alice, request);
    EXPECT_EQ(rig.error(rig.alice).error_type, "invalid_volume_encryption");
    EXPECT_EQ(rig.token_calls(), 0u) << "the mint heard of it";
  }
}

TEST(Encryption, ChecksKeyVersionAndAlgorithm) {
  Rig rig(encrypting(Encrypts::Disk));
  rig.start();
  rig.run_for(Seconds{2});
  for (auto spoil : {+[](market::VolumeEncryption& v) { v.version = 2; },
                     +[](market::VolumeEncryption& v) { v.algorithm = "none"; },
                     +[](market::VolumeEncryption& v) { v.key_b64.pop_back(); },
                     +[](market::VolumeEncryption& v) { v.key_b64 += "="; }}) {
    auto request = rig.spawn();
    request.volume_encryption = encryption(0x42);
    spoil(*request.volume_encryption);
    rig.ask(rig.alice, request);
    EXPECT_EQ(rig.error(rig.alice).error_type, "invalid_volume_encryption");
  }
  EXPECT_EQ(rig.token_calls(), 0u);
}

TEST(Encryption, TheKeyIsKeptOnceAndForgottenAtTheEndAndInNoRecord) {
  Rig rig(encrypting(Encrypts::Disk));
  rig.start();
  rig.run_for(Seconds{2});
  auto request = rig.spawn();
  request.volume_encryption = encryption(0x5a);
  rig.ask(rig.alice, request);
  ASSERT_EQ(rig.replies(rig.alice).size(), 1u);
  ASSERT_EQ(rig.keys().size(), 1u);
  EXPECT_EQ(rig.keys().begin()->second, *market::volume_key_of(encryption(0x5a)));
  const std::string raw(32, '\x5a');
  const std::string text = encryption(0x5a).key_b64;
  bool encrypted = false;
  for (const auto& batch : rig.ledger())
    for (const auto& record : batch) {
      const Bytes bytes = encode_bytes(record);
      EXPECT_EQ(as_text(bytes).find(raw), std::string_view::npos);
      EXPECT_EQ(as_text(bytes).find(text), std::string_view::npos);
      const auto* of_lease = std::get_if<lease::LeaseRecord>(&record);
      if (of_lease == nullptr) continue;
      if (const auto* reserved = std::get_if<lease::LeaseReserved>(of_lease))
        encrypted = reserved->encrypted;
    }
  EXPECT_TRUE(encrypted);
  rig.run_for(Seconds{2000});  // until its time is over
  EXPECT_TRUE(rig.keys().empty());
}

}  // namespace
}  // namespace paygress::sim
