// The relay model, held to what real relays do.
#include <gtest/gtest.h>

#include <map>

#include "core/base/random.h"
#include "sim/models/relay.h"
#include "tests/conformance/relay/relay_conformance.h"

namespace paygress::conformance {
namespace {

class RelayModelUnderTest final : public RelayUnderTest {
 public:
  size_t connect() override {
    model_.connect({++connections_});
    return connections_;
  }
  void send(size_t connection, const nostr::ClientMessage& message) override {
    for (auto& [to, reply] : model_.handle(now(), {connection}, message))
      inbox_[to.value].push_back(std::move(reply));
  }
  std::vector<nostr::WireMessage> receive(size_t connection, const Enough&) override {
    return std::exchange(inbox_[connection], {});
  }
  nostr::Event sign(size_t author, const nostr::Draft& draft) override {
    SecretKey key;
    key.bytes.fill(static_cast<uint8_t>(author + 1));
    return nostr::sign(key, draft, {});
  }
  UnixSeconds now() const override { return {1'800'000'000}; }
  std::string run() const override { return "run"; }

 private:
  sim::RelayModel model_{{}, [](const nostr::Event& event) -> Result<void> {
                           if (auto ok = nostr::verify(event); !ok)
                             return std::unexpected(ok.error());
                           return {};
                         }};
  uint64_t connections_ = 0;
  std::map<uint64_t, std::vector<nostr::WireMessage>> inbox_;
};

class RelayModelConformance : public ::testing::TestWithParam<Behaviour> {};

TEST_P(RelayModelConformance, Holds) {
  RelayModelUnderTest relay;
  EXPECT_EQ(GetParam().check(relay), "") << GetParam().section;
}

INSTANTIATE_TEST_SUITE_P(Nostr, RelayModelConformance, ::testing::ValuesIn(relay_behaviours()),
                         [](const auto& behaviour) { return behaviour.param.name; });

}  // namespace
}  // namespace paygress::conformance
