// A consumer's warm-standby workloads: bought as `paygress spawn` does, with what it knows of the
// market and the production core's rules (core/consumer/standby_set.h). Each member gets a token of
// its own, the standbys first and the primary last; either all confirm or what did is given back,
// and a standby that refused and was not named by the owner is replaced. Follows who holds each
// workload, and what the members write.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/consumer/standby_set.h"
#include "sim/world/consumer_node.h"

namespace paygress::sim {

class StandbyBuyer {
 public:
  StandbyBuyer(World& world, ConsumerNode& owner);
  void start();
  void buy(const Purchase& purchase);

  // --- what the consumer routes here; true: it was for a set ---
  bool hear(const nostr::pool::Delivered& delivered, const std::string& relay);
  bool on_notice(const PubKey& from, const market::Reply& reply);
  // An order of the consumer's has its first final answer.
  void on_final(size_t order);

  // Each set that its owner paid for and did not end runs somewhere, once, and its owner was told
  // where. Says what is not so.
  void audit_rest() const;

 private:
  struct Member {
    uint32_t number = 0;
    PubKey key;
    std::string tier;
  };
  //   Asking   member after member
  //   Failed   one did not confirm: what others confirmed, or still will, is given back
  //   Built    all have confirmed
  //   Ending   its owner ends it, the holder last
  enum class State : uint8_t { Asking, Failed, Built, Ending };
  struct Set {
    const Purchase* purchase;
    size_t repairs = 0;
    std::set<PubKey> refused;
    State state = State::Asking;
    std::string workload_id;
    std::vector<Member> members;               // by rank
    market::SpawnRequest message;              // what is the same for all
    std::vector<std::optional<size_t>> parts;  // orders, by rank
    std::set<size_t> given_back;               // ranks whose stop was asked for
    std::set<size_t> stops;                    // their orders
    size_t asked = 0;
    std::optional<consumer::HolderView> view;
    std::map<PubKey, market::AccessDetails> letters;  // the newest epoch that each wrote of
  };

  void look(const Purchase& purchase, size_t tries);
  bool choose(const Purchase& purchase, const std::set<PubKey>& refused,
              std::vector<consumer::SetMember>& members) const;
  void begin(const Purchase& purchase, size_t repairs, std::set<PubKey> refused,
             const std::vector<consumer::SetMember>& members);
  void ask_next(size_t set);
  void on_part(size_t set, size_t rank);
  void fail_set(size_t set);
  void repair(size_t set, size_t rank);
  void built(size_t set);
  void give_back(size_t set, size_t rank);
  void end(const Purchase& purchase);
  void end_holder(size_t set);
  std::optional<size_t> holder_rank(const Set& set) const;
  bool is_final(size_t order) const { return owner_.orders()[order].final.has_value(); }
  bool confirmed(size_t order) const;
  void audit(const Set& set) const;
  void audit_told(const Set& set, size_t rank) const;
  std::string state_of(const Set& set, const Member& member) const;
  bool can_run(const Set& set, const Member& member) const;

  World& world_;
  ConsumerNode& owner_;
  consumer::Directory directory_;
  std::vector<Set> sets_;
  std::map<size_t, std::pair<size_t, size_t>> part_of_;  // order -> set and rank
  std::set<const Purchase*> ended_;                      // by their owner, whatever came of them
};

}  // namespace paygress::sim
