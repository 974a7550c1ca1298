// Leases by a name that is used again when a lease is over: whoever has it now, and for each
// earlier owner the newest of his own. What is owed of an ended lease is asked for by its name.
#pragma once

#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "core/base/ids.h"

namespace paygress::lease {

template <class Name>
class NameIndex {
 public:
  void add(const Name& name, const PubKey& owner, const LeaseId& lease) {
    former_.erase({owner, name});
    const auto [it, added] = newest_.try_emplace(name, owner, lease);
    if (added) return;
    if (it->second.first != owner) former_[{it->second.first, name}] = it->second.second;
    it->second = {owner, lease};
  }
  // No effect when the name leads elsewhere by now.
  void erase(const Name& name, const PubKey& owner, const LeaseId& lease) {
    const auto newest = newest_.find(name);
    if (newest != newest_.end() && newest->second.second == lease) newest_.erase(newest);
    const auto former = former_.find({owner, name});
    if (former != former_.end() && former->second == lease) former_.erase(former);
  }
  std::optional<LeaseId> newest(const Name& name) const {
    const auto it = newest_.find(name);
    return it == newest_.end() ? std::nullopt : std::optional(it->second.second);
  }
  // This owner's, where he has or had one of that name; else whoever's.
  std::optional<LeaseId> find(const Name& name, const PubKey& owner) const {
    const auto it = former_.find({owner, name});
    return it == former_.end() ? newest(name) : std::optional(it->second);
  }

  template <class Self>
  static auto durable(Self& self) {
    return std::tie(self.newest_, self.former_);
  }

 private:
  std::map<Name, std::pair<PubKey, LeaseId>> newest_;
  std::map<std::pair<PubKey, Name>, LeaseId> former_;  // where the newest is somebody else's
};

}  // namespace paygress::lease
