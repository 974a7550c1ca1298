// What we rely on at a relay, held against one that we did not write (@nostr-relay).
#include <gtest/gtest.h>

#include <map>
#include <memory>

#include "shell/base/clock.h"
#include "shell/base/entropy.h"
#include "tests/conformance/relay/relay_conformance.h"
#include "tests/peers/peers.h"
#include "tests/peers/relay_socket.h"

namespace paygress::conformance {
namespace {

// Of a wait that may be one for silence: a behaviour also asks for what must not come.
constexpr Micros kLimit = 5'000'000_us;

// Where this relay differs from the specification, by the behaviour's name. A difference that is no
// more fails the test: then the line goes.
const std::map<std::string, std::string> kKnownDifferences{
    {"AReqReplacesTheOneOfTheSameId",
     "live events are sent without a look at the tags of a filter, so that the test's own live "
     "events, told apart by their tags, all arrive"},
};

class ForeignRelay final : public RelayUnderTest {
 public:
  explicit ForeignRelay(std::string url) : url_(std::move(url)) {
    shell::OsEntropy entropy;
    ByteArray<8> random;
    entropy.fill(random);
    run_ = to_hex(random);
  }
  size_t connect() override {
    sockets_.push_back(std::make_unique<peers::RelaySocket>(loop_, url_));
    return sockets_.size() - 1;
  }
  void send(size_t connection, const nostr::ClientMessage& message) override {
    sockets_.at(connection)->send(message);
  }
  std::vector<nostr::WireMessage> receive(size_t connection, const Enough& enough) override {
    const auto parsed = [](const std::vector<std::string>& frames) {
      std::vector<nostr::WireMessage> messages;
      for (const auto& frame : frames) {
        auto message = nostr::parse_relay_frame(frame);
        EXPECT_TRUE(message.has_value()) << frame;
        if (message) messages.push_back(*std::move(message));
      }
      return messages;
    };
    return parsed(
        sockets_.at(connection)
            ->receive([&](const auto& frames) { return enough(parsed(frames)); }, kLimit));
  }
  // Keys of this run alone: the relay keeps what earlier tests stored.
  nostr::Event sign(size_t author, const nostr::Draft& draft) override {
    SecretKey key;
    key.bytes.fill(static_cast<uint8_t>(author + 1));
    const auto run = as_bytes(run_);
    std::copy(run.begin(), run.end(), key.bytes.begin() + 8);
    return nostr::sign(key, draft, {});
  }
  UnixSeconds now() const override { return shell::now().wall; }
  std::string run() const override { return run_; }

 private:
  std::string url_;
  std::string run_;
  net::Loop loop_;
  std::vector<std::unique_ptr<peers::RelaySocket>> sockets_;
};

class ForeignRelayConformance : public ::testing::TestWithParam<Behaviour> {};

TEST_P(ForeignRelayConformance, Holds) {
  PAYGRESS_PEER_OR_SKIP(url, "PAYGRESS_PEER_RELAY");
  ForeignRelay relay(url);
  const std::string wrong = GetParam().check(relay);
  const auto known = kKnownDifferences.find(GetParam().name);
  if (known == kKnownDifferences.end()) {
    EXPECT_EQ(wrong, "") << GetParam().section;
  } else {
    ASSERT_NE(wrong, "") << "no difference any more: " << known->second;
    GTEST_SKIP() << "the relay differs from " << GetParam().section << ": " << known->second;
  }
}

INSTANTIATE_TEST_SUITE_P(Nostr, ForeignRelayConformance, ::testing::ValuesIn(relay_behaviours()),
                         [](const auto& behaviour) { return behaviour.param.name; });

TEST(KnownDifferences, AreOfBehavioursThatExist) {
  for (const auto& [name, reason] : kKnownDifferences) {
    const auto& all = relay_behaviours();
    EXPECT_TRUE(std::any_of(all.begin(), all.end(), [&](const Behaviour& behaviour) {
      return behaviour.name == name;
    })) << name;
  }
}

}  // namespace
}  // namespace paygress::conformance
