// /proc/net/tcp (proc(5)): which lines count as a listener of ours to avoid.
#include "shell/provider/ports_in_use.h"

#include <gtest/gtest.h>

namespace paygress::daemon {
namespace {

constexpr std::string_view kTable =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
    "   0: 0100007F:7530 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0\n"
    "   1: 0100007F:7531 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0\n"
    "   2: 00000000000000000000000000000000:7533 00000000000000000000000000000000:0000 0A 0\n"
    "   3: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0\n"
    "   4: 00000000:XYZ 00000000:0000 0A\n"
    "garbage\n";

TEST(PortsInUse, OnlyListenersWithinTheRangeCount) {
  std::set<uint16_t> ports;
  read_listeners(kTable, {30'000, 39'999}, ports);
  EXPECT_EQ(ports, (std::set<uint16_t>{0x7530, 0x7533}));
}

TEST(PortsInUse, AnUnfinishedLineIsLeftOut) {
  std::set<uint16_t> ports;
  read_listeners("   0: 0100007F:7530 00000000:0000", {1, 65'535}, ports);
  read_listeners("", {1, 65'535}, ports);
  EXPECT_TRUE(ports.empty());
}

}  // namespace
}  // namespace paygress::daemon
