// The mint's HTTP interface, both sides, and the answers of Lightning addresses. The first byte
// chooses endpoint and status class.
#include "core/base/check.h"
#include "core/cashu/invoice.h"
#include "core/cashu/lightning_address.h"
#include "core/cashu/mint_api.h"
#include "core/cashu/mint_wire.h"

namespace paygress::cashu {
namespace {

constexpr unsigned kEndpoints = static_cast<unsigned>(Endpoint::Melt) + 1;

void check_answer(uint32_t status, const MintAnswer& answer) {
  if (const auto* error = std::get_if<MintError>(&answer)) {
    PG_CHECK(status >= 400 && status <= 599 && error->http_status == status);
    PG_CHECK(error->detail.size() <= kDetailBytesMax);
    PG_CHECK(error->detail.find('\n') == std::string::npos);
    return;
  }
  PG_CHECK(status < 400 || std::holds_alternative<NoReply>(answer));
  if (const auto* swap = std::get_if<SwapAnswer>(&answer)) {
    PG_CHECK(swap->signatures.size() <= kAnswerItemsMax);
    // What was read is written and read again unchanged, but for r, which no mint may send.
    const auto again = parse_answer(Endpoint::Swap, 200, as_text(write_signatures(*swap)));
    PG_CHECK(std::get<SwapAnswer>(again).signatures.size() == swap->signatures.size());
  }
  if (const auto* restored = std::get_if<RestoreAnswer>(&answer))
    PG_CHECK(restored->outputs.size() == restored->signatures.size());
}

void run(uint8_t selector, std::string_view body) {
  const auto endpoint = static_cast<Endpoint>(selector % kEndpoints);
  const uint32_t status = selector / kEndpoints % 2 == 0 ? 200 : 400;
  check_answer(status, parse_answer(endpoint, status, body));
  if (const auto swap = parse_swap_request(body)) {
    const auto again =
        parse_swap_request(as_text(encode_swap_request(swap->inputs, swap->outputs)));
    PG_CHECK(again && again->inputs == swap->inputs && again->outputs == swap->outputs);
  }
  static_cast<void>(parse_check_request(body));
  static_cast<void>(parse_mint_request(body));
  static_cast<void>(parse_mint_quote_request(body));
  if (const auto melt = parse_melt_request(body)) {
    const auto again =
        parse_melt_request(as_text(encode_melt_request(melt->quote, melt->inputs, melt->outputs)));
    PG_CHECK(again && again->inputs == melt->inputs && again->outputs == melt->outputs);
  }
  static_cast<void>(parse_melt_quote_request(body));
  if (const auto amount = invoice_amount(body); amount && *amount)
    PG_CHECK(**amount > Msat{0} && **amount <= Msat{2'100'000'000'000'000'000});
  if (const auto request = read_pay_request("https://pay.example", body))
    PG_CHECK(request->callback.starts_with("https://"));
  if (const auto invoice = read_invoice(body, Msat{1000}))
    PG_CHECK(invoice_amount(*invoice).value() == Msat{1000});
  static_cast<void>(lightning_address_url(body));
  static_cast<void>(route_request(selector % 2 == 0, body));
}

}  // namespace
}  // namespace paygress::cashu

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  paygress::cashu::run(data[0], paygress::as_text({data + 1, size - 1}));
  return 0;
}
