// What is refused, and the path that says where (network.md 1.0, 1.3, 1.5).
#include <gtest/gtest.h>

#include "core/market/messages.h"
#include "tests/core/market/sample.h"

namespace paygress::market {
namespace {

using namespace testing;

// `json` with the first `from` replaced by `to`, which must be there.
std::string with(std::string json, const std::string& from, const std::string& to) {
  const size_t at = json.find(from);
  EXPECT_NE(at, json.npos) << from;
  return json.replace(at, from.size(), to);
}

std::string offer_json() { return to_json(sample_offer()); }
std::string spawn_json() { return to_json(Request(sample_spawn())); }

template <class T>
void expect_refused(const Result<T>& result, const std::string& where, const std::string& part) {
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().where, where);
  EXPECT_NE(result.error().message.find(part), std::string::npos) << result.error().message;
}

struct Refusal {
  std::string from, to, where, message;
};

class OfferRefusal : public ::testing::TestWithParam<Refusal> {};

TEST_P(OfferRefusal, NamesThePathOfTheField) {
  const Refusal& r = GetParam();
  expect_refused(parse_offer(with(offer_json(), r.from, r.to)), r.where, r.message);
}

INSTANTIATE_TEST_SUITE_P(
    Section10, OfferRefusal,
    ::testing::Values(
        Refusal{R"("hostname":"SwiftGoldenOwl",)", "", "hostname", "is required"},
        Refusal{R"("SwiftGoldenOwl")", "null", "hostname", "is required"},
        Refusal{R"("SwiftGoldenOwl")", "7", "hostname", "a string, not a number"},
        Refusal{R"("hostname":)", R"("hostname":"x","hostname":)", "hostname", "twice"},
        Refusal{R"("location":null)", R"("location":["x"])", "location", "a string, not an array"},
        Refusal{R"(["lxc"])", R"({"0":"lxc"})", "capabilities", "an array"},
        Refusal{R"(["lxc"])", R"(["lxc",1])", "capabilities[1]", "a string"},
        Refusal{":1000", ":1000.0", "specs[0].cpu_millicores", "without fraction"},
        Refusal{":1000", ":1e3", "specs[0].cpu_millicores", "without fraction"},
        Refusal{":1000", ":-1", "specs[0].cpu_millicores", "from 0"},
        Refusal{":1000", ":-0", "specs[0].cpu_millicores", "from 0"},
        Refusal{":1000", R"(:"1000")", "specs[0].cpu_millicores", "a number, not a string"},
        Refusal{":1000", ":18446744073709551616", "specs[0].cpu_millicores", "at most"},
        Refusal{":50", ":null", "specs[0].rate_msats_per_sec", "is required"},
        Refusal{R"("id":"basic",)", "", "specs[0].id", "is required"},
        Refusal{R"("version":1)", R"("version":null)", "version", "must not be null"},
        Refusal{R"("version":1)", R"("version":256)", "version", "at most 255"},
        Refusal{"shared-kernel", "Shared-Kernel", "isolation_level", "none of the known"},
        Refusal{":100.0", ":100.1", "uptime_percent", "percentage"},
        Refusal{":100.0", ":-1", "uptime_percent", "percentage"},
        Refusal{":100.0", ":true", "uptime_percent", "a number"},
        Refusal{":100.0", ":1e9999", "uptime_percent", "percentage"},
        Refusal{"79be667e", "79be667x", "provider_npub", "public key"},
        Refusal{R"("version":1)", R"("stake_proof":{},"version":1)", "stake_proof.utxo_outpoint",
                "is required"},
        Refusal{R"("version":1)", R"("relays":[null],"version":1)", "relays[0]", "a string"}));

TEST(MessageRules, DefaultsFillWhatIsMissing) {
  const std::string json =
      with(offer_json(), R"(,"version":1,"isolation_level":"shared-kernel")", "");
  EXPECT_EQ(parse_offer(json), sample_offer());
  EXPECT_EQ(parse_offer(with(offer_json(), R"("location":null,)", "")), sample_offer());
}

TEST(MessageRules, UnknownFieldsAreIgnoredEvenTwice) {
  EXPECT_EQ(parse_offer(with(offer_json(), R"("version":1)",
                             R"("future":{"a":[1.5e9]},"future":null,"version":1)")),
            sample_offer());
}

TEST(MessageRules, APercentageIsReadWithOrWithoutFractionAndExponent) {
  const std::pair<const char*, uint32_t> cases[] = {
      {"100", 100'000},  {"100.0", 100'000}, {"99.9999", 99'999},
      {"0", 0},          {"0.001", 1},       {"1e2", 100'000},
      {"1.5E1", 15'000}, {"1e-5", 0},        {"12345e-3", 12'345}};
  for (const auto& [text, thousandths] : cases) {
    const auto offer = parse_offer(with(offer_json(), "100.0", text));
    ASSERT_TRUE(offer) << text;
    EXPECT_EQ(offer->uptime_percent.thousandths, thousandths) << text;
  }
}

TEST(MessageRules, KeysAreReadInEveryFormAndKeptAsBytes) {
  const auto offer = parse_offer(
      with(offer_json(), kHexA, "npub10xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqpkge6d"));
  ASSERT_TRUE(offer) << to_string(offer.error());
  EXPECT_EQ(offer->provider_npub, key(kHexA));
}

TEST(MessageRules, AnArrayIsNoMessage) {
  expect_refused(parse_offer(R"(["a"])"), "", "an object, not an array");
  expect_refused(parse_request(R"(["t","b","i","u","p"])"), "", "an object");
  expect_refused(parse_reply(R"([])"), "", "an object");
}

TEST(MessageRules, NotJson) {
  expect_refused(parse_offer(""), "", "ends before");
  expect_refused(parse_offer("{} {}"), "byte 3", "not valid JSON");
  expect_refused(parse_offer("{\"a\":01}"), "byte 6", "not valid JSON");
  expect_refused(parse_offer("{\"a\":\"\xff\"}"), "byte 6", "not valid JSON");
  expect_refused(parse_offer(R"({"a":"\ud800"})"), "byte 12", "not valid JSON");
  EXPECT_FALSE(parse_offer("{\"a\":\"\t\"}"));
  EXPECT_FALSE(parse_offer("{'a':1}"));
  EXPECT_FALSE(parse_offer("{\"a\":NaN}"));
}

TEST(MessageRules, SizeDepthAndListsAreBounded) {
  expect_refused(parse_request(std::string(kMessageBytesMax + 1, ' ')), "", "longer than 65536");
  const auto nested = [](size_t levels) {
    return R"({"pod_id":"1","x":)" + std::string(levels, '[') + std::string(levels, ']') + "}";
  };
  EXPECT_TRUE(parse_request(nested(kMessageDepthMax - 1)));
  expect_refused(parse_request(nested(kMessageDepthMax)), "", "deeper than 16");
  SpawnRequest spawn = sample_spawn();
  spawn.replication->standby_providers.assign(kListMax, "x");
  EXPECT_TRUE(parse_request(to_json(Request(spawn))));
  spawn.replication->standby_providers.emplace_back("x");
  expect_refused(parse_request(to_json(Request(spawn))), "replication.standby_providers",
                 "more than 256");
}

TEST(MessageRules, TimesHaveFourDigitYears) {
  const std::string json = to_json(sample_heartbeat());
  EXPECT_TRUE(parse_heartbeat(with(json, "1785000061", "253402300799")));
  expect_refused(parse_heartbeat(with(json, "1785000061", "253402300800")), "timestamp", "at most");
  const std::string access = to_json(Reply(sample_access()));
  EXPECT_EQ(parse_reply(with(access, "+00:00", "Z")), Reply(sample_access()));
  expect_refused(parse_reply(with(access, "2026-07-30T", "2026-02-30T")), "expires_at", "RFC 3339");
}

TEST(MessageRules, HeartbeatAdditionsAreStrict) {
  const std::string json = to_json(sample_heartbeat());
  const auto holds = [&](const std::string& value) {
    return parse_heartbeat(with(json, R"("version":1)", R"("holds":)" + value + R"(,"version":1)"));
  };
  EXPECT_TRUE(holds("[]")->holds.has_value());
  EXPECT_FALSE(holds("null")->holds.has_value());
  expect_refused(holds(R"([{"tag":"0123456789ABCDEF","epoch":1}])"), "holds[0].tag",
                 "16 lower-case");
  expect_refused(holds(R"([{"tag":"0123456789abcdef"}])"), "holds[0].epoch", "is required");
}

TEST(SpawnRules, EveryRequiredMemberIsNamed) {
  for (const std::string& member :
       std::vector<std::string>{"cashu_token", "pod_image", "ssh_username", "ssh_password"}) {
    const std::string json = with(spawn_json(), "\"" + member + "\":", "\"other\":");
    expect_refused(parse_request(json), member, "is required");
  }
}

TEST(SpawnRules, AMalformedOptionalMemberRefusesTheSpawn) {
  const auto refuse = [](const char* from, const char* to, const char* where, const char* message) {
    expect_refused(parse_request(with(spawn_json(), from, to)), where, message);
  };
  refuse("warm-standby", "hot-standby", "replication.mode", "none of the known");
  refuse(R"("npub1c")", "3", "replication.standby_providers[1]", "a string, not a number");
  refuse(R"(,"standby_providers":["npub1b","npub1c"])", "", "replication.standby_providers",
         "is required");
  refuse(R"("mode":)", R"("mode":"none","mode":)", "replication.mode", "twice");
  refuse(R"("workload_id":"550e8400-e29b-41d4-a716-446655440000")", R"("workload_id":1)",
         "workload_id", "a string");
  refuse(R"("primary_npub")", R"("volume_encryption":{"key_b64":"k"},"primary_npub")",
         "volume_encryption.algorithm", "is required");
  refuse(R"("primary_npub")",
         R"("volume_encryption":{"version":null,"algorithm":"a","key_b64":"k"},"primary_npub")",
         "volume_encryption.version", "must not be null");
  refuse(R"("primary_npub")", R"("request_id":"abc","primary_npub")", "request_id",
         "32 lower-case hex");
}

TEST(SpawnRules, OtherModesTakeNoList) {
  const auto request = parse_request(with(spawn_json(), "warm-standby", "checkpointed"));
  ASSERT_TRUE(request);
  const auto& replication = std::get<SpawnRequest>(*request).replication;
  EXPECT_EQ(replication, (ReplicationMode{ReplicationKind::Checkpointed, {}}));
}

TEST(SpawnRules, AnUnknownVolumeAlgorithmParses) {
  EXPECT_TRUE(parse_request(
      with(spawn_json(), R"("primary_npub")",
           R"("volume_encryption":{"version":9,"algorithm":"x","key_b64":""},"primary_npub")")));
}

// network.md 1.5, "So: ...": the first of Spawn, TopUp, Status that fits.
TEST(RequestUnion, ExtraKeysDoNotChangeASpawn) {
  const auto request = parse_request(
      with(spawn_json(), "{", R"({"pod_npub":"container-1","pod_id":"1","action":"stop",)"));
  ASSERT_TRUE(request);
  EXPECT_EQ(std::get<SpawnRequest>(*request), sample_spawn());
}

TEST(RequestUnion, ASpawnThatMissesAMemberAndHasPodNpubIsATopUp) {
  const auto missing = parse_request(
      R"({"cashu_token":"t","ssh_username":"u","ssh_password":"p","pod_npub":"container-1"})");
  ASSERT_TRUE(missing);
  EXPECT_EQ(std::get<TopUpRequest>(*missing).pod_npub, "container-1");
  const auto malformed = parse_request(
      with(with(spawn_json(), "warm-standby", "?"), "{", R"({"pod_npub":"container-1",)"));
  ASSERT_TRUE(malformed);
  EXPECT_EQ(std::get<TopUpRequest>(*malformed).pod_npub, "container-1");
}

TEST(RequestUnion, ATopUpWithoutTokenThatHasPodIdIsAStatus) {
  const auto request = parse_request(R"({"pod_npub":"container-1","pod_id":"1"})");
  ASSERT_TRUE(request);
  EXPECT_EQ(std::get<StatusRequest>(*request).pod_id, "1");
}

TEST(RequestUnion, OnlyTheWordStopStops) {
  const auto kind = [](const std::string& rest) {
    return parse_request(R"({"pod_id":"1")" + rest + "}");
  };
  EXPECT_TRUE(std::holds_alternative<StopRequest>(*kind(R"(,"action":"stop")")));
  EXPECT_TRUE(std::holds_alternative<StatusRequest>(*kind("")));
  EXPECT_TRUE(std::holds_alternative<StatusRequest>(*kind(R"(,"action":null)")));
  expect_refused(kind(R"(,"action":"restart")"), "action", "none of the known");
  expect_refused(kind(R"(,"action":7)"), "action", "a string");
  expect_refused(kind(R"(,"action":"stop","action":"stop")"), "action", "twice");
}

TEST(RequestUnion, ARefusalQuotesNothingOfTheRequest) {
  const auto none = parse_request(R"({"secret-key":"secret-value","pod":{"x":1}})");
  expect_refused(none, "", "no spawn, top-up, status or stop");
  for (const std::string& json : std::vector<std::string>{
           R"({"pod_id":{"secret":"secret"}})", R"({"cashu_token":"secret","secret":1})",
           R"({"pod_npub":"secret"})", R"({"pod_image":"secret"})", "secret"}) {
    const auto refused = parse_request(json);
    ASSERT_FALSE(refused) << json;
    EXPECT_EQ(to_string(refused.error()).find("secret"), std::string::npos) << json;
  }
}

TEST(ReplyUnion, AnErrorIsLookedForFirstAsTheSdkDoes) {
  const std::string status = to_json(Reply(sample_status()));
  const auto reply = parse_reply(with(status, "{", R"({"error_type":"x","message":"y",)"));
  ASSERT_TRUE(reply);
  EXPECT_EQ(std::get<ErrorReply>(*reply).error_type, "x");
}

TEST(ReplyUnion, NamesWhatIsWrongWithTheReplyThatWasMeant) {
  expect_refused(parse_reply(R"({"error_type":"x"})"), "message", "is required");
  expect_refused(parse_reply(with(to_json(Reply(sample_access())), "30000", "65536")), "node_port",
                 "at most 65535");
  expect_refused(parse_reply(R"({"success":true})"), "pod_npub", "is required");
  expect_refused(parse_reply(R"({"pod_id":"1"})"), "status", "is required");
  expect_refused(parse_reply("{}"), "", "no reply");
}

TEST(RequestIds, AreFoundInEveryRequestAndReply) {
  const std::string field = R"("request_id":"000102030405060708090a0b0c0d0e0f")";
  for (const std::string& json : std::vector<std::string>{
           R"({"pod_npub":"1","cashu_token":"t",)" + field + "}", R"({"pod_id":"1",)" + field + "}",
           R"({"pod_id":"1","action":"stop",)" + field + "}"}) {
    const auto request = parse_request(json);
    ASSERT_TRUE(request) << json;
    ASSERT_TRUE(request_id_of(*request)) << json;
    EXPECT_EQ(request_id_of(*request)->hex(), "000102030405060708090a0b0c0d0e0f");
  }
  const auto reply = parse_reply(R"({"error_type":"x","message":"y",)" + field + "}");
  ASSERT_TRUE(reply && request_id_of(*reply));
  EXPECT_FALSE(request_id_of(Request(sample_spawn())));
}

}  // namespace
}  // namespace paygress::market
