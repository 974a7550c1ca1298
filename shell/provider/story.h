// One lease's whole story in plain words, told from the ledger's records.
#pragma once

#include <boost/json/object.hpp>

#include <string>
#include <string_view>
#include <vector>

#include "shell/provider/books.h"

namespace paygress::daemon {

struct StoryLine {
  uint64_t batch = 0;
  UnixSeconds at;  // of the record, or of the last record before it that has a time
  std::string text;
};

struct Story {
  LeaseId lease;
  std::vector<StoryLine> lines;  // hold no secret: no password, token or proof
};

struct NoStory {
  bool not_found = false;  // otherwise the ledger cannot be read
  std::string reason;
};

// `name`: the beginning of a lease's id that is no other's, "container-<n>", or a workload_id. Of
// several leases with one number or workload_id the newest.
std::expected<Story, NoStory> tell_story(const Scan& scan, std::string_view name);

boost::json::object to_json(const Story& story);

}  // namespace paygress::daemon
