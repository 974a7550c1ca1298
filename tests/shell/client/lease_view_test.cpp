// Which lease a person means.
#include "shell/client/lease_view.h"

#include <gtest/gtest.h>

#include "core/nostr/nip19.h"

namespace paygress::client {
namespace {

PubKey key_of(uint8_t first) {
  PubKey key;
  key.bytes.fill(first);
  return key;
}

consumer::LeaseSeen lease(uint8_t provider, std::string name, std::string pod, int64_t at) {
  consumer::LeaseSeen seen;
  seen.provider = key_of(provider);
  seen.provider_name = std::move(name);
  seen.pod = std::move(pod);
  seen.host = seen.provider_name + ".example";
  seen.request.bytes[0] = provider;
  seen.request.bytes[1] = static_cast<uint8_t>(seen.pod.back());
  seen.at = UnixSeconds{at};
  return seen;
}

class FindLease : public testing::Test {
 protected:
  FindLease() {
    state.apply(lease(0xaa, "anna", "container-1000", 1));
    state.apply(lease(0xbb, "bert", "container-1001", 2));
    state.apply(lease(0xbb, "bert", "container-1000", 3));
  }
  std::string host(const std::string& pod, const std::string& provider = "") {
    const auto found = find_lease(state, pod, provider);
    return found ? found->host + "/" + found->pod : found.error().message;
  }
  consumer::WalletState state;
};

// Every provider counts from container-1000: neither overwrites the other.
TEST_F(FindLease, TwoProvidersMayNameTheirPodsAlike) {
  EXPECT_EQ(state.leases().size(), 3u);
  EXPECT_EQ(host("container-1000", "anna"), "anna.example/container-1000");
  EXPECT_EQ(host("1000", "bert"), "bert.example/container-1000");
  EXPECT_EQ(host("container-1000", "aaaa"), "anna.example/container-1000");
  EXPECT_EQ(host("1000", nostr::to_npub(key_of(0xbb)).substr(0, 12)),
            "bert.example/container-1000");
}

TEST_F(FindLease, AnAmbiguousNameIsNotGuessed) {
  EXPECT_EQ(host("container-1000"), "\"container-1000\" is rented from several providers");
  EXPECT_EQ(host("container-"), "\"container-\" could be several pods: write more of its id");
}

TEST_F(FindLease, APodOfAnotherProviderIsNotSaidToBeNone) {
  for (const std::string who : {"anna", "carl"}) {
    const auto found = find_lease(state, "container-1001", who);
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, ExitCode::NotFound);
    EXPECT_EQ(found.error().message,
              "no pod \"container-1001\" was rented from a provider \"" + who + "\"");
    EXPECT_EQ(found.error().advice,
              "Say --provider with one of those it was rented from: bbbbbbbb (bert).");
  }
  EXPECT_EQ(host("container-1002", "anna"), "no pod \"container-1002\"");
}

// Two may also call themselves alike, and their keys begin alike.
TEST_F(FindLease, EveryProviderHasAnIdThatNamesNoOther) {
  auto twin = lease(0xbb, "bert", "container-1000", 4);
  twin.provider.bytes[5] = 0xb0;
  twin.host = "twin.example";
  state.apply(twin);
  EXPECT_EQ(provider_id(state, key_of(0xaa)), "aaaaaaaa");
  EXPECT_EQ(provider_id(state, key_of(0xbb)), "bbbbbbbbbbbb");
  EXPECT_EQ(provider_id(state, twin.provider), "bbbbbbbbbbb0");
  EXPECT_EQ(host("1000", provider_id(state, twin.provider)), "twin.example/container-1000");
  EXPECT_EQ(host("1000", provider_id(state, key_of(0xbb))), "bert.example/container-1000");
  EXPECT_EQ(find_lease(state, "1000", "BERT").error().advice,
            "Say which with --provider: bbbbbbbbbbb0 (bert), bbbbbbbbbbbb (bert).");
}

TEST_F(FindLease, OneOfItsKindNeedsNoProvider) {
  EXPECT_EQ(host("container-1001"), "bert.example/container-1001");
  EXPECT_EQ(host("1001"), "bert.example/container-1001");
}

TEST_F(FindLease, WithoutANameTheNewestIsMeant) {
  EXPECT_EQ(host(""), "bert.example/container-1000");
  EXPECT_EQ(host("", "anna"), "anna.example/container-1000");
  EXPECT_EQ(host("", "carl"), "no pod was rented from a provider \"carl\"");
}

TEST_F(FindLease, OfTwoRentedInOneSecondTheLaterRecordIsTheNewest) {
  state.apply(lease(0xcc, "carl", "container-1000", 3));
  EXPECT_EQ(host(""), "carl.example/container-1000");
  state.apply(lease(0x11, "dora", "container-1000", 3));
  EXPECT_EQ(host(""), "dora.example/container-1000");
}

TEST_F(FindLease, AToppedUpPodIsNoNewerThanBefore) {
  state.apply(lease(0xaa, "anna", "container-1000", 9));
  EXPECT_EQ(host(""), "bert.example/container-1000");
  auto other = lease(0xaa, "anna", "container-1000", 10);
  other.request.bytes.fill(1);  // the provider began to count anew
  state.apply(other);
  EXPECT_EQ(host(""), "anna.example/container-1000");
}

TEST_F(FindLease, WhatAStandbyRunsSinceItTookOverIsNoNewerThanItsReservation) {
  auto taken_over = lease(0xaa, "anna", "container-7000", 9);
  taken_over.request = state.leases().at({key_of(0xaa), "container-1000"}).request;
  state.apply(taken_over);
  EXPECT_EQ(host("", "anna"), "anna.example/container-7000");
  EXPECT_EQ(host(""), "bert.example/container-1000");
}

// A later record of the same pod replaces the earlier one.
TEST_F(FindLease, TheNewestRecordOfAPodCounts) {
  auto again = lease(0xaa, "anna", "container-1000", 9);
  again.host = "new.example";
  state.apply(again);
  EXPECT_EQ(host("1000", "anna"), "new.example/container-1000");
  EXPECT_EQ(state.leases().size(), 3u);
}

}  // namespace
}  // namespace paygress::client
