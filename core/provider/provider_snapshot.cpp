// Every durable member of the provider's machines, written and read in one order.
#include "core/base/planted.h"
#include "core/provider/running.h"
#include "core/provider/snapshot.h"

namespace paygress::provider {

Result<SnapshotHead> snapshot_head(ByteView snapshot) {
  Decoder in(snapshot, Reading::SameMembers);
  SnapshotHead head;
  if (!decode(in, head) || head.format != kSnapshotFormat)
    return fail("is not a snapshot of this version of the program");
  return head;
}

Bytes Provider::snapshot() const {
  PG_CHECK(running_ == nullptr);
  Bytes bytes;
  BufferSink sink{bytes};
  const auto put = [&](const auto&... parts) { (encode(sink, parts), ...); };
  put(SnapshotHead{kSnapshotFormat, settings_.ranges}, installed_, boot_count_, relay_read_,
      recovery_, requests_, leases_, workloads_, wallet_, failover_.memory(), standby_book_,
      announcer_);
  return bytes;
}

Result<void> Provider::load(ByteView snapshot) {
  PG_CHECK(running_ == nullptr && !installed_);
  const auto head = snapshot_head(snapshot);
  if (!head) return std::unexpected(head.error());
  if (head->ranges != settings_.ranges)
    return fail("was made for other ranges of numbers and ports");
  Decoder in(snapshot, Reading::SameMembers);
  SnapshotHead again;
  failover::Memory memory;
  const auto take = [&](auto&... parts) { return (decode(in, parts) && ...); };
  if (!take(again, installed_, boot_count_, relay_read_, recovery_, requests_, leases_, workloads_,
            wallet_, memory, standby_book_, announcer_) ||
      in.remaining() != 0)
    return fail("is damaged, or of another version of the program");
  if (planted(Bug::snapshot_forgets)) relay_read_.clear();
  leases_.loaded();
  failover_.remember(memory);
  return {};
}

}  // namespace paygress::provider
