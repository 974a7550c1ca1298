// The code that a tripwire must stop: what a careless line of the core would compile to.
#include <fcntl.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <random>
#include <string_view>

using SystemTime = std::chrono::system_clock::time_point;
using SteadyTime = std::chrono::steady_clock::time_point;

int planted(std::string_view what) {
  uint8_t byte = 0;
  if (what == "nothing") return 0;
  if (what == "time") return std::time(nullptr) == 0;
  if (what == "clock_gettime") {
    timespec now{};
    return clock_gettime(CLOCK_REALTIME, &now);
  }
  if (what == "system_clock") return std::chrono::system_clock::now() == SystemTime{};
  if (what == "steady_clock") return std::chrono::steady_clock::now() == SteadyTime{};
  if (what == "getrandom") return getrandom(&byte, 1, 0) != 1;
  if (what == "getentropy") return getentropy(&byte, 1);
  if (what == "random_device") return std::random_device{}() == 0;
  if (what == "open") return open("/dev/null", O_RDONLY) < 0;
  if (what == "socket") return socket(AF_INET, SOCK_STREAM, 0) < 0;
  if (what == "getenv") return std::getenv("PATH") == nullptr;
  return 64;
}
