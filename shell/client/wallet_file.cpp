#include "shell/client/wallet_file.h"

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/crypto/hash.h"
#include "core/nostr/nip19.h"
#include "shell/base/clock.h"
#include "shell/base/entropy.h"
#include "shell/base/secret_file.h"

namespace paygress::client {
namespace {

constexpr long kRetryNanoseconds = 100'000'000;

std::string identity_path(const std::string& home) { return home + "/identity"; }
std::string wallet_path(const std::string& home) { return home + "/wallet"; }

journal::Visitor fold_into(consumer::WalletState& state) {
  return [&state](const journal::SealedBatch& batch) -> Result<void> {
    auto records = journal::decode_records(batch.payload);
    if (!records) return std::unexpected(records.error());
    for (const Bytes& record : *records)
      if (auto ok = state.apply_bytes(record); !ok) return ok;
    return {};
  };
}

Outcome<Identity> read_identity(const std::string& path) {
  auto text = shell::read_secret_file(path);
  if (!text) return failure(ExitCode::Failed, text.error());
  auto secret = nostr::parse_secret_key(text->reveal());
  if (!secret) return failure(ExitCode::Failed, path + ": " + to_string(secret.error()));
  auto key = crypto::Keypair::from(*secret);
  if (!key) return failure(ExitCode::Failed, path + ": " + to_string(key.error()));
  // One spelling, whatever the file's: the wallet of a key must not depend on how it is written.
  return Identity{*key, cashu::seed_from_key(nostr::to_nsec(*secret))};
}

}  // namespace

Outcome<Identity> load_identity(const std::string& home, bool* made) {
  if (made) *made = false;
  if (auto ok = shell::make_private_directory(home); !ok)
    return failure(ExitCode::Failed, ok.error());
  const std::string path = identity_path(home);
  if (access(path.c_str(), F_OK) == 0) return read_identity(path);
  if (access(wallet_path(home).c_str(), F_OK) == 0)
    return failure(ExitCode::Failed, path + " is gone, but its wallet is still there",
                   "Put the identity back, or use another --home.");
  shell::OsEntropy entropy;
  SecretKey secret;
  do entropy.fill(secret.bytes);
  while (!crypto::Keypair::from(secret));
  auto written = shell::write_secret_file(path, nostr::to_nsec(secret) + "\n", shell::Replace::No);
  // Another process may have been faster: then its identity counts.
  if (!written && access(path.c_str(), F_OK) != 0)
    return failure(ExitCode::Failed, written.error());
  if (made) *made = written.has_value();
  return read_identity(path);
}

Outcome<std::unique_ptr<WalletFile>> WalletFile::open(const std::string& home, const PubKey& owner,
                                                      Seconds patience) {
  const Micros give_up = shell::now().mono + micros(patience);
  for (;;) {
    std::unique_ptr<WalletFile> file(new WalletFile());
    shell::OsEntropy entropy;
    store::LedgerOptions options;
    options.directory = wallet_path(home);
    auto ledger = store::Ledger::open(options, entropy, fold_into(file->state_));
    if (!ledger) {
      const bool held = ledger.error().where.ends_with(store::kLockFile) &&
                        ledger.error().message.starts_with("is held");
      if (!held) return failure(ExitCode::Failed, ledger.error());
      if (shell::now().mono > give_up)
        return failure(ExitCode::Failed, "the wallet is in use by another paygress",
                       "Wait until it has finished, or use another --home.");
      const timespec pause{0, kRetryNanoseconds};
      nanosleep(&pause, nullptr);
      continue;
    }
    file->ledger_ = std::move(*ledger);
    file->state_.check_invariants();
    const auto hash = crypto::sha256(owner.bytes);
    if (file->state_.made() && file->state_.made()->owner != hash)
      return failure(ExitCode::Failed,
                     "the wallet belongs to another identity than " + identity_path(home));
    std::vector<consumer::Record> records;
    if (!file->state_.made()) records.push_back(consumer::WalletMade{hash});
    for (const uint64_t number : file->state_.stranded())
      records.push_back(
          consumer::TokenChanged{number, consumer::TokenFate::Returned, shell::now().wall});
    if (auto ok = file->commit(records); !ok) return std::unexpected(ok.error());
    return file;
  }
}

Outcome<consumer::WalletState> WalletFile::look(const std::string& home) {
  consumer::WalletState state;
  store::LedgerOptions options;
  options.directory = wallet_path(home);
  if (access((options.directory + "/" + store::kLedgerFile).c_str(), F_OK) != 0) return state;
  auto storage = store::open_ledger_read_only(options);
  if (!storage) return failure(ExitCode::Failed, storage.error());
  if (auto ok = (*storage)->scan(1, fold_into(state)); !ok)
    return failure(ExitCode::Failed, ok.error());
  return state;
}

Outcome<void> WalletFile::commit(const std::vector<consumer::Record>& records) {
  if (records.empty()) return {};
  journal::Records encoded;
  for (const consumer::Record& record : records) encoded.push_back(encode_bytes(record));
  if (auto ok = ledger_->append(encoded); !ok) return failure(ExitCode::Failed, ok.error());
  if (auto ok = ledger_->commit(); !ok) return failure(ExitCode::Failed, ok.error());
  for (const consumer::Record& record : records) state_.apply(record);
  return {};
}

}  // namespace paygress::client
