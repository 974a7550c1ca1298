#include "core/provider/outbox.h"

#include "core/provider/settings.h"

namespace paygress::provider {

void Outbox::send_answer(Now now, const Request& request, Step& out) {
  PG_CHECK(request.answer.has_value());
  const RequestKey& key = request.opened.key;
  const auto it = answers_.find(key);
  if (it != answers_.end()) {
    if (!it->second) return;  // being sealed
    pool_.forget(*it->second);
    published_.erase(*it->second);
    answers_.erase(it);
  }
  seal(now, request.opened.requester, request.opened.transport, request.opened.event,
       request.answer->reply, key, out);
}

void Outbox::send_passing(Now now, const PubKey& to, Transport transport, const EventId& reply_to,
                          std::string json, Step& out) {
  seal(now, to, transport, reply_to, std::move(json), std::nullopt, out);
}

void Outbox::seal(Now now, const PubKey& to, Transport transport, const EventId& reply_to,
                  std::string json, std::optional<RequestKey> key, Step& out) {
  if (sealing_.size() >= kSealingMax)
    return out.tell(Level::Warning, "too many replies wait for encryption; one was dropped");
  const CallId id = calls_.next();
  sealing_.emplace(id, key);
  if (key) answers_[*key] = std::nullopt;
  out.effects.push_back(SealReply{id, to, transport, reply_to, std::move(json), now.wall});
}

void Outbox::on_sealed(Now now, const ReplySealed& sealed, Step& out) {
  const auto it = sealing_.find(sealed.id);
  if (it == sealing_.end()) return;
  const std::optional<RequestKey> key = it->second;
  sealing_.erase(it);
  if (!sealed.event) {
    if (key) answers_.erase(*key);
    return out.tell(Level::Warning, "a reply could not be encrypted: " + sealed.problem);
  }
  const nostr::PublishId publish{next_publish_++};
  nostr::PublishOptions options;
  options.quorum = key ? write_quorum(pool_.relay_count()) : 1;
  if (auto ok = pool_.publish(now, publish, *sealed.event, options); !ok) {
    if (key) answers_.erase(*key);
    return out.tell(Level::Warning, "a reply could not be published: " + to_string(ok.error()));
  }
  published_.emplace(publish, key);
  if (key) {
    answers_[*key] = publish;
  } else {
    Micros forget_at = now.mono + micros(kPassingKept);
    while (passing_.contains(forget_at)) forget_at += Micros{1};
    passing_.emplace(forget_at, publish);
  }
}

std::optional<RequestKey> Outbox::on_reached(nostr::PublishId publish) {
  const auto it = published_.find(publish);
  if (it == published_.end()) return std::nullopt;
  const std::optional<RequestKey> key = it->second;
  if (key) {  // a word in passing is forgotten by its timer
    published_.erase(it);
    answers_.erase(*key);
    pool_.forget(publish);
  }
  return key;
}

void Outbox::forget(const RequestKey& key) {
  const auto it = answers_.find(key);
  if (it == answers_.end()) return;
  if (it->second) {
    pool_.forget(*it->second);
    published_.erase(*it->second);
  }
  answers_.erase(it);
}

void Outbox::handle_timer(Now now) {
  while (!passing_.empty() && passing_.begin()->first <= now.mono) {
    pool_.forget(passing_.begin()->second);
    published_.erase(passing_.begin()->second);
    passing_.erase(passing_.begin());
  }
}

std::optional<Micros> Outbox::next_deadline() const {
  if (passing_.empty()) return std::nullopt;
  return passing_.begin()->first;
}

}  // namespace paygress::provider
