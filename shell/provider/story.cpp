#include "shell/provider/story.h"

#include <fmt/format.h>
#include <boost/json/array.hpp>

#include <algorithm>
#include <set>

#include "core/cashu/types.h"
#include "core/market/messages.h"
#include "core/market/time_text.h"

namespace paygress::daemon {
namespace {

namespace json = boost::json;
using provider::OwnRecord;
using provider::Record;

constexpr std::string_view kPod = "container-";

// --- which lease -------------------------------------------------------------------------------

struct Candidate {
  LeaseId lease;
  std::string pod;
  std::string workload_id;
};

std::expected<LeaseId, NoStory> choose(const std::vector<Candidate>& all, std::string_view name) {
  std::set<LeaseId> by_id;
  std::optional<LeaseId> by_name;
  for (const Candidate& c : all) {
    if (!name.empty() && c.lease.hex().starts_with(name)) by_id.insert(c.lease);
    if (name == c.pod || name == c.pod.substr(kPod.size()) ||
        (!c.workload_id.empty() && name == c.workload_id))
      by_name = c.lease;
  }
  if (by_name && !by_id.contains(*by_name)) return *by_name;
  if (by_id.size() == 1) return *by_id.begin();
  if (by_id.empty()) return std::unexpected(NoStory{true, "no lease is called so"});
  return std::unexpected(
      NoStory{true, fmt::format("{} leases begin so: write more of the id", by_id.size())});
}

// --- what a record is about --------------------------------------------------------------------

std::optional<LeaseId> lease_of(const lease::LeaseRecord& record, const LeaseId& wanted) {
  return std::visit(
      [&](const auto& r) -> std::optional<LeaseId> {
        if constexpr (requires { r.leases; })
          return std::ranges::find(r.leases, wanted) == r.leases.end() ? std::nullopt
                                                                       : std::optional(wanted);
        else if constexpr (requires { r.lease; })
          return r.lease;
        else
          return std::nullopt;
      },
      record);
}

LeaseId lease_of(const workload::WorkloadRecord& record) {
  return std::visit(
      [](const auto& r) {
        if constexpr (requires { r.spec; })
          return r.spec.labels.lease;
        else
          return r.lease;
      },
      record);
}

// Operations and requests of one lease: they are named by the lease's records, some of them later
// in the ledger than the operation's own.
struct Threads {
  std::set<OpId> ops;
  std::set<provider::RequestKey> requests;
  std::set<ClaimId> claims;
};

bool is_owed_on(const lease::ClaimOwed& owed, const LeaseId& lease, const Threads& threads) {
  return owed.lease == lease || (!owed.lease && threads.ops.contains(owed.op));
}

void note_threads(const Record& record, const LeaseId& lease, Threads& threads) {
  if (const auto* of_lease = std::get_if<lease::LeaseRecord>(&record)) {
    const auto* owed = std::get_if<lease::ClaimOwed>(of_lease);
    if (owed != nullptr && is_owed_on(*owed, lease, threads)) threads.claims.insert(owed->claim);
    if (lease_of(*of_lease, lease) != lease) return;
    std::visit(
        [&](const auto& r) {
          if constexpr (requires { r.op; }) threads.ops.insert(r.op);
        },
        *of_lease);
  } else if (const auto* redeem = std::get_if<cashu::RedeemRecord>(&record)) {
    const auto* refund = std::get_if<cashu::RefundOpened>(redeem);
    if (refund != nullptr && threads.claims.contains(refund->claim)) threads.ops.insert(refund->op);
  } else if (const auto* own = std::get_if<OwnRecord>(&record)) {
    const auto* opened = std::get_if<provider::RequestOpened>(own);
    if (opened == nullptr || opened->lease != lease) return;
    threads.requests.insert(opened->key);
    if (opened->op) threads.ops.insert(*opened->op);
  }
}

// --- words -------------------------------------------------------------------------------------

std::string seconds_of(Micros used) { return std::to_string(used.value / 1'000'000); }

std::string_view reason_text(lease::EndReason reason) {
  switch (reason) {
    case lease::EndReason::Expired: return "the paid time is used up";
    case lease::EndReason::Failed: return "the workload failed for good";
    case lease::EndReason::Stopped: return "its owner stopped it";
  }
  return "unknown";
}

struct Words {
  std::string operator()(const lease::LeaseReserved& r) const {
    const std::string what = r.template_slug.empty() ? r.image : "template " + r.template_slug;
    return fmt::format("reserved as {}{} for {}: tier {} at {} msat/s, {}, ssh port {}", kPod,
                       r.number, r.owner.hex(), r.tier.id, r.tier.rate_per_second.value, what,
                       r.ssh_port ? std::to_string(*r.ssh_port) : "none");
  }
  std::string operator()(const lease::LeaseVoided&) const {
    return "the reservation was given up: no money came";
  }
  std::string operator()(const lease::LeasePaid& r) const {
    return fmt::format("paid: {} msat from {} buy {} s, {} msat credit", r.lot.msat.value,
                       r.lot.mint, r.bought.value, r.credit.value);
  }
  std::string operator()(const lease::LeaseStarted& r) const {
    return fmt::format("the workload runs: the meter starts{}",
                       r.serves_ssh ? "" : " (it serves no SSH)");
  }
  std::string operator()(const lease::LeasesSighted&) const { return "seen running"; }
  std::string operator()(const lease::LeaseDown& r) const {
    return fmt::format(
        "down since {} ({}); {} s used, the meter stands", market::to_human_time(r.since),
        r.own_exit ? "it ended by itself" : "engine, host or provider", seconds_of(r.used));
  }
  std::string operator()(const lease::LeaseUp& r) const {
    return fmt::format("runs again; {} s are charged for the restart", r.charged_backoff.value);
  }
  std::string operator()(const lease::LeaseExtended& r) const {
    return fmt::format("topped up: {} msat buy {} s more, {} msat credit", r.lot.msat.value,
                       r.bought.value, r.credit.value);
  }
  std::string operator()(const lease::LeaseEnding& r) const {
    return fmt::format("ending: {}; {} s used", reason_text(r.reason), seconds_of(r.used));
  }
  std::string operator()(const lease::LeaseEnded& r) const {
    return fmt::format(
        "ended, its object is gone: {} s used for {} msat, {} msat owed back, {} kept",
        r.used.value, r.consumed.value, r.claimed.value, r.kept.value);
  }
  std::string operator()(const lease::LeaseForgotten&) const { return "forgotten"; }
  std::string operator()(const lease::LeasePortsMoved& r) const {
    const auto first = r.ssh_port        ? r.ssh_port
                       : r.ports.empty() ? std::optional<uint16_t>()
                                         : r.ports.front().host_port;
    return fmt::format("its ports begin at {} now: one was in use", first.value_or(0));
  }
  std::string operator()(const lease::LeasePlaced& r) const {
    return fmt::format("the cluster runs it on {}, reached at {}", r.node, r.address);
  }
  std::string operator()(const lease::ClaimOwed& r) const {
    return fmt::format("{} msat are owed to {}: {}", r.lot.msat.value, r.owner.hex(), r.reason);
  }
  std::string operator()(const lease::DustKept& r) const {
    return fmt::format("{} msat are too little for a token and kept", r.lot.msat.value);
  }

