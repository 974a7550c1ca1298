// One history as one HTML page that needs nothing else: a lane for each node, faults as bands,
// workloads as bars where they execute, two copies in red, what happened as ticks.
#pragma once

#include "sim/tools/family.h"

namespace paygress::sim {

Result<std::string> report_html(const std::string& text);

}  // namespace paygress::sim
