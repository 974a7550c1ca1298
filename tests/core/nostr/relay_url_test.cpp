#include "core/nostr/relay_url.h"

#include <gtest/gtest.h>

namespace paygress::nostr {
namespace {

TEST(RelayUrl, OneRelayHasOneSpelling) {
  for (const char* text : {"wss://relay.example", "WSS://Relay.Example/", "wss://relay.example:443",
                           "wss://relay.example:443//"})
    EXPECT_EQ(canonical_relay_url(text).value_or(""), "wss://relay.example") << text;
  EXPECT_EQ(canonical_relay_url("ws://127.0.0.1:80/").value(), "ws://127.0.0.1");
  EXPECT_EQ(canonical_relay_url("ws://[::1]:8080/A/b/").value(), "ws://[::1]:8080/A/b");
  EXPECT_EQ(canonical_relay_url("wss://h.example:8443/Path").value(), "wss://h.example:8443/Path");
}

TEST(RelayUrl, WhatIsNoRelayIsRefused) {
  for (const char* text : {"",
                           "relay.example",
                           "https://relay.example",
                           "wss://",
                           "wss:///x",
                           "wss://a b",
                           "wss://a:0",
                           "wss://a:65536",
                           "wss://a:",
                           "wss://a:01",
                           "wss://user@a.example",
                           "wss://a.example?x",
                           "wss://a.example#x",
                           "wss://a..b",
                           "wss://.a",
                           "wss://a.",
                           "wss://[::1",
                           "wss://[]",
                           "wss://[::1]x",
                           "wss://[zz]",
                           "wss://1.2.3",
                           "wss://2130706433",
                           "wss://0x7f.1",
                           "wss://1.2.3.256",
                           "wss://1.2.3.04",
                           "wss://a\\b",
                           "wss://a\n"})
    EXPECT_FALSE(canonical_relay_url(text)) << text;
  EXPECT_FALSE(canonical_relay_url("wss://" + std::string(kRelayUrlBytesMax, 'a')));
}

TEST(RelayUrl, PrivatePlacesAreTold) {
  for (const char* text :
       {"ws://localhost:7777", "ws://a.localhost", "wss://relay", "ws://127.0.0.1", "ws://10.1.2.3",
        "ws://192.168.0.1", "ws://172.16.0.1", "ws://172.31.255.1", "ws://169.254.1.1",
        "ws://100.64.0.1", "ws://0.0.0.0", "ws://224.0.0.1", "ws://[::1]", "ws://[fc00::1]",
        "ws://[fe80::1]", "ws://[::ffff:127.0.0.1]", "ws://[2002:7f00:1::]", "wss://x.internal",
        "wss://printer.local"})
    EXPECT_FALSE(is_public_relay(canonical_relay_url(text).value())) << text;
  for (const char* text : {"wss://relay.example", "ws://203.0.113.1", "wss://172.32.0.1",
                           "wss://[2001:db8::1]:443", "wss://notlocalhost.example"})
    EXPECT_TRUE(is_public_relay(canonical_relay_url(text).value())) << text;
}

}  // namespace
}  // namespace paygress::nostr
