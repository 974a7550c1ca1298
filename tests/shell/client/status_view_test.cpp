// The status of a pod as a person reads it.
#include "shell/client/status_view.h"

#include <gtest/gtest.h>

#include "shell/client/terminal.h"

namespace paygress::client {
namespace {

PodStatus pod(const std::string& word) {
  PodStatus pod;
  pod.lease.pod = "container-1000";
  pod.lease.provider_name = "anna";
  pod.lease.password = "secret";
  pod.status.status = word;
  pod.status.expires_at = {UnixSeconds{1'800'000'000}};
  pod.status.ssh_host = "h";
  pod.status.ssh_port = 22;
  return pod;
}

bool shows(const std::vector<std::vector<std::string>>& rows, const std::string& text) {
  return table_text(rows).find(text) != std::string::npos;
}

TEST(StatusView, AmountsAreInSats) {
  EXPECT_EQ(sats_text(Msat{12'000}), "12 sat");
  EXPECT_EQ(sats_text(Msat{12'250}), "12.25 sat");
  EXPECT_EQ(sats_text(Msat{7}), "0.007 sat");
  EXPECT_EQ(sats_text(Msat{0}), "0 sat");
}

TEST(StatusView, ARunningPodShowsTheWayIn) {
  SetSeen set;
  const auto rows = status_rows(pod("Running"), &set);
  EXPECT_TRUE(shows(rows, "log in"));
  EXPECT_TRUE(shows(rows, "secret"));
  EXPECT_TRUE(shows(rows, "(in 0 s)"));
}

TEST(StatusView, AnEndedPodShowsNoWayInAndWhatCameBack) {
  SetSeen set;
  for (const std::string word : {"Expired", "Stopped"}) {
    PodStatus ended = pod(word);
    ended.status.refund_msat = Msat{2'500};
    const auto rows = status_rows(ended, &set);
    for (const std::string gone : {"log in", "secret", "(in 0 s)", "expires"})
      EXPECT_FALSE(shows(rows, gone)) << gone;
    EXPECT_TRUE(shows(rows, "ended"));
    EXPECT_TRUE(shows(rows, "2.5 sat"));
  }
}

TEST(StatusView, OfAnEndedSetEachPartSaysItsRefund) {
  PodStatus first = pod("Stopped");
  first.status.refund_msat = Msat{3'000};
  PodStatus second = pod("Stopped");
  second.lease.provider_name = "bert";
  EXPECT_EQ(table_text(ended_rows({first, second})),
            "POD             PROVIDER  STATUS   REFUND\n"
            "container-1000  anna      Stopped  3 sat\n"
            "container-1000  bert      Stopped  -\n");
}

}  // namespace
}  // namespace paygress::client
