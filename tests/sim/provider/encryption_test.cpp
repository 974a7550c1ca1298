// Encrypted disks: what cannot be encrypted is refused before payment, and a consumer's key gets to
// the backend without the ledger ever seeing it.
#include <gtest/gtest.h>

#include "core/base/codec.h"
#include "core/crypto/hash.h"
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

// What is encrypted is decided when it is sold, as the template is then, and stands in the ledger.
// What is not encrypted so is written as it was before there was such a thing.
TEST(Encryption, ATemplatesDataIsEncryptedWhereThatIsWhatTheBackendCan) {
  for (const auto what : {Encrypts::Data, Encrypts::Disk}) {
    Rig rig(encrypting(what));
    rig.start();
    rig.run_for(Seconds{2});
    auto request = rig.spawn();
    request.template_slug = "nostr-relay";
    request.volume_encryption = encryption(0x5a);
    rig.ask(rig.alice, request);
    const auto replies = rig.replies(rig.alice);
    ASSERT_EQ(replies.size(), 1u);
    const std::string expected = what == Encrypts::Data ? "/app/strfry-db" : "";
    size_t seen = 0;
    for (const auto& batch : rig.ledger())
      for (const auto& record : batch) {
        if (const auto* of_lease = std::get_if<lease::LeaseRecord>(&record))
          if (const auto* reserved = std::get_if<lease::LeaseReserved>(of_lease)) {
            EXPECT_EQ(reserved->encrypted_path, expected);
            EXPECT_EQ(encode_bytes(*reserved)[0], expected.empty() ? 16 : 17) << "its members";
            ++seen;
          }
        if (const auto* of_workload = std::get_if<workload::WorkloadRecord>(&record))
          if (const auto* wanted = std::get_if<workload::WorkloadWanted>(of_workload)) {
            EXPECT_EQ(wanted->spec.encrypted_path, expected);
            EXPECT_EQ(encode_bytes(wanted->spec)[0], expected.empty() ? 15 : 16) << "its members";
            ++seen;
          }
      }
    EXPECT_EQ(seen, 2u) << replies.front().text;
  }
}

// The digest of a spec and a lease's record as the program before wrote them: what runs is adopted
// after an upgrade, and the ledger is read.
TEST(Encryption, WithoutAPathEverythingIsAsItWas) {
  workload::Spec spec;
  spec.labels.install.bytes.fill(0x11);
  spec.labels.provider.bytes.fill(0x33);
  spec.labels.lease.bytes.fill(0x55);
  spec.labels.owner.bytes.fill(0x44);
  spec.image = "dockurr/strfry:latest";
  spec.template_slug = "nostr-relay";
  spec.env = {{"RELAY_NAME", "r"}};
  spec.cpu_millicores = 500;
  spec.memory_mb = 512;
  spec.storage_gb = 5;
  spec.address = "203.0.113.1";
  spec.ssh_host_port = 30000;
  spec.ports = {{30001, 7777, "relay-ws"}};
  spec.root_password = "correcthorse42";
  spec.open_files_max = 1024;
  EXPECT_EQ(to_hex(crypto::sha256(encode_bytes(spec))),
            "a3fde71dfc38ab1d24a9d6677d163b58725547ef8f618bbb520062bc0b6c0d1c");

  const std::string before =
      "10000101010101010101010101010101010102020202020202020202020202020202030303030303030303"
      "0303030303030303030303030303030303030303030303e803000007000500000062617369630500000042"
      "6173696300000000e80300000000000000040000000000000a000000000000006400000000000000010000"
      "00690000000000000000000000000001000000703c0000000000000000f153650000000001010000000100"
      "00004101000000310700000000000000";
  const auto bytes = from_hex(before);
  ASSERT_TRUE(bytes.has_value());
  const auto read = decode_bytes<lease::LeaseReserved>(*bytes);
  ASSERT_TRUE(read.has_value());
  EXPECT_TRUE(read->encrypted);  // on a virtual machine: the whole disk
  EXPECT_EQ(read->encrypted_path, "");
  EXPECT_EQ(read->open_files_max, 7u);
  EXPECT_EQ(encode_bytes(*read), *bytes);
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
