#include "core/failover/terms.h"

#include <algorithm>

#include "core/failover/receipts.h"
#include "core/failover/records.h"

namespace paygress::failover {
namespace {

template <class T>
bool distinct(std::vector<T> values) {
  std::sort(values.begin(), values.end());
  return std::adjacent_find(values.begin(), values.end()) == values.end();
}

}  // namespace

Guarantee guarantee_of(const Terms& terms) {
  for (size_t rank = 0; rank < terms.members.size(); ++rank)
    if (!terms.members[rank].knows_rules)
      return rank == 0 ? Guarantee::OldPrimary : Guarantee::OldStandby;
  return Guarantee::Fenced;
}

std::string_view to_text(Guarantee guarantee) {
  switch (guarantee) {
    case Guarantee::Fenced: return "fenced";
    case Guarantee::OldPrimary: return "old-primary";
    case Guarantee::OldStandby: return "old-standby";
  }
  return {};
}

Result<void> check_terms(const Terms& terms) {
  if (terms.workload_id.empty()) return fail("a workload needs a name", "workload_id");
  std::vector<PubKey> keys;
  for (const Member& member : terms.members) keys.push_back(member.key);
  if (keys.size() < 2) return fail("a primary and at least one standby are needed", "members");
  if (!distinct(keys)) return fail("a member is named twice", "members");
  if (terms.rank >= keys.size()) return fail("is not the rank of a member", "rank");
  if (terms.relays.empty() || terms.relays.size() > kRelaysMax)
    return fail("between 1 and 32 relays are needed", "relays");
  if (!distinct(terms.relays)) return fail("a relay is named twice", "relays");
  const Quorums& q = terms.quorums;
  if (q.relays != terms.relays.size() || q.write < 1 || q.write > q.relays || q.read > q.relays ||
      q.write + q.read < q.relays + 1)
    return fail("do not fit the number of relays", "quorums");
  if (auto ok = check_profile(terms.profile); !ok) return fail(ok.error().message, "profile");
  return {};
}

LeaseId lease_of(const FailoverRecord& record) {
  return std::visit([](const auto& r) { return r.lease; }, record);
}

}  // namespace paygress::failover
