// Hash containers that can be looked up in but not iterated: the order of a hash table must never
// reach a decision (docs/determinism.md). Use std::map where order is needed.
#pragma once

#include <algorithm>
#include <unordered_map>
#include <utility>
#include <vector>

namespace paygress {

template <class Key, class Value, class Hash>
class LookupMap {
 public:
  using key_type = Key;
  using mapped_type = Value;

  // Pointers stay valid until the entry is erased.
  Value* find(const Key& key) {
    auto it = map_.find(key);
    return it == map_.end() ? nullptr : &it->second;
  }
  const Value* find(const Key& key) const {
    auto it = map_.find(key);
    return it == map_.end() ? nullptr : &it->second;
  }
  bool contains(const Key& key) const { return map_.contains(key); }
  // Returns false and changes nothing when the key is present.
  template <class V>
  bool insert(const Key& key, V&& value) {
    return map_.try_emplace(key, std::forward<V>(value)).second;
  }
  Value& operator[](const Key& key) { return map_[key]; }
  bool erase(const Key& key) { return map_.erase(key) != 0; }
  size_t size() const { return map_.size(); }
  bool empty() const { return map_.empty(); }
  void clear() { map_.clear(); }
  // For writing all of it down: sorts first.
  template <class Visit>
  void each_in_order(Visit visit) const {
    std::vector<const std::pair<const Key, Value>*> entries;
    entries.reserve(map_.size());
    for (const auto& entry : map_) entries.push_back(&entry);
    std::ranges::sort(entries, {}, [](const auto* entry) { return entry->first; });
    for (const auto* entry : entries) visit(entry->first, entry->second);
  }

 private:
  std::unordered_map<Key, Value, Hash> map_;  // Boost's flat map costs a second in every file
};

}  // namespace paygress
