#include "shell/backend/qmp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace paygress::backend {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr const char* kGreeting =
    R"({"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}}, "capabilities": []}})"
    "\r\n";

class QmpTest : public ::testing::Test {
 protected:
  Qmp::Done told(const std::string& name) {
    return [this, name](const std::string& problem) { done.push_back(name + ":" + problem); };
  }
  void greet() {
    ASSERT_TRUE(qmp.receive(kGreeting));
    ASSERT_TRUE(qmp.receive("{\"return\": {}, \"id\": 1}\n"));
  }

  std::vector<std::string> sent, events, done;
  bool ready = false;
  Qmp qmp{{[this](std::string_view bytes) { sent.emplace_back(bytes); }, [this] { ready = true; },
           [this](const std::string& name) { events.push_back(name); }}};
};

TEST_F(QmpTest, NothingIsSaidBeforeTheGreeting) {
  qmp.command("stop", told("stop"));
  EXPECT_THAT(sent, IsEmpty());
  ASSERT_TRUE(qmp.receive(kGreeting));
  EXPECT_THAT(sent, ElementsAre("{\"execute\":\"qmp_capabilities\",\"id\":2}\n"));
  EXPECT_FALSE(ready);
  ASSERT_TRUE(qmp.receive("{\"return\": {}, \"id\": 2}\n"));
  EXPECT_TRUE(ready);
  EXPECT_EQ(sent.back(), "{\"execute\":\"stop\",\"id\":3}\n");
}

TEST_F(QmpTest, AnswersAreFoundByTheirIdWhateverComesBetween) {
  greet();
  qmp.command("stop", told("stop"));
  qmp.command("cont", told("cont"));
  // In pieces, with events between and in another order.
  EXPECT_TRUE(qmp.receive(R"({"timestamp": {"seconds": 1}, "event": "STOP"})"
                          "\n{\"ret"));
  EXPECT_TRUE(qmp.receive("urn\": {}, \"id\": 3}\n"));
  EXPECT_TRUE(qmp.receive(R"({"id": 2, "error": {"class": "GenericError", "desc": "no"}})"
                          "\n"));
  EXPECT_THAT(events, ElementsAre("STOP"));
  ASSERT_EQ(done.size(), 2u);
  EXPECT_EQ(done[0], "cont:");
  EXPECT_THAT(done[1], ::testing::HasSubstr("GenericError"));
}

TEST_F(QmpTest, WhatIsNotQmpIsSaidToBe) {
  EXPECT_FALSE(qmp.receive("SSH-2.0-dropbear\n"));
  Qmp other{{[](auto) {}, [] {}, [](auto&) {}}};
  EXPECT_FALSE(other.receive("{\"event\": \"STOP\"}\n")) << "no greeting";
  Qmp flooded{{[](auto) {}, [] {}, [](auto&) {}}};
  EXPECT_FALSE(flooded.receive(std::string(Qmp::kLineBytesMax + 1, 'x')));
}

}  // namespace
}  // namespace paygress::backend
