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
// While no daemon runs: from its next start on the ledger is recovered (core/provider/recovery.h).
// Without `yes` says what would be done, and changes nothing.
Exit verb_ledger_recover(const std::string& data_dir, bool yes, bool json);
// Ends that, in the running daemon. `force`: whatever it waits for.
Exit verb_ledger_release(const std::string& data_dir, bool force, bool json);

}  // namespace paygress::daemon
