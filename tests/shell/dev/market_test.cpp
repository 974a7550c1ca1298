// The market in a box, as far as it goes without starting its programs.
#include "shell/dev/market.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/shell/temporary_directory.h"

namespace paygress::dev {
namespace {

// Its providers would read the new configs at their next start, of a relay that is gone by then.
TEST(Market, ADirectoryWhereOneRunsIsLeftAsItIs) {
  const test::TemporaryDirectory directory;
  const auto running = shell::lock_file(directory.file("market.lock"), "is held");
  ASSERT_TRUE(running.has_value());
  MarketOptions options;
  options.data_dir = directory.path();
  options.backend = provider::BackendType::Sandbox;
  options.programs = directory.file("no-programs");
  const auto second = Market::start(options);
  ASSERT_FALSE(second.has_value());
  EXPECT_THAT(to_string(second.error()), ::testing::HasSubstr("another market runs"));
  EXPECT_FALSE(std::filesystem::exists(directory.file("provider-1")));
}

}  // namespace
}  // namespace paygress::dev
