// What an operator is told by a daemon, and without one, when something cannot be done.
#include "tests/shell/provider/daemon_world.h"

namespace paygress::daemon {
namespace {

TEST_F(DaemonTest, WhatCannotBeDoneIsSaidBeforeMoneyMoves) {
  start();
  const std::string nowhere = directory_.file("missing/x");
  const dev::Finished lost = run({"wallet", "send", "6", "--out", nowhere});
  EXPECT_EQ(lost.status, 2);
  EXPECT_THAT(lost.err, HasSubstr(nowhere + ": cannot be made"));
  EXPECT_THAT(lost.err, HasSubstr("nothing left the wallet"));
  EXPECT_EQ(run({"wallet", "send", "0", "--stdout"}).status, 2);
  EXPECT_EQ(run({"wallet", "send", "-5", "--stdout"}).status, 2);
  EXPECT_EQ(run({"wallet", "pay", ""}).status, 2);
  const dev::Finished released = run({"ledger", "release"});
  EXPECT_EQ(released.status, 0);
  EXPECT_THAT(released.out, HasSubstr("there is nothing to release"));

  const auto keys = [](const std::string& text) {
    const json::object object = json::parse(text).as_object();
    std::vector<std::string> names;
    for (const auto& [name, value] : object) names.emplace_back(name);
    return names;
  };
  const auto online = keys(run({"status", "--json"}).out);
  EXPECT_EQ(end(SIGTERM), 0) << log();
  EXPECT_EQ(keys(run({"status", "--json"}).out), online);
  const dev::Finished refused = run({"wallet", "send", "6", "--stdout", "--json"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(std::string(json::parse(refused.out).at("error").as_string()),
              HasSubstr("no daemon answers"));
}

}  // namespace
}  // namespace paygress::daemon
