// What an answer pays back, be it a refusal or the end of a lease.
#pragma once

#include <variant>
#include <vector>

#include "core/market/messages.h"

namespace paygress::sim {

// Within `reply`; nothing when it names no refunds.
inline const std::vector<market::RefundToken>* refunds_in(const market::Reply& reply) {
  const auto of = [](const auto& message) -> const std::vector<market::RefundToken>* {
    if constexpr (requires { message.refunds; }) {
      return message.refunds ? &*message.refunds : nullptr;
    } else {
      return nullptr;
    }
  };
  return std::visit(of, reply);
}

}  // namespace paygress::sim
