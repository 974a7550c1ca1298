#include "core/nostr/filter_reader.h"

#include <algorithm>
#include <limits>

#include "core/base/check.h"
#include "core/nostr/event_reader.h"

namespace paygress::nostr {

FilterReader::Field FilterReader::field_of(std::string_view name) {
  if (name == "ids") return Field::Ids;
  if (name == "authors") return Field::Authors;
  if (name == "kinds") return Field::Kinds;
  if (name == "since") return Field::Since;
  if (name == "until") return Field::Until;
  if (name == "limit") return Field::Limit;
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  return name.size() == 2 && name[0] == '#' && is_letter(name[1]) ? Field::TagValues : Field::None;
}

bool FilterReader::begin_object() {
  if (in_object_) return wrong_type();
  return in_object_ = true;
}

bool FilterReader::end_object() {
  PG_CHECK(in_object_ && !in_list_);
  return done_ = true;
}

bool FilterReader::key(std::string_view name) {
  key_ = name;
  field_ = field_of(name);
  if (field_ == Field::None) return refuse("unsupported filter key", key_);
  if (std::find(seen_.begin(), seen_.end(), key_) != seen_.end())
    return refuse("duplicate key", key_);
  seen_.push_back(key_);
  return true;
}

bool FilterReader::begin_array() {
  if (!in_object_ || in_list_ || !is_list()) return wrong_type();
  list_empty_ = true;
  return in_list_ = true;
}

bool FilterReader::end_array() {
  in_list_ = false;
  return !list_empty_ || refuse("empty list", key_);
}

template <class Id>
bool FilterReader::add_id(std::vector<Id>& list, std::string_view value) {
  const auto id = Id::parse(value);
  if (!id) return refuse("not 64 lower-case hex digits", key_);
  list.push_back(*id);
  return true;
}

bool FilterReader::string(std::string_view value) {
  if (!in_list_) return wrong_type();
  list_empty_ = false;
  switch (field_) {
    case Field::Ids: return add_id(filter_.ids, value);
    case Field::Authors: return add_id(filter_.authors, value);
    case Field::TagValues:
      if ((key_ == "#e" || key_ == "#p") && !EventId::parse(value))
        return refuse("not 64 lower-case hex digits", key_);
      filter_.tags[key_.substr(1)].emplace_back(value);
      return true;
    default: return wrong_type();
  }
}

bool FilterReader::integer(int64_t value) {
  if (value < 0 || value > kCreatedAtMax) return refuse("out of range", key_);
  if (in_list_ != (field_ == Field::Kinds)) return wrong_type();
  switch (field_) {
    case Field::Kinds:
      if (value > std::numeric_limits<uint16_t>::max()) return refuse("out of range", key_);
      filter_.kinds.push_back(static_cast<uint16_t>(value));
      list_empty_ = false;
      return true;
    case Field::Since: filter_.since = UnixSeconds{value}; return true;
    case Field::Until: filter_.until = UnixSeconds{value}; return true;
    case Field::Limit:
      // Larger than any relay's own limit, so the same request.
      filter_.limit =
          static_cast<uint32_t>(std::min<int64_t>(value, std::numeric_limits<uint32_t>::max()));
      return true;
    default: return wrong_type();
  }
}

}  // namespace paygress::nostr
