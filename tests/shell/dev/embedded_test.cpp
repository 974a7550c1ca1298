// The embedded relay and mint as a client sees them: through sockets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/json.hpp>

#include "core/cashu/mint_api.h"
#include "shell/base/clock.h"
#include "shell/dev/embedded_mint.h"
#include "shell/dev/embedded_relay.h"
#include "shell/dev/process_ports.h"
#include "shell/net/http_client.h"
#include "shell/net/websocket.h"

namespace paygress::dev {
namespace {

constexpr Micros kLimit = 20'000'000_us;

// One call to its end; fails the test when it is not answered.
net::Answered ask(net::Loop& loop, net::HttpCall call) {
  net::HttpClient client(loop);
  std::optional<net::HttpOutcome> outcome;
  client.start(std::move(call), [&](net::HttpOutcome got) { outcome = std::move(got); });
  loop.run_until([&] { return outcome.has_value(); }, kLimit);
  if (!outcome || !std::holds_alternative<net::Answered>(*outcome)) {
    ADD_FAILURE() << "no answer";
    return {};
  }
  return std::get<net::Answered>(*outcome);
}

std::string http_of(const EmbeddedRelay& relay) {
  return "http://127.0.0.1:" + std::to_string(relay.port());
}

// A WebSocket that keeps what it is told.
struct Listener {
  Listener(net::Loop& loop_used, const std::string& url)
      : loop(loop_used),
        socket(loop, options(url),
               {[this] { open = true; },
                [this](std::string_view text) { heard.push_back(std::string(text)); },
                {},
                [this](const std::string&) { closed = true; }}) {
    EXPECT_TRUE(loop.run_until([this] { return open || closed; }, kLimit) && open);
  }
  static net::WebSocketOptions options(const std::string& url) {
    net::WebSocketOptions made;
    made.url = url;
    return made;
  }
  // The next message that was not looked at; empty when none comes.
  std::string next() {
    loop.run_until([this] { return heard.size() > seen || closed; }, kLimit);
    return seen < heard.size() ? heard[seen++] : std::string();
  }

