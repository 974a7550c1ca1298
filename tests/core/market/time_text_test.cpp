// RFC 3339 as chrono writes it for UTC (network.md 1.0), over the whole range of four-digit years.
#include "core/market/time_text.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "core/market/wire_types.h"

namespace paygress::market {
namespace {

TEST(TimeText, KnownInstants) {
  const std::pair<int64_t, const char*> cases[] = {{0, "1970-01-01T00:00:00+00:00"},
                                                   {951'782'399, "2000-02-28T23:59:59+00:00"},
                                                   {951'782'400, "2000-02-29T00:00:00+00:00"},
                                                   {1'785'414'896, "2026-07-30T12:34:56+00:00"},
                                                   {4'107'542'400, "2100-03-01T00:00:00+00:00"},
                                                   {-1, "1969-12-31T23:59:59+00:00"},
                                                   {-62'167'219'200, "0000-01-01T00:00:00+00:00"},
                                                   {253'402'300'799, "9999-12-31T23:59:59+00:00"}};
  for (const auto& [at, text] : cases) {
    EXPECT_EQ(to_rfc3339({at}), text);
    EXPECT_EQ(parse_rfc3339(text), UnixSeconds{at});
  }
}

TEST(TimeText, ReadsZoneOffsetsFractionsAndLowerCase) {
  const UnixSeconds at{1'785'414'896};
  for (const char* text :
       {"2026-07-30T12:34:56Z", "2026-07-30t12:34:56z", "2026-07-30 12:34:56.123456789Z",
        "2026-07-30T14:34:56+02:00", "2026-07-30T05:04:56-07:30", "2026-07-30T12:34:56-00:00"})
    EXPECT_EQ(parse_rfc3339(text), at) << text;
  EXPECT_EQ(parse_rfc3339("2016-12-31T23:59:60Z"), parse_rfc3339("2017-01-01T00:00:00Z"));
}

TEST(TimeText, RefusesWhatTheCalendarOrTheGrammarDoesNotHave) {
  for (const char* text :
       {"", "2026-07-30", "2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2026-04-31T00:00:00Z",
        "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z",
        "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:61Z",
        "2026-01-01T00:00:00", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00Zx",
        "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+0000", "+026-01-01T00:00:00Z",
        "2026-1-01T00:00:00Z"})
    EXPECT_FALSE(parse_rfc3339(text)) << text;
}

TEST(TimeText, InstantsBeyondTheRangeAreClamped) {
  EXPECT_EQ(to_rfc3339(UnixSeconds::max()), "9999-12-31T23:59:59+00:00");
  EXPECT_EQ(to_rfc3339({INT64_MIN}), "0000-01-01T00:00:00+00:00");
}

TEST(TimeText, EveryInstantRoundTrips) {
  EXPECT_TRUE(rc::check([] {
    const UnixSeconds at{*rc::gen::inRange<int64_t>(-62'167'219'200, 253'402'300'800)};
    RC_ASSERT((parse_rfc3339(to_rfc3339(at)) == at));
  }));
}

TEST(TimeText, ForPeople) { EXPECT_EQ(to_human_time({1'785'414'896}), "2026-07-30 12:34:56 UTC"); }

}  // namespace
}  // namespace paygress::market
