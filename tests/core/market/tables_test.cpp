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
  const auto& registry = TemplateRegistry::built_in();
  for (const auto& [slug, info] : registry.all()) {
    EXPECT_EQ(info.slug, slug);
    EXPECT_FALSE(info.ports.empty()) << slug;
    EXPECT_EQ(info.image_for("kvm"), nullptr) << "nobody can know an image for it";
    network += info.image_for("docker")->empty() ? 0 : 1;
  }
  EXPECT_EQ(network, 6u);
  EXPECT_NE(registry.find("hello"), nullptr);
  EXPECT_EQ(registry.find("Nostr-Relay"), nullptr);
  EXPECT_EQ(registry.find("ngit-runner"), nullptr);
}

TEST(Templates, Section5Facts) {
  const Template* relay = TemplateRegistry::built_in().find("nostr-relay");
  ASSERT_NE(relay, nullptr);
  EXPECT_EQ(*relay->image_for("docker"), "dockurr/strfry:latest");
  ASSERT_EQ(relay->ports.size(), 1u);
  EXPECT_EQ(relay->ports[0].container_port, 7777);
  EXPECT_EQ(relay->ports[0].label, "relay-ws");
  EXPECT_EQ(relay->replication, ReplicationKind::WarmStandby);
  EXPECT_EQ(relay->open_files_max, 1'048'576u);
  const Template* browser = TemplateRegistry::built_in().find("headless-browser");
  ASSERT_NE(browser, nullptr);
  EXPECT_EQ(browser->ports.size(), 2u);
  EXPECT_TRUE(browser->data_path.empty());
}

TEST(Templates, AFileExtendsWhatIsKnown) {
  TemplateRegistry registry = TemplateRegistry::built_in();
  ASSERT_TRUE(registry.extend(R"({"version": 1, "templates": [
      {"slug": "nostr-relay", "images": [{"engine": "lxd", "image": "strfry"}],
       "memory_mb_min": 256},
      {"slug": "mine", "images": [{"engine": "docker", "image": "me/mine@sha256:00"}],
       "ports": [{"container_port": 80, "hint": "http", "label": "web"}]}]})"));
  const Template* relay = registry.find("nostr-relay");
  EXPECT_EQ(*relay->image_for("lxd"), "strfry");
  EXPECT_EQ(*relay->image_for("docker"), "dockurr/strfry:latest") << "kept";
  EXPECT_EQ(relay->memory_mb_min, 256u);
  EXPECT_EQ(relay->cpu_millicores_min, 500u) << "kept";
  EXPECT_EQ(registry.find("mine")->ports.at(0).container_port, 80);
  EXPECT_EQ(TemplateRegistry::built_in().find("mine"), nullptr);
}

TEST(Templates, WhatIsWithdrawnOfOneEngineIsServedByTheOthers) {
  TemplateRegistry registry = TemplateRegistry::built_in();
  registry.withdraw("hello", "sandbox");
  registry.withdraw("no-such-template", "sandbox");
  EXPECT_EQ(registry.find("hello")->image_for("sandbox"), nullptr);
  EXPECT_NE(registry.find("hello")->image_for("docker"), nullptr);
}

TEST(Templates, AWrongFileChangesNothingAndSaysWhere) {
  const std::pair<const char*, const char*> wrong[] = {
      {"[]", "version"},
      {R"({"version": 2, "templates": []})", "version"},
      {R"({"version": 1})", "templates"},
      {R"({"version": 1, "templates": [{"slug": "A b"}]})", "templates[0]"},
      {R"({"version": 1, "templates": [{"slug": "x", "prots": []}]})", "templates[0].prots"},
      {R"({"version": 1, "templates": [{"slug": "x", "memory_mb_min": -1}]})",
       "templates[0].memory_mb_min"},
      {R"({"version": 1, "templates": [{"slug": "x", "images": [{"engine": "podman",
          "image": "y"}]}]})",
       "templates[0]"},
      {R"({"version": 1, "templates": [{"slug": "x", "data_path": "/"}]})", "templates[0]"},
      {R"({"version": 1, "templates": [{"slug": "x", "environment": [{"name": "A",
          "value": "a\nb"}]}]})",
       "templates[0]"}};
  for (const auto& [text, where] : wrong) {
    TemplateRegistry registry = TemplateRegistry::built_in();
    const auto result = registry.extend(text);
    ASSERT_FALSE(result.has_value()) << text;
    EXPECT_EQ(result.error().where, where) << text;
    EXPECT_EQ(registry.all(), TemplateRegistry::built_in().all());
  }
}

TEST(Templates, VariablesAreTheTemplatesThenTheBuyersThenThePassword) {
  const Template& info = *TemplateRegistry::built_in().find("agent-sandbox");
  const auto all = environment_of(info, {{"NODE_ENV", "test"}}, "geheim");
  ASSERT_TRUE(all.has_value());
  EXPECT_EQ(all->at("EXEC_USER"), "root");
  EXPECT_EQ(all->at("EXEC_PASS"), "geheim");
  EXPECT_EQ(all->at("NODE_ENV"), "test");
  EXPECT_EQ(all->at("WORKSPACE"), "/workspace");
  EXPECT_FALSE(environment_of(info, {{"EXEC_PASS", "x"}}, "geheim")) << "not the buyer's to set";
  EXPECT_FALSE(environment_of(info, {{"NODE_ENV", "a\nb"}}, "geheim"));
  EXPECT_FALSE(environment_of(info, {{"NODE_ENV", "a"}, {"NODE_ENV", "b"}}, "geheim"));
  const auto literal = environment_of(info, {{"NODE_ENV", "${password}"}}, "geheim");
  EXPECT_EQ(literal->at("NODE_ENV"), "${password}") << "only the registry's own values";
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
