#include "shell/dev/sweep.h"

#include <filesystem>
#include <optional>

#include "core/base/check.h"
#include "shell/backend/backend.h"
#include "shell/base/entropy.h"
#include "shell/store/sqlite_journal.h"

namespace paygress::dev {
namespace {

using workload::Verb;

constexpr Micros kCallWithin = 20'000'000_us;

// One call to its end.
workload::Answer ask(net::Loop& loop, backend::Backend& engine, Verb verb,
                     const std::string& name = {}) {
  workload::Call call;
  call.verb = verb;
  call.name = name;
  call.deadline = kCallWithin;
  std::optional<workload::Answer> answer;
  engine.call(call, [&](workload::Answer got) { answer = std::move(got); });
  loop.run_until([&] { return answer.has_value(); }, kCallWithin + kCallWithin);
  PG_CHECK(answer.has_value());  // the backend's contract: not later than the deadline
  return *std::move(answer);
}

Result<InstallId> install_of(const std::string& data_dir) {
  shell::OsEntropy entropy;
  store::LedgerOptions options;
  options.directory = data_dir;
  const auto ignore = [](const journal::SealedBatch&) { return Result<void>(); };
  auto ledger = store::Ledger::open(options, entropy, ignore);
  if (!ledger) return std::unexpected(ledger.error());
  return (*ledger)->header().install;
}

}  // namespace

Result<void> sweep_workloads(const std::string& data_dir, provider::BackendType kind) {
  std::error_code error;
  if (!std::filesystem::exists(data_dir + "/" + store::kLedgerFile, error)) return {};
  const auto install = install_of(data_dir);
  if (!install) return std::unexpected(install.error());
  backend::BackendConfig config;
  config.install = *install;
  config.kind = kind == provider::BackendType::Docker ? backend::Kind::Docker
                                                      : backend::Kind::Sandbox;
  config.sandbox.root = data_dir + "/sandbox";
  net::Loop loop;
  auto engine = backend::make_backend(loop, config);
  if (!engine) return std::unexpected(engine.error());
  const auto found = ask(loop, **engine, Verb::List);
  if (found.outcome != workload::Outcome::Done) return fail(found.message, "list");
  for (const workload::Object& object : found.objects) {
    const auto removed = ask(loop, **engine, Verb::Remove, object.name);
    if (removed.outcome != workload::Outcome::Done) return fail(removed.message, object.name);
  }
  const auto left = ask(loop, **engine, Verb::List);
  if (left.outcome != workload::Outcome::Done) return fail(left.message, "list");
  if (!left.objects.empty()) return fail("is still there", left.objects[0].name);
  return {};
}

}  // namespace paygress::dev
