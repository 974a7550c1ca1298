#include "shell/dev/sweep.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <vector>

#include "core/base/check.h"
#include "shell/backend/backend.h"
#include "shell/base/entropy.h"
#include "shell/guard/visit.h"
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

// A guard of the provider's own has no other groups, and ends when it has none; of the packaged one
// only this provider's are touched. Without a guard there is nothing to do.
template <class Request>
Result<void> ask_for_each_group(const guard::GuardPlace& place,
                                const std::vector<workload::Object>& objects) {
  const auto known = guard::visit(place.directory, {workload::GuardQuery{}});
  if (!known) return {};
  std::vector<guard::Request> requests;
  for (const workload::GuardGroup& group : known->front().groups) {
    const auto named = [&](const workload::Object& object) { return object.name == group.name; };
    if (!place.program.empty() || std::ranges::any_of(objects, named))
      requests.push_back(Request{{}, group.name});
  }
  if (requests.empty()) return {};  // without groups it may have left since it was asked
  const auto answers = guard::visit(place.directory, requests);
  if (!answers) return std::unexpected(answers.error());
  for (const workload::GuardAnswered& answer : *answers)
    if (answer.outcome != workload::Outcome::Done) return fail(answer.message, "guard");
  return {};
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
                : kind == provider::BackendType::Kvm  ? backend::Kind::Kvm
                                                      : backend::Kind::Sandbox;
  config.sandbox.root = data_dir + "/sandbox";
  config.kvm.root = data_dir + "/kvm";
  net::Loop loop;
  auto engine = backend::make_backend(loop, config);
  if (!engine) return std::unexpected(engine.error());
  const auto found = ask(loop, **engine, Verb::List);
  if (found.outcome != workload::Outcome::Done) return fail(found.message, "list");
  const auto place = guard::guard_place(data_dir, install->hex());
  // Frozen processes would not let their object be removed.
  if (auto ok = ask_for_each_group<workload::GuardKill>(place, found.objects); !ok) return ok;
  for (const workload::Object& object : found.objects) {
    const auto removed = ask(loop, **engine, Verb::Remove, object.name);
    if (removed.outcome != workload::Outcome::Done) return fail(removed.message, object.name);
  }
  const auto left = ask(loop, **engine, Verb::List);
  if (left.outcome != workload::Outcome::Done) return fail(left.message, "list");
  if (!left.objects.empty()) return fail("is still there", left.objects[0].name);
  return ask_for_each_group<workload::GuardRelease>(place, found.objects);
}

}  // namespace paygress::dev
