// Whatever members, relays, guard and engine say, in any order: the machine stays sound, and its
// records fold to what it is. A malicious member can take the lease; it cannot end the process.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>

#include "core/base/random.h"
#include "lab.h"

namespace paygress::failover {
namespace {

class Chaos {
 public:
  Chaos(uint64_t seed, uint32_t rank)
      : random_(seed, rank, "any input"), lab_({rank, 3, 3, {}, {}}) {
    // Some kinds of input are left out of each run: a heartbeat every other moment would hide all
    // that follows from silence.
    kinds_ = static_cast<uint32_t>(random_.next()) | 0xff80;
    if (below(4) == 0) lab_.restart();
    phases_.insert(lab_.phase());
    if (below(2) == 0) lab_.connect();
    if (rank > 0 && below(4) > 0) lab_.beat(0, 0);
    if (below(2) == 0) lab_.advance(lab_.profile().silence);
  }

  void run(int inputs) {
    for (int i = 0; i < inputs && lab_.machine().terms(kLease) != nullptr; ++i) {
      one();
      if (const auto phase = lab_.machine().phase(kLease)) phases_.insert(*phase);
    }
  }
  Lab& lab() { return lab_; }
  const std::set<Phase>& phases() const { return phases_; }

 private:
  uint32_t below(uint32_t n) { return static_cast<uint32_t>(random_.below(n)); }
  uint64_t epoch() {
    if (below(40) == 0) return ~uint64_t{0} - below(2);
    return lab_.status().epoch + below(4) - (lab_.status().epoch > 0 ? below(2) : 0);
  }
  PublishNo published() {
    std::vector<PublishNo> ids;
    if (below(2) == 0)
      for (const PublishBeat& beat : lab_.all<PublishBeat>()) ids.push_back(beat.id);
    else
      for (const Publish& publish : lab_.all<Publish>()) ids.push_back(publish.id);
    if (ids.empty() || below(10) == 0) return {below(50)};
    return ids[ids.size() - 1 - below(static_cast<uint32_t>(std::min<size_t>(ids.size(), 2)))];
  }

  void one() {
    const uint32_t other = below(4);  // one of them is a stranger, and one may be ourselves
    const uint32_t kind = below(17);
    if ((kinds_ >> kind & 1) == 0) return;
    switch (kind) {
      case 0: lab_.beat(other, epoch(), below(5)); break;
      case 1: lab_.beat(other, std::nullopt, -static_cast<int64_t>(below(5))); break;
      case 2: lab_.promotion(other, epoch(), below(3) == 0); break;
      case 3: lab_.claim(other, epoch(), below(3) == 0); break;
      case 4:
        lab_.revocation(other, below(4) == 0 ? std::nullopt : std::optional(epoch()), below(5));
        break;
      case 5: lab_.unbroken(below(4), lab_.mono() - Micros{below(200'000'000)}); break;
      case 6: lab_.unbroken(below(4), std::nullopt); break;
      case 7:
      case 8:
      case 9: {
        const PublishNo id = published();
        lab_.publish_reaches(id, {below(3), below(3), below(4)});
        break;
      }
      case 10:
      case 11:
        if (lab_.count<Query>() > 0) lab_.answer({below(3), below(3), below(4)}, below(5) != 0);
        break;
      case 12: lab_.workload(static_cast<WorkloadNews>(below(5)), below(2) == 0); break;
      case 13:
        if (below(3) == 0)
          lab_.guard_has(below(2) == 0 ? std::nullopt
                                       : std::optional(lab_.mono() + Micros{below(90'000'000)}));
        else if (lab_.count<GuardHold>() > 0)
          lab_.guard_confirms();
        break;
      case 14: lab_.advance(Micros{below(below(4) == 0 ? 200'000'000 : 3'000'000)}); break;
      case 15:
        if (below(20) == 0) lab_.restart();
        break;
      case 16:
        if (below(60) == 0)
          lab_.with([&](Step& out) { lab_.machine().leave(lab_.now(), kLease, out); });
        break;
    }
  }

  RandomStream random_;
  Lab lab_;
  std::set<Phase> phases_;
  uint32_t kinds_ = 0;
};

RC_GTEST_PROP(AnyInput, LeavesTheMachineSound, ()) {
  const auto seed = *rc::gen::arbitrary<uint64_t>();
  const auto rank = *rc::gen::inRange<uint32_t>(0, 3);
  Chaos chaos(seed, rank);
  chaos.run(400);
  Failover again(key(rank), kDefaultProfile.heartbeat);
  for (const auto& record : chaos.lab().journal()) again.apply(record);
  RC_ASSERT(again.serves(kLease) == chaos.lab().machine().serves(kLease));
  RC_ASSERT(again.leases() == chaos.lab().machine().leases());
  if (again.leases().empty()) return;
  const ReplicaStatus folded = *again.status(kLease);
  const ReplicaStatus lives = chaos.lab().status();
  RC_ASSERT(folded.epoch == lives.epoch);
  RC_ASSERT(folded.fenced == lives.fenced);
  RC_ASSERT(folded.superseded == lives.superseded);
}

TEST(AnyInput, ReachesEveryPhase) {
  std::set<Phase> reached;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    Chaos chaos(seed, static_cast<uint32_t>(seed % 3));
    chaos.run(300);
    reached.insert(chaos.phases().begin(), chaos.phases().end());
  }
  for (int phase = 0; phase <= static_cast<int>(Phase::Leaving); ++phase)
    EXPECT_TRUE(reached.contains(static_cast<Phase>(phase))) << to_text(static_cast<Phase>(phase));
}

}  // namespace
}  // namespace paygress::failover
