#include "shell/backend/docker_events.h"

#include <algorithm>
#include <utility>

#include "shell/backend/docker_json.h"

namespace paygress::backend {

namespace {

constexpr Seconds kStreamLasts{600};
constexpr Seconds kEndsLate{60};     // an engine that does not end it by itself
constexpr Micros kHeld{60'000'000};  // a stream that lasted so long was none of a row of losses
constexpr uint32_t kDoublingsMax = 6;
constexpr size_t kLineBytesMax = size_t{1} << 20;  // it repeats every label of the image

}  // namespace

Micros docker_events_wait(uint32_t losses) {
  return Micros{int64_t{1'000'000} << std::min(losses, kDoublingsMax)};
}

DockerEvents::DockerEvents(net::Loop& loop, const std::filesystem::path& socket,
                           const InstallId& install, Backend::Hear hear)
    : loop_(loop),
      socket_(socket.string()),
      install_(install),
      hear_(std::move(hear)),
      since_(net::Loop::now().wall),
      http_(loop, 1) {
  open();
}

void DockerEvents::open() {
  const Now now = net::Loop::now();
  opened_at_ = now.mono;
  until_ = now.wall + kStreamLasts;
  net::HttpCall call;
  // Every engine knows these words in its own newest version of the API.
  call.url = "http://docker/events?" + docker_events_query(install_, since_, until_);
  call.unix_socket = socket_;
  call.timeout = micros(kStreamLasts + kEndsLate);
  call.response_bytes_max = kLineBytesMax;
  call.on_line = [this](std::string_view line) { on_line(line); };
  http_.start(std::move(call), [this](const net::HttpOutcome&) { on_end(); });
}

// The listener may do anything, also destroy us: he is told from the loop.
void DockerEvents::on_line(std::string_view line) {
  const auto event = parse_docker_event(line);
  if (!event) return;
  since_ = std::max(since_, event->at);
  loop_.post([this, alive = std::weak_ptr(alive_), lease = event->lease] {
    if (!alive.expired()) hear_({lease});
  });
}

void DockerEvents::on_end() {
  const Now now = net::Loop::now();
  const auto again = [this, alive = std::weak_ptr(alive_)](bool lost) {
    if (alive.expired()) return;
    open();
    if (lost) hear_({});
  };
  if (now.wall >= until_) {
    since_ = std::max(since_, until_);
    return loop_.post([again] { again(false); });
  }
  losses_ = now.mono - opened_at_ >= kHeld ? 0 : losses_ + 1;
  loop_.after(docker_events_wait(losses_), [again] { again(true); });
}

}  // namespace paygress::backend
