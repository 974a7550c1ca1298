// Reads an event, or a rumor, out of the tokens of a document. Internal to nostr/.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/nostr/event.h"
#include "core/nostr/json.h"

namespace paygress::nostr {

// Fields beyond NIP-01's that one event may carry before it is refused: they are ignored, but
// their names must be compared with each other.
inline constexpr size_t kUnknownFieldsMax = 32;
// Largest created_at: every JSON implementation holds integers up to here exactly.
inline constexpr int64_t kCreatedAtMax = (int64_t{1} << 53) - 1;

class EventReader final : public JsonSink {
 public:
  // A signed event has all seven fields. A rumor's id may be missing, and its sig is not looked at.
  enum class Shape : uint8_t { Signed, Rumor };
  explicit EventReader(Shape shape) : shape_(shape) {}

  bool begin_object() override;
  bool end_object() override;
  bool begin_array() override;
  bool end_array() override;
  bool key(std::string_view name) override;
  bool string(std::string_view value) override;
  bool integer(int64_t value) override;
  bool boolean(bool) override { return ignored(); }
  bool other() override { return ignored(); }

  // The closing brace was read and no required field is missing.
  bool done() const { return done_; }
  bool has_id() const { return has(Field::Id); }
  Event& event() { return event_; }

 private:
  enum class Field : uint8_t { Id, Pubkey, CreatedAt, Kind, Tags, Content, Sig, Unknown };
  static constexpr const char* kNames[] = {"id",   "pubkey",  "created_at", "kind",
                                           "tags", "content", "sig"};
  bool has(Field field) const { return (seen_ >> static_cast<int>(field) & 1) != 0; }
  bool ignored();
  bool wrong_type();
  bool hex(std::string_view value, std::span<uint8_t> out);
  bool unknown_key(std::string_view name);

  Shape shape_;
  Event event_;
  Field field_ = Field::Unknown;  // of the value being read
  uint32_t seen_ = 0;             // bit per Field
  size_t depth_ = 0;              // 1: inside the event's braces
  bool done_ = false;
  std::vector<std::string> unknown_;
};

}  // namespace paygress::nostr
