#include "sim/members/net.h"

#include <utility>

namespace paygress::sim::members {

Net::Net(const Plan& plan, Queue& queue)
    : plan_(plan), queue_(queue), members_(plan.members), relays_(plan.relays) {
  for (uint32_t m = 0; m < plan.members; ++m) {
    members_[m].links.resize(plan.relays);
    for (uint32_t r = 0; r < plan.relays; ++r)
      link(m, r).random = RandomStream(plan.seed, m * 64 + r, "link");
  }
}

// --- carrying ------------------------------------------------------------------------------------

Micros Net::leg(Link& link) {
  if (plan_.lockstep && link.slow == Micros{0}) return plan_.leg_max;
  const Micros most = link.slow > Micros{0} ? link.slow : plan_.leg_max;
  return {link.random.between(plan_.leg_min.value, std::max(most, plan_.leg_min).value)};
}

void Net::carry(uint32_t m, uint32_t r, bool to_relay, Queue::Action action) {
  Link& l = link(m, r);
  Way& way = to_relay ? l.to_relay : l.to_member;
  const uint64_t session = l.session;
  auto arrive = [this, m, r, session, what = std::move(action)] {
    if (link(m, r).session == session && relays_[r].down == 0) what();
  };
  if (way.cuts > 0) {
    way.held.push_back(std::move(arrive));
    return;
  }
  way.last_arrival = std::max(way.last_arrival + Micros{1}, queue_.now() + leg(l));
  queue_.at(way.last_arrival, std::move(arrive));
}

void Net::release(uint32_t m, uint32_t r, bool to_relay) {
  Link& l = link(m, r);
  Way& way = to_relay ? l.to_relay : l.to_member;
  for (auto& action : std::exchange(way.held, {})) {
    way.last_arrival = std::max(way.last_arrival + Micros{1}, queue_.now() + leg(l));
    queue_.at(way.last_arrival, std::move(action));
  }
}

// --- sessions ------------------------------------------------------------------------------------

void Net::set_running(uint32_t m, bool running) {
  members_[m].running = running;
  for (uint32_t r = 0; r < plan_.relays; ++r) {
    Link& l = link(m, r);
    ++l.session;
    l.up = l.connecting = false;
    l.to_relay.held.clear();
    l.to_member.held.clear();
    l.waiting.clear();
    if (running) connect_soon(m, r);
  }
}

void Net::connect_soon(uint32_t m, uint32_t r) {
  Link& l = link(m, r);
  if (std::exchange(l.connecting, true)) return;
  const uint64_t session = l.session;
  queue_.after({l.random.between(10'000, 3'000'000)}, [this, m, r, session] {
    if (link(m, r).session == session) try_connect(m, r);
  });
}

void Net::try_connect(uint32_t m, uint32_t r) {
  Link& l = link(m, r);
  l.connecting = false;
  if (!members_[m].running) return;
  if (relays_[r].down > 0 || l.to_relay.cuts > 0 || l.to_member.cuts > 0)
    return connect_soon(m, r);
  ++l.session;
  l.up = true;
  carry(m, r, true, [this, m, r] { deliver_stored(m, r); });
  if (l.impaired()) watch(m, r);
}

void Net::close(uint32_t m, uint32_t r) {
  Link& l = link(m, r);
  if (!l.up) return;
  ++l.session;
  l.up = false;
  l.to_relay.held.clear();
  l.to_member.held.clear();
  l.waiting.clear();
  members_[m].user->on_closed(r);
  connect_soon(m, r);
}

// Pings every D, each answered within D or the session is over.
void Net::watch(uint32_t m, uint32_t r) {
  Link& l = link(m, r);
  const uint64_t session = l.session;
  const Micros d = plan_.profile.delay;
  queue_.after({l.random.between(d.value, 2 * d.value)}, [this, m, r, session, d] {
    Link& checked = link(m, r);
    if (checked.session != session || !checked.impaired()) return;
    const bool cut = checked.to_relay.cuts > 0 || checked.to_member.cuts > 0;
    if (cut || leg(checked) + leg(checked) > d) return close(m, r);
    watch(m, r);
  });
}

void Net::deliver_stored(uint32_t m, uint32_t r) {
  for (const auto& [key, event] : relays_[r].stored) push(m, r, event);
  carry(m, r, false, [this, m, r] { members_[m].user->on_subscribed(r); });
}

// --- what relays do ------------------------------------------------------------------------------

void Net::send_event(uint32_t m, uint32_t r, EventRef event) {
  if (!link(m, r).up) return;
  carry(m, r, true, [this, m, r, e = std::move(event)] { receive(m, r, e); });
}

// Replaceable: of one author and kind the newest stays (NIP-01).
void Net::receive(uint32_t m, uint32_t r, const EventRef& event) {
  Relay& relay = relays_[r];
  carry(m, r, false, [this, m, r, id = event->event] { members_[m].user->on_ok(r, id); });
  if (relay.deaf > 0) return;
  EventRef& stored = relay.stored[{event->author, event->message.index()}];
  if (stored && (stored->created_at > event->created_at ||
                 (stored->created_at == event->created_at && stored->event <= event->event)))
    return;
  stored = event;
  for (uint32_t other = 0; other < plan_.members; ++other) {
    Link& l = link(other, r);
    if (!l.up) continue;
    if (l.withheld > 0)
      l.waiting.push_back(event);
    else
      push(other, r, event);
  }
}

void Net::push(uint32_t m, uint32_t r, const EventRef& event) {
  if (!link(m, r).up) return;
  carry(m, r, false, [this, m, r, event] { members_[m].user->on_event(r, event); });
}

void Net::send_query(uint32_t m, uint32_t r, uint64_t query) {
  if (!link(m, r).up) {
    queue_.after({1'000}, [this, m, r, query] {
      if (members_[m].running) members_[m].user->on_answer(r, query, false);
    });
    return;
  }
  carry(m, r, true, [this, m, r, query] {
    if (link(m, r).mute) return;
    for (const auto& [key, event] : relays_[r].stored) push(m, r, event);
    carry(m, r, false, [this, m, r, query] { members_[m].user->on_answer(r, query, true); });
  });
}

// --- faults --------------------------------------------------------------------------------------

void Net::cut(uint32_t m, uint32_t r, uint32_t way, bool on) {
  Link& l = link(m, r);
  for (const bool to_relay : {true, false}) {
    if ((way & (to_relay ? 1U : 2U)) == 0) continue;
    Way& one = to_relay ? l.to_relay : l.to_member;
    one.cuts += on ? 1 : -1;
    if (one.cuts == 0) release(m, r, to_relay);
  }
  if (on && l.up) watch(m, r);
}

void Net::slow(uint32_t m, uint32_t r, Micros leg_max) {
  link(m, r).slow = leg_max;
  if (leg_max > Micros{0} && link(m, r).up) watch(m, r);
}

void Net::withhold(uint32_t m, uint32_t r, bool on, bool mute) {
  Link& l = link(m, r);
  l.withheld += on ? 1 : -1;
  l.mute = l.withheld > 0 && (mute || l.mute);
  if (l.withheld > 0) return;
  for (const EventRef& event : std::exchange(l.waiting, {})) push(m, r, event);
}

void Net::relay_down(uint32_t r, bool down, bool forgets) {
  relays_[r].down += down ? 1 : -1;
  if (down && forgets) relays_[r].stored.clear();
  if (!down) return;
  for (uint32_t m = 0; m < plan_.members; ++m)
    if (members_[m].running) close(m, r);
}

}  // namespace paygress::sim::members
