#include "core/journal/batch.h"

#include "core/base/codec.h"

namespace paygress::journal {
namespace {

template <class Visit>
Result<void> read_records(ByteView payload, const Visit& visit) {
  if (payload.size() > kPayloadBytesMax) return fail("a batch that is too long");
  Decoder in(payload);
  uint32_t count = 0;
  if (!decode(in, count)) return fail("not a list of records");
  if (count == 0) return fail("a batch without records");
  if (count > kRecordsPerBatchMax) return fail("a batch of too many records");
  for (uint32_t i = 0; i < count; ++i) {
    uint32_t size = 0;
    const ByteView record = decode(in, size) ? in.take_view(size) : ByteView{};
    if (!in.ok()) return fail("not a list of records");
    if (record.empty()) return fail("an empty record");
    if (size > kRecordBytesMax) return fail("a record that is too long");
    visit(record);
  }
  if (in.remaining() != 0) return fail("not a list of records");
  return {};
}

}  // namespace

Result<Bytes> encode_records(const Records& records) {
  if (records.empty()) return fail("a batch without records");
  if (records.size() > kRecordsPerBatchMax) return fail("a batch of too many records");
  size_t total = sizeof(uint32_t);
  for (const Bytes& record : records) {
    if (record.empty()) return fail("an empty record");
    if (record.size() > kRecordBytesMax) return fail("a record that is too long");
    total += sizeof(uint32_t) + record.size();
    if (total > kPayloadBytesMax) return fail("a batch that is too long");
  }
  Bytes payload;
  payload.reserve(total);
  BufferSink sink{payload};
  encode(sink, records);
  PG_CHECK(payload.size() == total);
  return payload;
}

Result<Records> decode_records(ByteView payload) {
  Records records;
  auto read = read_records(
      payload, [&](ByteView record) { records.emplace_back(record.begin(), record.end()); });
  if (!read) return std::unexpected(read.error());
  return records;
}

Result<void> check_records(ByteView payload) {
  return read_records(payload, [](ByteView) {});
}

}  // namespace paygress::journal
