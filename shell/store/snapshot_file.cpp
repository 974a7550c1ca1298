#include "shell/store/snapshot_file.h"

#include "core/base/codec.h"
#include "shell/store/sealed_file.h"

namespace paygress::store {
namespace {

constexpr std::string_view kSnapshotMagic = "PGSNAP\r\n";

}  // namespace

Result<std::optional<Snapshot>> read_snapshot(const std::string& path) {
  const auto body = read_sealed_file(path, kSnapshotMagic, kSnapshotBytesMax);
  if (!body) return std::unexpected(body.error());
  if (!*body) return std::nullopt;
  Decoder in(**body);
  Snapshot snapshot;
  if (!decode(in, snapshot.install) || !decode(in, snapshot.tip.sequence) ||
      !decode(in, snapshot.tip.hash))
    return fail(kSealBroken, path);
  const ByteView state = in.take_view(in.remaining());
  snapshot.state.assign(state.begin(), state.end());
  return snapshot;
}

Result<void> write_snapshot(const std::string& path, const Snapshot& snapshot) {
  Bytes body;
  BufferSink sink{body};
  encode(sink, snapshot.install);
  encode(sink, snapshot.tip.sequence);
  encode(sink, snapshot.tip.hash);
  sink.put(snapshot.state);
  if (body.size() > kSnapshotBytesMax) return fail("would be too large", path);
  return write_sealed_file(path, kSnapshotMagic, body);
}

}  // namespace paygress::store