  std::string operator()(const lease::LeaseCancelled&) const {
    return "its owner stopped it before it was paid: what arrives comes back";
  }
  std::string operator()(const lease::LeaseSettled& r) const {
    return fmt::format("it had stopped before its owner asked for the stop: {} s are charged",
                       seconds_of(r.used));
  }
  std::string operator()(const lease::LeaseCleared&) const {
    return "its ports, number and capacity are free again";
  }
  std::string operator()(const lease::ClaimPaid& r) const {
    return fmt::format("refunded: a token over {} msat; the mint's fee was {}, {} are kept",
                       r.face.value, r.fee.value, r.kept.value);
  }
  std::string operator()(const lease::ClaimKept&) const {
    return "what is owed is worth no more than the mint's fee, and kept";
  }
  std::string operator()(const lease::ClaimRedeemed&) const {
    return "its owner has spent the refund token";
  }
  std::string operator()(const lease::ClaimForgotten&) const { return {}; }
  std::string operator()(const lease::WithdrawalOpened& r) const {
    return fmt::format("{} msat {} the wallet: withdrawal {} ({}{}{})", r.lot.msat.value,
                       r.invoice.empty() ? "leave" : "at most leave", r.withdrawal.hex(), r.purpose,
                       r.invoice.empty() ? "" : ", to pay an invoice",
                       r.forced ? ", forced: also of what is owed" : "");
  }
  std::string operator()(const lease::WithdrawalPaid& r) const {
    return fmt::format("withdrawal {} is a token over {} msat; the mint's fee was {}",
                       r.withdrawal.hex(), r.face.value, r.fee.value);
  }
  std::string operator()(const lease::WithdrawalDropped& r) const {
    if (r.problem.empty())
      return fmt::format("withdrawal {} was given up: nothing was sent", r.withdrawal.hex());
    return fmt::format("withdrawal {}: the invoice is not paid ({}); the mint's fee was {}",
                       r.withdrawal.hex(), r.problem, r.fee.value);
  }
  std::string operator()(const lease::InvoiceSettled& r) const {
    return fmt::format("withdrawal {} has paid its invoice of {} msat; it cost {} more",
                       r.withdrawal.hex(), r.amount.value, r.fee.value);
  }

