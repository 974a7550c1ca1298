// Token strings: what is read is well-formed, and comes back when it is written again.
#include "core/base/check.h"
#include "core/cashu/cbor.h"
#include "core/cashu/condition.h"
#include "core/cashu/mint_url.h"
#include "core/cashu/token.h"

namespace paygress::cashu {
namespace {

void check_token(const Token& token) {
  PG_CHECK(!token.proofs.empty() && token.proofs.size() <= kProofsMax);
  PG_CHECK(total(token.proofs).has_value());
  const auto v3 = encode_token(token, TokenVersion::V3);
  const auto v4 = encode_token(token, TokenVersion::V4);
  // V3 is longer than V4: a token near the cap may not fit.
  if (v3) PG_CHECK(decode_token(*v3).value() == token);
  if (!v4) return;
  // V4 brings the proofs of a keyset together; after that it is a fixed point.
  const Token grouped = decode_token(*v4).value();
  PG_CHECK(grouped.proofs.size() == token.proofs.size());
  PG_CHECK(encode_token(grouped, TokenVersion::V4).value() == *v4);
}

void run(std::string_view input) {
  const auto as_is = decode_token(input);
  if (as_is) check_token(*as_is);
  // The bytes as the payload itself, so that the fuzzer need not learn base64.
  for (const char* prefix : {"cashuA", "cashuB"}) {
    const auto token = decode_token(prefix + to_base64(as_bytes(input), Base64::UrlSafe, false));
    if (token) check_token(*token);
  }
  CborReader in(as_bytes(input));
  while (!in.at_end() && in.skip(0)) {
  }
  static_cast<void>(spending_condition(input));
  if (const auto url = normalise_mint_url(input))
    PG_CHECK(normalise_mint_url(*url).value() == *url);
}

}  // namespace
}  // namespace paygress::cashu

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  paygress::cashu::run(paygress::as_text({data, size}));
  return 0;
}
