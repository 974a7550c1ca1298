#include "sim/tools/report.h"

#include <algorithm>
#include <set>

#include "sim/tools/result_json.h"

namespace paygress::sim {
namespace {

constexpr int64_t kLeft = 130;  // pixels: names of the lanes
constexpr int64_t kWidth = 1300;
constexpr int64_t kLane = 46;
constexpr int64_t kTop = 30;
constexpr size_t kTicksMax = 4000;

struct Bar {
  NodeName node;
  std::string object;
  std::string workload;
  Micros from;
  Micros to;
  bool open = true;
};
struct Tick {
  NodeName node;
  Micros at;
  std::string what;
};

class Timeline final : public Observer {
 public:
  void on_mark(Micros at, NodeName node, std::string_view what) override {
    if (node.role != Role::Anyone && !what.starts_with("fault ") && ticks.size() < kTicksMax)
      ticks.push_back({node, at, std::string(what)});
  }
  void on_running(Micros at, NodeName node, const std::string& object, const std::string& workload,
                  bool running) override {
    if (running) return bars.push_back({node, object, workload, at, at, true});
    for (Bar& bar : bars)
      if (bar.open && bar.node == node && bar.object == object) {
        bar.to = at;
        bar.open = false;
      }
  }
  std::vector<Bar> bars;
  std::vector<Tick> ticks;
};

std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}

// What a line of any family's text says: words, and key=value.
struct Line {
  explicit Line(std::string text) : whole(std::move(text)) {
    for (size_t at = 0; at < whole.size();) {
      const size_t end = std::min(whole.find(' ', at), whole.size());
      if (end > at) words.push_back(whole.substr(at, end - at));
      at = end + 1;
    }
  }
  Micros time(std::string_view key) const {
    for (const std::string& word : words)
      if (word.starts_with(key) && word.size() > key.size() && word[key.size()] == '=')
        return parse_time(std::string_view(word).substr(key.size() + 1)).value_or(Micros{});
    return {};
  }
  std::string whole;
  std::vector<std::string> words;
};

class Page {
 public:
  Page(const std::string& text, const Timeline& timeline, const RunResult& run)
      : timeline_(timeline), run_(run) {
    for (size_t at = 0; at < text.size();) {
      const size_t end = std::min(text.find('\n', at), text.size());
      Line line(text.substr(at, end - at));
      if (!line.words.empty() && !line.words[0].starts_with('#')) lines_.push_back(std::move(line));
      at = end + 1;
    }
    for (const Line& line : lines_) {
      const auto node = parse_node(line.words[0]);
      if (node && node->role != Role::Anyone) add_lane(*node);
      for (const std::string& word : line.words)
        if (word == "mint") add_lane({Role::Mint, 0});
    }
    for (const Bar& bar : timeline_.bars) add_lane(bar.node);
    end_ = std::max(run_.virtual_time, Micros{1'000'000});
  }

  std::string html(const std::string& text) {
    std::string out = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>" +
                      escaped(lines_.empty() ? "" : lines_[0].whole) + "</title><style>" +
                      std::string(kStyle) + "</style><body><h1>" +
                      escaped(lines_.empty() ? "" : lines_[0].whole) + "</h1>" + verdict();
    out +=
        "<p class=\"key\"><b class=\"fault\"></b> fault <b class=\"runs\"></b> workload "
        "executes <b class=\"two\"></b> two copies at once <b class=\"tick\"></b> something "
        "happened; hold the pointer over anything to read it</p>";
    out += "<div class=\"scroll\"><svg width=\"" + std::to_string(kLeft + kWidth + 20) +
           "\" height=\"" + std::to_string(kTop + height() + 10) + "\">";
    axis(out);
    for (size_t i = 0; i < lanes_.size(); ++i) lane(out, i);
    faults(out);
    bars(out);
    ticks(out);
    for (const Violation& v : run_.violations)
      out += "<line class=\"bad\" x1=\"" + x(v.at) + "\" x2=\"" + x(v.at) + "\" y1=\"10\" y2=\"" +
             std::to_string(kTop + height()) + "\"><title>" + escaped(v.rule + ": " + v.detail) +
             "</title></line>";
    out += "</svg></div>" + marks() + "<h2>The history</h2><pre>" + escaped(text) +
           "</pre></body></html>\n";
    return out;
  }

 private:
  static constexpr std::string_view kStyle =
      "body{font:14px/1.5 system-ui,sans-serif;margin:24px;color:#1c2330;background:#fff}"
      "h1{font-size:18px}h2{font-size:15px}.scroll{overflow-x:auto}"
      "svg text{font-size:12px;fill:#445}.lane{stroke:#e3e6ec}.time{stroke:#eef0f4}"
      ".fault{fill:#f0b429;background:#f0b429;opacity:.55}.point{stroke:#b7791f;stroke-width:2}"
      ".runs{fill:#2f855a;background:#2f855a}.two{fill:#e02424;background:#e02424}"
      ".tick{stroke:#2b6cb0;background:#2b6cb0;stroke-width:1.5}.bad{stroke:#e02424;"
      "stroke-width:2;stroke-dasharray:4 3}.key b{display:inline-block;width:14px;height:10px;"
      "margin:0 4px 0 12px}pre{background:#f6f7f9;padding:12px;overflow-x:auto}"
      ".good{color:#2f855a}.violated{color:#e02424}td{padding:0 18px 0 0}";

