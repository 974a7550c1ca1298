#include "core/journal/batch.h"

#include "core/base/codec.h"

namespace paygress::journal {

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
  if (payload.size() > kPayloadBytesMax) return fail("a batch that is too long");
  auto records = decode_bytes<Records>(payload);
  if (!records) return fail("not a list of records");
  if (records->empty()) return fail("a batch without records");
  if (records->size() > kRecordsPerBatchMax) return fail("a batch of too many records");
  for (const Bytes& record : *records) {
    if (record.empty()) return fail("an empty record");
    if (record.size() > kRecordBytesMax) return fail("a record that is too long");
  }
  return records;
}

}  // namespace paygress::journal
