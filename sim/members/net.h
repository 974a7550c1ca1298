// The relays, and the links between them and the members. A link behaves like TCP: what is sent
// arrives in order or, when the session ends first, not at all; a cut link holds it back.
//
// A member subscribes to the heartbeats of its fellows and to the claims, promotions and
// revocations of its workloads, its own included.
//
// Pings are not sent one by one: a link that is cut or slow is found out between D and 2 D later,
// as by pings every D that have to be answered within D.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "core/base/random.h"
#include "sim/members/event.h"
#include "sim/members/queue.h"

namespace paygress::sim::members {

// What travels on a link, one way.
struct Frame {
  enum class Kind : uint8_t {
    Subscribe,
    Event,
    Query,  // to the relay
    Subscribed,
    Stored,
    Ok,
    Answer  // to the member
  };
  Kind kind = Kind::Event;
  uint32_t member = 0;
  uint32_t relay = 0;
  uint32_t workload = 0;  // Query, Answer
  uint64_t session = 0;
  uint64_t query = 0;  // Query, Answer
  EventRef event;
};
using Events = Queue<Frame>;

// What the net tells a member's daemon. Called only while the member's sessions are allowed.
class NetUser {
 public:
  virtual ~NetUser() = default;
  virtual void on_subscribed(uint32_t relay) = 0;  // everything stored was delivered before
  virtual void on_closed(uint32_t relay) = 0;
  virtual void on_event(uint32_t relay, const EventRef& event) = 0;
  virtual void on_ok(uint32_t relay, const EventRef& event) = 0;
  virtual void on_answer(uint32_t relay, uint64_t query, bool complete) = 0;
};

class Net {
 public:
  Net(const Plan& plan, Events& queue);

  void attach(uint32_t member, NetUser& user) { members_.at(member).user = &user; }
  // The daemon runs: connect everywhere, and again whenever a session ends. Not: all sessions end.
  void set_running(uint32_t member, bool running);
  bool connected(uint32_t member, uint32_t relay) const { return link(member, relay).up; }
  void send_event(uint32_t member, uint32_t relay, const EventRef& event);
  void send_query(uint32_t member, uint32_t relay, uint64_t query, uint32_t workload);
  void arrive(const Frame& frame);

  void cut(uint32_t member, uint32_t relay, uint32_t way, bool on);
  void slow(uint32_t member, uint32_t relay, Micros leg_max);  // 0: as it was
  void withhold(uint32_t member, uint32_t relay, bool on, bool mute);
  void relay_down(uint32_t relay, bool down, bool forgets);
  void relay_deaf(uint32_t relay, bool deaf) { relays_.at(relay).deaf += deaf ? 1 : -1; }

 private:
  struct Way {  // one direction of a link
    int cuts = 0;
    Micros last_arrival;
    std::vector<Frame> held;
  };
  struct Link {
    bool up = false;  // as the member knows
    uint64_t session = 0;
    bool connecting = false;
    Way to_relay;
    Way to_member;
    Micros slow;
    int withheld = 0;
    bool mute = false;              // does not answer queries either
    std::vector<EventRef> waiting;  // what is withheld, in order
    RandomStream random{0, 0, ""};
    bool impaired() const { return to_relay.cuts > 0 || to_member.cuts > 0 || slow > Micros{0}; }
  };
  struct Member {
    NetUser* user = nullptr;
    bool running = false;
    std::vector<Link> links;
    std::vector<uint32_t> readers;  // of its heartbeats, itself included; in order
    std::vector<bool> fellow;       // by place: whose heartbeats it reads
    std::vector<bool> in;           // by workload
  };
  // Of what a newer event replaces: author, kind and workload, in this order.
  using Key = uint64_t;
  static Key key_of(const Sent& event);
  struct Relay {
    int down = 0;
    int deaf = 0;
    std::map<Key, EventRef> stored;
  };

  Link& link(uint32_t m, uint32_t r) { return members_[m].links[r]; }
  const Link& link(uint32_t m, uint32_t r) const { return members_[m].links[r]; }
  // Whether that member subscribed to it.
  bool reads(uint32_t m, const Sent& event) const;
  const std::vector<uint32_t>& readers(const Sent& event) const;
  Micros leg(Link& link);
  void carry(bool to_relay, Frame frame);
  void release(uint32_t m, uint32_t r, bool to_relay);
  void connect_soon(uint32_t m, uint32_t r);
  void try_connect(uint32_t m, uint32_t r);
  void close(uint32_t m, uint32_t r);
  void watch(uint32_t m, uint32_t r);
  void deliver_stored(uint32_t m, uint32_t r);
  void receive(uint32_t m, uint32_t r, const EventRef& event);
  void answer(const Frame& query);
  void push(uint32_t m, uint32_t r, const EventRef& event);

  const Plan& plan_;
  Events& queue_;
  std::vector<Member> members_;
  std::vector<Relay> relays_;
  std::vector<std::vector<uint32_t>> workloads_;  // the members of each, in order of their places
};

}  // namespace paygress::sim::members
