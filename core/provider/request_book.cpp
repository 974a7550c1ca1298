#include "core/provider/request_book.h"

#include <algorithm>

#include "core/crypto/hash.h"

namespace paygress::provider {
namespace {

template <class Id>
Id first_bytes(const crypto::Digest& digest) {
  Id id;
  std::copy_n(digest.begin(), id.bytes.size(), id.bytes.begin());
  return id;
}

}  // namespace

RequestKey RequestBook::key_of(const PubKey& sender, const std::optional<market::RequestId>& id,
                               const EventId& message) {
  const ByteView own = id ? ByteView(id->bytes) : ByteView(message.bytes);
  return first_bytes<RequestKey>(
      crypto::sha256({as_bytes("paygress-request-v1"), sender.bytes, own}));
}

LeaseId RequestBook::lease_of(const RequestKey& key) {
  return first_bytes<LeaseId>(crypto::sha256({as_bytes("paygress-lease-v1"), key.bytes}));
}

const Request* RequestBook::find(const RequestKey& key) const {
  const auto it = requests_.find(key);
  return it == requests_.end() ? nullptr : &it->second;
}

const Request* RequestBook::by_op(const OpId& op) const {
  const auto it = ops_.find(op);
  return it == ops_.end() ? nullptr : find(it->second);
}

const Request* RequestBook::spawn_of(const LeaseId& lease) const {
  const auto it = spawns_.find(lease);
  return it == spawns_.end() ? nullptr : find(it->second);
}

std::vector<RequestKey> RequestBook::stops_of(const LeaseId& lease) const {
  const auto it = stops_.find(lease);
  if (it == stops_.end()) return {};
  return {it->second.begin(), it->second.end()};
}

std::vector<EventId> RequestBook::seen_events() const {
  std::vector<EventId> events;
  for (const auto& [at, event] : seen_order_) events.push_back(event);
  return events;
}

// Only answered requests are ever forgotten; a refusal sooner than one that touched a token or a
// lease.
UnixSeconds RequestBook::forget_at(const Request& request) const {
  const bool touched = request.opened.op || request.opened.lease;
  return request.answer->at + (touched ? kRequestKept : kRefusalKept);
}

std::vector<OwnRecord> RequestBook::forget(UnixSeconds now) const {
  std::vector<OwnRecord> records;
  for (const auto& [at, key] : forgettable_) {
    if (at > now) break;
    records.push_back(RequestForgotten{key});
  }
  return records;
}

void RequestBook::index_forget(const RequestKey& key) {
  forgettable_.emplace(forget_at(requests_.at(key)), key);
}

void RequestBook::apply(const OwnRecord& record) {
  if (const auto* seen = std::get_if<MessageSeen>(&record)) {
    if (seen_.insert(seen->event, seen->at)) seen_order_.emplace(seen->at, seen->event);
    while (seen_order_.size() > kSeenMax ||
           (!seen_order_.empty() && seen_order_.begin()->first + kSeenFor < seen->at)) {
      seen_.erase(seen_order_.begin()->second);
      seen_order_.erase(seen_order_.begin());
    }
  } else if (const auto* opened = std::get_if<RequestOpened>(&record)) {
    PG_CHECK(requests_.emplace(opened->key, Request{*opened, std::nullopt, false}).second);
    if (opened->op) ops_.emplace(*opened->op, opened->key);
    if (opened->kind == RequestKind::Spawn && opened->lease)
      spawns_.emplace(*opened->lease, opened->key);
    if (opened->kind == RequestKind::Stop && opened->lease)
      stops_[*opened->lease].insert(opened->key);
  } else if (const auto* answered = std::get_if<RequestAnswered>(&record)) {
    Request& request = requests_.at(answered->key);
    if (request.answer) forgettable_.erase({forget_at(request), answered->key});
    request.answer = *answered;
    request.delivered = false;
    if (request.opened.kind == RequestKind::Stop && request.opened.lease) {
      const auto waiting = stops_.find(*request.opened.lease);
      if (waiting != stops_.end()) waiting->second.erase(answered->key);
      if (waiting != stops_.end() && waiting->second.empty()) stops_.erase(waiting);
    }
    index_forget(answered->key);
  } else if (const auto* delivered = std::get_if<AnswerDelivered>(&record)) {
    requests_.at(delivered->key).delivered = true;
  } else if (const auto* forgotten = std::get_if<RequestForgotten>(&record)) {
    const Request& request = requests_.at(forgotten->key);
    PG_CHECK(request.answer.has_value());
    forgettable_.erase({forget_at(request), forgotten->key});
    if (request.opened.op) ops_.erase(*request.opened.op);
    if (request.opened.lease) {
      const auto it = spawns_.find(*request.opened.lease);
      if (it != spawns_.end() && it->second == forgotten->key) spawns_.erase(it);
    }
    requests_.erase(forgotten->key);
  }
}

void RequestBook::check_invariants() const {
  PG_CHECK(seen_.size() == seen_order_.size());
  size_t answered = 0;
  for (const auto& [key, request] : requests_) {
    PG_CHECK(request.opened.key == key);
    // Only what touched a token or waits for a lease's end may be unanswered.
    const bool waits = request.opened.kind == RequestKind::Stop && request.opened.lease;
    PG_CHECK(request.answer || request.opened.op || waits);
    answered += request.answer.has_value();
  }
  PG_CHECK(answered == forgettable_.size());
}

}  // namespace paygress::provider
