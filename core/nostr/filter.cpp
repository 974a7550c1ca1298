#include "core/nostr/filter.h"

#include <algorithm>

#include "core/nostr/json.h"

namespace paygress::nostr {
namespace {

template <class T>
bool allows(const std::vector<T>& list, const T& value) {
  return list.empty() || std::find(list.begin(), list.end(), value) != list.end();
}

bool has_tag(const Event& event, const std::string& name, const std::vector<std::string>& values) {
  return std::any_of(event.tags.begin(), event.tags.end(), [&](const Tag& tag) {
    return tag.size() >= 2 && tag[0] == name && allows(values, tag[1]);
  });
}

// Writes `"key":[...]` after a comma where one is needed; an empty list is left out.
template <class T, class Write>
void append_list(std::string& out, const std::string& key, const std::vector<T>& list,
                 Write write) {
  if (list.empty()) return;
  out.append(out.size() > 1 ? ",\"" : "\"").append(key).append("\":[");
  for (size_t i = 0; i < list.size(); ++i) {
    if (i != 0) out.push_back(',');
    write(list[i]);
  }
  out.push_back(']');
}

void append_number(std::string& out, const char* key, int64_t value) {
  out.append(out.size() > 1 ? ",\"" : "\"").append(key).append("\":");
  out.append(std::to_string(value));
}

}  // namespace

bool matches(const Filter& filter, const Event& event) {
  if (!allows(filter.ids, event.id) || !allows(filter.authors, event.pubkey) ||
      !allows(filter.kinds, event.kind))
    return false;
  if (filter.since && event.created_at < *filter.since) return false;
  if (filter.until && event.created_at > *filter.until) return false;
  return std::all_of(filter.tags.begin(), filter.tags.end(), [&](const auto& constraint) {
    return constraint.second.empty() || has_tag(event, constraint.first, constraint.second);
  });
}

bool matches_any(const std::vector<Filter>& filters, const Event& event) {
  return std::any_of(filters.begin(), filters.end(),
                     [&](const Filter& filter) { return matches(filter, event); });
}

std::string to_json(const Filter& filter) {
  std::string out = "{";
  const auto write_id = [&](const auto& id) { append_json_string(out, id.hex()); };
  append_list(out, "ids", filter.ids, write_id);
  append_list(out, "authors", filter.authors, write_id);
  append_list(out, "kinds", filter.kinds, [&](uint16_t kind) { out.append(std::to_string(kind)); });
  for (const auto& [letter, values] : filter.tags)
    append_list(out, "#" + letter, values,
                [&](const std::string& value) { append_json_string(out, value); });
  if (filter.since) append_number(out, "since", filter.since->value);
  if (filter.until) append_number(out, "until", filter.until->value);
  if (filter.limit) append_number(out, "limit", *filter.limit);
  out.push_back('}');
  return out;
}

}  // namespace paygress::nostr
