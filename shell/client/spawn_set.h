// A warm-standby workload: the same request to a primary and to its standbys, each with a token of
// its own, and either all of them confirm or nothing of it stays.
#pragma once

#include <vector>

#include "core/consumer/standby_set.h"
#include "shell/client/lease_session.h"

namespace paygress::client {

// A standby that refuses is replaced so many times, when it was not named by the owner.
inline constexpr size_t kRepairsMax = 2;

struct SetOrder {
  market::SpawnRequest message;  // without token, ids, replication and relays
  PaymentOptions payment;        // for each member; no token handed in
  consumer::Transport transport = consumer::Transport::Nip17;
  consumer::SetMember primary;
  std::vector<consumer::SetMember> named;  // the owner's choice of standbys; empty: `count` chosen
  size_t count = 0;
};

struct SetPart {
  consumer::RequestMade request;
  market::AccessDetails access;
  consumer::LeaseSeen terms;
};

struct SpawnedSet {
  std::vector<SetPart> parts;  // in rank order: the primary first
  std::string workload_id;
  std::string guarantee;
};

// The standbys are asked first: their room is kept before anything runs. When one does not confirm,
// those that did are given back, and it is said of each token what became of it.
Outcome<SpawnedSet> spawn_set(Session& session, const consumer::Directory& directory,
                              const SetOrder& order);

}  // namespace paygress::client
