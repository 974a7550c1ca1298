// Splits a frame into its elements. Internal to nostr/.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/nostr/event_reader.h"
#include "core/nostr/filter_reader.h"
#include "core/nostr/message.h"

namespace paygress::nostr {

// Most filters of one REQ that are read; relays allow 10 to 200.
inline constexpr size_t kFrameFiltersMax = 32;

class FrameReader final : public JsonSink {
 public:
  using Strings = std::vector<std::string>;
  using Element = std::variant<std::string, bool, Strings, Event, Filter>;

  explicit FrameReader(size_t frame_bytes) : frame_bytes_(frame_bytes) {}

  bool begin_object() override;
  bool end_object() override;
  bool begin_array() override;
  bool end_array() override;
  bool key(std::string_view name) override;
  bool string(std::string_view value) override;
  bool integer(int64_t value) override;
  bool boolean(bool value) override;
  bool other() override;

  const std::string& label() const { return label_; }
  // What follows the label.
  std::vector<Element>& elements() { return elements_; }
  // The elements have exactly these types.
  template <class... T>
  bool are() const {
    size_t i = 0;
    return elements_.size() == sizeof...(T) && (std::holds_alternative<T>(elements_[i++]) && ...);
  }
  template <class T>
  T& get(size_t i) {
    return std::get<T>(elements_[i]);
  }

 private:
  bool nested() const { return event_.has_value() || filter_.has_value(); }
  template <class Token>
  bool forward(Token token);
  bool add(Element element);

  size_t frame_bytes_;
  std::string label_;
  bool opened_ = false;
  bool in_strings_ = false;  // inside an array of strings (NIP-67 hints)
  std::vector<Element> elements_;
  std::optional<EventReader> event_;
  std::optional<FilterReader> filter_;
};

}  // namespace paygress::nostr
