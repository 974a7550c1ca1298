// The relay and the mint of `paygress dev`, through sockets, held to what real relays and mints do.
#include <gtest/gtest.h>

#include <map>
#include <optional>

#include "shell/base/clock.h"
#include "shell/base/entropy.h"
#include "shell/dev/embedded_mint.h"
#include "shell/dev/embedded_relay.h"
#include "shell/net/http_client.h"
#include "shell/net/websocket.h"
#include "tests/conformance/mint/mint_conformance.h"
#include "tests/conformance/relay/relay_conformance.h"

namespace paygress::conformance {
namespace {

constexpr Micros kLimit = 5'000'000_us;
// Of a wait that expects silence: behaviours ask what does NOT come, too.
constexpr Micros kSilence = 2'000'000_us;

class EmbeddedRelayUnderTest final : public RelayUnderTest {
 public:
  size_t connect() override {
    const size_t number = sockets_.size() + 1;
    bool open = false;
    net::WebSocketOptions options;
    options.url = relay_->url();
    sockets_[number] = std::make_unique<net::WebSocketClient>(
        loop_, options,
        net::WebSocketEvents{[&open] { open = true; },
                             [this, number](std::string_view text) { take(number, text); },
                             {},
                             {}});
    EXPECT_TRUE(loop_.run_until([&] { return open; }, kLimit));
    return number;
  }
  void send(size_t connection, const nostr::ClientMessage& message) override {
    EXPECT_EQ(sockets_.at(connection)->send(nostr::to_frame(message)), net::Sent::Queued);
  }
  std::vector<nostr::WireMessage> receive(size_t connection, const Enough& enough) override {
    auto& inbox = inbox_[connection];
    loop_.run_until([&] { return enough(inbox); }, kSilence);
    return std::exchange(inbox, {});
  }
  nostr::Event sign(size_t author, const nostr::Draft& draft) override {
    SecretKey key;
    key.bytes.fill(static_cast<uint8_t>(author + 1));
    return nostr::sign(key, draft, {});
  }
  UnixSeconds now() const override { return shell::now().wall; }
  std::string run() const override { return "run"; }

 private:
  void take(size_t connection, std::string_view text) {
    auto message = nostr::parse_relay_frame(text);
    ASSERT_TRUE(message.has_value()) << text;
    inbox_[connection].push_back(std::move(*message));
  }

  net::Loop loop_;
  std::unique_ptr<dev::EmbeddedRelay> relay_ = dev::EmbeddedRelay::start(loop_).value();
  std::map<size_t, std::vector<nostr::WireMessage>> inbox_;
  std::map<size_t, std::unique_ptr<net::WebSocketClient>> sockets_;
};

class EmbeddedRelayConformance : public ::testing::TestWithParam<Behaviour> {};

TEST_P(EmbeddedRelayConformance, Holds) {
  EmbeddedRelayUnderTest relay;
  EXPECT_EQ(GetParam().check(relay), "") << GetParam().section;
}

INSTANTIATE_TEST_SUITE_P(Nostr, EmbeddedRelayConformance, ::testing::ValuesIn(relay_behaviours()),
                         [](const auto& behaviour) { return behaviour.param.name; });

class EmbeddedMintUnderTest final : public MintUnderTest {
 public:
  Answer request(bool post, const std::string& path, const Bytes& body) override {
    net::HttpCall call;
    call.method = post ? "POST" : "GET";
    call.url = mint_->url() + path;
    call.body = std::string(as_text(body));
    std::optional<net::HttpOutcome> outcome;
    client_.start(std::move(call), [&](net::HttpOutcome got) { outcome = std::move(got); });
    loop_.run_until([&] { return outcome.has_value(); }, kLimit);
    const auto* answered = outcome ? std::get_if<net::Answered>(&*outcome) : nullptr;
    if (!answered) return {};
    const auto bytes = as_bytes(answered->body);
    return {static_cast<uint32_t>(answered->status), Bytes(bytes.begin(), bytes.end())};
  }
  void wait_a_little() override {}
  cashu::WalletSeed fresh_wallet() override { return {}; }

 private:
  net::Loop loop_;
  net::HttpClient client_{loop_};
  std::unique_ptr<dev::EmbeddedMint> mint_ = dev::EmbeddedMint::start(loop_).value();
};

INSTANTIATE_TEST_SUITE_P(Embedded, MintConformance, ::testing::Values(MakeMint([] {
                           return std::make_unique<EmbeddedMintUnderTest>();
                         })));

}  // namespace
}  // namespace paygress::conformance
