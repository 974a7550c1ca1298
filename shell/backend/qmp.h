// The QEMU Machine Protocol (QEMU 7.2, docs/interop/qmp-spec.txt) as a state machine: bytes in,
// bytes out. The greeting comes first; then qmp_capabilities; then commands, answered by id in
// between which events may come.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace paygress::backend {

class Qmp {
 public:
  // `problem` is empty when the command succeeded.
  using Done = std::function<void(const std::string& problem)>;
  struct Events {
    std::function<void(std::string_view bytes)> send;
    std::function<void()> ready;                         // commands may be given from here on
    std::function<void(const std::string& name)> event;  // "SHUTDOWN", "STOP", "RESUME", ...
  };
  static constexpr size_t kLineBytesMax = size_t{1} << 20;

  explicit Qmp(Events events) : events_(std::move(events)) {}

  // What qemu wrote. False when it is not QMP; the connection is then of no use.
  bool receive(std::string_view bytes);
  // Before ready() it waits. Commands are given without arguments: none of ours has any.
  void command(const std::string& name, Done done);

 private:
  bool receive_line(std::string_view line);
  void write(const std::string& name, Done done);

  Events events_;
  std::string input_;
  bool greeted_ = false;
  bool ready_ = false;
  uint64_t next_id_ = 1;
  std::map<uint64_t, Done> outstanding_;
  std::map<uint64_t, std::pair<std::string, Done>> waiting_;
};

}  // namespace paygress::backend
