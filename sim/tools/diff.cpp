#include "sim/tools/diff.h"

#include <algorithm>

namespace paygress::sim {
namespace {

// The hash after every step; and, when asked, what one of them was.
class Trace final : public Observer {
 public:
  explicit Trace(std::optional<uint64_t> wanted = {}) : wanted_(wanted) {}
  void on_step(Micros at, NodeName node, uint64_t hash,
               const std::function<std::string()>& text) override {
    if (wanted_ == hashes.size()) told = to_text(at) + " " + to_text(node) + "\n    " + text();
    hashes.push_back(hash);
  }
  std::vector<uint64_t> hashes;
  std::string told;

 private:
  std::optional<uint64_t> wanted_;
};

Result<Trace> trace(const std::string& text, std::optional<uint64_t> wanted = {}) {
  const auto family = family_of(text);
  if (!family) return std::unexpected(family.error());
  Trace trace(wanted);
  if (auto run = (*family)->run(text, &trace); !run) return std::unexpected(run.error());
  return trace;
}

}  // namespace

Result<Difference> compare(const std::string& a, const std::string& b) {
  const auto first = trace(a);
  if (!first) return std::unexpected(first.error());
  const auto second = trace(b);
  if (!second) return std::unexpected(second.error());
  const auto& left = first->hashes;
  const auto& right = second->hashes;
  const auto [at, other] = std::mismatch(left.begin(), left.end(), right.begin(), right.end());
  Difference out;
  out.same = at == left.end() && other == right.end();
  out.step = static_cast<uint64_t>(at - left.begin());
  if (out.same) return out;
  out.first = trace(a, out.step)->told;
  out.second = trace(b, out.step)->told;
  return out;
}

}  // namespace paygress::sim
