#include "orders.h"

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <unordered_set>
#include <vector>

#include "core/base/codec.h"
#include "core/failover/failover.h"

namespace paygress::sim {
namespace {

using failover::Failover;
using failover::Heard;
using failover::Phase;
using failover::PublishNo;
using failover::RelayNo;

constexpr uint32_t kMembers = 3;
const LeaseId kLease{{1}};
const RelayNo kRelay{0};

PubKey key_of(uint32_t member) {
  PubKey key;
  key.bytes[0] = static_cast<uint8_t>(member + 1);
  return key;
}

struct Up {  // to the relay: an event, or a query
  std::optional<Heard> event;
  PublishNo publish;
  uint64_t query = 0;
};
struct Down {  // from the relay
  enum class Kind : uint8_t { Event, Taken, Answer } kind = Kind::Event;
  Heard event;
  PublishNo publish;
  uint64_t query = 0;
};

struct Member {
  std::unique_ptr<Failover> machine;
  std::deque<Up> up;
  std::deque<Down> down;
  std::set<EventId> seen;
  HashSink inputs;  // what it was told, in order: its state is a function of it
  int64_t stamps = 0;
  bool ran = false;
};

enum class What : uint8_t { Arrive, Deliver, Jump, Crash };
struct Move {
  What what;
  uint32_t member;
};

class Tiny {
 public:
  explicit Tiny(const failover::RulePolicy& policy) : policy_(policy) {
    for (uint32_t m = 0; m < kMembers; ++m) start(m);
    // The primary is fenced, everybody was told so, and everybody may read: all doubt at once.
    now_.mono = profile().silence + Micros{2'000'000};
    for (uint32_t m = 0; m < kMembers; ++m)
      tell(m, [&](failover::Step& out) { members_[m].machine->handle_timer(now_, out); });
    for (Member& member : members_)
      std::erase_if(member.up, [](const Up& up) { return up.event.has_value(); });
    for (uint32_t m = 0; m < kMembers; ++m) {  // what their queries bring is nothing, in any order
      arrive(m);
      deliver(m);
    }
  }

  std::vector<Move> moves(int jumps, int crashes) const {
    std::vector<Move> found;
    // With nothing else left that could come in between, a delivery commutes with every other move
    // (it only adds to the end of its member's own queue): one order of deliveries is all of them.
    if (jumps == 0 && crashes == 0)
      for (uint32_t m = 0; m < kMembers; ++m)
        if (!members_[m].down.empty() && members_[m].machine) return {{What::Deliver, m}};
    for (uint32_t m = 0; m < kMembers; ++m) {
      if (!members_[m].up.empty()) found.push_back({What::Arrive, m});
      if (!members_[m].down.empty() && members_[m].machine) found.push_back({What::Deliver, m});
      if (crashes > 0 && members_[m].machine) found.push_back({What::Crash, m});
    }
    if (jumps > 0) found.push_back({What::Jump, 0});
    return found;
  }

  void make(const Move& move) {
    switch (move.what) {
      case What::Arrive: arrive(move.member); break;
      case What::Deliver: deliver(move.member); break;
      case What::Jump: jump(); break;
      case What::Crash: members_[move.member].machine.reset(); break;
    }
  }

  // Who was ever allowed to run. No time passes in which a fence could end, so that one is the
  // most; who stops because it hears of another has run beside it.
  uint32_t ran() const {
    uint32_t n = 0;
    for (const Member& member : members_) n += member.ran ? 1 : 0;
    return n;
  }

  uint64_t digest() const {
    HashSink sink;
    encode(sink, arrivals_.digest());
    encode(sink, now_.mono);
    for (const Member& member : members_) {
      encode(sink, member.inputs.digest());
      encode(sink, static_cast<uint64_t>(member.up.size() << 8 | member.down.size()));
      encode(sink, member.machine != nullptr);
    }
    return sink.digest();
  }

 private:
  static failover::Profile profile() {
    failover::Profile p = failover::kDefaultProfile;
    p.backoff = {};
    return p;
  }

  void start(uint32_t m) {
    Member& member = members_[m];
    member.machine = std::make_unique<Failover>(key_of(m), profile().heartbeat, policy_);
    failover::Terms terms;
    terms.workload_id = "w";
    for (uint32_t i = 0; i < kMembers; ++i) terms.members.push_back({key_of(i), true});
    terms.rank = m;
    terms.relays = {"r"};
    terms.profile = profile();
    terms.quorums = failover::quorums(1);
    member.machine->apply(failover::Joined{kLease, terms});
    member.machine->apply(failover::Armed{kLease});
    if (m == 0) member.machine->apply(failover::HoldEnded{kLease, 0});
    tell(m, [&](failover::Step& out) {
      member.machine->recover(now_, out);
      member.machine->handle_unbroken(now_, kLease, kRelay, now_.mono, out);
      if (m == 0) return;
      market::Revocation revocation;
      revocation.workload_id = "w";
      revocation.primary_provider_npub = key_of(0);
      revocation.epoch = 0;
      member.machine->handle_heard(now_, {key_of(0), {}, {}, revocation}, out);
    });
  }

  template <class F>
  void tell(uint32_t m, F told) {
    failover::Step out;
    told(out);
    members_[m].machine->check_invariants();
    for (const auto& output : out.outputs) carry_out(m, output);
  }

