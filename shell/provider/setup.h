// From the operator's config file to everything a daemon needs, with every problem found at once.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/cashu/nut13.h"
#include "core/crypto/schnorr.h"
#include "core/market/template.h"
#include "core/provider/config.h"
#include "shell/backend/backend.h"

namespace paygress::daemon {

inline constexpr const char* kDefaultConfig = "provider-config.json";
inline constexpr const char* kDataDirectory = "paygress-data";  // beside the config
inline constexpr const char* kControlSocket = "control.sock";   // in the data directory
inline constexpr const char* kMnemonicVariable = "CASHU_WALLET_MNEMONIC";

// Reads the file and finds what is wrong with it and with what it names on this machine: modes of
// secret files, the key's file, the tunnel's interface, a foreign wallet. Error: it cannot be read.
Result<provider::ConfigReport> read_config(const std::string& path);

// The data directory of a config file; `config` may be unusable.
std::string data_directory(const provider::ProviderConfig& config, const std::string& config_path);
// Adds a finding when the daemon could not write there. Apart from read_config: it makes a file for
// a moment, and verbs that only read do not.
void check_data_directory(const std::string& config_path, provider::ConfigReport& report);

struct Setup {
  provider::ProviderConfig config;
  crypto::Keypair me;
  cashu::WalletSeed seed;
  std::string seed_fingerprint;
  std::string data_dir;
  market::TemplateRegistry templates;
  std::string bind_address;  // an IP address of this machine: ports of workloads listen there
};

// Precondition: report.usable().
Result<Setup> make_setup(const provider::ConfigReport& report, const std::string& config_path);

// First 16 hex digits of SHA-256("paygress-seed-fingerprint-v1" || seed).
std::string fingerprint_of(const cashu::WalletSeed& seed);

// Of the running kernel: monotonic times of another boot mean nothing.
Result<lease::BootId> machine_boot();

backend::BackendConfig backend_config(const Setup& setup, const InstallId& install);

}  // namespace paygress::daemon
