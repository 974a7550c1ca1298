// JSON as Nostr needs it: a strict event-driven reader (Boost.JSON), and NIP-01's one way to write
// a string. Events are read straight into their fields, because a document tree would cost as much
// again, and because a tree hides duplicate keys.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace paygress::nostr {

// Nesting that is read at all: a frame needs five levels, unknown fields may have their own.
inline constexpr size_t kJsonDepthMax = 16;

// Receives the tokens of one document, in order. Every function returns true to go on, or the
// value of refuse() to stop. Views are valid during the call only. Text is valid UTF-8.
class JsonSink {
 public:
  virtual ~JsonSink() = default;
  virtual bool begin_object() = 0;
  virtual bool end_object() = 0;
  virtual bool begin_array() = 0;
  virtual bool end_array() = 0;
  virtual bool key(std::string_view name) = 0;
  virtual bool string(std::string_view value) = 0;
  virtual bool integer(int64_t value) = 0;
  virtual bool boolean(bool value) = 0;
  // null, fractions, exponents, "-0" and integers beyond 64 bits: nothing in NIP-01 may be one.
  virtual bool other() = 0;

  const Error& error() const { return error_; }

 protected:
  bool refuse(const char* message, std::string_view where = {}) {
    error_ = Error{message, std::string(where)};
    return false;
  }
  // Takes over the refusal of a nested sink.
  bool pass(bool accepted, const JsonSink& nested) {
    if (!accepted) error_ = nested.error_;
    return accepted;
  }

 private:
  Error error_;
};

// The whole of `text` must be one document. Refuses invalid UTF-8, lone surrogates, raw control
// characters and nesting beyond kJsonDepthMax. Duplicate keys are the sink's to refuse.
Result<void> read_json(std::string_view text, JsonSink& sink);

// Appends `value` quoted, with NIP-01's escapes and no others: \n \" \\ \r \t \b \f; the remaining
// characters below 0x20 as \u00xx in lower case (raw they are no JSON); everything else as it is.
void append_json_string(std::string& out, std::string_view value);

}  // namespace paygress::nostr
