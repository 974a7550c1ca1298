// Config files: every text gives a usable config or says why not, and a usable config is written
// and read back the same, without a finding that was not there before.
#include "core/base/check.h"
#include "core/provider/config.h"

namespace paygress::provider {
namespace {

void run(std::string_view input) {
  const ConfigReport report = parse_config(input);
  if (!report.usable()) {
    PG_CHECK(!report.findings.empty());
    return;
  }
  const std::string text = write_config(report.config);
  if (text.size() > kConfigBytesMax) return;
  const ConfigReport again = parse_config(text);
  PG_CHECK(again.usable() && again.config == report.config);
  PG_CHECK(again.findings.size() <= report.findings.size());
  const Settings settings = settings_of(report.config, PubKey{}, {1000, 1024, 10});
  PG_CHECK(!settings.tiers.empty() && !settings.mints.empty() && !settings.relays.empty());
  PG_CHECK(settings.ranges.port_first <= settings.ranges.port_last);
}

}  // namespace
}  // namespace paygress::provider

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  paygress::provider::run({reinterpret_cast<const char*>(data), size});
  return 0;
}
