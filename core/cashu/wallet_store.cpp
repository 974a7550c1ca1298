#include "core/cashu/wallet_store.h"

#include <algorithm>

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
  reserved_.erase(secret);
}

void WalletStore::reserve(const Purse& purse, const std::string& secret) {
  PG_CHECK(contains(purse, secret));
  PG_CHECK(reserved_.insert(secret).second);
}

void WalletStore::release(const Purse& purse, const std::string& secret) {
  PG_CHECK(contains(purse, secret));
  PG_CHECK(reserved_.erase(secret) == 1);
}

std::vector<Proof> WalletStore::spendable(const Purse& purse) const {
  std::vector<Proof> found = proofs(purse);
  std::erase_if(found, [&](const Proof& proof) { return reserved_.contains(proof.secret); });
  return found;
}

Amount WalletStore::balance(const Purse& purse) const {
  const auto balance = balances_.find(purse);
  return balance == balances_.end() ? 0 : balance->second;
}

Amount WalletStore::reserved(const Purse& purse) const {
  Amount free = 0;
  for (const Proof& proof : spendable(purse)) free += proof.amount;
  return balance(purse) - free;
}

std::vector<Proof> WalletStore::proofs(const Purse& purse) const {
  std::vector<Proof> found;
  const auto owned = proofs_.find(purse);
  if (owned == proofs_.end()) return found;
  found.reserve(owned->second.size());
  for (const auto& [secret, proof] : owned->second) found.push_back(proof);
  return found;
}

const Proof* WalletStore::find(const Purse& purse, const std::string& secret) const {
  const auto owned = proofs_.find(purse);
  if (owned == proofs_.end()) return nullptr;
  const auto proof = owned->second.find(secret);
  return proof == owned->second.end() ? nullptr : &proof->second;
}

void WalletStore::check_invariants() const {
  PG_CHECK(proofs_.size() == balances_.size());
  for (const std::string& secret : reserved_)
    PG_CHECK(std::any_of(proofs_.begin(), proofs_.end(),
                         [&](const auto& entry) { return entry.second.contains(secret); }));
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
