// The hash chain and the forms of batches.
#include "core/journal/chain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "core/base/codec.h"

namespace paygress::journal {
namespace {

using ::testing::HasSubstr;

constexpr Header kHeader{kFormatVersion, InstallId{{1, 2, 3}}};

Bytes payload_of(uint8_t byte) { return encode_records({Bytes{byte}}).value(); }

std::vector<SealedBatch> chain_of(uint8_t count) {
  std::vector<SealedBatch> batches;
  Tip tip = genesis(kHeader);
  for (uint8_t i = 1; i <= count; ++i) {
    batches.push_back(link(tip, payload_of(i)));
    tip = {batches.back().sequence, batches.back().hash};
  }
  return batches;
}

// Takes batches until one is refused; its error, or nothing.
std::string first_refusal(const std::vector<SealedBatch>& batches) {
  ChainVerifier verifier(kHeader);
  for (const SealedBatch& batch : batches)
    if (auto ok = verifier.take(batch); !ok) return to_string(ok.error());
  return {};
}

// The definition in batch.h, spelled out byte by byte: a change of the format must be noticed.
TEST(Chain, HashIsTheOneDefined) {
  Bytes all;
  BufferSink sink{all};
  sink.put(as_bytes("paygress-journal-v1"));
  sink.put(Bytes{5, 0, 0, 0, 0, 0, 0, 0});
  const Hash previous = crypto::sha256(as_bytes("previous"));
  sink.put(previous);
  sink.put(as_bytes("payload"));
  EXPECT_EQ(chain_hash(5, previous, as_bytes("payload")), crypto::sha256(ByteView(all)));
}

TEST(Chain, StartsAtAnotherPlaceForEveryInstallAndFormat) {
  EXPECT_NE(genesis(kHeader), genesis(Header{kFormatVersion, InstallId{{1, 2, 4}}}));
  EXPECT_NE(genesis(kHeader), genesis(Header{kFormatVersion + 1, kHeader.install}));
  EXPECT_EQ(genesis(kHeader).sequence, 0U);
}

TEST(Chain, FollowsWhatWasLinked) {
  const auto batches = chain_of(5);
  EXPECT_EQ(first_refusal(batches), "");
  EXPECT_EQ(batches[4].sequence, 5U);
}

TEST(Chain, NoticesAMissingBatch) {
  auto batches = chain_of(5);
  batches.erase(batches.begin() + 2);
  EXPECT_THAT(first_refusal(batches), HasSubstr("batch 3: missing"));
}

TEST(Chain, NoticesChangedContentWhereverTheByteStands) {
  EXPECT_TRUE(rc::check("any changed byte is noticed", [] {
    auto batches = chain_of(4);
    const auto which = *rc::gen::inRange<size_t>(0, 4);
    Bytes& payload = batches[which].payload;
    payload[*rc::gen::inRange<size_t>(0, payload.size())] ^= *rc::gen::inRange<uint8_t>(1, 255);
    const std::string refusal = first_refusal(batches);
    RC_ASSERT(refusal.starts_with("batch " + std::to_string(which + 1) + ": content was changed"));
  }));
}

TEST(Chain, NoticesABatchWhoseHashWasMadeToFit) {
  auto batches = chain_of(3);
  batches[1].payload = payload_of(99);
  batches[1].hash = chain_hash(2, batches[1].previous, batches[1].payload);
  EXPECT_THAT(first_refusal(batches), HasSubstr("batch 3: does not follow"));
}

TEST(Chain, NoticesAPayloadThatIsNoListOfRecords) {
  const SealedBatch odd = link(genesis(kHeader), Bytes{1, 2, 3});
  EXPECT_THAT(first_refusal({odd}), HasSubstr("batch 1: cannot be read"));
}

TEST(Records, ComeBackAsTheyWere) {
  EXPECT_TRUE(rc::check("decode(encode(x)) == x", [] {
    const auto records = *rc::gen::nonEmpty(
        rc::gen::container<Records>(rc::gen::nonEmpty(rc::gen::arbitrary<Bytes>())));
    const auto payload = encode_records(records);
    RC_ASSERT(payload.has_value());
    const auto back = decode_records(*payload);
    RC_ASSERT(back.has_value());
    RC_ASSERT(*back == records);
  }));
}

TEST(Records, AreBounded) {
  EXPECT_FALSE(encode_records({}));
  EXPECT_FALSE(encode_records({Bytes{1}, Bytes{}}));
  EXPECT_TRUE(encode_records({Bytes(kRecordBytesMax, 1)}));
  EXPECT_FALSE(encode_records({Bytes(kRecordBytesMax + 1, 1)}));
  EXPECT_FALSE(encode_records(Records(5, Bytes(kRecordBytesMax, 1))));
  EXPECT_FALSE(encode_records(Records(kRecordsPerBatchMax + 1, Bytes{1})));
}

TEST(Records, RefusesWhatItDidNotWrite) {
  EXPECT_FALSE(decode_records({}));
  EXPECT_FALSE(decode_records(Bytes{0, 0, 0, 0}));                    // no record
  EXPECT_FALSE(decode_records(Bytes{1, 0, 0, 0, 0, 0, 0, 0}));        // an empty one
  EXPECT_FALSE(decode_records(Bytes{1, 0, 0, 0, 2, 0, 0, 0, 7}));     // cut off
  EXPECT_FALSE(decode_records(Bytes{1, 0, 0, 0, 1, 0, 0, 0, 7, 8}));  // and more
  EXPECT_FALSE(decode_records(Bytes{255, 255, 255, 255, 1, 0, 0, 0, 7}));
  EXPECT_TRUE(decode_records(Bytes{1, 0, 0, 0, 1, 0, 0, 0, 7}));
}

}  // namespace
}  // namespace paygress::journal
