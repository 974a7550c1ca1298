// `paygress dev` and `paygress demo`.
#pragma once

namespace CLI {
class App;
}

namespace paygress::dev {

// Adds both subcommands. `app` has a flag --json, and falls through to it from its verbs. A chosen
// one runs within CLI11's parse and leaves its exit code in `exit_code` (0 ok, 1 failed), which
// must outlive the parsing.
void add_dev_commands(CLI::App& app, int& exit_code);

}  // namespace paygress::dev
