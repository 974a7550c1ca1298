// One lease's whole story in plain words, told from the ledger's records.
#pragma once

#include <boost/json/object.hpp>

#include <optional>
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

// One record for a person, without a secret; empty when it is no step of any lease's story.
std::string in_words(const provider::Record& record);
// When it was written; nothing for a record that carries no time.
std::optional<UnixSeconds> time_of(const provider::Record& record);

}  // namespace paygress::daemon
