// `paygress`: the consumer's client, and the market in a box.
#include <CLI/CLI.hpp>

#include "shell/client/options.h"
#include "shell/dev/dev_command.h"

int main(int argc, char** argv) {
  using namespace paygress;
  CLI::App app{"Rent compute by the second, paid with ecash.", "paygress"};
  app.require_subcommand(1);
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
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : static_cast<int>(client::ExitCode::Usage);
  }
  return exit_code;
}
