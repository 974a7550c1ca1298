#include "core/journal/frame.h"

#include <algorithm>

#include "core/base/codec.h"

namespace paygress::journal {
namespace {

constexpr std::string_view kMagic = "PGJRNL\r\n";
constexpr size_t kHeaderHashedBytes = kHeaderBytes - sizeof(Hash);

// One frame at the start of `bytes`, or why there is none. Checks the form only, not the chain.
Result<SealedBatch> decode_frame(ByteView bytes) {
  Decoder in(bytes);
  uint32_t length = 0;
  SealedBatch batch;
  if (!decode(in, length)) return fail("a torn frame");
  if (length > kPayloadBytesMax) return fail("not a frame");
  if (!decode(in, batch.sequence) || !decode(in, batch.previous)) return fail("a torn frame");
  if (in.remaining() < length + sizeof(Hash)) return fail("a torn frame");
  const ByteView payload = in.take_view(length);
  batch.payload.assign(payload.begin(), payload.end());
  PG_CHECK(decode(in, batch.hash));
  return batch;
}

}  // namespace

Bytes encode_header(const Header& header) {
  Bytes bytes;
  BufferSink sink{bytes};
  sink.put(as_bytes(kMagic));
  encode(sink, header.format_version);
  encode(sink, header.install);
  PG_CHECK(bytes.size() == kHeaderHashedBytes);
  encode(sink, crypto::sha256(ByteView(bytes)));
  return bytes;
}

Result<Header> decode_header(ByteView bytes) {
  const std::string_view text = as_text(bytes);
  if (text.substr(0, kMagic.size()) != kMagic) return fail("not a journal");
  if (bytes.size() < kHeaderBytes) return fail("the journal's header is cut off");
  const Hash hash = crypto::sha256(bytes.first(kHeaderHashedBytes));
  if (!std::ranges::equal(hash, bytes.subspan(kHeaderHashedBytes, hash.size())))
    return fail("the journal's header is damaged");
  Header header;
  Decoder in(bytes.subspan(kMagic.size()));
  PG_CHECK(decode(in, header.format_version) && decode(in, header.install));
  if (header.format_version != kFormatVersion)
    return fail("format " + std::to_string(header.format_version) +
                " is not known to this program");
  return header;
}

Bytes encode_frame(const SealedBatch& batch) {
  PG_CHECK(batch.payload.size() <= kPayloadBytesMax);
  Bytes bytes;
  bytes.reserve(kFrameOverheadBytes + batch.payload.size());
  BufferSink sink{bytes};
  encode(sink, static_cast<uint32_t>(batch.payload.size()));
  encode(sink, batch.sequence);
  encode(sink, batch.previous);
  sink.put(batch.payload);
  encode(sink, batch.hash);
  return bytes;
}

Result<Recovered> recover(ByteView file, const Visitor& visit) {
  auto header = decode_header(file);
  if (!header) return std::unexpected(header.error());
  ChainVerifier chain(*header);
  Recovered found{*header, chain.tip(), kHeaderBytes, {}};
  while (found.good_bytes < file.size()) {
    auto batch = decode_frame(file.subspan(found.good_bytes));
    if (!batch) {
      found.stopped = batch.error().message;
      break;
    }
    if (auto fits = chain.take(*batch); !fits) {
      found.stopped = to_string(fits.error());
      break;
    }
    if (visit)
      if (auto seen = visit(*batch); !seen) return std::unexpected(seen.error());
    found.good_bytes += kFrameOverheadBytes + batch->payload.size();
    found.tip = chain.tip();
  }
  PG_CHECK(found.good_bytes <= file.size());
  return found;
}

Result<void> scan(ByteView file, const Visitor& visit) {
  if (auto header = decode_header(file); !header) return std::unexpected(header.error());
  for (size_t at = kHeaderBytes; at < file.size();) {
    auto batch = decode_frame(file.subspan(at));
    if (!batch) return std::unexpected(batch.error());
    if (auto seen = visit(*batch); !seen) return seen;
    at += kFrameOverheadBytes + batch->payload.size();
  }
  return {};
}

}  // namespace paygress::journal
