// Where each workload is really executing, over all providers: the truth of the models, not what
// anybody believes. Two places at one instant is the one thing that must never be.
#pragma once

#include <map>
#include <set>
#include <string>

#include "core/workload/backend.h"
#include "sim/world/fault_plan.h"

namespace paygress::sim {

class Copies {
 public:
  struct Place {
    NodeName provider;
    std::string object;
    auto operator<=>(const Place&) const = default;
  };

  // What executes on this provider now, by object, replaces what did. Returns the text of an
  // overlap that began, or nothing.
  std::string update(NodeName provider, const std::map<std::string, std::string>& key_of_object) {
    std::map<std::string, std::string>& before = by_provider_[provider];
    std::string overlap;
    for (const auto& [object, key] : before)
      if (!key_of_object.contains(object)) places_[key].erase({provider, object});
    for (const auto& [object, key] : key_of_object) {
      std::set<Place>& places = places_[key];
      if (!places.insert({provider, object}).second || places.size() == 1) continue;
      overlap = key + " runs at";
      for (const Place& place : places) overlap += " " + to_text(place.provider);
    }
    before = key_of_object;
    return overlap;
  }
  // What executed on this provider at the last update, by object.
  const std::map<std::string, std::string>& of(NodeName provider) { return by_provider_[provider]; }

 private:
  std::map<std::string, std::set<Place>> places_;  // by workload
  std::map<NodeName, std::map<std::string, std::string>> by_provider_;
};

}  // namespace paygress::sim
