#include "shell/provider/mint_watch.h"

#include "core/cashu/mint_api.h"

namespace paygress::daemon {
namespace {

constexpr int kServerError = 500;

// Everything that is only read is one kind of question.
cashu::Endpoint kind_of(cashu::Endpoint endpoint) {
  return cashu::is_post(endpoint) ? endpoint : cashu::Endpoint::Info;
}

}  // namespace

std::optional<std::string> MintWatch::problem_of(const net::HttpOutcome& outcome) {
  if (const auto* not_sent = std::get_if<net::NotSent>(&outcome)) return not_sent->reason;
  if (const auto* uncertain = std::get_if<net::Uncertain>(&outcome)) return uncertain->reason;
  const int status = std::get<net::Answered>(outcome).status;
  if (status < kServerError) return std::nullopt;
  return "status " + std::to_string(status);
}

bool MintWatch::missed(const std::string& mint, cashu::Endpoint endpoint, const std::string& reason,
                       Now now) {
  Missed& missed = missed_[mint];
  missed.endpoints.insert(kind_of(endpoint));
  missed.last = now.mono;
  const Silence silence{now.wall, cashu::endpoint_path(endpoint) + ": " + reason};
  return silent_.emplace(mint, silence).second;
}

bool MintWatch::heard(const std::string& mint, cashu::Endpoint endpoint, Now now) {
  const auto missed = missed_.find(mint);
  if (missed == missed_.end()) return false;
  missed->second.endpoints.erase(kind_of(endpoint));
  const bool lately = now.mono - missed->second.last < kMissedLately;
  if (!missed->second.endpoints.empty() && lately) return false;
  missed_.erase(missed);
  silent_.erase(mint);
  return true;
}

}  // namespace paygress::daemon
