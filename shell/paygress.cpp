// `paygress`: the consumer's client, and the market in a box.
#include <CLI/CLI.hpp>

#include "shell/base/version.h"
#include "shell/client/command_line.h"
#include "shell/client/options.h"
#include "shell/dev/dev_command.h"

int main(int argc, char** argv) {
  using namespace paygress;
  CLI::App app{"Rent compute by the second, paid with ecash.", "paygress"};
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("paygress ") + shell::kVersion);
  app.fallthrough();  // global options may stand after the verb
  client::Options options;
  int exit_code = 0;
  client::add_global_options(app, options);
  client::add_list_command(app, options, exit_code);
  client::add_spawn_command(app, options, exit_code);
  client::add_status_command(app, options, exit_code);
  client::add_topup_command(app, options, exit_code);
  client::add_stop_command(app, options, exit_code);
  client::add_wallet_command(app, options, exit_code);
  dev::add_dev_commands(app, exit_code);
  client::refuse_empty_values(app);
  const int refused = client::parse_and_run(app, argc, argv);
  return refused != 0 ? refused : exit_code;
}
