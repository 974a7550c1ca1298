#include "core/journal/chain.h"

#include "core/base/codec.h"

namespace paygress::journal {
namespace {

constexpr std::string_view kDomain = "paygress-journal-v1";

}  // namespace

Hash chain_hash(uint64_t sequence, const Hash& previous, ByteView payload) {
  const Bytes number = encode_bytes(sequence);
  return crypto::sha256({as_bytes(kDomain), number, previous, payload});
}

Tip genesis(const Header& header) {
  Bytes content = encode_bytes(header.format_version);
  BufferSink sink{content};
  encode(sink, header.install);
  return {0, chain_hash(0, Hash{}, content)};
}

SealedBatch link(const Tip& tip, Bytes payload) {
  PG_CHECK(!payload.empty());
  PG_CHECK(tip.sequence < UINT64_MAX);
  SealedBatch batch{tip.sequence + 1, tip.hash, std::move(payload), {}};
  batch.hash = chain_hash(batch.sequence, batch.previous, batch.payload);
  return batch;
}

Result<void> ChainVerifier::take(const SealedBatch& batch) {
  PG_CHECK(!broken_);
  const auto broke = [&](const std::string& how) {
    broken_ = true;
    return fail(how, "batch " + std::to_string(tip_.sequence + 1));
  };
  if (batch.sequence != tip_.sequence + 1)
    return broke("missing: batch " + std::to_string(batch.sequence) + " stands in its place");
  if (batch.previous != tip_.hash)
    return broke(
        "does not follow the batch before it: one of the two is of another journal, or "
        "was changed together with its hash");
  if (batch.hash != chain_hash(batch.sequence, batch.previous, batch.payload))
    return broke("content was changed: it does not match its hash");
  if (auto records = check_records(batch.payload); !records)
    return broke("cannot be read: " + records.error().message);
  tip_ = {batch.sequence, batch.hash};
  return {};
}

}  // namespace paygress::journal
