// What an operator reads of a daemon whose mint is away.
#include "tests/shell/provider/daemon_world.h"

namespace paygress::daemon {
namespace {

TEST_F(DaemonTest, AMintThatIsAwayIsSaidOnceAndSeen) {
  start();
  const auto mint_now = [&] { return status()->at("mints").as_array()[0].as_object(); };
  EXPECT_TRUE(mint_now().at("answers").as_bool());
  EXPECT_THAT(get("/metrics").body,
              HasSubstr("paygress_mint_ready{mint=\"" + mint_->url() + "\"} 1"));

  const std::string url = mint_->url();
  dev::EmbeddedMintOptions same_port;
  same_port.port = mint_->port();
  Consumer consumer(loop_, relay_->url());
  const market::SpawnRequest request = spawn_request();
  mint_.reset();
  consumer.ask(key_.public_key(), request);  // its token is asked for again and again
  ASSERT_TRUE(reaches([](const json::object& now) {
    return !now.at("mints").as_array()[0].at("answers").as_bool();
  })) << log();
  const json::object away = mint_now();
  EXPECT_TRUE(away.at("silent_since").is_string());
  EXPECT_TRUE(status()->at("ready").as_bool()) << "what needs no mint goes on";
  EXPECT_EQ(get("/readyz").status, 200);
  EXPECT_THAT(get("/metrics").body, HasSubstr("paygress_mint_ready{mint=\"" + url + "\"} 0"));
  EXPECT_THAT(run({"status"}).out, HasSubstr(url + "  does not answer since "));

  mint_ = *dev::EmbeddedMint::start(loop_, same_port);
  EXPECT_TRUE(reaches([](const json::object& now) {
    return now.at("mints").as_array()[0].at("answers").as_bool();
  })) << log();
  const std::string all = dev::tail_of(directory_.file("log"), 10'000);
  const auto times = [&](std::string_view words) {
    size_t count = 0;
    for (size_t at = all.find(words); at != all.npos; at = all.find(words, at + 1)) ++count;
    return count;
  };
  EXPECT_EQ(times("does not answer"), 1u) << all;
  EXPECT_EQ(times("answers again"), 1u) << all;
}

}  // namespace
}  // namespace paygress::daemon
