// An ordered map that is looked up in by hash: iterated in the order of its keys like std::map, so
// that no hash order reaches a decision, while a lookup among a million costs a few cache misses
// instead of one per level of a tree (docs/benchmarks.md). For tables that grow with the number of
// leases; std::map is smaller and simpler for all others.
#pragma once

#include <cstddef>
#include <map>
#include <utility>

#include "core/base/check.h"
#include "core/base/lookup.h"

namespace paygress {

template <class Key, class Value, class Hash>
class IndexedMap {
  struct Entry;
  using Order = std::map<Key, Entry*>;
  struct Entry {
    Value value;
    typename Order::iterator place;
  };

  template <class Base, class Reference>
  class Iterator {
   public:
    explicit Iterator(Base at) : at_(at) {}
    std::pair<const Key&, Reference> operator*() const { return {at_->first, at_->second->value}; }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    bool operator==(const Iterator&) const = default;

   private:
    Base at_;
  };

 public:
  using key_type = Key;
  using mapped_type = Value;

  IndexedMap() = default;
  IndexedMap(const IndexedMap&) = delete;
  IndexedMap& operator=(const IndexedMap&) = delete;

  // Pointers and references stay valid until the entry is erased.
  Value* find(const Key& key) {
    Entry* entry = entries_.find(key);
    return entry == nullptr ? nullptr : &entry->value;
  }
  const Value* find(const Key& key) const {
    const Entry* entry = entries_.find(key);
    return entry == nullptr ? nullptr : &entry->value;
  }
  // Precondition: the key is present.
  Value& at(const Key& key) {
    Value* found = find(key);
    PG_CHECK(found != nullptr);
    return *found;
  }
  const Value& at(const Key& key) const {
    const Value* found = find(key);
    PG_CHECK(found != nullptr);
    return *found;
  }
  bool contains(const Key& key) const { return entries_.contains(key); }
  // Precondition: the key is absent.
  Value& insert(const Key& key, Value value) {
    PG_CHECK(entries_.insert(key, Entry{std::move(value), {}}));
    Entry& entry = *entries_.find(key);
    entry.place = order_.emplace(key, &entry).first;
    return entry.value;
  }
  // Precondition: the key is present, and no part of the entry itself.
  void erase(const Key& key) {
    Entry* entry = entries_.find(key);
    PG_CHECK(entry != nullptr);
    order_.erase(entry->place);
    entries_.erase(key);
  }
  template <class Visit>
  void each_in_order(Visit visit) const {
    for (auto [key, value] : *this) visit(key, value);
  }
  std::size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }

  // In the order of the keys: for (auto [key, value] : map).
  auto begin() { return Iterator<typename Order::iterator, Value&>(order_.begin()); }
  auto end() { return Iterator<typename Order::iterator, Value&>(order_.end()); }
  auto begin() const {
    return Iterator<typename Order::const_iterator, const Value&>(order_.begin());
  }
  auto end() const { return Iterator<typename Order::const_iterator, const Value&>(order_.end()); }

 private:
  LookupMap<Key, Entry, Hash> entries_;
  Order order_;
};

}  // namespace paygress
