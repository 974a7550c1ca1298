// Private messages both ways between us and a client that we did not write (nostr-tools), through a
// relay that we did not write: NIP-17 gift wraps and NIP-04 direct messages.
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include <fstream>
#include <map>
#include <string>

#include "core/cashu/token.h"
#include "core/nostr/message.h"
#include "core/provider/pure_work.h"
#include "shell/base/clock.h"
#include "shell/base/entropy.h"
#include "tests/core/market/sample.h"
#include "tests/peers/command.h"
#include "tests/peers/peers.h"
#include "tests/peers/relay_socket.h"
#include "tests/shell/temporary_directory.h"

namespace paygress::peers {
namespace {

namespace json = boost::json;
using provider::Transport;

crypto::Keypair new_keypair() {
  SecretKey secret;
  shell::OsEntropy().fill(secret.bytes);
  return crypto::Keypair::from(secret).value();
}

std::string str(const json::value& value) { return json::value_to<std::string>(value); }

class NostrTools : public ::testing::TestWithParam<Transport> {
 protected:
  void SetUp() override {
    relay_ = find("PAYGRESS_PEER_RELAY");
    tools_ = find("PAYGRESS_PEER_NOSTR_TOOLS");
    if (relay_.empty() || tools_.empty()) skip_absent();
  }

  bool wrapped() const { return GetParam() == Transport::Nip17; }
  json::object request_of(const crypto::Keypair& theirs) const {
    return {{"relay", relay_},
            {"protocol", wrapped() ? "nip17" : "nip04"},
            {"secret", to_hex(theirs.secret().bytes)}};
  }
  // Runs a program of client.mjs to its end; the lines that it printed.
  std::vector<json::object> run(const std::string& verb, const json::object& request) {
    const std::string file = directory_.file("request.json");
    std::ofstream(file) << json::serialize(request);
    const std::string output = run_command("'" + tools_ + "/" + verb + "' <'" + file + "'");
    std::vector<json::object> lines;
    for (size_t from = 0, end; (end = output.find('\n', from)) != output.npos; from = end + 1)
      lines.push_back(json::parse(output.substr(from, end - from)).as_object());
    return lines;
  }
  // The provider's own subscription: what is for us, stored or to come.
  std::unique_ptr<RelaySocket> listen(const crypto::Keypair& me) {
    auto socket = std::make_unique<RelaySocket>(loop_, relay_);
    nostr::Filter filter;
    filter.kinds = {nostr::kind::kEncryptedDirect, nostr::kind::kGiftWrap};
    filter.tags["p"] = {me.public_key().hex()};
    socket->send(nostr::Subscribe{"inbox", {filter}});
    return socket;
  }
  // The first message that comes for us, opened as the provider opens it.
  std::optional<provider::PrivateMessage> next_message(RelaySocket& socket,
                                                       const crypto::Keypair& me) {
    std::optional<provider::PrivateMessage> opened;
    size_t seen = 0;
    socket.receive([&](const std::vector<std::string>& frames) {
      for (; seen < frames.size(); ++seen) {
        auto said = provider::admit({{1}, 0}, frames[seen], me);
        EXPECT_TRUE(said.has_value()) << frames[seen];
        if (said && said->opened) opened = std::move(said->opened);
      }
      return opened.has_value();
    });
    return opened;
  }
  void publish(const nostr::Event& event) {
    RelaySocket socket(loop_, relay_);
    socket.send(nostr::Publish{event});
    bool accepted = false;
    socket.receive([&](const std::vector<std::string>& frames) {
      for (const auto& frame : frames) {
        const auto message = nostr::parse_relay_frame(frame);
        if (!message) continue;
        if (const auto* ok = std::get_if<nostr::Ok>(&*message)) accepted = ok->accepted;
      }
      return accepted;
    });
    EXPECT_TRUE(accepted);
  }

