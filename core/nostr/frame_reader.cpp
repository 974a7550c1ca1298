#include "core/nostr/frame_reader.h"

#include "core/base/check.h"

namespace paygress::nostr {

// Hands a token to the event or filter being read, and takes the finished thing over.
template <class Token>
bool FrameReader::forward(Token token) {
  PG_CHECK(nested());
  if (event_) {
    if (!pass(token(*event_), *event_)) return false;
    if (!event_->done()) return true;
    elements_.emplace_back(std::move(event_->event()));
    event_.reset();
    return true;
  }
  if (!pass(token(*filter_), *filter_)) return false;
  if (!filter_->done()) return true;
  elements_.emplace_back(std::move(filter_->filter()));
  filter_.reset();
  return true;
}

bool FrameReader::add(Element element) {
  if (!opened_ || label_.empty()) return refuse("not a frame");
  if (elements_.size() > kFrameFiltersMax) return refuse("too many elements");
  elements_.push_back(std::move(element));
  return true;
}

bool FrameReader::begin_object() {
  if (nested()) return forward([](JsonSink& sink) { return sink.begin_object(); });
  if (in_strings_ || elements_.size() > kFrameFiltersMax) return refuse("unexpected object");
  if (label_ == "EVENT" || label_ == "AUTH") {
    if (frame_bytes_ > kEventFrameBytesMax) return refuse("event is too large");
    event_.emplace(EventReader::Shape::Signed);
  } else if (label_ == "REQ") {
    filter_.emplace();
  } else {
    return refuse("unexpected object");
  }
  return forward([](JsonSink& sink) { return sink.begin_object(); });
}

bool FrameReader::end_object() {
  return forward([](JsonSink& sink) { return sink.end_object(); });
}

bool FrameReader::begin_array() {
  if (nested()) return forward([](JsonSink& sink) { return sink.begin_array(); });
  if (!opened_) return opened_ = true;
  if (in_strings_ || label_ != "EOSE") return refuse("unexpected array");
  in_strings_ = true;
  return add(Strings{});
}

bool FrameReader::end_array() {
  if (nested()) return forward([](JsonSink& sink) { return sink.end_array(); });
  in_strings_ = false;
  return true;
}

bool FrameReader::key(std::string_view name) {
  return forward([&](JsonSink& sink) { return sink.key(name); });
}

bool FrameReader::string(std::string_view value) {
  if (nested()) return forward([&](JsonSink& sink) { return sink.string(value); });
  if (in_strings_) {
    std::get<Strings>(elements_.back()).emplace_back(value);
    return true;
  }
  if (!label_.empty() || !opened_) return add(std::string(value));
  label_ = value;
  return !label_.empty() || refuse("empty label");
}

bool FrameReader::integer(int64_t value) {
  if (nested()) return forward([&](JsonSink& sink) { return sink.integer(value); });
  return refuse("unexpected number");
}

bool FrameReader::boolean(bool value) {
  if (nested()) return forward([&](JsonSink& sink) { return sink.boolean(value); });
  return in_strings_ ? refuse("unexpected boolean") : add(value);
}

bool FrameReader::other() {
  if (nested()) return forward([](JsonSink& sink) { return sink.other(); });
  return refuse("unexpected value");
}

}  // namespace paygress::nostr
