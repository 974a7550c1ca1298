#include "shell/guard/protocol.h"

#include <gtest/gtest.h>

namespace paygress::guard {
namespace {

using namespace workload;

TEST(GuardProtocol, RequestsSurviveTheLine) {
  for (const Request& request : {Request(GuardHold{{7}, "a-1", 12_us}),
                                 Request(GuardFreeze{{8}, "b"}), Request(GuardKill{{9}, "c"}),
                                 Request(GuardRelease{{10}, "d"}), Request(GuardQuery{{11}})}) {
    const auto back = parse_request(format(request));
    ASSERT_TRUE(back.has_value()) << format(request);
    EXPECT_EQ(back->index(), request.index());
    EXPECT_EQ(format(*back), format(request));
  }
}

TEST(GuardProtocol, AnswersSurviveTheLine) {
  const GuardAnswered answer{
      {~uint64_t{0}},
      Outcome::Failed,
      "two words",
      {{"a", GroupState::Frozen, 0_us, true}, {"b", GroupState::Thawed, 77_us, false}},
      5_us};
  const auto back = parse_answer(format(answer));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(format(*back), format(answer));
  EXPECT_EQ(back->groups.at(1).deadline, 77_us);
  EXPECT_EQ(back->message, "two words");
  EXPECT_EQ(format(*parse_answer("1 done 2 - ")), "1 done 2 - ");
}

TEST(GuardProtocol, WhatIsNoAnswerIsRefused) {
  for (const char* line :
       {"", "1", "1 done", "1 sure 2 - ", "1 done x - ", "1 done 2 a=frozen ",
        "1 done 2 a=cold:1:1 ", "1 done 2 ../a=frozen:1:1 ", "1 done 2 a=frozen:1:2 "})
    EXPECT_FALSE(parse_answer(line).has_value()) << line;
}

TEST(GuardProtocol, NamesStayInsideTheRoot) {
  for (const char* name : {"", "-a", ".", "..", "a/b", "A", "a.b", "a b"})
    EXPECT_FALSE(is_group_name(name)) << name;
  EXPECT_FALSE(is_group_name(std::string(kNameBytesMax + 1, 'a')));
  EXPECT_TRUE(is_group_name("paygress-001122334455-g12"));
}

}  // namespace
}  // namespace paygress::guard
