// What lies in the directory of a virtual machine, and how its supervisor is spoken to. Shared by
// the KVM backend and by the supervisor program paygress-vm-init.
//
//   <root>/<name>/object.json  labels and spec without secrets; written once, at create
//                 disk.qcow2   the guest's disk, an overlay on the base image
//                 seed.iso     cloud-init's NoCloud seed; holds a hash of the password
//                 state/       sandbox_layout.h's lock, run, exit, log, args, groups; and below
//
// args are qemu's arguments, each ended by NUL. The supervisor is the one owner of its QMP
// connection, a socket pair: no path, no second client, nothing left behind by a crash. The machine
// lives no longer than the supervisor, and the supervisor's lock no longer than itself: so the lock
// alone tells whether the machine runs.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace paygress::backend {

inline constexpr int kQmpFd = 3;                    // qemu's end of the QMP socket pair
inline constexpr const char* kFilesFile = "files";  // VmFile lines
inline constexpr const char* kUserFile = "user";    // "<uid> <gid> <extra gid>", absent: ours
inline constexpr const char* kControlSocket = "control";
inline constexpr int kShutdownGraceSeconds = 20;  // from the power button to `quit`
inline constexpr int kQuitGraceSeconds = 3;       // from `quit` to SIGKILL

// A file that qemu gets as an open descriptor, so that it needs no right to open it.
struct VmFile {
  enum class Mode : uint8_t { Read, ReadWrite, Secret };  // Secret: a copy in memory (memfd)
  int fd = -1;
  Mode mode = Mode::Read;
  std::filesystem::path path;

  bool operator==(const VmFile&) const = default;
};
std::string files_text(const std::vector<VmFile>& files);
std::vector<VmFile> parse_files(const std::string& text);  // lines that are none are left out

// One word to the supervisor ("pause", "resume", "status", "stop") and its answer: "running",
// "paused", "stopping" or "error: ...". Nothing when it does not answer within `limit`.
std::optional<std::string> ask_supervisor(const std::filesystem::path& state,
                                          const std::string& word, std::chrono::milliseconds limit);

}  // namespace paygress::backend
