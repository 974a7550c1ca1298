// A spec and its labels as JSON, without the password: what the sandbox keeps on disk.
#pragma once

#include <boost/json/fwd.hpp>

#include "core/base/result.h"
#include "core/workload/backend.h"

namespace paygress::backend {

boost::json::value spec_to_json(const workload::Spec& spec);
Result<workload::Spec> spec_from_json(const boost::json::value& json);

}  // namespace paygress::backend
