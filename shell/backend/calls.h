// Exactly one answer per call, and none later than its deadline: what every backend needs.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string_view>

#include "core/workload/backend.h"
#include "shell/backend/backend.h"
#include "shell/net/loop.h"

namespace paygress::backend {

inline constexpr size_t kCallsOutstandingMax = 1024;

// Lives on the loop's thread. Held by a shared_ptr: what is still outstanding when the last owner
// lets go is dropped without an answer.
class Calls : public std::enable_shared_from_this<Calls> {
 public:
  // Gives the answer; the first one counts and later ones are ignored. Call it on the loop's
  // thread, and not from inside Backend::call().
  using Finish = std::function<void(workload::Answer)>;

  explicit Calls(net::Loop& loop) : loop_(loop) {}
  ~Calls();
  Calls(const Calls&) = delete;
  Calls& operator=(const Calls&) = delete;

  // Registers the call and starts its deadline. When kCallsOutstandingMax are outstanding, `done`
  // gets Failed/Busy and the result is empty.
  Finish begin(const workload::Call& call, Backend::Done done);

 private:
  struct Entry {
    workload::Answer unknown;  // given when the deadline passes
    Backend::Done done;
    net::TimerId timer;
  };
  void finish(uint64_t key, workload::Answer answer);

  net::Loop& loop_;
  std::map<uint64_t, Entry> entries_;
  uint64_t next_key_ = 1;
};

// call.deadline within 0 and kDeadlineMax.
Micros bounded_deadline(const workload::Call& call);

// An answer that repeats who asked. The message is cut to kMessageBytesMax.
workload::Answer answer_to(const workload::Call& call, workload::Outcome outcome,
                           workload::Fault fault = workload::Fault::None, std::string message = {});

// Names become paths and URLs: lower-case letters, digits and '-', at most 63, no leading '-'.
bool is_object_name(std::string_view name);
// Why the call cannot be carried out by any engine (no name, no spec, a spec of another name, a
// wrong address, no limits); nothing when it can.
// Engines that do not say that they can put a workload into the guard's group refuse it.
enum class Guarding : bool { Impossible, Possible };
std::string what_is_wrong_with(const workload::Call& call,
                               Guarding guarding = Guarding::Impossible);

}  // namespace paygress::backend
