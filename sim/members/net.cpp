#include "sim/members/net.h"

#include <utility>

namespace paygress::sim::members {

using Kind = Frame::Kind;

Net::Net(const Plan& plan, Events& queue)
    : plan_(plan), queue_(queue), members_(plan.members), relays_(plan.relays) {
  workloads_ = plan.all_workloads();
  for (auto& workload : workloads_) std::sort(workload.begin(), workload.end());
  for (uint32_t m = 0; m < plan.members; ++m) {
    Member& member = members_[m];
    member.links.resize(plan.relays);
    for (uint32_t r = 0; r < plan.relays; ++r)
      link(m, r).random =
          RandomStream(plan.seed, plan.member_number(m) * 64 + plan.relay_number(r), "link");
    member.fellow.resize(plan.members);
    member.in.resize(workloads_.size());
    member.fellow[m] = true;
    for (size_t w = 0; w < workloads_.size(); ++w) {
      const auto& members = workloads_[w];
      if (!std::binary_search(members.begin(), members.end(), m)) continue;
      member.in[w] = true;
      for (const uint32_t other : members) member.fellow[other] = true;
    }
    for (uint32_t other = 0; other < plan.members; ++other)
      if (member.fellow[other]) member.readers.push_back(other);
  }
}

bool Net::reads(uint32_t m, const Sent& event) const {
  const Member& member = members_[m];
  if (event.workload == kEveryWorkload) return member.fellow[event.author];
  return member.in[event.workload];
}

const std::vector<uint32_t>& Net::readers(const Sent& event) const {
  if (event.workload == kEveryWorkload) return members_[event.author].readers;
  return workloads_[event.workload];
}

// --- carrying ------------------------------------------------------------------------------------

Micros Net::leg(Link& link) {
  if (plan_.lockstep && link.slow == Micros{0}) return plan_.leg_max;
  const Micros most = link.slow > Micros{0} ? link.slow : plan_.leg_max;
  return {link.random.between(plan_.leg_min.value, std::max(most, plan_.leg_min).value)};
}

void Net::carry(bool to_relay, Frame frame) {
  Link& l = link(frame.member, frame.relay);
  Way& way = to_relay ? l.to_relay : l.to_member;
  frame.session = l.session;
  if (way.cuts > 0) {
    way.held.push_back(std::move(frame));
    return;
  }
  way.last_arrival = std::max(way.last_arrival + Micros{1}, queue_.now() + leg(l));
  queue_.frame_at(way.last_arrival, std::move(frame));
}

void Net::release(uint32_t m, uint32_t r, bool to_relay) {
  Link& l = link(m, r);
  Way& way = to_relay ? l.to_relay : l.to_member;
  for (auto& frame : std::exchange(way.held, {})) {
    way.last_arrival = std::max(way.last_arrival + Micros{1}, queue_.now() + leg(l));
    queue_.frame_at(way.last_arrival, std::move(frame));
  }
}

void Net::arrive(const Frame& f) {
  if (link(f.member, f.relay).session != f.session || relays_[f.relay].down > 0) return;
  NetUser& user = *members_[f.member].user;
  switch (f.kind) {
    case Kind::Subscribe: return deliver_stored(f.member, f.relay);
    case Kind::Event: return receive(f.member, f.relay, f.event);
    case Kind::Query: return answer(f);
    case Kind::Subscribed: return user.on_subscribed(f.relay);
    case Kind::Stored: return user.on_event(f.relay, f.event);
    case Kind::Ok: return user.on_ok(f.relay, f.event);
    case Kind::Answer: return user.on_answer(f.relay, f.query, true);
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
  if (relays_[r].down > 0 || l.to_relay.cuts > 0 || l.to_member.cuts > 0) return connect_soon(m, r);
  ++l.session;
  l.up = true;
  carry(true, {Kind::Subscribe, m, r, 0, 0, 0, {}});
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
  for (const auto& [key, event] : relays_[r].stored)
    if (reads(m, *event)) push(m, r, event);
  carry(false, {Kind::Subscribed, m, r, 0, 0, 0, {}});
}

// --- what relays do ------------------------------------------------------------------------------

void Net::send_event(uint32_t m, uint32_t r, const EventRef& event) {
  if (!link(m, r).up) return;
  carry(true, {Kind::Event, m, r, 0, 0, 0, event});
}

Net::Key Net::key_of(const Sent& event) {
  const uint64_t workload = event.workload == kEveryWorkload ? 0 : event.workload;
  return uint64_t{event.author} << 34 | uint64_t{event.heard.message.index()} << 32 | workload;
}

// Replaceable: of one author and kind the newest stays (NIP-01).
void Net::receive(uint32_t m, uint32_t r, const EventRef& event) {
  Relay& relay = relays_[r];
  carry(false, {Kind::Ok, m, r, 0, 0, 0, event});
  if (relay.deaf > 0) return;
  const failover::Heard& heard = event->heard;
  EventRef& stored = relay.stored[key_of(*event)];
  if (stored &&
      (stored->heard.created_at > heard.created_at ||
       (stored->heard.created_at == heard.created_at && stored->heard.event <= heard.event)))
    return;
  stored = event;
  for (const uint32_t other : readers(*event)) {
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
  carry(false, {Kind::Stored, m, r, 0, 0, 0, event});
}

void Net::send_query(uint32_t m, uint32_t r, uint64_t query, uint32_t workload) {
  if (!link(m, r).up) {
    queue_.after({1'000}, [this, m, r, query] {
      if (members_[m].running) members_[m].user->on_answer(r, query, false);
    });
    return;
  }
  carry(true, {Kind::Query, m, r, workload, 0, query, {}});
}

void Net::answer(const Frame& query) {
  const uint32_t m = query.member;
  const uint32_t r = query.relay;
  if (link(m, r).mute) return;
  for (const auto& [key, event] : relays_[r].stored) {
    const auto& members = workloads_[query.workload];
    const bool asked = event->workload == query.workload ||
                       (event->workload == kEveryWorkload &&
                        std::binary_search(members.begin(), members.end(), event->author));
    if (asked) push(m, r, event);
  }
  carry(false, {Kind::Answer, m, r, query.workload, 0, query.query, {}});
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
