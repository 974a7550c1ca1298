// The pure stage between a relay's frames and the core: parse and verify each event once, however
// many relays send it.
//
//   shell, per frame:  known(frame) ? the KnownEvent : admit(frame), on any worker thread
//   then, in arrival order: remember(event) for each verified event, and hand the message over
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "core/base/lookup.h"
#include "core/nostr/message.h"

namespace paygress::nostr {

class Admission {
 public:
  // Ids remembered; the oldest is forgotten first. A forgotten id only costs a verification.
  static constexpr size_t kIdsMax = 65536;

  // Looks for an EVENT frame with a remembered id, without parsing the frame: under 2 us.
  // Nothing when in doubt: the frame is then admitted the slow way.
  //
  // Why looking at the id alone is safe: a KnownEvent carries nothing of the frame but the id and
  // the subscription, and means no more than "this relay sent that id there". The content used is
  // always that of the copy that was verified; a forged copy under a genuine id is thrown away
  // unread, and an id that was never verified is never known. A relay that passes one event off as
  // another withholds it, which it could do by silence; other relays' copies are looked at alone.
  // So: count it as a delivery by that relay, never as evidence about content or filter.
  std::optional<KnownEvent> known(std::string_view frame) const;

  // Parses a frame, and verifies the event in it. Pure: any thread.
  static Result<RelayMessage> admit(std::string_view frame);

  // The type proves the verification: an unverified id cannot get in (and shadow a genuine event).
  void remember(const VerifiedEvent& event);
  bool remembers(const EventId& id) const { return ids_.contains(id); }
  size_t size() const { return ids_.size(); }

 private:
  struct Nothing {};
  LookupMap<EventId, Nothing, IdHash> ids_;
  std::vector<EventId> order_;  // ring of kIdsMax
  size_t next_ = 0;
};

}  // namespace paygress::nostr
