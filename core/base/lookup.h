// Hash containers that can be looked up in but not iterated: the order of a hash table must never
// reach a decision (docs/determinism.md). Use std::map where order is needed.
#pragma once

#include <unordered_map>
#include <utility>

namespace paygress {

template <class Key, class Value, class Hash>
class LookupMap {
 public:
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

 private:
  std::unordered_map<Key, Value, Hash> map_;  // Boost's flat map costs a second in every file
};

}  // namespace paygress
