#include "core/provider/pure_work.h"

#include "core/cashu/mint_url.h"
#include "core/cashu/token.h"
#include "core/nostr/admission.h"
#include "core/nostr/nip04.h"

namespace paygress::provider {
namespace {

std::optional<std::string> token_text(const market::Request& request) {
  if (const auto* spawn = std::get_if<market::SpawnRequest>(&request)) return spawn->cashu_token;
  if (const auto* top_up = std::get_if<market::TopUpRequest>(&request)) return top_up->cashu_token;
  return std::nullopt;
}

void read_token(std::string_view text, PrivateMessage& message) {
  auto token = cashu::decode_token(text);
  if (!token) {
    message.token_problem = to_string(token.error());
    return;
  }
  auto mint = cashu::normalise_mint_url(token->mint);
  if (!mint) {
    message.token_problem = "mint: " + to_string(mint.error());
    return;
  }
  token->mint = *std::move(mint);
  message.token = *std::move(token);
}

std::optional<PrivateMessage> open_gift_wrap(const nostr::VerifiedEvent& event,
                                             const crypto::Keypair& me,
                                             nostr::ConversationKeys* keys) {
  auto unwrapped = nostr::unwrap(event, me, keys);
  if (!unwrapped || unwrapped->kind != nostr::kind::kPrivateMessage) return std::nullopt;
  PrivateMessage message;
  message.sender = unwrapped->sender;
  message.message = unwrapped->rumor_id;
  message.event = event->id;
  message.created_at = unwrapped->created_at;
  message.expires_at = unwrapped->expires_at;
  message.transport = Transport::Nip17;
  read_body(unwrapped->content, message);
  return message;
}

std::optional<PrivateMessage> open_direct(const nostr::VerifiedEvent& event,
                                          const crypto::Keypair& me) {
  auto text = nostr::nip04::open(event, me);
  if (!text) return std::nullopt;
  PrivateMessage message;
  message.sender = event->pubkey;
  message.message = event->id;
  message.event = event->id;
  message.created_at = event->created_at;
  message.transport = Transport::Nip04;
  read_body(*text, message);
  return message;
}

Result<nostr::Event> sealed(const SealReply& work, const crypto::Keypair& me, Entropy& entropy) {
  if (work.transport == Transport::Nip17) {
    nostr::Draft draft{work.at, nostr::kind::kPrivateMessage, {{"p", work.to.hex()}}, work.json};
    const nostr::Rumor rumor = nostr::make_rumor(me.public_key(), std::move(draft));
    return nostr::wrap(rumor, me, work.to, work.at, entropy);
  }
  auto draft = nostr::nip04::seal(me, work.to, work.json, work.at, entropy);
  if (!draft) return std::unexpected(draft.error());
  draft->tags.push_back({"e", work.reply_to.hex()});
  ByteArray<32> aux;
  entropy.fill(aux);
  return nostr::sign(me.secret(), *draft, aux);
}

}  // namespace

void read_body(std::string_view text, PrivateMessage& message) {
  auto request = market::parse_request(text);
  if (!request) {
    message.body = to_string(request.error());
    return;
  }
  if (const auto token = token_text(*request)) read_token(*token, message);
  message.body = *std::move(request);
}

std::optional<PrivateMessage> open_message(const nostr::VerifiedEvent& event,
                                           const crypto::Keypair& me,
                                           nostr::ConversationKeys* keys) {
  if (event->kind == nostr::kind::kGiftWrap) return open_gift_wrap(event, me, keys);
  if (event->kind == nostr::kind::kEncryptedDirect) return open_direct(event, me);
  return std::nullopt;
}

Result<RelaySaid> admit(nostr::LinkId link, std::string_view frame, const crypto::Keypair& me,
                        nostr::ConversationKeys* keys) {
  auto message = nostr::Admission::admit(frame);
  if (!message) return std::unexpected(message.error());
  RelaySaid said{link, *std::move(message), std::nullopt};
  if (const auto* event = std::get_if<nostr::EventFor<nostr::VerifiedEvent>>(&said.message))
    said.opened = open_message(event->event, me, keys);
  return said;
}

EventSigned sign_event(const SignEvent& work, const crypto::Keypair& me, Entropy& entropy) {
  ByteArray<32> aux;
  entropy.fill(aux);
  return {work.id, nostr::sign(me.secret(), work.draft, aux)};
}

ReplySealed seal_reply(const SealReply& work, const crypto::Keypair& me, Entropy& entropy) {
  auto event = sealed(work, me, entropy);
  if (!event) return {work.id, std::nullopt, to_string(event.error())};
  return {work.id, *std::move(event), ""};
}

}  // namespace paygress::provider
