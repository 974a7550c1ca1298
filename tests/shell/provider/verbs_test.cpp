// The command line of paygress-provider where there is no daemon, and perhaps no config.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>

#include "shell/dev/child.h"
#include "tests/shell/temporary_directory.h"

namespace paygress::daemon {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::chrono::milliseconds kVerbLimit{30'000};

class Verbs : public ::testing::Test {
 protected:
  dev::Finished run(std::vector<std::string> words) const {
    words.insert(words.begin(), PAYGRESS_PROVIDER_PROGRAM);
    const auto done = dev::run_command({std::move(words), {}}, kVerbLimit, never_);
    EXPECT_TRUE(done.has_value());
    return done.value_or(dev::Finished{});
  }
  dev::Finished with_config(std::vector<std::string> words) const {
    words.insert(words.end(), {"-c", config_});
    return run(std::move(words));
  }
  void put(const std::string& text) const {
    std::ofstream(config_) << text;
    std::filesystem::permissions(config_, std::filesystem::perms(0600));
  }
  json::object config() const {
    std::ifstream in(config_);
    return json::parse(std::string(std::istreambuf_iterator<char>(in), {})).as_object();
  }

  test::TemporaryDirectory directory_;
  const std::string config_ = directory_.file("config.json");
  std::atomic<bool> never_ = false;
};

TEST_F(Verbs, AMissingConfigHasOneCodeAndOneHint) {
  for (const char* verb : {"run", "check-config", "status", "leases"}) {
    const dev::Finished done = with_config({verb});
    EXPECT_EQ(done.status, 3) << verb;
    EXPECT_THAT(done.err, HasSubstr(config_));
    EXPECT_THAT(done.err, HasSubstr("`paygress-provider init` writes a first config"));
  }
}

TEST_F(Verbs, ABrokenConfigIsSaidToBeBroken) {
  put("{\"data_dir\": ");
  for (const char* verb : {"status", "leases"}) {
    const dev::Finished done = with_config({verb});
    EXPECT_EQ(done.status, 1) << verb;
    EXPECT_THAT(done.err, HasSubstr(config_ + ": is not a JSON object"));
    EXPECT_THAT(done.err, Not(HasSubstr("there is no ledger")));
  }
}

TEST_F(Verbs, AWrongWordIsNamed) {
  for (const auto& words :
       {std::vector<std::string>{"ledger", "nope"}, {"wallet", "nope"}, {"nope"}}) {
    const dev::Finished done = run(words);
    EXPECT_EQ(done.status, 2);
    EXPECT_THAT(done.err, HasSubstr("nope"));
  }
  EXPECT_THAT(run({"ledger", "verfy"}).err, HasSubstr("Did you mean verify?"));
  EXPECT_THAT(run({"ledger"}).err, HasSubstr("a verb is needed"));
  EXPECT_EQ(run({"ledger", "show", "", "--data-dir", directory_.path()}).status, 2);
}

TEST_F(Verbs, JsonHasOneObjectForAnErrorToo) {
  const auto error_of = [&](std::vector<std::string> words) {
    words.push_back("--json");
    const dev::Finished done = with_config(std::move(words));
    const json::value said = json::parse(done.out);
    EXPECT_EQ(said.at("exit_code").as_int64(), done.status);
    return std::string(said.at("error").as_string());
  };
  EXPECT_THAT(error_of({"ledger", "nope"}), HasSubstr("nope"));
  for (const char* verb : {"run", "check-config", "status"})
    EXPECT_THAT(error_of({verb}), HasSubstr(config_));
  EXPECT_THAT(error_of({"init"}), HasSubstr("--public-ip"));
  EXPECT_THAT(error_of({"status", "--data-dir", directory_.path()}),
              HasSubstr("there is no ledger"));
  EXPECT_THAT(error_of({"ledger", "recover", "--data-dir", directory_.path()}), HasSubstr("--yes"));
}

TEST_F(Verbs, InitNamesItsOptionsAndTheConfigThatItWrote) {
  const dev::Finished nowhere = with_config({"init"});
  EXPECT_EQ(nowhere.status, 2);
  EXPECT_THAT(nowhere.err, HasSubstr("--public-ip"));
  const dev::Finished refused =
      with_config({"init", "--public-ip", "203.0.113.7", "--backend", "sandbox"});
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.err, HasSubstr("--allow-sandbox"));
  const dev::Finished made = with_config(
      {"init", "--public-ip", "203.0.113.7", "--backend", "sandbox", "--allow-sandbox"});
  EXPECT_EQ(made.status, 0) << made.err;
  EXPECT_THAT(made.err, HasSubstr("paygress-provider -c " + config_ + " check-config"));
  EXPECT_EQ(config().at("backend_type").as_string(), "Sandbox");
  const std::string lost = directory_.file("missing/x.json");
  EXPECT_THAT(run({"init", "--public-ip", "203.0.113.7", "-c", lost}).err, HasSubstr(lost + ": "));
}

TEST_F(Verbs, CheckConfigLooksWhereTheLedgerWillBe) {
  ASSERT_EQ(with_config({"init", "--public-ip", "203.0.113.7"}).status, 0);
  EXPECT_EQ(with_config({"check-config"}).status, 0);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_.path()), {}), 1);
  json::object changed = config();
  changed["data_dir"] = "/proc/x";
  put(json::serialize(changed));
  const dev::Finished checked = with_config({"check-config"});
  EXPECT_EQ(checked.status, 7);
  EXPECT_THAT(checked.err, HasSubstr("error: data_dir: /proc/x: cannot be made"));
}

}  // namespace
}  // namespace paygress::daemon
