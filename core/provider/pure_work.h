// The pure work around Provider::step: opening what came in, and carrying out the effects that need
// our keys but no world. The shell runs it on its worker pool, the simulator inline. Thread-safe as
// long as each thread has its own Entropy and ConversationKeys.
#pragma once

#include <optional>
#include <string_view>
#include <variant>

#include "core/base/random.h"
#include "core/cashu/curve_work.h"
#include "core/cashu/nut13.h"
#include "core/crypto/schnorr.h"
#include "core/nostr/nip59.h"
#include "core/provider/effects.h"

namespace paygress::provider {

// A gift wrap or kind 4 event addressed to us, opened, its text parsed and its token decoded.
// Nothing when it is neither, is not for us, fails a check of NIP-59, or holds another kind of
// rumor: such events are dropped without an answer.
std::optional<PrivateMessage> open_message(const nostr::VerifiedEvent& event,
                                           const crypto::Keypair& me,
                                           nostr::ConversationKeys* keys = nullptr);
// The same, from the text on: what is common to both transports.
void read_body(std::string_view text, PrivateMessage& message);

// One frame of a relay, made the input of a step. Error: not a frame, or an event that does not
// verify; the caller counts it.
Result<RelaySaid> admit(nostr::LinkId link, std::string_view frame, const crypto::Keypair& me,
                        nostr::ConversationKeys* keys = nullptr);

EventSigned sign_event(const SignEvent& work, const crypto::Keypair& me, Entropy& entropy);
ReplySealed seal_reply(const SealReply& work, const crypto::Keypair& me, Entropy& entropy);

}  // namespace paygress::provider
