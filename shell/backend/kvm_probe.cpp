#include "shell/backend/kvm_probe.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <string_view>

#include "shell/backend/run_program.h"

namespace paygress::backend {
namespace {

namespace fs = std::filesystem;

// A boot sector that writes "PGok" to COM1 and halts. It also touches 32-bit registers and memory
// in a loop, so that more of the processor than its reset vector has to work.
//   mov dx,3F8h; mov al,'P'; out dx,al; mov al,'G'; out dx,al
//   mov ecx,20000h;  l: add [0x7F00],ecx; dec ecx; jnz l
//   mov al,'o'; out dx,al; mov al,'k'; out dx,al;  h: cli; hlt; jmp h
using namespace std::string_view_literals;
constexpr std::string_view kBootCode =
    "\xba\xf8\x03\xb0P\xee\xb0G\xee"
    "\x66\xb9\x00\x00\x02\x00\x66\x01\x0e\x00\x7f\x66\x49\x75\xf7"
    "\xb0o\xee\xb0k\xee\xfa\xf4\xeb\xfc"sv;
constexpr std::string_view kSpoken = "PGok";
constexpr size_t kDiskBytes = size_t{1} << 20;  // more than a cylinder, or the BIOS reads nothing

std::string boot_disk() {
  std::string disk(kDiskBytes, '\0');
  disk.replace(0, kBootCode.size(), kBootCode);
  disk[510] = '\x55';
  disk[511] = static_cast<char>(0xaa);
  return disk;
}

std::string why_silent(const ProgramResult& result) {
  std::string text = result.output.substr(0, 200);
  for (char& c : text)
    if (static_cast<unsigned char>(c) < ' ' || static_cast<unsigned char>(c) > '~') c = ' ';
  return text.find_first_not_of(' ') == text.npos ? "it starts, and the guest never speaks" : text;
}

}  // namespace

Result<Accelerator> find_accelerator(const fs::path& scratch, Acceleration wanted) {
  std::string name = scratch / (std::string(kProbePrefix) + "XXXXXX");
  const int fd = mkostemp(name.data(), O_CLOEXEC);
  const std::string content = boot_disk();
  const bool written =
      fd >= 0 && write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size());
  if (fd >= 0) close(fd);
  const fs::path disk = name;
  if (!written) return fail("cannot write", disk.string());
  const std::array candidates = {Accelerator{"kvm", "host"}, Accelerator{"kvm", "qemu64"},
                                 Accelerator{"tcg", "max"}};
  std::string tried;
  std::string spoke;
  Result<Accelerator> found = fail("");
  for (const auto& candidate : candidates) {
    const bool kvm = candidate.name == "kvm";
    if (kvm && wanted == Acceleration::Tcg) continue;
    if (kvm && access("/dev/kvm", R_OK | W_OK) != 0) {
      if (tried.empty()) tried = "/dev/kvm cannot be used";
      continue;
    }
    if (!kvm && wanted == Acceleration::Kvm) {
      tried += "; emulation is not asked for (kvm.accelerator)";
      continue;
    }
    // It never ends by itself; what it said until then is the answer.
    const auto limit = std::chrono::seconds(kvm ? 10 : 120);
    const auto result = run_program(
        // It must not outlive us, even if we die before the signal for that is set.
        {"setpriv",
         "--pdeathsig",
         "KILL",
         "--",
         "sh",
         "-c",
         "[ $PPID = \"$1\" ] && shift && exec \"$@\"",
         "sh",
         std::to_string(getpid()),
         "qemu-system-x86_64",
         "-nodefaults",
         "-no-user-config",
         "-display",
         "none",
         "-machine",
         "q35",
         "-accel",
         candidate.name,
         "-cpu",
         candidate.cpu,
         "-m",
         "32",
         "-drive",
         "if=none,id=d,format=raw,readonly=on,file=" + disk.string(),
         "-device",
         "virtio-blk-pci,drive=d,bootindex=1",
         "-chardev",
         "stdio,id=c,signal=off",
         "-serial",
         "chardev:c"},
        limit, kSpoken);
    if (result.output.find(kSpoken) != std::string::npos) {
      found = candidate;
      break;
    }
    tried += (tried.empty() ? "" : "; ") + candidate.name + " with -cpu " + candidate.cpu + ": " +
             why_silent(result);
  }
  unlink(disk.c_str());
  if (!found) return fail("no virtual machine runs here: " + tried);
  return found;
}

}  // namespace paygress::backend
