// The texts that the existing network's clients show (network.md 1.5; S:1093-1820).
#include "core/market/texts.h"

#include <gtest/gtest.h>

#include "core/base/bytes.h"
#include "tests/core/market/sample.h"

namespace paygress::market {
namespace {

using Lines = std::vector<std::string>;

AccessText sample_text() {
  AccessText access;
  access.host = "203.0.113.7";
  access.ssh_port = 30000;
  access.password = "abcdefghijklmnop";
  access.expires_at = {1'785'414'896};
  return access;
}

TEST(AccessInstructions, Section15LinesInOrder) {
  EXPECT_EQ(access_instructions(sample_text()),
            (Lines{"🚀 Workload provisioned successfully!", "👤 Username: root",
                   "🔑 Password: abcdefghijklmnop", "⌛ Expires: 2026-07-30 12:34:56 UTC",
                   "Access: You can connect to the container using SSH.",
                   "  ssh -p 30000 root@203.0.113.7"}));
}

TEST(AccessInstructions, Section15PortsOfATemplate) {
  AccessText access = sample_text();
  access.ports = {{30001, 7777, "tcp", "relay-ws"}, {30002, 9000, "tcp", port_label(9000)}};
  const Lines lines = access_instructions(access);
  ASSERT_EQ(lines.size(), 9u);
  EXPECT_EQ(lines[6], "Workload ports:");
  EXPECT_EQ(lines[7], "  relay-ws (tcp): tcp://203.0.113.7:30001");
  EXPECT_EQ(lines[8], "  port-9000 (tcp): tcp://203.0.113.7:30002");
}

TEST(AccessInstructions, NoSshIsNeverAdvertised) {
  AccessText access = sample_text();
  access.ssh_port.reset();
  for (const std::string& line : access_instructions(access)) {
    EXPECT_EQ(line.find("ssh -p"), line.npos);
    EXPECT_EQ(line.find("Password"), line.npos);
  }
}

TEST(AccessInstructions, CheckpointedSaysThatNothingIsCheckpointed) {
  AccessText access = sample_text();
  access.checkpointed_asked = true;
  EXPECT_NE(access_instructions(access).back().find("nothing is checkpointed"), std::string::npos);
}

TEST(StandbyInstructions, Section15ThreeLines) {
  EXPECT_EQ(standby_instructions(1, 3, "w-1", "npub1a"),
            (Lines{"🛏️  Standby slot reserved (index 1/3 for workload w-1).",
                   "Will promote on LeaseRevocation event from primary npub1a.",
                   "Expected promotion delay: 30 seconds (index * 30s backoff)."}));
  EXPECT_EQ(standby_instructions(0, 1, "w", std::nullopt)[1],
            "Will promote on LeaseRevocation event from primary (unset).");
}

TEST(Texts, SameFactsSameWords) {
  EXPECT_EQ(topup_text({20}, 1000_msat, 50), "Lease extended by 20s (1000 msats @ 50 msats/sec)");
  EXPECT_EQ(text::insufficient_payment({60}, 50),
            "Insufficient payment for minimum duration. Required: 3000 msats for 60s");
  EXPECT_EQ(text::insufficient_topup(10_msat, 50),
            "Insufficient topup: 10 msats buys 0 seconds at 50 msats/sec");
  EXPECT_EQ(text::non_whitelisted_mint("https://m"),
            "Mint https://m is not accepted by this provider");
  EXPECT_EQ(text::token_already_spent(), "This Cashu token has already been spent at the mint");
  EXPECT_EQ(text::token_pending(), "Token is pending at the mint; retry shortly");
  EXPECT_EQ(text::unsupported_unit("usd"), "Token unit usd is not supported");
  EXPECT_EQ(text::unknown_template("x"), "Unknown template `x` — provider does not advertise it");
  EXPECT_EQ(text::invalid_pod_id("x"),
            "Could not parse pod identifier `x`; expected `container-<id>` or numeric id");
  EXPECT_EQ(text::workload_not_found("7"), "Workload 7 not found or you don't have access");
  EXPECT_EQ(text::lease_expired("container-7"),
            "Pod container-7 lease has already expired; spawn a new pod instead");
}

TEST(Texts, APriceBeyondSixtyFourBitsIsNotInvented) {
  EXPECT_EQ(text::insufficient_payment({INT64_MAX}, UINT64_MAX),
            "Insufficient payment for minimum duration. Required: too many msats for "
            "9223372036854775807s");
}

TEST(Excerpt, IsShortOneLineAndWholeCharacters) {
  EXPECT_EQ(excerpt("plain é"), "plain é");
  EXPECT_EQ(excerpt("a\nb\x7f"), "a?b?");
  const std::string cut = excerpt(std::string(kExcerptBytesMax - 1, 'x') + "🚀tail");
  EXPECT_EQ(cut, std::string(kExcerptBytesMax - 1, 'x') + "...");
  EXPECT_TRUE(is_utf8(cut));
  EXPECT_EQ(excerpt(std::string(kExcerptBytesMax, 'x')).size(), kExcerptBytesMax);
}

TEST(ErrorReplies, SayWhatBecameOfTheToken) {
  const ErrorReply untouched = error_reply(ErrorType::NoCapacity, text::no_capacity("memory"));
  EXPECT_EQ(untouched.error_type, "no_capacity");
  EXPECT_EQ(untouched.token_state, TokenState::Untouched);
  EXPECT_EQ(untouched.token_touched, false);
  const ErrorReply doubt = error_reply(ErrorType::MintError, "m", TokenState::InDoubt);
  EXPECT_EQ(doubt.token_touched, true);
}

TEST(ErrorReplies, AStateThatTheErrorExcludesIsABrokenInvariant) {
  EXPECT_DEATH(error_reply(ErrorType::NotOwner, "m", TokenState::Taken), "");
  EXPECT_DEATH(error_reply(ErrorType::MintError, "m"), "");
}

TEST(ErrorReplies, AnUnparseableRequestIsAnsweredWithThePathAlone) {
  const auto refused = parse_request(R"({"pod_id":7,"secret":"secret"})");
  const ErrorReply reply = unparseable_reply(refused.error());
  EXPECT_EQ(reply.error_type, "invalid_request");
  EXPECT_EQ(reply.message, "Failed to parse request");
  EXPECT_EQ(reply.details, "JSON parsing failed: pod_id: must be a string, not a number");
}

}  // namespace
}  // namespace paygress::market
