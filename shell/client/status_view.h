// The status of a pod as it is printed: while it runs, when it is over, and of a whole set.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <string>
#include <vector>

#include "core/consumer/records.h"
#include "core/market/messages.h"
#include "shell/client/set_view.h"

namespace paygress::client {

// One pod and what its provider answered.
struct PodStatus {
  consumer::LeaseSeen lease;
  market::StatusReply status;
};

// "12 sat", "0.25 sat".
std::string sats_text(Msat amount);
// Who runs the set now, in words.
std::string holder_line(const SetSeen& set);

// `set` is null for a plain pod. Ways in are shown only while there is something to enter.
std::vector<std::vector<std::string>> status_rows(const PodStatus& pod, const SetSeen* set);
boost::json::object status_json(const PodStatus& pod, const SetSeen* set);

// A line for each part of a set that was ended.
std::vector<std::vector<std::string>> ended_rows(const std::vector<PodStatus>& parts);

}  // namespace paygress::client
