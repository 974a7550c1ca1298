// The options every verb of `paygress` has, and what a verb is made of.
#pragma once

#include <CLI/App.hpp>

#include <memory>
#include <string>
#include <vector>

#include "core/consumer/records.h"
#include "shell/client/failure.h"

namespace paygress::client {

struct Options {
  std::string relays_csv;  // --relays, else PAYGRESS_RELAYS, else the network's usual ones
  std::string home;        // --home, else PAYGRESS_HOME, else ~/.paygress
  std::string transport = "nip17";
  bool json = false;
  bool verbose = false;

  Outcome<std::vector<std::string>> relays() const;
  bool names_relays() const { return !relays_csv.empty(); }
  consumer::Transport wire() const {
    return transport == "nip04" ? consumer::Transport::Nip04 : consumer::Transport::Nip17;
  }
};

// Adds the global options, filled from the environment first.
void add_global_options(CLI::App& app, Options& options);

// Each adds one verb. A verb that ran leaves its exit code in `exit_code`.
void add_list_command(CLI::App& app, const Options& options, int& exit_code);
void add_wallet_command(CLI::App& app, const Options& options, int& exit_code);
void add_spawn_command(CLI::App& app, const Options& options, int& exit_code);
void add_status_command(CLI::App& app, const Options& options, int& exit_code);
void add_topup_command(CLI::App& app, const Options& options, int& exit_code);
void add_stop_command(CLI::App& app, const Options& options, int& exit_code);

// "https://a,https://b" to its parts, without empty ones.
std::vector<std::string> split_csv(const std::string& csv);

}  // namespace paygress::client
