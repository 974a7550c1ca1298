// The machines of a provider that exist only between its start and the end of the process.
#pragma once

#include <utility>
#include <vector>

#include "core/provider/fellows.h"
#include "core/provider/outbox.h"
#include "core/provider/payments.h"
#include "core/provider/provider.h"
#include "core/provider/recovery.h"
#include "core/provider/standby_desk.h"

namespace paygress::provider {

struct Provider::Running {
  static constexpr uint64_t kJitterEntity = 1;

  nostr::RelayPool pool;
  Outbox outbox;
  Payments payments;
  StandbyDesk standby;
  Fellows fellows;
  Recovery recovery;

  Running(Provider& p, std::vector<nostr::RelayConfig> relays)
      : pool(std::move(relays), RandomStream(p.jitter_seed_, kJitterEntity, "relay jitter"),
             timing(p.settings_)),
        outbox(pool, p.calls_),
        payments({p.settings_, p.requests_, p.leases_, p.wallet_, p.workloads_, outbox, p.entropy_},
                 p.desk_policy_),
        standby({p.settings_, p.failover_, p.standby_book_, p.requests_, p.leases_, p.workloads_,
                 p.announcer_, p.calls_, pool, outbox, payments, [&p] { return p.vitals(); }},
                p.failover_policy_),
        fellows(pool),
        recovery(p.wallet_, p.workload_calls_) {
    payments.set_hooks(&standby);
  }

 private:
  static nostr::SessionTiming timing(const Settings& settings) {
    nostr::SessionTiming timing;
    timing.publish_interval = Micros{1'000'000 / settings.relay_events_per_second};
    timing.publish_burst = 2 * settings.relay_events_per_second;
    return timing;
  }
};

}  // namespace paygress::provider
