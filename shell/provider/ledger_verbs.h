// The verbs that ask the running daemon, and read the ledger themselves when none answers.
#pragma once

#include <string>

#include "shell/provider/verbs.h"

namespace paygress::daemon {

Exit verb_status(const std::string& data_dir, bool json);
Exit verb_leases(const std::string& data_dir, bool all, bool json);
Exit verb_drain(const std::string& data_dir, bool on, bool json);
Exit verb_ledger_verify(const std::string& data_dir, bool json);
Exit verb_ledger_show(const std::string& data_dir, const std::string& lease, bool json);
Exit verb_ledger_export(const std::string& data_dir, bool json);

}  // namespace paygress::daemon
