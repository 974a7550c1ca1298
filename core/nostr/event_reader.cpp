#include "core/nostr/event_reader.h"

#include <algorithm>
#include <iterator>
#include <limits>

#include "core/base/check.h"

namespace paygress::nostr {
namespace {

// Inside the brackets of `tags`, and of one tag.
constexpr size_t kTagsDepth = 2;
constexpr size_t kTagDepth = 3;

}  // namespace

bool EventReader::wrong_type() {
  return refuse("wrong type", field_ == Field::Unknown ? "" : kNames[static_cast<int>(field_)]);
}

bool EventReader::ignored() { return depth_ > 0 && field_ == Field::Unknown ? true : wrong_type(); }

bool EventReader::begin_object() {
  PG_CHECK(!done_);
  if (depth_ > 0 && field_ != Field::Unknown) return wrong_type();
  ++depth_;
  return true;
}

bool EventReader::end_object() {
  PG_CHECK(depth_ > 0);
  if (--depth_ > 0) return true;
  for (size_t i = 0; i < std::size(kNames); ++i) {
    const auto field = static_cast<Field>(i);
    const bool optional = shape_ == Shape::Rumor && (field == Field::Id || field == Field::Sig);
    if (!optional && !has(field)) return refuse("missing", kNames[i]);
  }
  done_ = true;
  return true;
}

bool EventReader::begin_array() {
  if (field_ == Field::Tags && depth_ == kTagsDepth)
    event_.tags.emplace_back();
  else if (depth_ == 0 || !(field_ == Field::Unknown || (field_ == Field::Tags && depth_ == 1)))
    return wrong_type();
  ++depth_;
  return true;
}

bool EventReader::end_array() {
  PG_CHECK(depth_ > 1);
  if (field_ == Field::Tags && depth_ == kTagDepth && event_.tags.back().empty())
    return refuse("empty tag", "tags");
  --depth_;
  return true;
}

bool EventReader::key(std::string_view name) {
  if (depth_ > 1) return true;  // inside an unknown field
  const auto known = std::find(std::begin(kNames), std::end(kNames), name);
  field_ = static_cast<Field>(known - std::begin(kNames));
  if (field_ == Field::Sig && shape_ == Shape::Rumor) field_ = Field::Unknown;
  if (field_ == Field::Unknown) return unknown_key(name);
  if (has(field_)) return refuse("duplicate key", *known);
  seen_ |= 1u << static_cast<int>(field_);
  return true;
}

bool EventReader::unknown_key(std::string_view name) {
  if (std::find(unknown_.begin(), unknown_.end(), name) != unknown_.end())
    return refuse("duplicate key");
  if (unknown_.size() == kUnknownFieldsMax) return refuse("too many unknown fields");
  unknown_.emplace_back(name);
  return true;
}

bool EventReader::hex(std::string_view value, std::span<uint8_t> out) {
  if (from_lower_hex(value, out)) return true;
  return refuse("not lower-case hex of the right length", kNames[static_cast<int>(field_)]);
}

bool EventReader::string(std::string_view value) {
  if (field_ == Field::Tags && depth_ == kTagDepth) {
    event_.tags.back().emplace_back(value);
    return true;
  }
  if (depth_ != 1) return ignored();
  switch (field_) {
    case Field::Id: return hex(value, event_.id.bytes);
    case Field::Pubkey: return hex(value, event_.pubkey.bytes);
    case Field::Sig: return hex(value, event_.sig.bytes);
    case Field::Content: event_.content = value; return true;
    default: return ignored();
  }
}

bool EventReader::integer(int64_t value) {
  if (depth_ != 1 || (field_ != Field::CreatedAt && field_ != Field::Kind)) return ignored();
  const int64_t limit =
      field_ == Field::Kind ? std::numeric_limits<uint16_t>::max() : kCreatedAtMax;
  if (value < 0 || value > limit) return refuse("out of range", kNames[static_cast<int>(field_)]);
  if (field_ == Field::Kind)
    event_.kind = static_cast<uint16_t>(value);
  else
    event_.created_at = {value};
  return true;
}

}  // namespace paygress::nostr