  std::string operator()(const workload::WorkloadWanted&) const {
    return "a workload is wanted on the engine";
  }
  std::string operator()(const workload::WorkloadGeneration& r) const {
    return fmt::format("the engine is asked for object number {}", r.generation);
  }
  std::string operator()(const workload::WorkloadMoved& r) const {
    return fmt::format("workload: {}{}{}", workload::to_string(r.state),
                       r.reason.empty() ? "" : ", ", r.reason);
  }
  std::string operator()(const workload::WorkloadRetired&) const {
    return "the workload is to be stopped and removed";
  }
  std::string operator()(const workload::WorkloadPorts&) const {
    return "the workload is to be published on other ports";
  }
  std::string operator()(const workload::WorkloadGone&) const {
    return "the engine confirms that nothing of it is left";
  }

  std::string operator()(const cashu::OpOpened& r) const {
    cashu::Amount sum = 0;
    for (const auto& proof : r.inputs) sum += proof.amount;
    return fmt::format("redeeming a token of {} {} at {}", sum, r.unit, r.mint);
  }
  std::string operator()(const cashu::AttemptMade& r) const {
    return fmt::format("the swap is prepared: {} outputs on keyset {}, counters from {}",
                       r.attempt.outputs.size(), r.attempt.keyset, r.attempt.counter_start);
  }
  std::string operator()(const cashu::HoldEnded&) const {
    return "the mint took too long: nothing is posted any more, it is only asked";
  }
  std::string operator()(const cashu::EmptySince&) const {
    return "the mint has signed nothing of it so far";
  }
  std::string operator()(const cashu::OpDone& r) const {
    cashu::Amount sum = 0;
    for (const auto& proof : r.proofs) sum += proof.amount;
    return fmt::format("redeemed: {} are ours, the mint's fee was {}{}", sum, r.fee,
                       r.late ? " (late)" : "");
  }
  std::string operator()(const cashu::OpClosed& r) const {
    return r.verdict == cashu::Verdict::Released ? "not redeemed: the token is unspent"
                                                 : "not redeemed: somebody else spent the token";
  }
  std::string operator()(const cashu::OpForgotten&) const { return "the token is watched no more"; }

  std::string operator()(const cashu::RefundOpened& r) const {
    return fmt::format("making a refund token of {} {} at {}", r.face, r.unit, r.mint);
  }
  std::string operator()(const cashu::RefundDone& r) const {
    return fmt::format("the refund token is made{}",
                       r.found ? " (by an earlier ledger: this one was rolled back?)" : "");
  }

  std::string operator()(const provider::RequestOpened& r) const {
    const char* kind = r.kind == provider::RequestKind::TopUp  ? "top-up"
                       : r.kind == provider::RequestKind::Stop ? "stop"
                                                               : "spawn";
    return fmt::format("a {} request from {} over {}", kind, r.requester.hex(),
                       r.transport == provider::Transport::Nip17 ? "NIP-17" : "NIP-04");
  }
  std::string operator()(const provider::RequestAnswered& r) const {
    const auto reply = market::parse_reply(r.reply);
    if (!reply) return "answered";
    if (const auto* error = std::get_if<market::ErrorReply>(&*reply))
      return fmt::format("answered: {} ({})", error->error_type, error->message);
    if (const auto* end = std::get_if<market::StatusReply>(&*reply))
      return fmt::format("answered: {}, {} msat come back", end->status,
                         end->refund_msat.value_or(Msat{0}).value);
    return std::holds_alternative<market::TopUpReply>(*reply) ? "answered: topped up"
                                                              : "answered: access details";
  }
  std::string operator()(const provider::AnswerDelivered&) const {
    return "a quorum of relays took the answer";
  }
  std::string operator()(const provider::TermsFrozen& r) const {
    return fmt::format("warm standby of workload {}: member {} of {}, {} relays",
                       r.terms.workload_id, r.terms.rank, r.terms.members.size(),
                       r.terms.relays.size());
  }
  std::string operator()(const provider::NoticeOwed&) const {
    return "its owner is told unasked how it stands";
  }

