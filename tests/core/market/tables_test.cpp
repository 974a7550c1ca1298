// The tables: errors (against docs/errors.md), templates (network.md 5), volume keys (1.5).
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "core/market/error_type.h"
#include "core/market/template.h"
#include "core/market/volume.h"

namespace paygress::market {
namespace {

// The table of docs/errors.md, as it has to be.
std::string row_of(const ErrorInfo& info) {
  std::string states;
  for (const TokenState s : {TokenState::Untouched, TokenState::InDoubt, TokenState::Released,
                             TokenState::SpentElsewhere, TokenState::Taken}) {
    if (!info.token.contains(s)) continue;
    if (!states.empty()) states += ", ";
    states += to_text(s);
  }
  return "| `" + std::string(info.text) + "` | " + (info.ours ? "ours" : "network") + " | " +
         std::string(info.when) + " | " + states + " | " + std::string(info.advice) + " |";
}

TEST(ErrorTable, HasEveryErrorOnceInOrderAndBothWays) {
  const auto table = error_table();
  size_t i = 0;
  boost::mp11::mp_for_each<boost::describe::describe_enumerators<ErrorType>>([&](auto e) {
    ASSERT_LT(i, table.size());
    EXPECT_EQ(table[i].type, e.value) << e.name;
    EXPECT_EQ(error_type_from(to_text(e.value)), e.value) << e.name;
    EXPECT_FALSE(table[i].when.empty() || table[i].advice.empty()) << e.name;
    ++i;
  });
  EXPECT_EQ(i, table.size());
  EXPECT_FALSE(error_type_from("Invalid_Request"));
}

TEST(ErrorTable, AStateThatOnlyTheReplyTellsIsNotGuessed) {
  EXPECT_EQ(token_state_of(ErrorType::NotOwner), TokenState::Untouched);
  EXPECT_EQ(token_state_of(ErrorType::TokenPending), TokenState::InDoubt);
  EXPECT_EQ(token_state_of(ErrorType::TokenAlreadySpent), TokenState::SpentElsewhere);
  EXPECT_EQ(token_state_of(ErrorType::RaceLost), TokenState::Taken);
  EXPECT_EQ(token_state_of(ErrorType::MintError), std::nullopt);
  EXPECT_TRUE(may_answer(ErrorType::MintError, TokenState::Released));
  EXPECT_FALSE(may_answer(ErrorType::MintError, TokenState::Taken));
}

TEST(ErrorTable, DocsListExactlyTheTable) {
  std::ifstream file(PAYGRESS_VECTORS "/../../docs/errors.md");
  ASSERT_TRUE(file) << "docs/errors.md is missing";
  std::vector<std::string> rows;
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("| `")) rows.push_back(line);
  ASSERT_EQ(rows.size(), error_table().size());
  for (size_t n = 0; n < rows.size(); ++n) EXPECT_EQ(rows[n], row_of(error_table()[n]));
}

TEST(Templates, Section5SixOfTheNetworkAndOurHello) {
  size_t network = 0;
  std::set<std::string_view> slugs;
  for (const TemplateInfo& info : template_table()) {
    EXPECT_TRUE(slugs.insert(info.slug).second) << info.slug;
    EXPECT_FALSE(info.image.empty() || info.ports.empty()) << info.slug;
    EXPECT_EQ(find_template(info.slug), &info);
    network += info.ours ? 0 : 1;
  }
  EXPECT_EQ(network, 6u);
  EXPECT_EQ(template_kind("hello"), TemplateKind::Ours);
  EXPECT_EQ(template_kind("nostr-relay"), TemplateKind::Network);
  EXPECT_EQ(template_kind("Nostr-Relay"), TemplateKind::Unknown);
  EXPECT_EQ(template_kind("ngit-runner"), TemplateKind::Unknown);
}

TEST(Templates, Section5Facts) {
  const TemplateInfo* relay = find_template("nostr-relay");
  ASSERT_NE(relay, nullptr);
  EXPECT_EQ(relay->image, "dockurr/strfry:latest");
  ASSERT_EQ(relay->ports.size(), 1u);
  EXPECT_EQ(relay->ports[0].container_port, 7777);
  EXPECT_EQ(relay->ports[0].label, "relay-ws");
  EXPECT_EQ(relay->replication, ReplicationKind::WarmStandby);
  EXPECT_EQ(relay->open_files_max, 1'048'576u);
  const TemplateInfo* browser = find_template("headless-browser");
  ASSERT_NE(browser, nullptr);
  EXPECT_EQ(browser->ports.size(), 2u);
  EXPECT_TRUE(browser->data_path.empty());
}

ByteArray<32> filled(uint8_t byte) {
  ByteArray<32> bytes;
  bytes.fill(byte);
  return bytes;
}

TEST(VolumeKeys, Section15Vectors) {
  EXPECT_EQ(to_hex(derive_volume_key(SecretKey(filled(0x42)), "workload-abc")),
            "e86644a9d32636c1d9c9a976f5eddda0f3ffe379d7eeb75c55478493109a42f2");
  EXPECT_EQ(to_hex(derive_volume_key(SecretKey(filled(0x99)), "deadbeef-cafe")),
            "2124c848250f0b6d8c05449c48e6929978f0c6bdc5ac50fb25b599007bc5acdc");
  const auto key =
      volume_key_of({1, "luks2-aes-xts", "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI"});
  ASSERT_TRUE(key);
  EXPECT_EQ(*key, filled(0x42));
}

TEST(VolumeKeys, WhatIsNotUnderstoodIsRefusedBeforePayment) {
  const std::string good = "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI";
  EXPECT_EQ(volume_key_of({2, "luks2-aes-xts", good}).error().where, "volume_encryption.version");
  EXPECT_EQ(volume_key_of({1, "none", good}).error().where, "volume_encryption.algorithm");
  EXPECT_EQ(volume_key_of({1, "luks2-aes-xts", good + "="}).error().message, "invalid base64");
  EXPECT_EQ(volume_key_of({1, "luks2-aes-xts", "QkI"}).error().message,
            "decoded to 2 bytes, expected 32");
}

}  // namespace
}  // namespace paygress::market
