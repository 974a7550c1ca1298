// A port that somebody else came to listen on between the quote and the start: the lease moves to
// other ports, runs once, and its buyer hears of the ports that serve.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/sim/provider/rig.h"

namespace paygress::sim {
namespace {

TEST(PortsTaken, TheLeaseMovesToOthersAndRunsOnce) {
  Rig rig;
  rig.start();
  rig.run_for(Seconds{2});
  const uint16_t first = rig.settings().ranges.port_first;
  rig.engine().set_foreign_ports({first});
  const auto access = rig.buy(rig.alice, 100);
  EXPECT_NE(access.node_port, first);
  const auto running = rig.engine().running_names(rig.now());
  ASSERT_EQ(running.size(), 1u);
  EXPECT_EQ(rig.engine().spec(running[0], rig.now())->ssh_host_port, access.node_port);
  // What could not be started is swept away, and another process of ours reads the same.
  rig.run_for(Seconds{90});
  EXPECT_THAT(rig.engine().running_names(rig.now()), ::testing::ElementsAre(running[0]));
  rig.restart();
  rig.run_for(Seconds{90});
  EXPECT_THAT(rig.engine().running_names(rig.now()), ::testing::ElementsAre(running[0]));
  std::string unstarted = running[0];
  unstarted.back() = '1';
  EXPECT_EQ(rig.engine().running(unstarted, rig.now()), workload::Running::Absent);
  rig.core().check_invariants();
}

TEST(PortsTaken, WhereNoneIsFreeTheMoneyIsOwedBack) {
  provider::Settings settings = rig_settings();
  settings.ranges.port_last = settings.ranges.port_first;
  Rig rig(settings);
  rig.start();
  rig.run_for(Seconds{2});
  rig.engine().set_foreign_ports({settings.ranges.port_first});
  rig.ask(rig.alice, rig.spawn());
  rig.run_for(Seconds{600});
  EXPECT_EQ(rig.error(rig.alice).error_type, "backend_error");
  EXPECT_THAT(rig.engine().running_names(rig.now()), ::testing::IsEmpty());
  rig.core().check_invariants();
}

}  // namespace
}  // namespace paygress::sim