  std::string operator()(const failover::Joined&) const { return "fail-over looks after it"; }
  std::string operator()(const failover::Left&) const { return "fail-over looks after it no more"; }
  std::string operator()(const failover::Armed&) const { return "the holder was heard of: armed"; }
  std::string operator()(const failover::EpochSeen& r) const {
    return fmt::format("somebody promoted with epoch {}", r.epoch);
  }
  std::string operator()(const failover::Claimed& r) const {
    return fmt::format("claims epoch {}", r.epoch);
  }
  std::string operator()(const failover::ClaimEnded&) const { return "the claim is withdrawn"; }
  std::string operator()(const failover::Promoted& r) const {
    return fmt::format("takes over with epoch {}", r.epoch);
  }
  std::string operator()(const failover::HoldEnded& r) const {
    return fmt::format("stopped, and confirmed: epoch {} has ended here", r.epoch);
  }
  std::string operator()(const failover::PromotionWithdrawn& r) const {
    return fmt::format("the promotion of epoch {} is withdrawn", r.epoch);
  }
  std::string operator()(const failover::Superseded& r) const {
    return fmt::format("{} holds it with epoch {}", r.by.hex(), r.epoch);
  }
  std::string operator()(const failover::CopyRemoved&) const {
    return "the superseded copy is gone";
  }
  std::string operator()(const failover::Leaving&) const {
    return "its lease is over: nothing is claimed here any more";
  }
  template <class Other>
  std::string operator()(const Other&) const {
    return {};
  }
};

bool belongs(const Record& record, const LeaseId& lease, const Threads& threads) {
  if (const auto* of_lease = std::get_if<lease::LeaseRecord>(&record)) {
    if (const auto* dust = std::get_if<lease::DustKept>(of_lease))
      return threads.ops.contains(dust->op);
    const auto about_claim = std::visit(
        [&](const auto& r) {
          if constexpr (requires { r.claim; })
            return threads.claims.contains(r.claim);
          else
            return false;
        },
        *of_lease);
    if (about_claim) return true;
    return lease_of(*of_lease, lease) == lease;
  }
  if (const auto* of_workload = std::get_if<workload::WorkloadRecord>(&record))
    return lease_of(*of_workload) == lease;
  if (const auto* of_failover = std::get_if<failover::FailoverRecord>(&record))
    return failover::lease_of(*of_failover) == lease;
  if (const auto* redeem = std::get_if<cashu::RedeemRecord>(&record))
    return std::visit(
        [&](const auto& r) {
          if constexpr (requires { r.op; })
            return threads.ops.contains(r.op);
          else
            return false;  // of the whole wallet
        },
        *redeem);
  return std::visit(
      [&](const auto& r) {
        if constexpr (requires { r.lease.bytes; })
          return r.lease == lease;
        else if constexpr (requires { r.key; })
          return threads.requests.contains(r.key);
        else
          return false;
      },
      std::get<OwnRecord>(record));
}

}  // namespace

std::optional<UnixSeconds> time_of(const Record& record) {
  return std::visit(
      [](const auto& group) {
        return std::visit(
            [](const auto& r) -> std::optional<UnixSeconds> {
              if constexpr (requires { r.opened_at; })
                return r.opened_at;
              else if constexpr (requires { r.at.wall; })
                return r.at.wall;
              else if constexpr (requires { r.at; })
                return r.at;
              else
                return std::nullopt;
            },
            group);
      },
      record);
}

std::string in_words(const Record& record) {
  return std::visit([](const auto& group) { return std::visit(Words{}, group); }, record);
}

std::expected<Story, NoStory> tell_story(const Scan& scan, std::string_view name) {
  std::vector<Candidate> candidates;
  const auto unreadable = [](const Error& error) {
    return std::unexpected(NoStory{false, to_string(error)});
  };
  const auto found = each_record(scan, [&](uint64_t, const Record& record) {
    const auto* of_lease = std::get_if<lease::LeaseRecord>(&record);
    const auto* r = of_lease == nullptr ? nullptr : std::get_if<lease::LeaseReserved>(of_lease);
    if (r != nullptr)
      candidates.push_back(
          {r->lease, std::string(kPod) + std::to_string(r->number), r->workload_id});
  });
  if (!found) return unreadable(found.error());
  const auto lease = choose(candidates, name);
  if (!lease) return std::unexpected(lease.error());
  Threads threads;
  const auto noted = each_record(
      scan, [&](uint64_t, const Record& record) { note_threads(record, *lease, threads); });
  if (!noted) return unreadable(noted.error());
  Story story{*lease, {}};
  UnixSeconds last;
  const auto told = each_record(scan, [&](uint64_t batch, const Record& record) {
    last = time_of(record).value_or(last);
    if (!belongs(record, *lease, threads)) return;
    std::string text = in_words(record);
    if (!text.empty()) story.lines.push_back({batch, last, std::move(text)});
  });
  if (!told) return unreadable(told.error());
  return story;
}

json::object to_json(const Story& story) {
  json::array lines;
  for (const StoryLine& line : story.lines)
    lines.push_back(json::object{
        {"batch", line.batch}, {"at", market::to_rfc3339(line.at)}, {"text", line.text}});
  return {{"lease", story.lease.hex()}, {"story", std::move(lines)}};
}

}  // namespace paygress::daemon
