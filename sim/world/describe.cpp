#include "sim/world/describe.h"

#include <algorithm>

namespace paygress::sim {
namespace {

constexpr size_t kBytes = 8;  // of an id or of bytes; more are left out
constexpr size_t kText = 160;

}  // namespace

void Describer::number(int64_t value) { text_ += std::to_string(value); }
void Describer::number(uint64_t value) { text_ += std::to_string(value); }

void Describer::hex(ByteView bytes) {
  text_ += to_hex(bytes.first(std::min(bytes.size(), kBytes)));
  if (bytes.size() > kBytes) text_ += "..";
}

void Describer::quoted(std::string_view text) {
  text_ += '"';
  text_ += text.substr(0, kText);
  text_ += text.size() > kText ? "..\"" : "\"";
}

void Describer::open(char bracket) { text_ += bracket; }

void Describer::element() {
  if (text_.back() != '[' && text_.back() != '{') text_ += ' ';
}

void Describer::member(std::string_view name) {
  text_ += ' ';
  text_ += name;
  text_ += '=';
}

void Describer::type(std::string_view pretty_function) {
  std::string_view name = pretty_function;
  const size_t from = name.find("T = ") + 4;
  name = name.substr(from, name.find_first_of(";]", from) - from);
  const std::string_view outer = name.substr(0, name.find('<'));
  text_ += outer.substr(outer.rfind(':') + 1);
}

}  // namespace paygress::sim
