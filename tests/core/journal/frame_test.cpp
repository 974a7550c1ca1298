// Reading back a file of frames, whatever a crash made of it.
#include "core/journal/frame.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>

#include "core/base/codec.h"

namespace paygress::journal {
namespace {

using ::testing::HasSubstr;

constexpr Header kFrameHeader{kFormatVersion, InstallId{{9, 9}}};

struct File {
  Bytes bytes = encode_header(kFrameHeader);
  std::vector<size_t> ends = {bytes.size()};  // of the header, then of each frame
};

File file_of(uint8_t count) {
  File file;
  Tip tip = genesis(kFrameHeader);
  for (uint8_t i = 1; i <= count; ++i) {
    const SealedBatch batch = link(tip, encode_records({Bytes(i, i)}).value());
    BufferSink sink{file.bytes};
    sink.put(encode_frame(batch));
    file.ends.push_back(file.bytes.size());
    tip = {batch.sequence, batch.hash};
  }
  return file;
}

TEST(Frame, ComesBackWhole) {
  const File file = file_of(4);
  std::vector<uint64_t> seen;
  const auto found = recover(file.bytes, [&](const SealedBatch& batch) -> Result<void> {
    seen.push_back(batch.sequence);
    EXPECT_EQ(decode_records(batch.payload).value(),
              Records{Bytes(seen.size(), static_cast<uint8_t>(seen.size()))});
    return {};
  });
  ASSERT_TRUE(found) << to_string(found.error());
  EXPECT_EQ(found->header, kFrameHeader);
  EXPECT_EQ(found->good_bytes, file.bytes.size());
  EXPECT_EQ(found->stopped, "");
  EXPECT_THAT(seen, ::testing::ElementsAre(1, 2, 3, 4));
}

TEST(Frame, EveryCutLeavesTheFramesBeforeIt) {
  const File file = file_of(4);
  for (size_t cut = kHeaderBytes; cut <= file.bytes.size(); ++cut) {
    const auto found = recover(ByteView(file.bytes).first(cut), {});
    ASSERT_TRUE(found) << cut;
    const auto whole = std::ranges::upper_bound(file.ends, cut) - file.ends.begin() - 1;
    EXPECT_EQ(found->tip.sequence, static_cast<uint64_t>(whole)) << cut;
    EXPECT_EQ(found->good_bytes, file.ends[static_cast<size_t>(whole)]) << cut;
    EXPECT_EQ(found->stopped.empty(), found->good_bytes == cut) << cut;
  }
}

TEST(Frame, AChangedByteEndsTheReadingBeforeItsFrame) {
  EXPECT_TRUE(rc::check("nothing from the changed frame on is believed", [] {
    File file = file_of(4);
    const auto at = *rc::gen::inRange<size_t>(kHeaderBytes, file.bytes.size());
    file.bytes[at] ^= *rc::gen::inRange<uint8_t>(1, 255);
    const auto found = recover(file.bytes, {});
    RC_ASSERT(found.has_value());
    const auto whole = std::ranges::upper_bound(file.ends, at) - file.ends.begin() - 1;
    RC_ASSERT(found->tip.sequence == static_cast<uint64_t>(whole));
    RC_ASSERT(!found->stopped.empty());
  }));
}

TEST(Frame, AFrameOfAnotherJournalIsNotBelieved) {
  File file = file_of(1);
  const SealedBatch foreign =
      link(genesis(Header{kFormatVersion, InstallId{{1}}}), encode_records({Bytes{1}}).value());
  BufferSink sink{file.bytes};
  sink.put(encode_frame(foreign));
  const auto found = recover(file.bytes, {});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->tip.sequence, 1U);
}

TEST(Frame, ALengthThatIsTooLongIsNoFrame) {
  File file = file_of(1);
  BufferSink sink{file.bytes};
  sink.put(Bytes(500, 0xff));
  const auto found = recover(file.bytes, {});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->stopped, "not a frame");
}

TEST(Frame, AnErrorOfTheVisitorIsReturned) {
  const auto found =
      recover(file_of(2).bytes, [](const SealedBatch&) -> Result<void> { return fail("enough"); });
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().message, "enough");
}

TEST(FrameHeader, IsRefusedUnlessItIsOursAndWhole) {
  const Bytes good = encode_header(kFrameHeader);
  EXPECT_EQ(decode_header(good).value(), kFrameHeader);
  EXPECT_FALSE(decode_header({}));
  EXPECT_FALSE(decode_header(ByteView(good).first(kHeaderBytes - 1)));
  for (size_t i = 0; i < good.size(); ++i) {
    Bytes bad = good;
    bad[i] ^= 1;
    EXPECT_FALSE(decode_header(bad)) << i;
  }
  const auto newer = decode_header(encode_header(Header{kFormatVersion + 1, kFrameHeader.install}));
  ASSERT_FALSE(newer);
  EXPECT_THAT(newer.error().message, HasSubstr("not known"));
}

}  // namespace
}  // namespace paygress::journal
