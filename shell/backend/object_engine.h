// What the engines share whose objects are directories with a supervisor each (object_dir.h): which
// call goes where, whose objects are seen, what a repeated Create finds. Blocking; blocking.h puts
// it behind the loop. Calls for different names may run at once on different threads.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/workload/backend.h"
#include "shell/backend/calls.h"
#include "shell/backend/object_dir.h"
#include "shell/backend/run_program.h"

namespace paygress::backend {

class ObjectEngine {
 public:
  virtual ~ObjectEngine() = default;
  ObjectEngine(const ObjectEngine&) = delete;
  ObjectEngine& operator=(const ObjectEngine&) = delete;

  // The call's deadline is not looked at.
  workload::Answer handle(const workload::Call& call);

 protected:
  using Answer = workload::Answer;
  using Call = workload::Call;

  // Paths are absolute. Makes the root directory and sweeps what a crash left in it.
  ObjectEngine(std::filesystem::path root, std::filesystem::path supervisor, InstallId install,
               Guarding guarding);

  virtual Answer probe(const Call& call) = 0;
  // Of a spec of this install under a name that is free.
  virtual Answer make(const Call& call) = 0;
  // Of an object of this install that is there.
  virtual Answer start(const Call& call, const StoredObject& object) = 0;
  virtual Answer pause(const Call& call, const StoredObject& object) = 0;
  virtual Answer resume(const Call& call, const StoredObject& object) = 0;
  virtual Answer stop(const Call& call, const StoredObject& object) = 0;
  virtual Answer remove(const Call& call, const StoredObject& object) = 0;
  // Of one that its supervisor holds.
  virtual workload::Running running_state(const StoredObject& object) const = 0;

  static Answer done(const Call& call, std::string message = {});
  static Answer failed(const Call& call, workload::Fault fault, std::string message);
  static Answer uncertain(const Call& call, std::string message);
  std::filesystem::path state(const std::string& name) const { return root_ / name / "state"; }
  std::string group_name(const std::string& name) const;
  // The end of what it wrote to its log.
  std::string log_tail(const std::string& name) const;
  // Why nothing can be made or started here; nothing when it can.
  std::optional<Answer> unusable(const Call& call) const;
  // Why the object is not to be started now: it is paused, has served already, or a port is in use.
  // Nothing for one whose start a provider did not live to see the end of: that is to be awaited.
  std::optional<Answer> not_startable(const Call& call, const StoredObject& object,
                                      const std::vector<uint16_t>& ports) const;
  // Of one that does not run, as far as is known. Its exit status: shell/backend/keeper.h.
  ProgramResult run_supervisor(const std::string& name, std::chrono::milliseconds limit) const;
  // What a start says of one that was launched, `in_time` unless it was silent until its limit.
  // That it serves is written down first: whoever closes its ports later is not killed for it when
  // it is started again. One that failed is the caller's to kill.
  Answer launched(const Call& call, bool in_time, const std::string& silence) const;
  // For its supervisor, which joins them.
  bool write_groups(const std::string& name,
                    const std::vector<std::filesystem::path>& groups) const;

  const std::filesystem::path root_;
  const std::filesystem::path supervisor_;
  const InstallId install_;

 private:
  Answer capacity(const Call& call) const;
  Answer list(const Call& call) const;
  Answer create(const Call& call);
  Answer act(const Call& call, const StoredObject& object);
  workload::Object view(const std::string& name, const StoredObject& stored) const;

  const Guarding guarding_;
};

}  // namespace paygress::backend
