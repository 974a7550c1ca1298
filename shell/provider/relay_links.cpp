#include "shell/provider/relay_links.h"

#include <utility>

#include "core/base/check.h"
#include "core/provider/pure_work.h"

namespace paygress::daemon {
namespace {

// Ups, losses and pongs beside the frames. The pool of the core opens one link a second and relay.
constexpr size_t kQueueSlack = 4096;

// Each worker has its own: senders' keys are worked out once per thread.
nostr::ConversationKeys& conversation_keys() {
  thread_local nostr::ConversationKeys keys;
  return keys;
}

}  // namespace

RelayLinks::RelayLinks(net::Loop& loop, net::WorkerPool& pool, const crypto::Keypair& me,
                       size_t relays_max, Events events)
    : loop_(loop),
      pool_(pool),
      me_(me),
      events_(std::move(events)),
      queue_(pool.make_queue(net::WorkerPool::Order::Parallel,
                             relays_max * kFramesWaitingMax + kQueueSlack)) {
  PG_CHECK(events_.input != nullptr && events_.delivered != nullptr);
}

RelayLinks::~RelayLinks() { *alive_ = false; }

// --- effects -----------------------------------------------------------------------------------

void RelayLinks::open(const provider::OpenLink& effect) {
  const nostr::LinkId id = effect.link;
  net::WebSocketOptions options;
  options.url = effect.url;
  options.ping_every = Micros{0};  // the core keeps the link alive
  options.message_bytes_max = nostr::kFrameBytesMax;
  net::WebSocketEvents events;
  events.on_open = [this, id] {
    links_.at(id).opened = true;
    queue(provider::LinkUp{id});
  };
  events.on_text = [this, id](std::string_view frame) { on_frame(id, frame); };
  events.on_pong = [this, id] { on_pong(id); };
  events.on_closed = [this, id](const std::string& reason) { on_closed(id, reason); };
  Link link;
  link.url = effect.url;
  link.client =
      std::make_unique<net::WebSocketClient>(loop_, std::move(options), std::move(events));
  PG_CHECK(links_.emplace(id, std::move(link)).second);
}

void RelayLinks::close(nostr::LinkId link) { links_.erase(link); }

void RelayLinks::ping(nostr::LinkId link) {
  if (const auto it = links_.find(link); it != links_.end()) it->second.client->ping();
}

void RelayLinks::send(const provider::SendFrame& effect) {
  const auto it = links_.find(effect.link);
  if (it == links_.end()) return;
  if (it->second.client->send(nostr::to_frame(effect.message)) == net::Sent::Full)
    lose(effect.link, nostr::LinkDown::Closed, "the relay does not read what is sent");
}

// --- what happens on the sockets -----------------------------------------------------------------

void RelayLinks::on_frame(nostr::LinkId link, std::string_view frame) {
  if (!admit_one(link, frame.size())) return;
  const size_t bytes = frame.size();
  net::WorkerPool::Work work;
  if (auto known = admission_.known(frame)) {
    work = [this, alive = alive_, link, bytes, known = *std::move(known)] {
      return [this, alive, link, bytes, known] {
        if (*alive) hand_over(link, bytes, provider::RelaySaid{link, known, std::nullopt});
      };
    };
  } else {
    work = [this, alive = alive_, link, bytes, &me = me_, text = std::string(frame)] {
      auto said = provider::admit(link, text, me, &conversation_keys());
      return [this, alive, link, bytes, said = std::move(said)] {
        if (*alive) hand_over(link, bytes, said);
      };
    };
  }
  PG_CHECK(pool_.submit(queue_, std::move(work)));
}

// An event may be remembered only when the core took it (core/nostr/relay_pool.h).
void RelayLinks::hand_over(nostr::LinkId link, size_t bytes,
                           const Result<provider::RelaySaid>& said) {
  one_done(link, bytes);
  if (!said) {
    ++refused_;
    log_.debug("a frame of relay {} was dropped: {}", link.relay.value, to_string(said.error()));
    return;
  }
  events_.input(*said);
  const auto* event = std::get_if<nostr::EventFor<nostr::VerifiedEvent>>(&said->message);
  if (event != nullptr && events_.delivered(event->event->id)) admission_.remember(event->event);
}

void RelayLinks::on_pong(nostr::LinkId link) {
  if (!admit_one(link, 0)) return;
  PG_CHECK(pool_.submit(queue_, [this, alive = alive_, link] {
    return [this, alive, link] {
      if (!*alive) return;
      one_done(link, 0);
      events_.input(provider::Pong{link});
    };
  }));
}

void RelayLinks::on_closed(nostr::LinkId link, const std::string& reason) {
  const auto it = links_.find(link);
  PG_CHECK(it != links_.end());
  // Beast's words for an HTTP answer other than 101: 403, 429 and the like.
  const bool declined = reason.find("declined") != reason.npos;
  const auto down = it->second.opened ? nostr::LinkDown::Closed
                    : declined        ? nostr::LinkDown::Refused
                                      : nostr::LinkDown::Failed;
  log_.info("{}: {}", it->second.url, reason);
  lose(link, down, reason);
}

void RelayLinks::lose(nostr::LinkId link, nostr::LinkDown reason, const std::string& text) {
  if (links_.erase(link) == 0) return;
  queue(provider::LinkLost{link, reason, text});
}

void RelayLinks::queue(provider::Input input) {
  PG_CHECK(pool_.submit(queue_, [this, alive = alive_, input = std::move(input)] {
    return [this, alive, input] {
      if (*alive) events_.input(input);
    };
  }));
}

bool RelayLinks::admit_one(nostr::LinkId id, size_t bytes) {
  Link& link = links_.at(id);
  if (link.frames >= kFramesWaitingMax || link.bytes + bytes > kFrameBytesWaitingMax) {
    lose(id, nostr::LinkDown::Closed, "the relay sends faster than its events can be verified");
    return false;
  }
  ++link.frames;
  link.bytes += bytes;
  return true;
}

void RelayLinks::one_done(nostr::LinkId id, size_t bytes) {
  const auto it = links_.find(id);
  if (it == links_.end()) return;
  PG_CHECK(it->second.frames > 0 && it->second.bytes >= bytes);
  --it->second.frames;
  it->second.bytes -= bytes;
}

}  // namespace paygress::daemon