  void add_lane(NodeName node) {
    if (std::ranges::find(lanes_, node) == lanes_.end()) lanes_.push_back(node);
  }
  int64_t height() const { return static_cast<int64_t>(lanes_.size()) * kLane; }
  std::string x(Micros at) const {
    return std::to_string(kLeft + std::min(at, end_).value * kWidth / end_.value);
  }
  // The lanes of a node; of "*", all.
  std::vector<size_t> lanes_of(NodeName node) const {
    std::vector<size_t> found;
    for (size_t i = 0; i < lanes_.size(); ++i)
      if (node.role == Role::Anyone || lanes_[i] == node) found.push_back(i);
    return found;
  }
  static int64_t y(size_t lane) { return kTop + static_cast<int64_t>(lane) * kLane; }

  void box(std::string& out, std::string_view klass, Micros from, Micros to, int64_t top,
           int64_t high, const std::string& title) const {
    const int64_t wide = std::max<int64_t>(
        2, (std::min(to, end_) - std::min(from, end_)).value * kWidth / end_.value);
    out += "<rect class=\"" + std::string(klass) + "\" x=\"" + x(from) + "\" y=\"" +
           std::to_string(top) + "\" width=\"" + std::to_string(wide) + "\" height=\"" +
           std::to_string(high) + "\"><title>" + escaped(title) + "</title></rect>";
  }

  void axis(std::string& out) const {
    int64_t step = 1;
    for (const int64_t next : {2, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 21600, 86400})
      if (end_.value / 1'000'000 / step > 14) step = next;
    for (int64_t s = 0; s <= end_.value / 1'000'000; s += step) {
      const std::string at = x(micros(Seconds{s}));
      out += "<line class=\"time\" x1=\"" + at + "\" x2=\"" + at + "\" y1=\"20\" y2=\"" +
             std::to_string(kTop + height()) + "\"/><text x=\"" + at + "\" y=\"14\">" +
             std::to_string(s) + "s</text>";
    }
  }
  void lane(std::string& out, size_t i) const {
    out += "<line class=\"lane\" x1=\"0\" x2=\"" + std::to_string(kLeft + kWidth) + "\" y1=\"" +
           std::to_string(y(i)) + "\" y2=\"" + std::to_string(y(i)) + "\"/><text x=\"4\" y=\"" +
           std::to_string(y(i) + 26) + "\">" + to_text(lanes_[i]) + "</text>";
  }
  void faults(std::string& out) const {
    for (const Line& line : lines_) {
      if (line.words.size() < 3 || line.words[0] != "fault") continue;
      const auto node = parse_node(line.words[2]);
      if (!node) continue;
      const Micros from = line.time("at");
      for (size_t i : lanes_of(*node))
        box(out, "fault", from, from + line.time("for"), y(i) + 3, kLane - 6, line.whole);
    }
  }
  void bars(std::string& out) const {
    for (const Bar& bar : timeline_.bars)
      for (size_t i : lanes_of(bar.node))
        box(out, "runs", bar.from, end_of(bar), y(i) + 16, 14,
            bar.object + " of workload " + bar.workload + ", from " + to_text(bar.from) + " to " +
                (bar.open ? "the end" : to_text(bar.to)));
    for (const Bar& a : timeline_.bars)
      for (const Bar& b : timeline_.bars) {
        const Micros from = std::max(a.from, b.from);
        const Micros to = std::min(end_of(a), end_of(b));
        if (&a == &b || a.workload != b.workload || from >= to) continue;
        for (size_t i : lanes_of(a.node))
          box(out, "two", from, to, y(i) + 14, 18, "two copies of workload " + a.workload);
      }
  }
  Micros end_of(const Bar& bar) const { return bar.open ? end_ : bar.to; }
  void ticks(std::string& out) const {
    for (const Tick& tick : timeline_.ticks)
      for (size_t i : lanes_of(tick.node))
        out += "<line class=\"tick\" x1=\"" + x(tick.at) + "\" x2=\"" + x(tick.at) + "\" y1=\"" +
               std::to_string(y(i) + 34) + "\" y2=\"" + std::to_string(y(i) + 43) + "\"><title>" +
               escaped(to_text(tick.at) + " " + tick.what) + "</title></line>";
  }
  std::string verdict() const {
    if (run_.violations.empty())
      return "<p class=\"good\">Nothing was violated. hash=" + hash_text(run_.hash) + "</p>";
    std::string out;
    for (const Violation& v : run_.violations)
      out += "<p class=\"violated\"><b>" + escaped(v.rule) + "</b> at " + to_text(v.at) + ": " +
             escaped(v.detail) + "</p>";
    return out;
  }
  std::string marks() const {
    std::string out = "<h2>What happened</h2><table>";
    for (const auto& [name, count] : run_.marks)
      out += "<tr><td>" + escaped(name) + "</td><td>" + std::to_string(count) + "</td></tr>";
    return out + "</table>";
  }

  const Timeline& timeline_;
  const RunResult& run_;
  std::vector<Line> lines_;
  std::vector<NodeName> lanes_;
  Micros end_;
};

}  // namespace

Result<std::string> report_html(const std::string& text) {
  const auto family = family_of(text);
  if (!family) return std::unexpected(family.error());
  Timeline timeline;
  const auto run = (*family)->run(text, &timeline);
  if (!run) return std::unexpected(run.error());
  return Page(text, timeline, *run).html(text);
}

}  // namespace paygress::sim
