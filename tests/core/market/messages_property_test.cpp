// For every message: writing and reading gives it back, and no bytes crash a reader.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "tests/core/market/generators.h"

namespace paygress::market {
namespace {

using testing::any;
using testing::between;

template <class T, class Parse>
void round_trips(Parse parse) {
  EXPECT_TRUE(rc::check([&] {
    const T value = any<T>();
    const auto read = parse(to_json(value));
    RC_ASSERT(read.has_value());
    RC_ASSERT(*read == value);
  }));
}

template <class Union, size_t... I>
Union any_of(std::index_sequence<I...>) {
  const auto pick = static_cast<size_t>(between(0, sizeof...(I)));
  Union value;
  (void)((pick == I ? (value = any<std::variant_alternative_t<I, Union>>(), true) : false) || ...);
  return value;
}

Request any_request() { return any_of<Request>(std::make_index_sequence<4>{}); }
Reply any_reply() { return any_of<Reply>(std::make_index_sequence<4>{}); }

TEST(MessageProperties, PublicMessagesRoundTrip) {
  round_trips<Offer>(parse_offer);
  round_trips<Heartbeat>(parse_heartbeat);
  round_trips<Revocation>(parse_revocation);
  round_trips<Promotion>(parse_promotion);
  round_trips<Claim>(parse_claim);
}

TEST(MessageProperties, RequestsAndRepliesRoundTrip) {
  EXPECT_TRUE(rc::check([] {
    const Request request = any_request();
    RC_ASSERT((parse_request(to_json(request)) == request));
    const Reply reply = any_reply();
    RC_ASSERT((parse_reply(to_json(reply)) == reply));
  }));
}

// Writing is a function of the value: whatever parses is written in one form, which parses too.
TEST(MessageProperties, MutatedTextNeverCrashesAndHasOneWrittenForm) {
  EXPECT_TRUE(rc::check([] {
    std::string json = *rc::gen::arbitrary<bool>() ? to_json(any_request()) : to_json(any_reply());
    for (int64_t n = between(0, 4); n > 0 && !json.empty(); --n) {
      const auto at = static_cast<size_t>(between(0, static_cast<int64_t>(json.size())));
      const auto byte = static_cast<char>(*rc::gen::arbitrary<uint8_t>());
      const int64_t how = between(0, 3);
      if (how == 0) json[at] = byte;
      if (how == 1) json.insert(at, 1, byte);
      if (how == 2) json.erase(at, 1);
    }
    if (const auto request = parse_request(json))
      RC_ASSERT((parse_request(to_json(*request)) == *request));
    if (const auto reply = parse_reply(json)) RC_ASSERT((parse_reply(to_json(*reply)) == *reply));
  }));
}

TEST(MessageProperties, TheJournalsFormRoundTripsToo) {
  EXPECT_TRUE(rc::check([] {
    const Request request = any_request();
    RC_ASSERT((decode_bytes<Request>(encode_bytes(request)) == request));
  }));
}

}  // namespace
}  // namespace paygress::market
