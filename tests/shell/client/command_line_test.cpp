// What a command line may say, and what is said of one that is wrong.
#include "shell/client/command_line.h"
#include "shell/base/usage.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

#include "shell/base/usage.h"
#include "shell/client/options.h"

namespace paygress::client {
namespace {

struct Parsed {
  std::string said;  // message, a line break, advice; empty when the line was accepted
  uint64_t number = 0;
  std::string text;
};

// Verbs as the program has them, without what they do.
Parsed parse(std::vector<std::string> words) {
  Parsed parsed;
  CLI::App app{"", "paygress"};
  app.require_subcommand(1);
  app.fallthrough();
  Options options;
  add_global_options(app, options);
  auto* spawn = app.add_subcommand("spawn", "");
  spawn->add_option("provider", parsed.text, "");
  spawn->add_option("--standby", parsed.text, "");
  spawn->add_option_group("payment")
      ->add_option("--amount", parsed.number, "")
      ->transform(number_up_to(1000));
  auto* wallet = app.add_subcommand("wallet", "");
  wallet->require_subcommand(1);
  wallet->add_subcommand("balance", "");
  wallet->add_subcommand("reclaim", "")
      ->add_option("number", parsed.number, "")
      ->required()
      ->transform(number_up_to(1000));
  refuse_empty_values(app);
  std::ranges::reverse(words);
  try {
    app.parse(words);
  } catch (const CLI::ParseError& error) {
    const shell::Usage usage = shell::usage_of(app, error);
    parsed.said = usage.problem + "\n" + usage.advice;
  }
  return parsed;
}

TEST(CommandLine, NumbersAreWholeAndDecimal) {
  EXPECT_EQ(parse({"spawn", "--amount", "1000"}).number, 1000u);
  EXPECT_EQ(parse({"spawn", "--amount", "010"}).number, 10u);
  const std::string help = "\n`paygress spawn --help` says how it is used.";
  for (const std::string wrong : {"-1", "1.5", "0x10", "many", "+1", "1 "})
    EXPECT_EQ(parse({"spawn", "--amount", wrong}).said,
              "--amount: must be a whole number, greater than 0" + help)
        << wrong;
  EXPECT_EQ(parse({"spawn", "--amount", "0"}).said, "--amount: must be greater than 0" + help);
  for (const std::string big : {"1001", "18446744073709551615", "99999999999999999999999"})
    EXPECT_EQ(parse({"spawn", "--amount", big}).said,
              "--amount: must not be greater than 1000" + help)
        << big;
  EXPECT_EQ(parse({"wallet", "reclaim", "-1"}).said,
            "number: must be a whole number, greater than 0\n"
            "`paygress wallet reclaim --help` says how it is used.");
}

TEST(CommandLine, AnEmptyValueIsNotAnOptionLeftOut) {
  const std::string help = "\n`paygress spawn --help` says how it is used.";
  EXPECT_EQ(parse({"spawn", "owl", "--standby", ""}).said, "--standby: must not be empty" + help);
  EXPECT_EQ(parse({"spawn", ""}).said, "provider: must not be empty" + help);
  EXPECT_EQ(parse({"spawn", "owl", "--relays", ""}).said, "--relays: must not be empty" + help);
  EXPECT_EQ(parse({"spawn", "owl", "--standby", "2"}).said, "");
}

TEST(CommandLine, AnUnknownVerbIsNamedAndTheNearestToo) {
  EXPECT_EQ(parse({"spwan", "owl", "--amount", "5"}).said,
            "there is no verb \"spwan\"\nDid you mean spawn? Verbs of `paygress`: spawn, wallet.");
  EXPECT_EQ(parse({"--json", "rent"}).said,
            "there is no verb \"rent\"\nVerbs of `paygress`: spawn, wallet.");
  EXPECT_EQ(parse({"wallet", "blance"}).said,
            "there is no verb \"blance\"\nDid you mean balance? Verbs of `paygress wallet`: "
            "balance, reclaim.");
  EXPECT_EQ(parse({}).said, "a verb is needed\nVerbs of `paygress`: spawn, wallet.");
  EXPECT_EQ(parse({"wallet"}).said,
            "a verb is needed\nVerbs of `paygress wallet`: balance, reclaim.");
}

TEST(CommandLine, AnUnknownOptionIsNamedAndTheNearestToo) {
  const std::string help = "`paygress spawn --help` says how it is used.";
  EXPECT_EQ(parse({"spawn", "owl", "--amonut", "5"}).said,
            "there is no option \"--amonut\"\nDid you mean --amount? " + help);
  EXPECT_EQ(parse({"spawn", "owl", "--relay", "ws://a"}).said,
            "there is no option \"--relay\"\nDid you mean --relays? " + help);
  EXPECT_EQ(parse({"spawn", "owl", "cat"}).said, "\"cat\" is one word too many\n" + help);
}

// A script that reads stdout must not get a text there is no reading of.
TEST(CommandLine, AnErrorOfTheLineIsOneJsonValueToo) {
  CLI::App app{"", "paygress"};
  app.require_subcommand(1);
  Options options;
  add_global_options(app, options);
  app.add_subcommand("spawn", "");
  const std::vector<const char*> words{"paygress", "spwan", "--json"};
  testing::internal::CaptureStdout();
  EXPECT_EQ(parse_and_run(app, static_cast<int>(words.size()), words.data()), 2);
  EXPECT_EQ(testing::internal::GetCapturedStdout(),
            "{\"error\":\"there is no verb \\\"spwan\\\"\",\"exit_code\":2,\"advice\":"
            "\"Did you mean spawn? Verbs of `paygress`: spawn.\"}\n");
}

}  // namespace
}  // namespace paygress::client
