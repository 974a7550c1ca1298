// Every refusal of docs/errors.md whose token is untouched: the mint hears nothing, the token's
// proofs stay unspent, the reply says so, and the same request gets the same refusal (flaw 7).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>

#include "core/cashu/token.h"
#include "tests/sim/provider/rig.h"

namespace paygress::sim {
namespace {

using market::ErrorType;

constexpr std::string_view kStranger =
    "3bf0c63fcb93463407af97a5e5ee64fa883d107ef9e558472c4eb9aaaefa459d";

struct Case {
  ErrorType type;
  std::function<market::Request(Rig&)> request;
  std::function<void(Rig&)> before = [](Rig&) {};  // after the start
  std::function<void(provider::Settings&)> settings = [](provider::Settings&) {};
  std::function<void(MintSettings&)> mint = [](MintSettings&) {};
  bool mint_reachable = true;
  bool by_bob = false;
  Seconds age{0};
};

market::SpawnRequest with(Rig& rig, const std::function<void(market::SpawnRequest&)>& change) {
  market::SpawnRequest request = rig.spawn();
  change(request);
  return request;
}

market::SpawnRequest standby(Rig& rig, bool ours, std::optional<std::string> workload,
                             std::vector<std::string> others = {std::string(kStranger)}) {
  market::SpawnRequest request = rig.spawn();
  request.replication = {market::ReplicationKind::WarmStandby, std::move(others)};
  request.primary_npub = ours ? rig.settings().self.hex() : std::string(kStranger);
  request.workload_id = std::move(workload);
  return request;
}

std::string changed(const std::string& text, const std::function<void(cashu::Token&)>& change) {
  cashu::Token token = cashu::decode_token(text).value();
  change(token);
  return cashu::encode_token(token, cashu::TokenVersion::V4).value();
}

std::string spoilt(const std::string& text) {
  return changed(text, [](cashu::Token& token) {
    char& last = token.proofs.at(0).secret.back();
    last = last == '0' ? '1' : '0';  // the DLEQ no longer fits
  });
}

std::string locked(const std::string& text) {
  return changed(text, [](cashu::Token& token) {
    token.proofs.at(0).secret = R"(["P2PK",{"nonce":"00","data":"02aa","tags":[]}])";
  });
}

std::string of_other_mint(const std::string& text) {
  return changed(text, [](cashu::Token& token) { token.mint = "https://other.example"; });
}

std::string of_unknown_keyset(const std::string& text) {
  return changed(text, [](cashu::Token& token) {
    for (cashu::Proof& proof : token.proofs) proof.keyset = "00ffffffffffffff";
  });
}

std::vector<Case> cases() {
  using enum ErrorType;
  std::vector<Case> all;
  const auto spawn = [&](ErrorType type,
                         std::function<void(market::SpawnRequest&)> change) -> Case& {
    return all.emplace_back(
        Case{type, [change](Rig& rig) -> market::Request { return with(rig, change); }});
  };
  const auto plain = [](market::SpawnRequest&) {};
  all.push_back({NotAddressed, [](Rig& r) -> market::Request { return standby(r, false, "w"); }});
  all.push_back(
      {MissingWorkloadId, [](Rig& r) -> market::Request { return standby(r, true, {}); }});
  all.push_back({InvalidRequest, [](Rig& r) -> market::Request {
                   return standby(r, true, "w", {r.settings().self.hex()});
                 }});
  all.push_back(
      {StandbyUnavailable, [](Rig& r) -> market::Request { return standby(r, true, "w"); }});
  spawn(TemplateUnsupported, [](auto& r) { r.template_slug = "nostr-relay"; }).settings =
      [](auto& s) { s.engine = "lxd"; };
  spawn(InvalidRequest, [](auto& r) {  // the tier is smaller than the template needs
    r.template_slug = "inference-endpoint";
  });
  spawn(InvalidRequest, [](auto& r) { r.env.emplace().push_back({"A", "b"}); });
  spawn(InvalidRequest, [](auto& r) {
    r.template_slug = "hello";
    r.env.emplace().push_back({"PATH", "/tmp"});
  });
  spawn(UnknownTemplate, [](auto& r) { r.template_slug = "no-such-thing"; });
  spawn(UnknownTier, [](auto& r) { r.pod_spec_id = "huge"; });
  spawn(UnknownTier, [](auto& r) { r.pod_spec_id.reset(); }).settings = [](auto& s) {
    s.tiers.push_back(s.tiers.at(0));
    s.tiers.back().id = "other";
  };
  spawn(ImageNotAllowed, [](auto& r) { r.pod_image = "--privileged"; });
  spawn(ImageNotAllowed, [](auto& r) { r.pod_image = "ubuntu:24.04"; }).settings = [](auto& s) {
    s.images = {"debian:*"};
  };
  spawn(InvalidVolumeEncryption, [](auto& r) {
    r.volume_encryption = {1, "aes-256-gcm", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
  });
  spawn(InvalidToken, [](auto& r) { r.cashu_token = "cashuBnonsense"; });
  for (auto* spoil : {&spoilt, &locked, &of_unknown_keyset})
    spawn(InvalidToken, [spoil](auto& r) { r.cashu_token = spoil(r.cashu_token); });
  spawn(NonWhitelistedMint, [](auto& r) { r.cashu_token = of_other_mint(r.cashu_token); });
  spawn(MintNetworkError, plain).mint_reachable = false;
  spawn(UnsupportedUnit, plain).mint = [](auto& m) { m.unit = "usd"; };
  spawn(MintUnsuitable, plain).mint = [](auto& m) { m.nuts = {4, 7, 8, 12}; };
  spawn(NoSpecs, plain).settings = [](auto& s) { s.tiers.clear(); };
  spawn(NoCapacity, plain).settings = [](auto& s) { s.sold.memory_mb = 1023; };
  spawn(NoCapacity, plain).settings = [](auto& s) {
    s.ranges.port_first = s.ranges.port_last = 30'000;
    s.ranges.number_first = s.ranges.number_last = 5;
    s.sold.storage_gb = 9;
  };
  spawn(Draining, plain).before = [](Rig& rig) { rig.step(provider::Drain{true}); };
  all.push_back({InsufficientPayment, [](Rig& r) -> market::Request { return r.spawn(6); }});
  spawn(InsufficientPayment, plain).mint = [](auto& m) {
    m.input_fee_ppk = 10'000'000;
  };  // eats it all
  spawn(InvalidRequest, plain).settings = [](auto& s) { s.maximum_duration = Seconds{900}; };
  spawn(RequestExpired, plain).age = Seconds{601};
  spawn(RequestExpired, plain).age = Seconds{-901};
  spawn(RateLimited, plain).before = [](Rig& rig) {
    rig.hold_outputs = true;  // two reservations of this key that are not paid yet
    rig.ask(rig.alice, rig.spawn());
    rig.ask(rig.alice, rig.spawn());
    rig.run_for(Seconds{1});
  };
  spawn(RateLimited, plain).before = [](Rig& rig) {
    for (uint32_t i = 0; i < provider::kRequestsPerMinute; ++i)
      rig.ask(rig.alice, market::StatusRequest{"container-1000", {}});
    rig.replies(rig.alice, Seconds{30});
  };
  spawn(InvalidRequest, [](auto& r) { r.workload_id = "mine"; }).before = [](Rig& rig) {
    auto request = rig.spawn();
    request.workload_id = "mine";
    rig.ask(rig.bob, request);
    rig.run_for(Seconds{5});
  };
  // Top-ups, of a lease of alice's.
  const auto on_lease = [&](ErrorType type, std::string pod, uint64_t sats = 50) -> Case& {
    Case& c =
        all.emplace_back(Case{type, [pod, sats](Rig& rig) -> market::Request {
                                return market::TopUpRequest{pod, rig.spawn(sats).cashu_token, {}};
                              }});
    c.before = [](Rig& rig) { rig.buy(rig.alice); };
    return c;
  };
  on_lease(InvalidPodId, "pod");
  // Whatever can be wrong with a token is found before a top-up too.
  for (auto* spoil : {&spoilt, &locked, &of_unknown_keyset, &of_other_mint}) {
    Case& c = on_lease(spoil == &of_other_mint ? NonWhitelistedMint : InvalidToken, "1000");
    c.request = [spoil](Rig& rig) -> market::Request {
      return market::TopUpRequest{"container-1000", spoil(rig.spawn(50).cashu_token), {}};
    };
  }
  on_lease(MintNetworkError, "container-1000").before = [](Rig& rig) {
    rig.buy(rig.alice);
    rig.mint().set_reachable(false);
    rig.restart();
  };
  on_lease(NotFound, "container-1000").before = [](Rig& rig) {
    rig.hold_outputs = true;  // reserved, and not paid yet
    rig.ask(rig.alice, rig.spawn());
  };
  on_lease(NotFound, "container-5");
  on_lease(NotFound, "standby-slot-w");
  on_lease(NotOwner, "container-1000").by_bob = true;
  on_lease(RequestExpired, "container-1000").age = Seconds{601};
  on_lease(InvalidRequest, "container-1000", 9'000'000).settings = [](auto& s) {
    s.maximum_duration = Seconds{86'400};
  };
  on_lease(InsufficientPayment, "container-1000", 1).settings = [](auto& s) {
    s.tiers.at(0).rate_per_second = Msat{1500};
    s.minimum_duration = Seconds{10};
  };
  on_lease(LeaseExpired, "1000").before = [](Rig& rig) {
    rig.buy(rig.alice);
    rig.run_for(Seconds{1100});
  };
  on_lease(SpecUnavailable, "container-1000").before = [](Rig& rig) {
    rig.buy(rig.alice);
    rig.settings().tiers.at(0).id = "renamed";
    rig.restart();
    rig.run_for(Seconds{2});
  };
  return all;
}

void expect_untouched(Rig& rig, const market::Request& request) {
  const auto* spawn = std::get_if<market::SpawnRequest>(&request);
  const std::string& text =
      spawn ? spawn->cashu_token : std::get<market::TopUpRequest>(request).cashu_token;
  const auto token = cashu::decode_token(text);
  if (!token || !rig.mint().is_valid(token->proofs.front())) return;
  for (const cashu::Proof& proof : token->proofs)
    EXPECT_EQ(rig.mint().state_of({rig.now().mono}, proof), cashu::ProofState::Unspent);
}

TEST(Refusals, MintHearsNothingAndTheTokenIsUntouched) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(std::string(market::to_text(c.type)));
    provider::Settings settings = rig_settings();
    MintSettings mint;
    c.settings(settings);
    c.mint(mint);
    Rig rig(settings, mint);
    rig.mint().set_reachable(c.mint_reachable);
    rig.start();
    rig.run_for(Seconds{2});
    c.before(rig);
    const Identity& who = c.by_bob ? rig.bob : rig.alice;
    rig.replies(who, Seconds{1});
    const size_t calls = rig.token_calls();
    const market::Request request = c.request(rig);
    const UnixSeconds dated = rig.now().wall - c.age;
    rig.ask(who, request, provider::Transport::Nip17, dated);
    const auto first = rig.replies(who, provider::kPatience + Seconds{5});
    ASSERT_EQ(first.size(), 1u);
    const auto reply = market::parse_reply(first[0].text);
    const auto* error = std::get_if<market::ErrorReply>(&reply.value());
    ASSERT_NE(error, nullptr) << first[0].text;
    EXPECT_EQ(error->error_type, market::to_text(c.type)) << error->message;
    EXPECT_EQ(error->token_state, market::TokenState::Untouched);
    EXPECT_EQ(error->token_touched, false);
    EXPECT_EQ(rig.token_calls(), calls);
    expect_untouched(rig, request);
    // What stood in the way goes away; the same request still gets the same refusal.
    rig.mint().set_reachable(true);
    rig.step(provider::Drain{false});
    rig.run_for(Seconds{70});
    rig.replies(who);
    rig.ask(who, request, provider::Transport::Nip17, dated);
    const auto second = rig.replies(who);
    ASSERT_EQ(second.size(), 1u);
    EXPECT_EQ(second[0].text, first[0].text);
    EXPECT_EQ(rig.token_calls(), calls);
    expect_untouched(rig, request);
  }
}

TEST(Refusals, SoldOutSaysOfWhat) {
  const std::vector<std::pair<std::string, std::function<void(provider::Settings&)>>> wanting = {
      {"CPU", [](auto& s) { s.sold.cpu_millicores = 999; }},
      {"memory", [](auto& s) { s.sold.memory_mb = 1023; }},
      {"disk", [](auto& s) { s.sold.storage_gb = 9; }},
      {"ports", [](auto& s) { s.ranges.port_first = s.ranges.port_last = 30'000; }}};
  for (const auto& [what, set] : wanting) {
    provider::Settings settings = rig_settings();
    set(settings);
    Rig rig(settings);
    rig.start();
    rig.run_for(Seconds{2});
    market::SpawnRequest request = rig.spawn();
    request.template_slug = "hello";  // a port beside the login's
    rig.ask(rig.alice, request);
    const market::ErrorReply error = rig.error(rig.alice);
    EXPECT_EQ(error.error_type, "no_capacity");
    EXPECT_EQ(error.message, "Sold out: not enough " + what + " left for this tier");
  }
}

// Both were quoted while there was room; the second finds none when it is to be reserved.
TEST(Refusals, OfTwoSideBySideTheSecondHearsThatNothingIsLeft) {
  provider::Settings settings = rig_settings();
  settings.sold.memory_mb = 1500;
  Rig rig(settings);
  rig.start();
  rig.run_for(Seconds{2});
  const market::SpawnRequest second = rig.spawn();
  rig.hold_checks = true;
  rig.ask(rig.alice, rig.spawn());
  rig.ask(rig.bob, second);
  rig.run_for(Seconds{1});
  rig.hold_checks = false;
  rig.release();
  const market::ErrorReply error = rig.error(rig.bob);
  EXPECT_EQ(error.error_type, "no_capacity");
  EXPECT_EQ(error.token_state, market::TokenState::Untouched);
  expect_untouched(rig, second);
  EXPECT_EQ(rig.engine().running_names(rig.now()).size(), 1u) << "alice's";
}

// What cannot be read is answered, but not looked at: a token in it stays the sender's.
TEST(Refusals, AMessageThatIsNoRequestLeavesItsTokenAlone) {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {R"("pod_spec_id":"basic")", R"("pod_spec_id":7)"},      // a wrong type
      {R"("pod_image":)", R"("pod_image":"a","pod_image":)"},  // a key twice
      {R"("ssh_password":)", R"("no_password":)"}};            // none of the requests
  for (const auto& [part, instead] : wrong) {
    SCOPED_TRACE(instead);
    Rig rig;
    rig.start();
    rig.run_for(Seconds{2});
    const size_t calls = rig.token_calls();
    const market::SpawnRequest request = rig.spawn();
    std::string text = market::to_json(request);
    const size_t at = text.find(part);
    ASSERT_NE(at, text.npos) << text;
    rig.ask_text(rig.alice, text.replace(at, part.size(), instead));
    const market::ErrorReply error = rig.error(rig.alice);
    EXPECT_EQ(error.error_type, "invalid_request");
    EXPECT_EQ(error.token_state, market::TokenState::Untouched);
    rig.run_for(Seconds{60});
    EXPECT_EQ(rig.token_calls(), calls);
    expect_untouched(rig, request);
  }
}

// The table and this file name the same errors: a new one without a test fails here.
TEST(Refusals, EveryErrorIsTestedOrNamed) {
  using enum ErrorType;
  std::set<ErrorType> covered;
  for (const Case& c : cases()) covered.insert(c.type);
  const std::map<ErrorType, std::string> elsewhere = {
      {TokenAlreadySpent, "identity_test: AnotherKeyHearsThatTheTokenIsSpent"},
      {TokenPending, "identity_test: WhileTheMintIsSilentAnInterimAnswerIsGiven"},
      {BackendError, "identity_test: AWorkloadThatNeverStartsIsOwedBack"},
      {RaceLost, "identity_test: ATopUpThatComesTooLateIsOwedBack"},
      {RefundPending, "identity_test: MoneyThatArrivesAfterTheHoldIsOwedBack"},
      {MintError, "not answered: what the mint's codes mean is decided by what it shows"},
      {ProvisioningError, "not answered: ids and ports that are used up are no_capacity"},
      {UnsupportedReplication, "not answered: checkpointed runs as none, and says so"},
  };
  for (const market::ErrorInfo& info : market::error_table()) {
    EXPECT_NE(covered.contains(info.type), elsewhere.contains(info.type)) << info.text;
    // Whatever may leave the token untouched is shown above to do so, or is never answered.
    const bool untouched = info.token.contains(market::TokenState::Untouched);
    if (untouched && !covered.contains(info.type)) {
      EXPECT_THAT(elsewhere.at(info.type), testing::StartsWith("not answered")) << info.text;
    }
  }
}

}  // namespace
}  // namespace paygress::sim