  // Guard and engine answer at once: what is explored is the order of messages. Heartbeats are left
  // out: nobody's fence runs out here.
  void carry_out(uint32_t m, const failover::Output& output) {
    Member& member = members_[m];
    if (const auto* publish = std::get_if<failover::Publish>(&output)) {
      if (publish->not_after && now_.mono >= *publish->not_after) return;
      Heard heard;
      heard.author = key_of(m);
      heard.created_at = UnixSeconds{++member.stamps};
      heard.event.bytes = {static_cast<uint8_t>(m + 1), static_cast<uint8_t>(member.stamps)};
      std::visit([&](const auto& message) { heard.message = message; }, publish->message);
      member.up.push_back({heard, publish->id, 0});
    } else if (const auto* query = std::get_if<failover::Query>(&output)) {
      member.up.push_back({std::nullopt, {}, query->id.value});
    } else if (const auto* hold = std::get_if<failover::GuardHold>(&output)) {
      tell(m, [&](failover::Step& out) {
        member.machine->handle_guard_hold(now_, {kLease, hold->deadline}, out);
      });
    } else if (std::holds_alternative<failover::Run>(output)) {
      member.ran = true;
    } else if (std::holds_alternative<failover::Pause>(output)) {
      tell(m, [&](failover::Step& out) {
        member.machine->handle_workload(now_, kLease, failover::WorkloadNews::Stopped, false, out);
      });
    }
  }

  void arrive(uint32_t m) {
    const Up up = std::move(members_[m].up.front());
    members_[m].up.pop_front();
    encode(arrivals_, m);
    if (!up.event) {
      for (const auto& [key, event] : stored_)
        if (event.author != key_of(m))
          members_[m].down.push_back({Down::Kind::Event, event, {}, 0});
      members_[m].down.push_back({Down::Kind::Answer, {}, {}, up.query});
      return;
    }
    stored_[{up.event->author, up.event->message.index()}] = *up.event;
    for (uint32_t other = 0; other < kMembers; ++other) {
      if (other == m)
        members_[m].down.push_back({Down::Kind::Taken, {}, up.publish, 0});
      else
        members_[other].down.push_back({Down::Kind::Event, *up.event, {}, 0});
    }
  }

  void deliver(uint32_t m) {
    Member& member = members_[m];
    const Down down = std::move(member.down.front());
    member.down.pop_front();
    encode(member.inputs, static_cast<uint8_t>(down.kind));
    encode(member.inputs, down.event.event);
    tell(m, [&](failover::Step& out) {
      switch (down.kind) {
        case Down::Kind::Event:
          if (member.seen.insert(down.event.event).second)
            member.machine->handle_heard(now_, down.event, out);
          break;
        case Down::Kind::Taken:
          member.machine->handle_ok(now_, down.publish, kRelay, out);
          member.machine->handle_echo(now_, down.publish, kRelay, out);
          break;
        case Down::Kind::Answer:
          member.machine->handle_query_answer(now_, {down.query}, kRelay, true, out);
          break;
      }
    });
  }

  // Time stands still while messages travel, and then moves for all of them alike.
  void jump() {
    std::optional<Micros> next;
    for (const Member& member : members_) {
      if (!member.machine) continue;
      const auto at = member.machine->next_deadline();
      if (at && (!next || *at < *next)) next = at;
    }
    if (!next) return;
    now_.mono = std::max(now_.mono, *next);
    for (uint32_t m = 0; m < kMembers; ++m) {
      if (!members_[m].machine) continue;
      encode(members_[m].inputs, now_.mono);
      tell(m, [&](failover::Step& out) { members_[m].machine->handle_timer(now_, out); });
    }
  }

  const failover::RulePolicy policy_;
  Now now_{Micros{1'000'000}, UnixSeconds{1'000}};
  Member members_[kMembers];
  std::map<std::pair<PubKey, size_t>, Heard> stored_;
  HashSink arrivals_;
};

class Explorer {
 public:
  explicit Explorer(const OrdersSetup& setup) : setup_(setup) {}

  OrdersFound run() {
    visit(Tiny(setup_.policy), setup_.time_jumps, setup_.crashes);
    return found_;
  }

 private:
  // The machines cannot be copied: for every move but the last the state is made again.
  void visit(Tiny state, int jumps, int crashes) {
    HashSink key;
    encode(key, state.digest());
    encode(key, static_cast<uint32_t>(jumps * 16 + crashes));
    if (!seen_.insert(key.digest()).second) return;
    if (++found_.states >= setup_.states_max) {
      found_.complete = false;
      return;
    }
    if (state.ran() > 1 && ++found_.two_copies == 1) found_.first = path();
    const std::vector<Move> moves = state.moves(jumps, crashes);
    if (moves.empty()) {
      ++found_.ends;
      found_.holders += state.ran() == 1 ? 1 : 0;
      return;
    }
    for (size_t i = 0; i < moves.size() && found_.complete; ++i) {
      const bool last = i + 1 == moves.size();
      Tiny next = last ? std::move(state) : again();
      way_.push_back(moves[i]);
      next.make(moves[i]);
      visit(std::move(next), jumps - (moves[i].what == What::Jump ? 1 : 0),
            crashes - (moves[i].what == What::Crash ? 1 : 0));
      way_.pop_back();
    }
  }

  Tiny again() const {
    Tiny state(setup_.policy);
    for (const Move& move : way_) state.make(move);
    return state;
  }

  std::string path() const {
    constexpr const char* kNames[] = {"arrives from ", "delivered to ", "time passes ",
                                      "crash of "};
    std::string text;
    for (const Move& move : way_)
      text +=
          std::string(kNames[static_cast<size_t>(move.what)]) + std::to_string(move.member) + "; ";
    return text;
  }

  const OrdersSetup setup_;
  OrdersFound found_;
  std::unordered_set<uint64_t> seen_;
  std::vector<Move> way_;
};

}  // namespace

OrdersFound explore_orders(const OrdersSetup& setup) { return Explorer(setup).run(); }

}  // namespace paygress::sim
