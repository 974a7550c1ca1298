// Frames in both directions: what is accepted must be written and read back the same, and the
// cheap peek must never name another id than the parser reads.
#include "core/base/check.h"
#include "core/nostr/admission.h"

using namespace paygress;
using namespace paygress::nostr;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view frame = as_text({data, size});
  if (const auto message = parse_relay_frame(frame)) {
    const std::string written = to_frame(*message);
    const auto again = parse_relay_frame(written);
    // Writing may escape more than the input did, so a frame at the very limit may outgrow it.
    PG_CHECK(again || written.size() > kEventBytesMax);
    PG_CHECK(!again || to_frame(*again) == written);
  }
  if (const auto message = parse_client_frame(frame)) {
    const std::string written = to_frame(*message);
    const auto again = parse_client_frame(written);
    PG_CHECK(again || written.size() > kEventBytesMax);
    PG_CHECK(!again || to_frame(*again) == written);
  }
  static Admission admission;
  if (const auto known = admission.known(frame)) PG_CHECK(admission.remembers(known->id));
  if (const auto message = Admission::admit(frame))
    if (const auto* event = std::get_if<EventFor<VerifiedEvent>>(&*message))
      admission.remember(event->event);
  return 0;
}
