// Arbitrary bytes as a journal file. The first byte chooses: a whole file, the frames behind a good
// header, one payload, or edits of a good file (so that whole frames are met behind every hash).
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/base/check.h"
#include "core/base/codec.h"
#include "core/journal/frame.h"

namespace {

using namespace paygress;
using journal::Tip;

constexpr journal::Header kHeader{journal::kFormatVersion, InstallId{{1}}};

struct GoodFile {
  Bytes bytes = journal::encode_header(kHeader);
  std::vector<Tip> tips = {journal::genesis(kHeader)};
  std::vector<size_t> ends = {bytes.size()};
};

const GoodFile& good_file() {
  static const GoodFile file = [] {
    GoodFile made;
    for (uint8_t i = 1; i <= 4; ++i) {
      const auto payload = journal::encode_records({Bytes(i, i), Bytes{i}});
      const auto batch = journal::link(made.tips.back(), *payload);
      BufferSink{made.bytes}.put(journal::encode_frame(batch));
      made.tips.push_back({batch.sequence, batch.hash});
      made.ends.push_back(made.bytes.size());
    }
    return made;
  }();
  return file;
}

// What recover() says must hold of what it took, and must not change when the rest is cut off.
void check_file(ByteView file) {
  uint64_t last = 0;
  const auto found = journal::recover(file, [&](const journal::SealedBatch& batch) -> Result<void> {
    PG_CHECK(batch.sequence == ++last);
    PG_CHECK(journal::decode_records(batch.payload).has_value());
    return {};
  });
  if (!found) return;
  PG_CHECK(found->tip.sequence == last && found->good_bytes <= file.size());
  PG_CHECK(found->stopped.empty() == (found->good_bytes == file.size()));
  const auto again = journal::recover(file.first(found->good_bytes), {});
  PG_CHECK(again && again->tip == found->tip && again->stopped.empty());
}

void check_payload(ByteView payload) {
  const auto records = journal::decode_records(payload);
  if (!records) return;
  const auto back = journal::encode_records(*records);
  PG_CHECK(back && std::ranges::equal(*back, payload));
}

// Pairs of (place, change) on the good file: nothing of a changed frame may be believed.
void check_edits(ByteView edits) {
  const GoodFile& good = good_file();
  Bytes bytes = good.bytes;
  for (size_t i = 0; i + 2 < edits.size(); i += 3)
    bytes[(size_t{edits[i]} << 8 | edits[i + 1]) % bytes.size()] ^= edits[i + 2];
  const auto difference = std::ranges::mismatch(bytes, good.bytes);
  const auto first = static_cast<size_t>(difference.in1 - bytes.begin());
  const auto found = journal::recover(bytes, {});
  if (!found) {
    PG_CHECK(first < journal::kHeaderBytes);
    return;
  }
  const auto whole = std::ranges::upper_bound(good.ends, first) - good.ends.begin();
  PG_CHECK(whole > 0 && found->tip == good.tips[static_cast<size_t>(whole) - 1]);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const ByteView rest(data + 1, size - 1);
  switch (data[0] % 4) {
    case 0: check_file(rest); break;
    case 1: {
      Bytes file = journal::encode_header(kHeader);
      BufferSink{file}.put(rest);
      check_file(file);
      break;
    }
    case 2: check_payload(rest); break;
    default: check_edits(rest);
  }
  return 0;
}