  std::string relay_;
  std::string tools_;
  test::TemporaryDirectory directory_;
  net::Loop loop_;
};

cashu::Token sample_token(size_t proofs) {
  cashu::Token token{"http://127.0.0.1:3338", "sat", "", {}};
  for (size_t i = 0; i < proofs; ++i) {
    cashu::Proof proof;
    proof.amount = uint64_t{1} << (i % 16);
    proof.keyset = "009a1f293253e41e";
    proof.secret = std::string(61, 'a') + std::to_string(100 + i);
    proof.c.fill(static_cast<uint8_t>(i + 1));
    proof.c[0] = 2;
    token.proofs.push_back(std::move(proof));
  }
  return token;
}

// NIP-17 and NIP-04, them to us, with a token of few proofs and one that fills an event's half.
TEST_P(NostrTools, A_spawn_request_of_theirs_is_opened) {
  const auto me = new_keypair();
  const auto theirs = new_keypair();
  const auto inbox = listen(me);
  for (const size_t proofs : {2u, 120u}) {
    const cashu::Token token = sample_token(proofs);
    market::SpawnRequest spawn = market::testing::sample_spawn();
    spawn.cashu_token = cashu::encode_token(token, cashu::TokenVersion::V4).value();
    spawn.ssh_password = "pässwörd \"\\\n\u2028 🚀";

    json::object request = request_of(theirs);
    request["to"] = me.public_key().hex();
    request["content"] = market::to_json(market::Request{spawn});
    const int64_t before = shell::now().wall.value;
    const auto sent = run("send", request);
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_TRUE(sent[0].at("accepted").as_bool());

    const auto opened = next_message(*inbox, me);
    ASSERT_TRUE(opened.has_value());
    EXPECT_EQ(opened->transport, GetParam());
    EXPECT_EQ(opened->sender, theirs.public_key());
    EXPECT_EQ(opened->event.hex(), str(sent[0].at("id")));
    EXPECT_EQ(opened->message.hex(), str(sent[0].at(wrapped() ? "rumor_id" : "id")));
    EXPECT_NEAR(static_cast<double>(opened->created_at.value), static_cast<double>(before), 60);
    ASSERT_TRUE(std::holds_alternative<market::Request>(opened->body))
        << std::get<std::string>(opened->body);
    EXPECT_EQ(std::get<market::Request>(opened->body), market::Request{spawn});
    ASSERT_TRUE(opened->token.has_value()) << opened->token_problem;
    EXPECT_EQ(*opened->token, token);
  }
}

// NIP-17 and NIP-04, us to them. The lengths stand on both sides of NIP-44's padding steps.
TEST_P(NostrTools, A_reply_of_ours_is_read) {
  const auto me = new_keypair();
  const auto theirs = new_keypair();
  shell::OsEntropy entropy;
  std::map<std::string, std::string> expected;  // text by the id that they will see
  EventId reply_to;
  reply_to.bytes.fill(7);
  const std::string reply = market::to_json(market::Reply{market::testing::sample_access()});
  for (const std::string& text :
       {reply, std::string(32, 'x'), std::string(33, 'x'), std::string(256, 'y'),
        std::string(257, 'y'), std::string(20'000, 'z') + " 🚀"}) {
    provider::SealReply work;
    work.to = theirs.public_key();
    work.transport = GetParam();
    work.reply_to = reply_to;
    work.json = text;
    work.at = shell::now().wall;
    const auto sealed = provider::seal_reply(work, me, entropy);
    ASSERT_TRUE(sealed.event.has_value()) << sealed.problem;
    publish(*sealed.event);
    expected[sealed.event->id.hex()] = text;
  }

  json::object request = request_of(theirs);
  request["count"] = expected.size();
  request["timeout_seconds"] = 60;
  size_t read = 0;
  for (const json::object& line : run("receive", request)) {
    if (line.contains("ready")) continue;
    ASSERT_FALSE(line.contains("error")) << json::serialize(line);
    const auto found = expected.find(str(line.at("id")));
    ASSERT_NE(found, expected.end());
    EXPECT_EQ(str(line.at("content")), found->second);
    EXPECT_EQ(str(line.at("from")), me.public_key().hex());
    EXPECT_EQ(line.at("kind").to_number<int>(), wrapped() ? 14 : 4);
    const std::string tags = json::serialize(line.at("tags"));
    EXPECT_NE(tags.find("[\"p\",\"" + theirs.public_key().hex() + "\"]"), tags.npos) << tags;
    if (!wrapped()) {
      EXPECT_NE(tags.find("[\"e\",\"" + reply_to.hex() + "\"]"), tags.npos) << tags;
    }
    ++read;
  }
  EXPECT_EQ(read, expected.size());
}

// Somebody else's message on the same relay is nothing to us: a relay is not trusted to filter.
TEST_P(NostrTools, A_message_for_another_is_not_opened) {
  const auto me = new_keypair();
  const auto other = new_keypair();
  const auto inbox = listen(other);
  json::object request = request_of(new_keypair());
  request["to"] = other.public_key().hex();
  request["content"] = "hello";
  ASSERT_EQ(run("send", request).size(), 1u);
  size_t events = 0;
  inbox->receive([&](const std::vector<std::string>& frames) {
    events = 0;
    for (const auto& frame : frames) {
      const auto said = provider::admit({{1}, 0}, frame, me);
      if (!said) continue;
      EXPECT_FALSE(said->opened.has_value());
      events += std::holds_alternative<nostr::EventFor<nostr::VerifiedEvent>>(said->message);
    }
    return events > 0;
  });
  EXPECT_EQ(events, 1u);
}

INSTANTIATE_TEST_SUITE_P(Both, NostrTools, ::testing::Values(Transport::Nip17, Transport::Nip04),
                         [](const auto& transport) {
                           return transport.param == Transport::Nip17 ? "Nip17" : "Nip04";
                         });

}  // namespace
}  // namespace paygress::peers
