// The market in a box: relay, mint, provider processes and a consumer's home, in one directory.
#pragma once

#include <boost/json/value.hpp>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/provider/config.h"
#include "shell/base/file.h"
#include "shell/dev/child.h"
#include "shell/dev/services.h"

namespace paygress::dev {

inline constexpr size_t kProvidersMax = 16;
inline constexpr uint16_t kPortsPerProvider = 50;  // for workloads
inline constexpr uint64_t kRateMsat = 1000;        // a sat buys a second
inline constexpr uint64_t kShortestLease = 5;      // seconds

struct MarketOptions {
  size_t providers = 2;
  std::string data_dir;                          // empty: a temporary one, deleted at the end
  std::optional<provider::BackendType> backend;  // empty: Docker when its engine answers
  std::string profile = "demo";                  // of fail-over (core/failover/profile.h)
  ServiceOptions services;
  std::filesystem::path programs;  // where paygress and paygress-provider are
  // Changes each provider's config before it is written; may be empty.
  std::function<void(provider::ProviderConfig&)> configure;
};

struct MarketProvider {
  std::string name;
  std::string npub;
  std::string directory;
  std::string config_file;
  std::string log_file;
  std::string metrics_address;
  uint16_t first_port = 0;
  uint16_t last_port = 0;
  std::optional<Child> process;
};

class Market {
 public:
  // Everything up and every provider ready; nothing is left behind when it fails.
  static Result<std::unique_ptr<Market>> start(const MarketOptions& options);
  // Ends what still runs. Call close() for its problems.
  ~Market();
  Market(const Market&) = delete;
  Market& operator=(const Market&) = delete;

  // Stops the providers, removes every workload of theirs through its backend, and deletes the
  // directory when it is ours. Returns what could not be done, one problem an entry.
  std::vector<std::string> close();

  const std::string& directory() const { return directory_; }
  bool is_temporary() const { return temporary_; }
  const Services& services() const { return *services_; }
  provider::BackendType backend() const { return backend_; }
  std::vector<MarketProvider>& providers() { return providers_; }
  const std::atomic<bool>& stop_requested() const { return services_->stop_requested(); }

  // `paygress ARGUMENTS` as the consumer, or as another one with a home of that name.
  Command consumer(std::vector<std::string> arguments, std::string_view home = "consumer") const;
  // `paygress-provider ARGUMENTS --config FILE`.
  Command operate(const MarketProvider& provider, std::vector<std::string> arguments) const;
  // What a shell needs for the same: NAME and value.
  std::map<std::string, std::string> consumer_environment(std::string_view home = "consumer") const;

  Result<void> start_provider(MarketProvider& provider);
  // Waits until `paygress-provider status` says ready.
  Result<void> await_ready(MarketProvider& provider, std::chrono::milliseconds limit);
  // What `paygress-provider status --json` says.
  Result<boost::json::value> status_of(const MarketProvider& provider) const;

 private:
  Market() = default;
  Result<void> prepare(const MarketOptions& options);
  Result<MarketProvider> add_provider(size_t index);
  void stop_providers(std::vector<std::string>& problems);

  std::unique_ptr<Services> services_;
  std::string directory_;
  shell::FileDescriptor lock_;  // of the directory
  bool temporary_ = false;
  std::filesystem::path programs_;
  provider::BackendType backend_ = provider::BackendType::Sandbox;
  std::string profile_;
  std::function<void(provider::ProviderConfig&)> configure_;
  std::vector<MarketProvider> providers_;
};

// The directory of the running program.
std::filesystem::path own_directory();
// Whether a Docker engine answers on its socket.
bool docker_answers();

}  // namespace paygress::dev
