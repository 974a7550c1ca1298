// A text that must not be printed. Formatting or streaming one yields "[redacted]".
#pragma once

#include <fmt/format.h>

#include <ostream>
#include <string>
#include <string_view>
#include <utility>

namespace paygress::shell {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}
  Secret(const Secret&) = default;
  Secret(Secret&& other) noexcept : text_(other.text_) { other.wipe(); }
  Secret& operator=(Secret other) noexcept {
    text_.swap(other.text_);
    return *this;
  }
  ~Secret() { wipe(); }

  // The caller keeps it out of logs, errors and argument lists.
  std::string_view reveal() const { return text_; }
  bool empty() const { return text_.empty(); }

 private:
  void wipe() noexcept;
  std::string text_;
};

inline std::ostream& operator<<(std::ostream& out, const Secret&) { return out << "[redacted]"; }

}  // namespace paygress::shell

template <>
struct fmt::formatter<paygress::shell::Secret> : fmt::formatter<std::string_view> {
  template <class Context>
  auto format(const paygress::shell::Secret&, Context& context) const {
    return fmt::formatter<std::string_view>::format("[redacted]", context);
  }
};
