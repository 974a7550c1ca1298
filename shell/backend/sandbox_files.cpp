#include "shell/backend/sandbox_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include "shell/backend/hello.h"
#include "shell/backend/object_dir.h"
#include "shell/backend/run_program.h"
#include "shell/backend/sandbox_command.h"
#include "shell/backend/sandbox_layout.h"
#include "shell/backend/shadow.h"

namespace paygress::backend {
namespace {

namespace fs = std::filesystem;
using workload::Spec;

constexpr auto kKeyLimit = std::chrono::seconds(20);

Result<void> put(const fs::path& file, std::string_view content, mode_t mode) {
  if (!write_file_whole(file, content, mode)) return fail("cannot write", file.string());
  return {};
}

// Copied, not mounted: the tenant owns its /etc, and a mount inside could be led astray by it.
void copy_host_etc(const fs::path& etc) {
  const auto how = fs::copy_options::recursive | fs::copy_options::copy_symlinks;
  for (auto name : {"resolv.conf", "localtime", "ld.so.cache", "services", "protocols",
                    "alternatives", "terminfo"}) {
    std::error_code ignored;  // each is a convenience
    const fs::path from = fs::path("/etc") / name;
    if (fs::is_directory(from, ignored))
      fs::copy(from, etc / name, how, ignored);
    else
      fs::copy_file(from, etc / name, ignored);
  }
  std::error_code ignored;
  fs::create_directories(etc / "ssl/certs", ignored);
  fs::copy_file("/etc/ssl/certs/ca-certificates.crt", etc / "ssl/certs/ca-certificates.crt",
                ignored);
}

Result<void> make_etc(const fs::path& etc, const Spec& spec) {
  copy_host_etc(etc);
  std::string hash = "*";
  if (!spec.root_password.empty()) hash = shadow_hash(spec.root_password);
  if (hash.empty()) return fail("the password cannot be hashed");
  struct File {
    const char* name;
    std::string content;
    mode_t mode;
  };
  const File files[] = {
      {"passwd",
       "root:x:0:0:root:/root:/bin/sh\n"
       "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
       0644},
      {"group", "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n", 0644},
      {"shadow", "root:" + hash + ":19000::::::\nnobody:*:19000::::::\n", 0600},
      {"shells", "/bin/sh\n/bin/bash\n", 0644},
      {"nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n", 0644},
      {"hostname", spec.name + "\n", 0644},
      {"hosts", "127.0.0.1 localhost\n::1 localhost\n", 0644},
      {"profile", profile_script(spec), 0600},
  };
  for (const auto& file : files)
    if (auto ok = put(etc / file.name, file.content, file.mode); !ok) return ok;
  return {};
}

Result<void> make_host_key(const fs::path& run) {
  const auto made =
      run_program({"dropbearkey", "-t", "ed25519", "-f", (run / "hostkey").string()}, kKeyLimit);
  if (made.status != 0) return fail("dropbearkey: " + made.output);
  return {};
}

Result<void> fill(const fs::path& dir, const fs::path& final_dir, const Spec& spec,
                  const std::string& guard_group, const SandboxHost& host) {
  std::error_code error;
  for (auto part : {"", "etc", "home", "data", "www", "run", "state"}) {
    fs::create_directory(dir / part, error);
    // The object's own directory is what keeps other users of the machine out.
    fs::permissions(dir / part, fs::perms(*part == '\0' ? 0700 : 0755), error);
    if (error) return fail("cannot make a directory: " + error.message(), (dir / part).string());
  }
  const bool ssh = sandbox_serves_ssh(spec, host);
  if (auto ok = make_etc(dir / "etc", spec); !ok) return ok;
  if (ssh)
    if (auto ok = make_host_key(dir / "run"); !ok) return ok;
  if (auto ok = put(dir / "run/start", start_script(spec, host), 0755); !ok) return ok;
  if (spec.template_slug == kHelloTemplate)
    if (auto ok = put(dir / "www/index.html", hello_page(spec), 0644); !ok) return ok;
  std::string options;
  for (const auto& option : bwrap_options(spec, host, final_dir)) options += option + '\0';
  if (auto ok = put(dir / "state" / kArgsFile, options, 0600); !ok) return ok;
  return put_object(dir, {spec, ssh, guard_group});
}

}  // namespace

Result<void> make_sandbox(const fs::path& root, const Spec& spec, const std::string& guard_group,
                          const SandboxHost& host) {
  return make_object(root, spec.name, [&](const fs::path& draft) {
    return fill(draft, root / spec.name, spec, guard_group, host);
  });
}

}  // namespace paygress::backend
