// Reads a filter out of the tokens of a REQ. Internal to nostr/.
#pragma once

#include <string>
#include <string_view>

#include "core/nostr/filter.h"
#include "core/nostr/json.h"

namespace paygress::nostr {

// Refuses what it could not honour: unknown keys (their constraint would be lost) and empty lists
// (NIP-01 leaves their meaning open, and our Filter has none for them).
class FilterReader final : public JsonSink {
 public:
  bool begin_object() override;
  bool end_object() override;
  bool begin_array() override;
  bool end_array() override;
  bool key(std::string_view name) override;
  bool string(std::string_view value) override;
  bool integer(int64_t value) override;
  bool boolean(bool) override { return wrong_type(); }
  bool other() override { return wrong_type(); }

  bool done() const { return done_; }
  Filter& filter() { return filter_; }

 private:
  enum class Field : uint8_t { None, Ids, Authors, Kinds, TagValues, Since, Until, Limit };
  static Field field_of(std::string_view name);
  bool is_list() const { return field_ >= Field::Ids && field_ <= Field::TagValues; }
  bool wrong_type() { return refuse("wrong type", key_); }
  template <class Id>
  bool add_id(std::vector<Id>& list, std::string_view value);

  Filter filter_;
  Field field_ = Field::None;
  std::string key_;
  bool in_object_ = false;
  bool in_list_ = false;
  bool list_empty_ = true;
  bool done_ = false;
  std::vector<std::string> seen_;
};

}  // namespace paygress::nostr
