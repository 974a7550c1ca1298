// NIP-01, "Communication between clients and relays"; NIP-42; NIP-67.
#include "core/nostr/message.h"

#include "core/base/codec.h"
#include "core/nostr/admission.h"
#include "core/nostr/drafts.h"
#include "tests/core/nostr/support.h"

namespace paygress::nostr {
namespace {

using namespace testing;

const std::string kSomeId(64, 'a');

template <class T>
T relay(const std::string& frame) {
  auto message = parse_relay_frame(frame);
  EXPECT_TRUE(message) << frame << (message ? "" : to_string(message.error()));
  if (!message || !std::holds_alternative<T>(*message)) throw std::runtime_error(frame);
  return std::get<T>(*message);
}

TEST(RelayFrame, ReadsEachKind) {
  EXPECT_EQ(relay<Notice>(R"(["NOTICE","hi"])").text, "hi");
  EXPECT_EQ(relay<AuthChallenge>(R"(["AUTH","c"])").challenge, "c");
  const auto ok = relay<Ok>("[\"OK\",\"" + kSomeId + "\",false,\"blocked: no\"]");
  EXPECT_EQ(ok.id.hex(), kSomeId);
  EXPECT_FALSE(ok.accepted);
  EXPECT_EQ(ok.text, "blocked: no");
  const auto closed = relay<Closed>(R"(["CLOSED","s","auth-required: x"])");
  EXPECT_EQ(closed.subscription, "s");
  EXPECT_EQ(reason_of(closed.text), Reason::AuthRequired);
}

TEST(RelayFrame, EndOfStoredWithItsHint) {
  EXPECT_EQ(relay<EndOfStored>(R"(["EOSE","s"])").finished, std::nullopt);
  EXPECT_EQ(relay<EndOfStored>(R"(["EOSE","s",["finish"]])").finished, true);
  EXPECT_EQ(relay<EndOfStored>(R"(["EOSE","s",["x","more"]])").finished, false);
  EXPECT_EQ(relay<EndOfStored>(R"(["EOSE","s",[]])").finished, std::nullopt);
}

TEST(RelayFrame, RefusesOtherShapes) {
  for (const std::string& frame : {std::string(),
                                   std::string("[]"),
                                   std::string("{}"),
                                   std::string("\"EOSE\""),
                                   std::string("[1]"),
                                   std::string("[[\"EOSE\",\"s\"]]"),
                                   std::string("[\"\",\"s\"]"),
                                   std::string("[\"EOSE\"]"),
                                   std::string("[\"EOSE\",\"\"]"),
                                   std::string("[\"EOSE\",1]"),
                                   std::string("[\"EOSE\",\"s\",[1]]"),
                                   std::string("[\"EOSE\",\"s\",[[]]]"),
                                   std::string("[\"NOTICE\"]"),
                                   std::string("[\"NOTICE\",\"a\",\"b\"]"),
                                   std::string("[\"OK\",\"x\",true,\"\"]"),
                                   "[\"OK\",\"" + kSomeId + "\",\"true\",\"\"]",
                                   "[\"OK\",\"" + kSomeId + "\",true]",
                                   std::string("[\"EVENT\",\"s\",{}]"),
                                   std::string("[\"EVENT\",{}]"),
                                   std::string("[\"COUNT\",\"s\",{\"count\":1}]"),
                                   std::string("[\"REQ\",\"s\",{}]"),
                                   std::string("[\"CLOSED\",\"s\"]"),
                                   "[\"EOSE\",\"" + std::string(65, 's') + "\"]"})
    EXPECT_FALSE(parse_relay_frame(frame)) << frame;
  EXPECT_TRUE(parse_relay_frame("[\"EOSE\",\"" + std::string(64, 's') + "\"]"));
  EXPECT_FALSE(parse_relay_frame("[\"NOTICE\",\"" + std::string(kFrameBytesMax, 'x') + "\"]"));
  EXPECT_FALSE(parse_relay_frame("[\"NOTICE\"" + std::string(500000, '[')));
}

TEST(RelayFrame, RefusesAnEventThatIsTooLarge) {
  const auto frame = [](size_t size) {
    return to_frame(
        WireMessage(EventFor<Event>{"s", signed_event(Draft{{1}, 1, {}, std::string(size, 'x')})}));
  };
  EXPECT_TRUE(parse_relay_frame(frame(65000)));
  EXPECT_FALSE(parse_relay_frame(frame(67000)));
}

TEST(RelayFrame, RealRelaysMalformedLinesAreErrorsNotCrashes) {
  const auto lines = vector_lines("go-nostr-messages-with-malformed.jsonl");
  size_t bad = 0;
  size_t ends = 0;
  for (const std::string& line : lines) {
    const auto message = parse_relay_frame(line);
    if (!message)
      ++bad;
    else if (std::holds_alternative<EndOfStored>(*message))
      ++ends;
  }
  EXPECT_EQ(lines.size(), 538u);
  EXPECT_EQ(bad, 5u);
  EXPECT_EQ(ends, 1u);
}

TEST(RelayFrame, WhatIsWrittenIsReadBack) {
  const WireMessage messages[] = {
      EventFor<Event>{"s", signed_event(Draft{{1}, 1, {{"t", "\n"}}, "x"})},
      Ok{EventId{}, true, "duplicate: \"x\""},
      EndOfStored{"s", std::nullopt},
      EndOfStored{"s", true},
      EndOfStored{"s", false},
      Closed{"s", "error: \x01"},
      Notice{"n"},
      AuthChallenge{"c"}};
  for (const WireMessage& message : messages) {
    const auto read = parse_relay_frame(to_frame(message));
    ASSERT_TRUE(read) << to_frame(message);
    EXPECT_EQ(read->index(), message.index());
    EXPECT_EQ(to_frame(*read), to_frame(message));
  }
}

TEST(RelayFrame, NeverCrashesOnDamagedInput) {
  const auto event = signed_event(Draft{{1}, 1, {{"p", "x"}}, "\u00e9\n"});
  const std::string frames[] = {to_frame(WireMessage(EventFor<Event>{"sub", event})),
                                R"(["EOSE","s",["finish"]])",
                                "[\"OK\",\"" + kSomeId + "\",true,\"x\"]"};
  for (const std::string& frame : frames)
    EXPECT_TRUE(rc::check([&] {
      const std::string text = *damaged(frame);
      if (const auto message = parse_relay_frame(text))
        RC_ASSERT(to_frame(parse_relay_frame(to_frame(*message)).value()) == to_frame(*message));
    }));
}

TEST(ClientFrame, WhatIsWrittenIsReadBack) {
  Filter filter;
  filter.ids = {EventId{}};
  filter.authors = {keypair(1).public_key()};
  filter.kinds = {4, 1059};
  filter.tags = {{"p", {kSomeId}}, {"d", {"a\"b", ""}}};
  filter.since = UnixSeconds{5};
  filter.until = UnixSeconds{6};
  filter.limit = 0;
  const Event event = signed_event(auth_draft("wss://r", "c", {1}));
  const ClientMessage messages[] = {Publish{event}, Subscribe{"s", {filter, Filter{}}},
                                    Unsubscribe{"s"}, Authenticate{event}};
  for (const ClientMessage& message : messages) {
    const auto read = parse_client_frame(to_frame(message));
    ASSERT_TRUE(read) << to_frame(message) << to_string(read.error());
    EXPECT_EQ(read->index(), message.index());
    EXPECT_EQ(to_frame(*read), to_frame(message));
  }
  const auto request = parse_client_frame(to_frame(messages[1]));
  EXPECT_EQ(std::get<Subscribe>(*request).filters[0], filter);
  EXPECT_EQ(to_json(Filter{}), "{}");
}

TEST(ClientFrame, RefusesOtherShapes) {
  for (const char* frame :
       {"[\"REQ\",\"s\"]", "[\"REQ\",{}]", "[\"REQ\",\"s\",\"x\"]", "[\"REQ\",\"\",{}]",
        "[\"CLOSE\"]", "[\"CLOSE\",\"s\",\"t\"]", "[\"EVENT\"]", "[\"EVENT\",\"s\"]",
        "[\"AUTH\",\"c\"]", "[\"EOSE\",\"s\"]", "[\"EVENT\",{},{}]"})
    EXPECT_FALSE(parse_client_frame(frame)) << frame;
}

TEST(ClientFrame, RefusesFiltersItCouldNotHonour) {
  const auto request = [](const std::string& filter) {
    return parse_client_frame("[\"REQ\",\"s\"," + filter + "]");
  };
  for (const char* filter : {R"({"search":"x"})",
                             R"({"ids":[]})",
                             R"({"ids":["aa"]})",
                             R"({"ids":"x"})",
                             R"({"kinds":[65536]})",
                             R"({"kinds":["1"]})",
                             R"({"kinds":[1.5]})",
                             R"({"kinds":1})",
                             R"({"since":-1})",
                             R"({"since":"1"})",
                             R"({"since":[1]})",
                             R"({"limit":1.5})",
                             R"({"limit":null})",
                             R"({"#pp":["x"]})",
                             R"({"#1":["x"]})",
                             R"({"#p":["x"]})",
                             R"({"#t":[1]})",
                             R"({"#t":[["x"]]})",
                             R"({"#t":{}})",
                             R"({"since":1,"since":1})",
                             R"({"#t":["x"],"#t":["y"]})",
                             R"({"authors":[true]})"})
    EXPECT_FALSE(request(filter)) << filter;
  EXPECT_TRUE(request(R"({"#t":["x"],"#T":["y"],"limit":99999999999})"));
  std::string many;
  for (int i = 0; i < 100; ++i) many += i == 0 ? "{}" : ",{}";
  EXPECT_FALSE(request(many));
}

TEST(Filter, MatchesAsNip01Says) {
  const Event event = signed_event(Draft{{100}, 7, {{"e", "1", "2"}, {"t", "a"}, {"t", "b"}}, ""});
  const auto with = [&](auto set) {
    Filter filter;
    set(filter);
    return matches(filter, event);
  };
  EXPECT_TRUE(with([](Filter&) {}));
  EXPECT_TRUE(with([&](Filter& f) { f.ids = {EventId{}, event.id}; }));
  EXPECT_FALSE(with([](Filter& f) { f.ids = {EventId{}}; }));
  EXPECT_TRUE(with([&](Filter& f) { f.authors = {event.pubkey}; }));
  EXPECT_FALSE(with([](Filter& f) { f.authors = {PubKey{}}; }));
  EXPECT_FALSE(with([](Filter& f) { f.kinds = {8}; }));
  EXPECT_TRUE(with([](Filter& f) { f.since = f.until = UnixSeconds{100}; }));
  EXPECT_FALSE(with([](Filter& f) { f.since = UnixSeconds{101}; }));
  EXPECT_FALSE(with([](Filter& f) { f.until = UnixSeconds{99}; }));
  EXPECT_TRUE(with([](Filter& f) { f.tags = {{"t", {"x", "b"}}, {"e", {"1"}}}; }));
  EXPECT_FALSE(with([](Filter& f) { f.tags = {{"t", {"b"}}, {"e", {"2"}}}; }));  // 2nd value
  EXPECT_FALSE(with([](Filter& f) { f.tags = {{"p", {"1"}}}; }));
  EXPECT_TRUE(with([](Filter& f) { f.limit = 0; }));
  Filter no;
  no.kinds = {8};
  EXPECT_TRUE(matches_any({no, Filter{}}, event));
  EXPECT_FALSE(matches_any({no}, event));
  EXPECT_FALSE(matches_any({}, event));
}

TEST(Reason, IsThePrefixBeforeTheFirstColon) {
  EXPECT_EQ(reason_of(""), Reason::None);
  EXPECT_EQ(reason_of("fine"), Reason::None);
  EXPECT_EQ(reason_of("duplicate: have it"), Reason::Duplicate);
  EXPECT_EQ(reason_of("pow: 20"), Reason::Pow);
  EXPECT_EQ(reason_of("blocked: x"), Reason::Blocked);
  EXPECT_EQ(reason_of("rate-limited: slow down: please"), Reason::RateLimited);
  EXPECT_EQ(reason_of("invalid:"), Reason::Invalid);
  EXPECT_EQ(reason_of("restricted: x"), Reason::Restricted);
  EXPECT_EQ(reason_of("mute: x"), Reason::Mute);
  EXPECT_EQ(reason_of("error: x"), Reason::Error);
  EXPECT_EQ(reason_of("unsupported: x"), Reason::Unsupported);
  EXPECT_EQ(reason_of("auth-required: x"), Reason::AuthRequired);
  EXPECT_EQ(reason_of("replaced: have newer event"), Reason::Error);
}

TEST(Drafts, InboxRelaysAreReadBack) {
  const std::vector<std::string> urls = {"wss://a", "ws://b"};
  Event event = signed_event(inbox_relays_draft(urls, {1}));
  EXPECT_EQ(inbox_relays(event).value(), urls);
  event.tags.push_back({"relay", "wss://a"});
  event.tags.push_back({"relay", "https://c"});
  event.tags.push_back({"relay"});
  EXPECT_EQ(inbox_relays(event).value(), urls);
  for (int i = 0; i < 100; ++i) event.tags.push_back({"relay", "wss://" + std::to_string(i)});
  EXPECT_EQ(inbox_relays(event)->size(), kInboxRelaysMax);
  event.tags.clear();
  EXPECT_FALSE(inbox_relays(event));
  event.kind = 1;
  EXPECT_FALSE(inbox_relays(event));
}

TEST(Drafts, AuthenticationNamesRelayAndChallenge) {
  const Draft draft = auth_draft("wss://r", "c", {7});
  EXPECT_EQ(draft.kind, 22242);
  EXPECT_EQ(draft.created_at, UnixSeconds{7});
  EXPECT_EQ(*tag_value(draft.tags, "relay"), "wss://r");
  EXPECT_EQ(*tag_value(draft.tags, "challenge"), "c");
}

}  // namespace
}  // namespace paygress::nostr
