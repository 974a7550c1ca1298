#include "shell/backend/qmp.h"

#include <boost/json.hpp>

#include <utility>

namespace paygress::backend {

namespace json = boost::json;

bool Qmp::receive(std::string_view bytes) {
  input_ += bytes;
  for (size_t end; (end = input_.find('\n')) != input_.npos;) {
    const std::string line = input_.substr(0, end);
    input_.erase(0, end + 1);
    if (!receive_line(line)) return false;
  }
  return input_.size() <= kLineBytesMax;
}

bool Qmp::receive_line(std::string_view line) {
  if (line.find_first_not_of(" \r\t") == line.npos) return true;
  boost::system::error_code bad;
  const json::value value = json::parse(line, bad);
  if (bad || !value.is_object()) return false;
  const json::object& object = value.get_object();
  if (!greeted_) {
    if (!object.contains("QMP")) return false;
    greeted_ = true;
    write("qmp_capabilities", [this](const std::string& problem) {
      if (!problem.empty()) return;
      ready_ = true;
      for (auto& [order, command] : std::exchange(waiting_, {}))
        write(command.first, std::move(command.second));
      events_.ready();
    });
    return true;
  }
  if (const auto* event = object.if_contains("event")) {
    if (event->is_string()) events_.event(std::string(event->get_string()));
    return true;
  }
  const auto* id = object.if_contains("id");
  if (!id || !id->is_int64()) return true;
  auto node = outstanding_.extract(static_cast<uint64_t>(id->get_int64()));
  if (node.empty()) return true;
  std::string problem;
  if (const auto* error = object.if_contains("error")) problem = json::serialize(*error);
  if (node.mapped()) node.mapped()(problem);
  return true;
}

void Qmp::command(const std::string& name, Done done) {
  if (ready_) return write(name, std::move(done));
  waiting_.emplace(next_id_++, std::pair(name, std::move(done)));
}

void Qmp::write(const std::string& name, Done done) {
  const uint64_t id = next_id_++;
  outstanding_.emplace(id, std::move(done));
  events_.send(json::serialize(json::object{{"execute", name}, {"id", id}}) + "\n");
}

}  // namespace paygress::backend
