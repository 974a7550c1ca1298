// A first config: complete, with fresh keys, good enough that check-config accepts it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/random.h"
#include "core/provider/config.h"

namespace paygress::daemon {

struct InitAnswers {
  std::string json;  // an object with keys of the config; empty: none
  // Each wins over `json` when it is set.
  std::optional<std::string> backend;
  std::optional<std::string> public_ip;
  std::optional<std::string> name;
  bool allow_sandbox = false;
  std::vector<std::string> relays;
  std::vector<std::string> mints;
};

struct NewConfig {
  std::string text;  // the file; holds the key
  std::string npub;
  std::string mnemonic;                     // of the wallet, derived from the key: secret
  std::vector<provider::Finding> findings;  // with an error among them the text is of no use
  bool usable = false;
};

// Error: `json` is not an object.
Result<NewConfig> make_config(const InitAnswers& answers, Entropy& entropy);

}  // namespace paygress::daemon
