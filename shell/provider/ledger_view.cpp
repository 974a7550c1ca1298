#include "shell/provider/ledger_view.h"

#include <boost/json/array.hpp>

#include <fmt/format.h>

#include "core/provider/provider.h"
#include "core/provider/snapshot.h"
#include "shell/store/high_water.h"
#include "shell/store/sqlite_journal.h"

namespace paygress::daemon {
namespace {

namespace json = boost::json;

constexpr int64_t kMsatPerSat = 1000;

void check_money(const Books& books, Verification& found) {
  std::map<lease::MintUnit, MoneyLine> lines;
  for (const auto& [key, totals] : books.leases().totals())
    lines[key] = {key.first, key.second, totals, 0};
  for (const auto& [purse, balance] : books.wallet().wallet().balances()) {
    MoneyLine& line = lines[{purse.mint, purse.unit}];
    line.mint = purse.mint;
    line.unit = purse.unit;
    line.wallet = static_cast<int64_t>(balance) * (purse.unit == "sat" ? kMsatPerSat : 1);
  }
  for (const auto& [purse, flow] : books.wallet().flows()) {
    MoneyLine& line = lines[{purse.mint, purse.unit}];
    const auto msat = [&unit = purse.unit](cashu::Amount coins) {
      return static_cast<int64_t>(coins) * (unit == "sat" ? kMsatPerSat : 1);
    };
    line.left = msat(flow.given + flow.withdrawn + flow.fees) - msat(flow.found);
    line.restored = msat(flow.restored);
    line.lost = msat(flow.lost);
  }
  for (const auto& [key, line] : lines) {
    const lease::Totals& t = line.totals;
    if (t.redeemed != t.consumed + t.claims + t.kept + t.open)
      found.problems.push_back(fmt::format(
          "{} {}: {} msat were redeemed, but leases, claims and kept dust account for {}",
          line.mint, line.unit, t.redeemed.value, (t.consumed + t.claims + t.kept + t.open).value));
    if (line.wallet + line.left + line.lost != t.redeemed.value + line.restored)
      found.problems.push_back(fmt::format(
          "{} {}: the wallet holds {} msat, {} left it and {} are lost, but {} were redeemed and "
          "{} found",
          line.mint, line.unit, line.wallet, line.left, line.lost, t.redeemed.value,
          line.restored));
    found.money.push_back(line);
  }
}

void check_mark(const journal::Tip& mark, const journal::Tip& end, bool seen, Verification& found) {
  if (seen || mark.sequence == 0) return;
  if (mark.sequence > end.sequence)
    found.problems.push_back(fmt::format(
        "the ledger ends at batch {}, but batch {} was acknowledged: it was cut off, or an older "
        "copy was put back",
        end.sequence, mark.sequence));
  else
    found.problems.push_back(fmt::format(
        "batch {} is not the one that was acknowledged: an older copy was put back and written on",
        mark.sequence));
}

// Whether a snapshot is what the records up to its batch make. One that this program would not use
// is none.
class SnapshotCheck {
 public:
  SnapshotCheck(const journal::Header& header, const std::optional<store::Snapshot>& snapshot) {
    if (!snapshot || snapshot->install != header.install) return;
    const auto head = provider::snapshot_head(snapshot->state);
    if (!head) return;
    snapshot_ = &*snapshot;
    provider::Settings settings;
    settings.ranges = head->ranges;
    provider_ = std::make_unique<provider::Provider>(std::move(settings), entropy_, 0);
  }
  void fold(const provider::Record& record) {
    if (provider_ != nullptr) provider_->fold(record);
  }
  void end_of(const journal::SealedBatch& batch) {
    if (provider_ == nullptr || batch.sequence != snapshot_->tip.sequence) return;
    if (batch.hash == snapshot_->tip.hash) same_ = provider_->snapshot() == snapshot_->state;
    provider_.reset();
  }
  std::optional<std::string> problem() const {
    if (snapshot_ == nullptr || same_) return std::nullopt;
    return fmt::format(
        "{} is not what the ledger says at batch {}: stop the provider, remove that file and start "
        "again; the ledger itself is read whole then",
        store::kSnapshotFile, snapshot_->tip.sequence);
  }

