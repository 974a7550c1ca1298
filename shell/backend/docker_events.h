// What a Docker engine says by itself of the ends of our containers (GET /events). The stream has
// an end that is renewed; one that is lost is opened anew, later each time, and the listener is
// told that words may be missing, so that he asks for the list.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/ids.h"
#include "core/base/units.h"
#include "shell/backend/backend.h"
#include "shell/net/http_client.h"
#include "shell/net/loop.h"

namespace paygress::backend {

class DockerEvents {
 public:
  // Begins at once.
  DockerEvents(net::Loop& loop, const std::filesystem::path& socket, const InstallId& install,
               Backend::Hear hear);

 private:
  void open();
  void on_line(std::string_view line);
  void on_end();

  net::Loop& loop_;
  const std::string socket_;
  const InstallId install_;
  const Backend::Hear hear_;
  UnixSeconds since_;  // everything earlier was heard
  UnixSeconds until_;  // of the stream that is open
  Micros opened_at_;
  uint32_t losses_ = 0;  // in a row
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
  net::HttpClient http_;  // last: its callbacks use the others
};

// How long to wait after so many losses in a row before it is opened anew.
Micros docker_events_wait(uint32_t losses);

}  // namespace paygress::backend
