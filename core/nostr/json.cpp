#include "core/nostr/json.h"

#include <boost/json/basic_parser_impl.hpp>

#include <array>
#include <cstring>

namespace paygress::nostr {
namespace {

namespace json = boost::json;
using json::error_code;

// Joins the parts of strings with escapes; a string without any is passed through as it stands.
class Handler {
 public:
  static constexpr size_t max_object_size = static_cast<size_t>(-1);
  static constexpr size_t max_array_size = static_cast<size_t>(-1);
  static constexpr size_t max_key_size = static_cast<size_t>(-1);
  static constexpr size_t max_string_size = static_cast<size_t>(-1);

  explicit Handler(JsonSink& sink) : sink_(sink) {}

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code& ec) { return answer(sink_.begin_object(), ec); }
  bool on_object_end(size_t, error_code& ec) { return answer(sink_.end_object(), ec); }
  bool on_array_begin(error_code& ec) { return answer(sink_.begin_array(), ec); }
  bool on_array_end(size_t, error_code& ec) { return answer(sink_.end_array(), ec); }
  bool on_key_part(json::string_view part, size_t, error_code&) { return keep(part); }
  bool on_string_part(json::string_view part, size_t, error_code&) { return keep(part); }
  bool on_key(json::string_view last, size_t, error_code& ec) {
    return answer(sink_.key(joined(last)), ec) && drop();
  }
  bool on_string(json::string_view last, size_t, error_code& ec) {
    return answer(sink_.string(joined(last)), ec) && drop();
  }
  bool on_number_part(json::string_view, error_code&) { return true; }
  bool on_int64(int64_t value, json::string_view text, error_code& ec) {
    const bool minus_zero = value == 0 && text.front() == '-';
    return answer(minus_zero ? sink_.other() : sink_.integer(value), ec);
  }
  bool on_uint64(uint64_t, json::string_view, error_code& ec) { return answer(sink_.other(), ec); }
  bool on_double(double, json::string_view, error_code& ec) { return answer(sink_.other(), ec); }
  bool on_bool(bool value, error_code& ec) { return answer(sink_.boolean(value), ec); }
  bool on_null(error_code& ec) { return answer(sink_.other(), ec); }
  bool on_comment_part(json::string_view, error_code&) { return true; }
  bool on_comment(json::string_view, error_code&) { return true; }

 private:
  static bool answer(bool accepted, error_code& ec) {
    if (!accepted) ec = json::error::exception;  // the sink holds the reason
    return accepted;
  }
  bool keep(json::string_view part) {
    parts_.append(part.data(), part.size());
    return true;
  }
  std::string_view joined(json::string_view last) {
    if (parts_.empty()) return {last.data(), last.size()};
    keep(last);
    return parts_;
  }
  bool drop() {
    parts_.clear();
    return true;
  }

  JsonSink& sink_;
  std::string parts_;
};

// 0: as it is. Otherwise the letter after the backslash; 'u' for the numeric form.
constexpr std::array<char, 256> escapes() {
  std::array<char, 256> table{};
  for (size_t c = 0; c < 0x20; ++c) table[c] = 'u';
  table['\n'] = 'n';
  table['\r'] = 'r';
  table['\t'] = 't';
  table['\b'] = 'b';
  table['\f'] = 'f';
  table['"'] = '"';
  table['\\'] = '\\';
  return table;
}
constexpr auto kEscapes = escapes();

// True when none of the eight bytes at `text` needs an escape: most of an event's text is long
// runs of such bytes, and this loop is what hashing an event costs besides SHA-256.
bool eight_are_plain(const char* text) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  constexpr uint64_t kTops = 0x80 * kOnes;
  uint64_t word = 0;
  std::memcpy(&word, text, sizeof word);
  const uint64_t quote = word ^ ('"' * kOnes);
  const uint64_t backslash = word ^ ('\\' * kOnes);
  const uint64_t hits = ((word - 0x20 * kOnes) & ~word) | ((quote - kOnes) & ~quote) |
                        ((backslash - kOnes) & ~backslash);
  return (hits & kTops) == 0;
}

}  // namespace

Result<void> read_json(std::string_view text, JsonSink& sink) {
  json::parse_options options;
  options.max_depth = kJsonDepthMax;
  json::basic_parser<Handler> parser(options, sink);
  error_code ec;
  const size_t used = parser.write_some(false, text.data(), text.size(), ec);
  if (!ec && used == text.size() && parser.done()) return {};
  if (ec == json::error::exception) return std::unexpected(sink.error());
  return fail(ec ? "not strict JSON: " + ec.message() : "text after the JSON document",
              "offset " + std::to_string(used));
}

void append_json_string(std::string& out, std::string_view value) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out.push_back('"');
  size_t plain = 0;  // start of the run not yet appended
  for (size_t i = 0; i < value.size(); ++i) {
    while (i + 8 <= value.size() && eight_are_plain(value.data() + i)) i += 8;
    if (i == value.size()) break;
    const auto code = static_cast<uint8_t>(value[i]);
    const char escape = kEscapes[code];
    if (escape == 0) continue;
    out.append(value, plain, i - plain);
    plain = i + 1;
    out.push_back('\\');
    out.push_back(escape);
    if (escape == 'u') {
      out.append("00");
      out.push_back(kHex[code >> 4]);
      out.push_back(kHex[code & 15]);
    }
  }
  out.append(value, plain);
  out.push_back('"');
}

}  // namespace paygress::nostr
