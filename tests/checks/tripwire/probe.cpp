// Makes one planted call, as a step of the core would: probe NAME [unarmed]
#include "sim/tripwire/tripwire.h"

#include <optional>
#include <string_view>

int planted(std::string_view what);

int main(int argc, char** argv) {
  if (argc < 2) return 64;
  std::optional<paygress::sim::Armed> armed;
  if (argc == 2) armed.emplace();
  return planted(argv[1]);
}
