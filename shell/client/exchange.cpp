#include "shell/client/exchange.h"

#include "core/nostr/nip04.h"
#include "core/nostr/nip59.h"
#include "shell/base/clock.h"
#include "shell/client/relay_client.h"
#include "shell/client/terminal.h"

namespace paygress::client {
namespace {

constexpr Micros kListenTimeout = micros(Seconds{10});

struct Message {
  PubKey sender;
  UnixSeconds written;
  std::vector<nostr::Tag> tags;
  std::string text;
};

class Exchange {
 public:
  Exchange(net::Loop& loop, const Identity& identity, const consumer::RequestMade& request,
           const market::Request& message)
      : loop_(loop), identity_(identity), request_(request) {
    awaited_.provider = request.provider;
    awaited_.request = request.request;
    awaited_.kind = consumer::kind_of(message);
    awaited_.asked_at = shell::now().wall;
  }

  Outcome<Answer> run(Seconds timeout,
                      const std::function<void(const market::ErrorReply&)>& on_interim) {
    on_interim_ = on_interim;
    RelayClient::Events events;
    events.on_event = [this](const std::string&, const nostr::VerifiedEvent& e) { hear(e); };
    events.on_answer = [this](const std::string& relay, bool accepted, const std::string& text) {
      if (!accepted) refusals_ += (refusals_.empty() ? "" : "; ") + relay + ": " + text;
    };
    RelayClient relays(loop_, request_.relays, identity_.key, std::move(events));
    nostr::Filter inbox;
    inbox.kinds = {nostr::kind::kGiftWrap, nostr::kind::kEncryptedDirect};
    inbox.tags["p"] = {identity_.key.public_key().hex()};
    relays.subscribe("inbox", {inbox}, nostr::kGiftWrapBackfill);
    const Micros end = shell::now().mono + micros(timeout);
    progress("connecting to the relays");
    loop_.run_until([&] { return relays.listening() || relays.unreachable(); },
                    std::min(kListenTimeout, micros(timeout)));
    if (!relays.listening())
      return failure(ExitCode::Failed, "no relay could be reached: " + relays.problems(),
                     kNoRelayAdvice);
    while (!answer_ && shell::now().mono < end) {
      if (auto ok = send(relays); !ok) return std::unexpected(ok.error());
      progress("waiting for the provider");
      const Micros rest = end - shell::now().mono;
      loop_.run_until([&] { return answer_.has_value(); },
                      std::max(Micros{0}, std::min(rest, micros(kAskEvery))));
    }
    end_progress();
    if (answer_) return *answer_;
    return failure(ExitCode::TimedOut,
                   "no answer in " + std::to_string(timeout.value) + " s" +
                       (refusals_.empty() ? "" : " (relays refused: " + refusals_ + ")"),
                   "The provider may be offline (`paygress list` shows it), or slow: ask again, or "
                   "give it longer with --timeout.");
  }

 private:
  Outcome<void> send(RelayClient& relays) {
    const UnixSeconds now = shell::now().wall;
    if (request_.transport == consumer::Transport::Nip04) {
      if (!awaited_.sent.empty()) return {};
      auto draft =
          nostr::nip04::seal(identity_.key, request_.provider, request_.json, now, entropy_);
      if (!draft) return failure(ExitCode::Usage, draft.error());
      ByteArray<32> aux{};
      entropy_.fill(aux);
      const nostr::Event event = nostr::sign(identity_.key, *draft, aux);
      awaited_.sent.insert(event.id);
      relays.publish(event);
      return {};
    }
    const nostr::Rumor rumor =
        nostr::make_rumor(identity_.key.public_key(), {request_.at,
                                                       nostr::kind::kPrivateMessage,
                                                       {{"p", request_.provider.hex()}},
                                                       request_.json});
    auto event = nostr::wrap(rumor, identity_.key, request_.provider, now, entropy_);
    if (!event) return failure(ExitCode::Usage, event.error());
    relays.publish(*event);
    return {};
  }

  std::optional<Message> open(const nostr::VerifiedEvent& event) {
    if (event->kind == nostr::kind::kEncryptedDirect) {
      if (event->pubkey != request_.provider) return std::nullopt;
      auto text = nostr::nip04::open(event, identity_.key);
      if (!text) return std::nullopt;
      return Message{event->pubkey, event->created_at, event->tags, *std::move(text)};
    }
    auto inner = nostr::unwrap(event, identity_.key, &keys_);
    if (!inner || inner->kind != nostr::kind::kPrivateMessage) return std::nullopt;
    return Message{inner->sender, inner->created_at, inner->tags, std::move(inner->content)};
  }

  void hear(const nostr::VerifiedEvent& event) {
    if (answer_) return;
    auto message = open(event);
    if (!message) return;
    auto reply = market::parse_reply(message->text);
    if (!reply) return;
    switch (consumer::match(awaited_, message->sender, message->written,
                            nostr::tag_value(message->tags, "e"), *reply)) {
      case consumer::Match::No: return;
      case consumer::Match::Interim: return on_interim_(std::get<market::ErrorReply>(*reply));
      case consumer::Match::Final: answer_ = Answer{*std::move(reply), std::move(message->text)};
    }
  }

  net::Loop& loop_;
  const Identity& identity_;
  const consumer::RequestMade& request_;
  consumer::Awaited awaited_;
  shell::OsEntropy entropy_;
  nostr::ConversationKeys keys_;
  std::function<void(const market::ErrorReply&)> on_interim_;
  std::string refusals_;
  std::optional<Answer> answer_;
};

}  // namespace

Outcome<Answer> exchange(net::Loop& loop, const Identity& identity,
                         const consumer::RequestMade& request, Seconds timeout,
                         const std::function<void(const market::ErrorReply&)>& on_interim) {
  auto message = market::parse_request(request.json);
  if (!message) return failure(ExitCode::Failed, message.error());
  return Exchange(loop, identity, request, *message).run(timeout, on_interim);
}

}  // namespace paygress::client
