#include "core/cashu/lightning_address.h"

#include <algorithm>

#include "core/cashu/invoice.h"
#include "core/cashu/json.h"
#include "core/cashu/mint_api.h"
#include "core/cashu/mint_url.h"

namespace paygress::cashu {
namespace {

constexpr size_t kAddressBytesMax = 320;
constexpr size_t kCallbackBytesMax = 2048;

bool is_address_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' ||
         c == '+';
}

// An error of the receiver's is an answer, too.
Result<json::bj::object> read_lnurl(std::string_view body) {
  if (body.size() > kLnurlBytesMax) return fail("the answer is too long");
  auto object = json::parse_object(body);
  if (!object) return fail("the answer is no JSON object");
  const auto status = json::text(*object, "status", kDetailBytesMax);
  if (!status || *status != "ERROR") return object;
  std::string reason = json::text(*object, "reason", kDetailBytesMax).value_or("no reason given");
  std::ranges::replace_if(
      reason, [](char c) { return static_cast<uint8_t>(c) < 0x20 || c == 0x7f; }, ' ');
  return fail("the receiver says: " + reason);
}

Result<Msat> read_sendable(const json::bj::object& object, std::string_view name) {
  const auto amount = json::integer(object, name);
  if (!amount) return std::unexpected(amount.error());
  constexpr auto kMost = static_cast<uint64_t>(Msat::max().value);
  return Msat{static_cast<int64_t>(std::min(*amount, kMost))};
}

}  // namespace

Result<std::string> lightning_address_url(std::string_view address) {
  const size_t at = address.find('@');
  if (address.size() > kAddressBytesMax || at == std::string_view::npos || at == 0)
    return fail("a Lightning address is name@host");
  const std::string name(address.substr(0, at));
  const std::string host(address.substr(at + 1));
  if (!std::ranges::all_of(name, is_address_character))
    return fail("the name has other characters than a-z 0-9 - _ . +");
  if (host.find('/') != std::string::npos) return fail("the host is malformed");
  // What may be asked without TLS is what may be a mint without it.
  for (const char* scheme : {"http://", "https://"})
    if (const auto base = normalise_mint_url(scheme + host))
      return *base + "/.well-known/lnurlp/" + name;
  return fail("the host is malformed");
}

Result<PayRequest> read_pay_request(std::string_view url, std::string_view body) {
  const auto object = read_lnurl(body);
  if (!object) return std::unexpected(object.error());
  const auto tag = json::text(*object, "tag", kDetailBytesMax);
  if (!tag || *tag != "payRequest") return fail("the receiver takes no payments");
  PayRequest request;
  auto callback = json::text(*object, "callback", kCallbackBytesMax);
  if (!callback) return std::unexpected(callback.error());
  const bool usable = normalise_mint_url(callback->substr(0, callback->find('?'))).has_value() &&
                      std::ranges::all_of(*callback, [](char c) { return c > ' ' && c < 0x7f; }) &&
                      callback->find('#') == std::string::npos;
  if (!usable || (url.starts_with("https://") && !callback->starts_with("https://")))
    return fail("the receiver's callback is no https address");
  request.callback = std::move(*callback);
  const auto least = read_sendable(*object, "minSendable");
  if (!least) return std::unexpected(least.error());
  const auto most = read_sendable(*object, "maxSendable");
  if (!most) return std::unexpected(most.error());
  request.least = *least;
  request.most = *most;
  return request;
}

Result<std::string> invoice_url(const PayRequest& request, Msat amount) {
  if (amount < request.least || amount > request.most)
    return fail("the receiver takes from " + std::to_string(request.least.value) + " to " +
                std::to_string(request.most.value) + " msat");
  const bool has_query = request.callback.find('?') != std::string::npos;
  return request.callback + (has_query ? "&" : "?") + "amount=" + std::to_string(amount.value);
}

Result<std::string> read_invoice(std::string_view body, Msat amount) {
  const auto object = read_lnurl(body);
  if (!object) return std::unexpected(object.error());
  auto invoice = json::text(*object, "pr", kInvoiceBytesMax);
  if (!invoice) return std::unexpected(invoice.error());
  const auto asks = invoice_amount(*invoice);
  if (!asks) return std::unexpected(asks.error());
  if (*asks != amount) return fail("the receiver's invoice asks another amount");
  return std::move(*invoice);
}

}  // namespace paygress::cashu