  net::Loop& loop;
  bool open = false;
  bool closed = false;
  size_t seen = 0;
  std::vector<std::string> heard;
  net::WebSocketClient socket;
};

nostr::Event note(const std::string& text) {
  SecretKey key;
  key.bytes.fill(7);
  return nostr::sign(key, {shell::now().wall, 1, {{"t", "embedded"}}, text}, {});
}

// NIP-11.
TEST(EmbeddedRelay, Tells_its_limits_to_who_asks_for_them) {
  net::Loop loop;
  const auto relay = EmbeddedRelay::start(loop).value();
  net::HttpCall call;
  call.url = http_of(*relay);
  call.headers = {{"accept", "application/nostr+json"}};
  const auto answer = ask(loop, call);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(net::find_header(answer.headers, "content-type"), "application/nostr+json");
  EXPECT_EQ(net::find_header(answer.headers, "access-control-allow-origin"), "*");
  const auto document = boost::json::parse(answer.body);
  EXPECT_EQ(document.at("supported_nips"), boost::json::parse("[1,11,40]"));
  EXPECT_EQ(document.at("limitation").at("max_limit"), 500);
}

TEST(EmbeddedRelay, Says_to_a_browser_what_it_is) {
  net::Loop loop;
  const auto relay = EmbeddedRelay::start(loop).value();
  net::HttpCall call;
  call.url = http_of(*relay);
  const auto answer = ask(loop, call);
  EXPECT_EQ(answer.status, 200);
  EXPECT_NE(answer.body.find("Nostr relay"), std::string::npos);
}

// NIP-01: the signature is really checked, unlike in the simulator's fast tier.
TEST(EmbeddedRelay, Refuses_an_event_whose_signature_is_wrong) {
  net::Loop loop;
  const auto relay = EmbeddedRelay::start(loop).value();
  Listener peer(loop, relay->url());
  auto forged = note("forged");
  forged.sig.bytes[10] ^= 1;
  peer.socket.send(nostr::to_frame(nostr::ClientMessage(nostr::Publish{forged})));
  const auto message = nostr::parse_relay_frame(peer.next());
  ASSERT_TRUE(message.has_value());
  const auto* ok = std::get_if<nostr::Ok>(&*message);
  ASSERT_NE(ok, nullptr);
  EXPECT_FALSE(ok->accepted);
  EXPECT_EQ(nostr::reason_of(ok->text), nostr::Reason::Invalid);
  EXPECT_EQ(relay->model().stored(), 0u);
}

TEST(EmbeddedRelay, A_frame_that_is_none_gets_a_notice_and_the_connection_stays) {
  net::Loop loop;
  const auto relay = EmbeddedRelay::start(loop).value();
  Listener peer(loop, relay->url());
  peer.socket.send("[\"EVENT\"");
  const auto notice = nostr::parse_relay_frame(peer.next());
  ASSERT_TRUE(notice.has_value());
  EXPECT_TRUE(std::holds_alternative<nostr::Notice>(*notice));
  peer.socket.send(nostr::to_frame(nostr::ClientMessage(nostr::Publish{note("after")})));
  const auto ok = nostr::parse_relay_frame(peer.next());
  ASSERT_TRUE(ok.has_value());
  ASSERT_TRUE(std::holds_alternative<nostr::Ok>(*ok));
  EXPECT_TRUE(std::get<nostr::Ok>(*ok).accepted);
}

TEST(EmbeddedRelay, Forgets_the_subscriptions_of_who_leaves) {
  net::Loop loop;
  const auto relay = EmbeddedRelay::start(loop).value();
  Listener stays(loop, relay->url());
  nostr::Filter notes;
  notes.kinds = {1};
  {
    Listener leaves(loop, relay->url());
    for (Listener* each : {&leaves, &stays}) {
      each->socket.send(nostr::to_frame(nostr::ClientMessage(nostr::Subscribe{"s", {notes}})));
      EXPECT_NE(each->next().find("EOSE"), std::string::npos);
    }
  }
  stays.socket.send(nostr::to_frame(nostr::ClientMessage(nostr::Publish{note("hello")})));
  EXPECT_NE((stays.next() + stays.next()).find("hello"), std::string::npos);
  EXPECT_TRUE(stays.open && !stays.closed);
}

TEST(EmbeddedRelay, Two_cannot_share_a_port) {
  net::Loop loop;
  const auto relay = EmbeddedRelay::start(loop).value();
  EmbeddedRelayOptions options;
  options.port = relay->port();
  EXPECT_FALSE(EmbeddedRelay::start(loop, options).has_value());
}

TEST(EmbeddedMint, Names_itself_test_money_and_takes_the_configured_fee) {
  net::Loop loop;
  EmbeddedMintOptions options;
  options.input_fee_ppk = 250;
  const auto mint = EmbeddedMint::start(loop, options).value();
  net::HttpCall call;
  call.url = mint->url() + "/v1/info";
  EXPECT_NE(ask(loop, call).body.find("test money"), std::string::npos);
  call.url = mint->url() + "/v1/keysets";
  const auto keysets = boost::json::parse(ask(loop, call).body).at("keysets").as_array();
  ASSERT_EQ(keysets.size(), 1u);
  EXPECT_EQ(keysets[0].at("input_fee_ppk"), 250);
}

// As over a pulled cable, for who connects meanwhile too; what was cut is over when it is healed.
TEST(EmbeddedRelay, Neither_hears_nor_answers_a_process_that_is_cut_off) {
  net::Loop loop;
  const auto relay = EmbeddedRelay::start(loop).value();
  Listener other(loop, relay->url());
  const auto others = tcp_ports_of(getpid());
  Listener before(loop, relay->url());
  const auto ports = tcp_ports_of(getpid());
  ASSERT_EQ(ports.size(), others.size() + 1);
  relay->set_cut([&](uint16_t port) { return !others.contains(port); });
  Listener meanwhile(loop, relay->url());
  const auto publish = [](const std::string& text) {
    return nostr::to_frame(nostr::ClientMessage(nostr::Publish{note(text)}));
  };
  const std::string published = publish("unheard");
  before.socket.send(published);
  meanwhile.socket.send(published);
  other.socket.send(R"(["REQ","all",{}])");
  EXPECT_EQ(other.next(), R"(["EOSE","all"])");
  other.socket.send(publish("heard"));
  EXPECT_THAT(other.next() + other.next(), testing::HasSubstr("heard"));
  EXPECT_TRUE(before.heard.empty() && meanwhile.heard.empty());

  relay->set_cut({});
  EXPECT_TRUE(loop.run_until([&] { return before.closed && meanwhile.closed; }, kLimit));
  Listener after(loop, relay->url());
  after.socket.send(R"(["REQ","all",{}])");
  EXPECT_THAT(after.next(), testing::HasSubstr("heard"));
  EXPECT_EQ(after.next(), R"(["EOSE","all"])");
}

// Two runs on one port must not take each other's tokens.
TEST(EmbeddedMint, Has_fresh_keys_every_time) {
  net::Loop loop;
  const auto first = EmbeddedMint::start(loop).value();
  const auto second = EmbeddedMint::start(loop).value();
  EXPECT_NE(first->model().active_keyset(), second->model().active_keyset());
}

TEST(EmbeddedMint, Stops_writing_when_its_books_are_full_and_still_answers) {
  net::Loop loop;
  EmbeddedMintOptions options;
  options.changes_max = 1;
  const auto mint = EmbeddedMint::start(loop, options).value();
  net::HttpCall quote;
  quote.method = "POST";
  quote.url = mint->url() + "/v1/mint/quote/bolt11";
  quote.body = R"({"amount":8,"unit":"sat"})";
  EXPECT_EQ(ask(loop, quote).status, 200);
  EXPECT_EQ(ask(loop, quote).status, 503);
  net::HttpCall keys;
  keys.url = mint->url() + "/v1/keys";
  EXPECT_EQ(ask(loop, keys).status, 200);
}

TEST(EmbeddedMint, Knows_only_its_paths_and_methods) {
  net::Loop loop;
  const auto mint = EmbeddedMint::start(loop).value();
  net::HttpCall call;
  call.url = mint->url() + "/v2/keys";
  EXPECT_EQ(ask(loop, call).status, 404);
  call.url = mint->url() + "/v1/keys";
  call.method = "DELETE";
  EXPECT_EQ(ask(loop, call).status, 405);
}

}  // namespace
}  // namespace paygress::dev
