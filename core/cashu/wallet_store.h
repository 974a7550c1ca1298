// Our proofs: what the wallet owns, by mint and unit. Part of the fold: changed only by apply()s.
#pragma once

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "core/base/result.h"
#include "core/cashu/types.h"

namespace paygress::cashu {

class WalletStore {
 public:
  struct Purse {
    std::string mint;
    std::string unit;
    auto operator<=>(const Purse&) const = default;

    template <class Self>
    static auto durable(Self& self) {
      return std::tie(self.mint, self.unit);
    }
  };

  // A secret is stored once: adding it again is a broken invariant.
  void add(const Purse& purse, const Proof& proof);
  // The proof is spent or given away. Unknown secrets are a broken invariant.
  void remove(const Purse& purse, const std::string& secret);

  // The proof is an input of an operation under way: still ours, and nobody else's to spend.
  // Precondition: owned, and not reserved.
  void reserve(const Purse& purse, const std::string& secret);
  // Takes it back. Precondition: reserved.
  void release(const Purse& purse, const std::string& secret);

  // In the purse's unit, reserved proofs included; 0 for an unknown purse.
  Amount balance(const Purse& purse) const;
  // The reserved ones alone.
  Amount reserved(const Purse& purse) const;
  const std::map<Purse, Amount>& balances() const { return balances_; }
  // Ordered by secret.
  std::vector<Proof> proofs(const Purse& purse) const;
  // Those that no operation has reserved. Ordered by secret.
  std::vector<Proof> spendable(const Purse& purse) const;
  // Null when it is not ours; until the next change.
  const Proof* find(const Purse& purse, const std::string& secret) const;
  bool contains(const Purse& purse, const std::string& secret) const {
    return find(purse, secret) != nullptr;
  }
  // Balances are the sums of the proofs.
  void check_invariants() const;

  template <class Self>
  static auto durable(Self& self) {
    return std::tie(self.proofs_, self.balances_, self.reserved_);
  }

 private:
  std::map<Purse, std::map<std::string, Proof>> proofs_;
  std::map<Purse, Amount> balances_;
  std::set<std::string> reserved_;
};

}  // namespace paygress::cashu
