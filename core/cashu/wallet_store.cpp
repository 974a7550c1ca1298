#include "core/cashu/wallet_store.h"

#include "core/base/check.h"

namespace paygress::cashu {

void WalletStore::add(const Purse& purse, const Proof& proof) {
  PG_CHECK(!proof.secret.empty() && proof.amount > 0);
  PG_CHECK(proofs_[purse].emplace(proof.secret, proof).second);
  PG_CHECK(!__builtin_add_overflow(balances_[purse], proof.amount, &balances_[purse]));
}

void WalletStore::remove(const Purse& purse, const std::string& secret) {
  const auto owned = proofs_.find(purse);
  PG_CHECK(owned != proofs_.end());
  const auto proof = owned->second.find(secret);
  PG_CHECK(proof != owned->second.end());
  balances_[purse] -= proof->second.amount;
  owned->second.erase(proof);
}

Amount WalletStore::balance(const Purse& purse) const {
  const auto balance = balances_.find(purse);
  return balance == balances_.end() ? 0 : balance->second;
}

std::vector<Proof> WalletStore::proofs(const Purse& purse) const {
  std::vector<Proof> found;
  const auto owned = proofs_.find(purse);
  if (owned == proofs_.end()) return found;
  found.reserve(owned->second.size());
  for (const auto& [secret, proof] : owned->second) found.push_back(proof);
  return found;
}

bool WalletStore::contains(const Purse& purse, const std::string& secret) const {
  const auto owned = proofs_.find(purse);
  return owned != proofs_.end() && owned->second.contains(secret);
}

void WalletStore::check_invariants() const {
  PG_CHECK(proofs_.size() == balances_.size());
  for (const auto& [purse, owned] : proofs_) {
    Amount sum = 0;
    for (const auto& [secret, proof] : owned) {
      PG_CHECK(secret == proof.secret);
      sum += proof.amount;
    }
    PG_CHECK(sum == balance(purse));
  }
}

}  // namespace paygress::cashu
