#include "sim/world/money_rules.h"

#include <boost/describe.hpp>
#include <boost/mp11.hpp>

#include <array>

#include "sim/models/rule_switch.h"

namespace paygress::sim {
namespace {

constexpr std::string_view kMoney = "money";
constexpr std::string_view kHarsh = "money-crash";
constexpr std::string_view kPay = "money-pay";

constexpr std::array<MoneyRule, 27> kRules{{
    {"record_before_post", "the intent is recorded when the mint has answered", kMoney},
    {"restore", "only the state of the inputs is asked", kMoney},
    {"unique_y", "a token that was seen before is another operation", kMoney},
    {"credit_in_batch", "the credit follows its proofs in a later batch", kMoney},
    {"top_up_in_batch", "so does a top-up's extension", kMoney},
    {"record_refund_before_post", "a refund is recorded when the mint has answered", kMoney},
    {"labels", "objects are known by their newest name alone", kMoney},
    {"outbox", "an answer is sent once", kMoney},
    {"same_bytes", "new outputs each time, the old ones forgotten", kMoney},
    {"pending_is_wait", "PENDING is taken for unspent", kMoney},
    {"codes_are_no_verdict", "the mint's error code is the verdict", kMoney},
    {"reserve_inputs", "two refunds may take the same proofs", kMoney},
    {"watch_old_attempts", "only the newest attempt is restored", kHarsh},
    {"verdict_is_provisional", "a verdict is never looked at again", kHarsh},
    {"reserve_counters", "counters are taken when the mint has answered", kMoney},
    {"record_refusals", "a refusal is said and forgotten", kMoney},
    {"unknown_is_not_absent", "an engine that does not answer has lost the object", kMoney},
    {"same_inputs", "a refund in doubt is made again from other proofs", kHarsh},
    {"brake_attempts", "every rebuildable error makes new outputs", kMoney},
    {"hold_stops_posting", "the same bytes are posted for ever", kMoney},
    {"identity_before_age", "what is too old is refused, known or not", kMoney},
    {"refund_after_absence", "a lease is paid back when its end begins", kMoney},
    {"answer_to_its_owner", "whoever shows a token hears the first answer", kMoney},
    {"look_before_end", "a lease ends when its time is over, unseen", kHarsh},
    {"settle_at_end", "a stop is charged until the request, whatever ran", kHarsh},
    {"spend_only_free", "a withdrawal takes whatever the wallet holds", kMoney},
    {"take_back", "a payment that may be on its way is over when it is seen unpaid", kPay},
}};

template <class Policy>
bool switch_off_in(Policy& policy, std::string_view rule) {
  bool found = false;
  using Members = boost::describe::describe_members<Policy, boost::describe::mod_public>;
  boost::mp11::mp_for_each<Members>([&](auto member) {
    if (rule != member.name) return;
    RuleSwitch::off(policy.*member.pointer);
    found = true;
  });
  return found;
}

}  // namespace

std::span<const MoneyRule> money_rules() { return kRules; }

bool switch_off(provider::Policies& policies, std::string_view rule) {
  return switch_off_in(policies.redeem, rule) || switch_off_in(policies.workloads, rule) ||
         switch_off_in(policies.desk, rule);
}

}  // namespace paygress::sim
