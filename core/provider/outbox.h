// Replies on their way: sealed, published, and sent again until a relay quorum took them. A relay's
// OK is not delivery: the consumer may ask again at any time and gets the same answer.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "core/provider/request_book.h"
#include "core/provider/step.h"

namespace paygress::provider {

inline constexpr size_t kSealingMax = 4096;  // replies waiting for their encryption
inline constexpr Seconds kPassingKept{60};   // an interim or status reply: then forgotten

class Outbox {
 public:
  // The pool must outlive the outbox.
  Outbox(nostr::RelayPool& pool, CallIds& calls) : pool_(pool), calls_(calls) {}

  // A final answer, which must be in the request book: published until a quorum took it.
  void send_answer(Now now, const Request& request, Step& out);
  // A word in passing (interim answer, status): one relay is enough, and nothing is remembered.
  void send_passing(Now now, const PubKey& to, Transport transport, const EventId& reply_to,
                    std::string json, Step& out);

  void on_sealed(Now now, const ReplySealed& sealed, Step& out);
  // The request whose answer a quorum now has, when that is what this publish was.
  std::optional<RequestKey> on_reached(nostr::PublishId publish);
  // The request is no longer in the book: its answer is not sent any more.
  void forget(const RequestKey& key);
  void handle_timer(Now now);
  std::optional<Micros> next_deadline() const;
  bool sending(const RequestKey& key) const { return answers_.contains(key); }
  // True when this publish is the outbox's.
  bool owns(nostr::PublishId publish) const { return published_.contains(publish); }

 private:
  static constexpr uint64_t kPublishIdBase = uint64_t{1} << 32;  // the announcer's are below
  void seal(Now now, const PubKey& to, Transport transport, const EventId& reply_to,
            std::string json, std::optional<RequestKey> key, Step& out);

  nostr::RelayPool& pool_;
  CallIds& calls_;
  std::map<CallId, std::optional<RequestKey>> sealing_;
  std::map<nostr::PublishId, std::optional<RequestKey>> published_;
  std::map<RequestKey, std::optional<nostr::PublishId>> answers_;  // under way
  std::map<Micros, nostr::PublishId> passing_;
  uint64_t next_publish_ = kPublishIdBase;
};

}  // namespace paygress::provider
