// The mint's HTTP interface seen from the mint: meaning of requests, bytes of answers. Used by the
// mint model when it is served over HTTP, and by tests as the other half of mint_api.h.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/cashu/types.h"

namespace paygress::cashu {

inline constexpr size_t kRequestBytesMax = 1024 * 1024;
inline constexpr size_t kRequestItemsMax = 1000;  // inputs, outputs or Ys of one request

// Which endpoint a request line means, and its path argument. Nothing for an unknown path.
struct Route {
  Endpoint endpoint = Endpoint::Info;
  std::string argument;
};
std::optional<Route> route_request(bool post, std::string_view path);

struct SwapRequest {
  std::vector<Proof> inputs;
  std::vector<BlindedMessage> outputs;
};
struct MintQuoteRequest {
  Amount amount = 0;
  std::string unit;
};
struct MintRequest {
  std::string quote;
  std::vector<BlindedMessage> outputs;
};

struct MeltQuoteRequest {
  std::string invoice;
  std::string unit;
};
struct MeltRequest {
  std::string quote;
  std::vector<Proof> inputs;
  std::vector<BlindedMessage> outputs;  // blank; may be empty
};

// Errors say which member is wrong. A dleq in an input is ignored, as NUT-12 asks of a mint.
Result<SwapRequest> parse_swap_request(std::string_view body);
Result<std::vector<Point>> parse_check_request(std::string_view body);
Result<std::vector<BlindedMessage>> parse_restore_request(std::string_view body);
Result<MintQuoteRequest> parse_mint_quote_request(std::string_view body);
Result<MintRequest> parse_mint_request(std::string_view body);
Result<MeltQuoteRequest> parse_melt_quote_request(std::string_view body);
Result<MeltRequest> parse_melt_request(std::string_view body);

Bytes write_info(const InfoAnswer& answer);
Bytes write_keys(const KeysetsAnswer& answer);     // GET /v1/keys and /v1/keys/{id}
Bytes write_keysets(const KeysetsAnswer& answer);  // GET /v1/keysets: without the keys
Bytes write_signatures(const SwapAnswer& answer);  // POST /v1/swap and /v1/mint/bolt11
Bytes write_states(const CheckAnswer& answer);
Bytes write_restored(const RestoreAnswer& answer);
Bytes write_quote(const QuoteAnswer& answer, std::string_view unit);
Bytes write_melt_quote(const QuoteAnswer& answer, std::string_view unit);
// {"detail", "code"} of NUT error codes; sent with status 400.
Bytes write_error(uint32_t code, std::string_view detail);

}  // namespace paygress::cashu