 private:
  class NoEntropy final : public Entropy {
    void fill(std::span<uint8_t>) override { PG_CHECK(false); }
  };
  NoEntropy entropy_;  // folding draws nothing
  const store::Snapshot* snapshot_ = nullptr;
  std::unique_ptr<provider::Provider> provider_;  // up to the snapshot's batch
  bool same_ = false;
};

}  // namespace

Verification verify_ledger(const journal::Header& header, const std::optional<journal::Tip>& mark,
                           const std::optional<store::Snapshot>& snapshot, const Scan& scan) {
  Verification found;
  Books books;
  SnapshotCheck shortcut(header, snapshot);
  journal::ChainVerifier chain(header);
  bool mark_seen = false;
  const auto read = scan([&](const journal::SealedBatch& batch) -> Result<void> {
    if (auto fits = chain.take(batch); !fits) return fits;
    if (mark && mark->sequence == batch.sequence && mark->hash == batch.hash) mark_seen = true;
    ++found.batches;
    auto folded = each_record(batch, [&](uint64_t, const provider::Record& record) {
      ++found.records;
      books.fold(record);
      shortcut.fold(record);
    });
    shortcut.end_of(batch);
    return folded;
  });
  if (!read) {
    found.problems.push_back(to_string(read.error()));
    return found;  // what stands after a break proves nothing
  }
  if (mark) check_mark(*mark, chain.tip(), mark_seen, found);
  if (auto problem = shortcut.problem()) found.problems.push_back(*std::move(problem));
  books.check_invariants();
  check_money(books, found);
  return found;
}

json::object to_json(const Verification& found) {
  json::array money;
  for (const MoneyLine& line : found.money)
    money.push_back(json::object{{"mint", line.mint},
                                 {"unit", line.unit},
                                 {"redeemed_msat", line.totals.redeemed.value},
                                 {"consumed_msat", line.totals.consumed.value},
                                 {"open_msat", line.totals.open.value},
                                 {"claims_msat", line.totals.claims.value},
                                 {"kept_msat", line.totals.kept.value},
                                 {"refunded_msat", line.totals.given.value},
                                 {"withdrawn_msat", line.totals.withdrawn.value},
                                 {"restored_msat", line.restored},
                                 {"lost_msat", line.lost},
                                 {"wallet_msat", line.wallet}});
  json::array problems;
  for (const std::string& problem : found.problems) problems.emplace_back(problem);
  return {{"sound", found.problems.empty()},
          {"batches", found.batches},
          {"records", found.records},
          {"money", std::move(money)},
          {"problems", std::move(problems)}};
}

std::optional<store::Snapshot> usable_snapshot(const std::string& data_dir) {
  auto snapshot = store::read_snapshot(data_dir + "/" + store::kSnapshotFile);
  return snapshot ? *std::move(snapshot) : std::nullopt;
}

Result<ClosedLedger> open_closed_ledger(const std::string& data_dir) {
  store::LedgerOptions options;
  options.directory = data_dir;
  auto storage = store::open_ledger_read_only(options);
  if (!storage) return std::unexpected(storage.error());
  ClosedLedger ledger;
  ledger.storage = *std::move(storage);
  ledger.header = ledger.storage->header();
  auto mark = store::read_high_water(data_dir + "/" + store::kMarkFile, ledger.header.install);
  if (!mark) return std::unexpected(mark.error());
  ledger.mark = *mark;
  ledger.snapshot = usable_snapshot(data_dir);
  ledger.scan = [keep = ledger.storage](const journal::Visitor& visit) {
    return keep->scan(1, visit);
  };
  return ledger;
}

}  // namespace paygress::daemon
