// This program once more, inside a virtual machine with a kernel that has what this one may lack:
// emulated, made of what is installed here (tests/tools/program_guest.sh), gone with its one run.
#pragma once

#include <fstream>
#include <iostream>
#include <regex>
#include <string>

#include "tests/conformance/backend/enclosure.h"
#include "tests/conformance/backend/real_client.h"

namespace paygress::conformance {

inline bool in_guest() { return std::getenv("PAYGRESS_IN_GUEST") != nullptr; }

class Guest {
 public:
  // `files`: what the program needs there besides itself.
  explicit Guest(const std::vector<std::string>& files) {
    std::string pattern = fs::temp_directory_path() / "paygress-guest-XXXXXX";
    dir_ = mkdtemp(pattern.data());
    const std::string self = fs::read_symlink("/proc/self/exe");
    std::string command = PAYGRESS_TEST_DIR "/../../tools/program_guest.sh " + dir_.string() + " " +
                          engine_image("guest-kernel") + " " + self + " " + self;
    for (const auto& file : files) command += " " + file;
    made_ = output_of(command + " >&2 && echo made") == "made\n";
  }
  ~Guest() {
    end();
    fs::remove_all(dir_);
  }
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;

  // Runs it to its end. What it said on the serial line, or nothing when it could not be run.
  std::string run() {
    if (!made_) return {};
    // The emulator has hung before the guest's kernel was up: once in some three hundred boots.
    // That, and nothing else, is begun again, once.
    for (int boots = 0; boots < 2; ++boots) {
      begin();
      if (eventually([this] { return said().contains("ramdisk: the kernel is up"); })) break;
      std::cerr << "the guest hung before its kernel was up\n";
      end();
    }
    const auto give_up = std::chrono::steady_clock::now() + kRunLimit;
    while (waitpid(emulator_, nullptr, WNOHANG) == 0) {
      if (std::chrono::steady_clock::now() > give_up) {
        std::cerr << "the guest did not end in time\n";
        end();
        return said();
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    emulator_ = -1;
    return said();
  }

 private:
  static constexpr std::chrono::minutes kRunLimit{12};

  std::string said() const {
    std::string text = content_of(dir_ / "console");
    std::erase(text, '\r');
    return text;
  }
  void begin() {
    const std::string disk = (dir_ / "disk").string();
    fs::remove(dir_ / "console");
    emulator_ = fork();
    if (emulator_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const std::string kernel = (dir_ / "vmlinuz").string();
    const std::string initrd = (dir_ / "initrd").string();
    execlp("qemu-system-x86_64", "qemu-system-x86_64", "-machine", "pc,accel=tcg", "-cpu", "max",
           "-smp", "2", "-m", "1536", "-nodefaults", "-no-reboot", "-display", "none", "-serial",
           ("file:" + (dir_ / "console").string()).c_str(), "-kernel", kernel.c_str(), "-initrd",
           initrd.c_str(), "-append", "console=ttyS0 quiet panic=-1", "-drive",
           ("file=" + disk + ",format=raw,if=virtio,cache=unsafe").c_str(), nullptr);
    _exit(127);
  }
  void end() {
    if (emulator_ <= 0) return;
    kill(emulator_, SIGKILL);
    waitpid(emulator_, nullptr, 0);
    emulator_ = -1;
  }

  fs::path dir_;
  bool made_ = false;
  pid_t emulator_ = -1;
};

// How many checks ran to their end in the guest and passed; none when one failed, was skipped, or
// the program did not end well.
inline size_t checks_passed(const std::string& said) {
  std::smatch ran;
  std::smatch passed;
  static const std::regex kRan(R"(\[==========\] (\d+) tests? from .* ran\.)");
  static const std::regex kPassed(R"(\[  PASSED  \] (\d+) tests?\.)");
  const bool whole = std::regex_search(said, ran, kRan) &&
                     std::regex_search(said, passed, kPassed) && ran[1] == passed[1];
  const bool well = said.contains("guest-init: it ended with 0 ") &&
                    !said.contains("[  FAILED  ]") && !said.contains("[  SKIPPED ]");
  return whole && well ? std::stoul(ran[1]) : 0;
}

}  // namespace paygress::conformance
