// One subscription on one relay: its REQ, its state, and the paging of what the relay has stored.
// Used by RelaySession only.
//
// Relays cap the stored part of an answer silently (strfry 500, others 20 to 300; nostr.md section
// 2), so every answer is taken for truncated until shown otherwise: after EOSE the stored events
// are paged towards the past with `until` = the oldest created_at seen (inclusive; the events of
// that second come twice), until a page brings nothing new. Pages are REQs of their own, one filter
// each, so that the live REQ stays open meanwhile. A filter with a `limit` is not paged: its author
// asked for so many. NIP-67's "finish" ends the paging early. Beyond reach: more events of one
// second than the relay's cap.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/nostr/backoff.h"
#include "core/nostr/message.h"

namespace paygress::nostr {

// How far back a long-lived subscription reads at every REQ: since = last connected - overlap, and
// never earlier than now - longest (the whole of it when the relay was never connected). Event
// timestamps do not enter: those of gift wraps are random (NIP-59). The overlap is a minute or two
// at least, for clocks that differ and for sockets found dead only by their missing pong.
struct Backfill {
  Seconds overlap;
  Seconds longest;
  bool operator==(const Backfill&) const = default;
};
// Gift wraps are backdated up to two days; the rest allows for clocks that differ.
inline constexpr Backfill kGiftWrapBackfill{172'800_s + 900_s, 604'800_s + 900_s};

struct SubscriptionSpec {
  std::vector<Filter> filters;          // at least one; since is overwritten when backfill is set
  std::optional<Backfill> backfill;     // none: the filters are sent as they are
  std::optional<Micros> query_timeout;  // set: one-shot, closed when everything stored was read
  bool operator==(const SubscriptionSpec&) const = default;
};

inline constexpr Micros kEoseTimeout = 10'000_ms;     // without any event of this REQ
inline constexpr Micros kStoredTimeout = 120'000_ms;  // for one REQ up to EOSE, whatever comes
inline constexpr size_t kPagesMax = 256;              // per backfill of one subscription
inline constexpr size_t kBoundaryIdsMax = 8192;       // ids remembered of one page's oldest second
inline constexpr BackoffPolicy kRefusedBackoff{5'000_ms, 300'000_ms, 1'000_ms};

enum class SubscriptionState : uint8_t {
  Idle,       // no link, or the REQ has to be sent
  Sent,       // REQ sent, EOSE awaited
  Paging,     // EOSE came; older pages are being read, live events flow
  Live,       // everything stored was read; live events flow
  NeedsAuth,  // CLOSED auth-required (NIP-42): REQ again after AUTH
  Unproven,   // no EOSE in time: still open, but proves nothing; REQ again at retry_at
  Refused,    // CLOSED for another reason; REQ again at retry_at
};

class RelaySubscription {
 public:
  // `wire_id` is stable over reconnects and unique within the session. `resumes`: the same filters
  // were subscribed before a restart, so that the relay's last_connected holds for them; otherwise
  // the first backfill reads the whole of `longest`.
  RelaySubscription(std::string wire_id, SubscriptionSpec spec, bool resumes);

  const std::string& wire_id() const { return wire_id_; }
  const SubscriptionSpec& spec() const { return spec_; }
  SubscriptionState state() const { return state_; }
  bool is_query() const { return spec_.query_timeout.has_value(); }
  // Monotonic time of the EOSE since which the live REQ has been open without interruption.
  std::optional<Micros> live_since() const { return live_since_; }
  // True when live_since() is another than at the last call.
  bool take_continuity() { return std::exchange(told_live_since_, live_since_) != live_since_; }
  // When handle_timer wants to be called.
  std::optional<Micros> deadline() const;

  // The live REQ; state becomes Sent.
  Subscribe request(Now now, std::optional<UnixSeconds> last_connected);
  // The next page, when wants_page().
  bool wants_page() const { return state_ == SubscriptionState::Paging && !page_.open; }
  bool page_open() const { return page_.open; }
  Subscribe next_page(Now now);
  std::string page_id() const;

  // A page that is over, or has lost its purpose: the session sends CLOSE for the id returned.
  std::optional<std::string> release_page();

  // True when a message for `wire_id` is of the live REQ, or of the open page, as it is now.
  bool owns(std::string_view wire_id) const;
  // Its REQ was sent and not answered by CLOSED yet. Precondition: owns(wire_id).
  bool is_open(std::string_view wire_id) const;
  // The event matches the filters that were sent. Precondition: owns(wire_id).
  bool wants(std::string_view wire_id, const Event& event) const;

  // An event arrived and was wanted, or a known one was sent again (its time as it was verified).
  void on_stored(Now now, std::string_view wire_id, const EventId& id,
                 std::optional<UnixSeconds> created_at);
  void on_eose(Now now, std::string_view wire_id, std::optional<bool> finished);
  void on_closed_auth(std::string_view wire_id);
  void on_closed(Now now, std::string_view wire_id, RandomStream& jitter);
  // AUTH succeeded (the REQ may go out again), or failed (another try later).
  void on_auth_done();
  void on_auth_failed(Now now, RandomStream& jitter);
  void on_link_lost();
  // Retry due: state becomes Idle. EOSE overdue: Unproven, with a retry.
  void on_timer(Now now, RandomStream& jitter);
  // The relay cannot be read completely: kPagesMax pages were not enough.
  bool truncated() const { return truncated_; }

 private:
  // A page that is read, or the stored answer to a live REQ of one filter, which is the first one.
  struct Page {
    bool open = false;
    bool over = false;                  // its EOSE came
    std::optional<UnixSeconds> until;   // of its REQ
    std::optional<UnixSeconds> oldest;  // of its events so far
    std::set<EventId> boundary;         // ids at `until`, from the page before
    std::set<EventId> at_oldest;        // ids at `oldest`
    size_t events = 0;
    size_t fresh = 0;
  };
  void await_eose(Now now);
  void count(const EventId& id, std::optional<UnixSeconds> created_at);
  void end_page(bool finished);
  void page_from_top(size_t filter);
  void page_from(UnixSeconds until, std::set<EventId> boundary);
  void become_live();
  void become_retrying(Now now, SubscriptionState state, RandomStream& jitter);

  std::string wire_id_;
  SubscriptionSpec spec_;
  SubscriptionState state_ = SubscriptionState::Idle;
  std::vector<Filter> sent_;  // the filters of the live REQ, with their since
  std::optional<Micros> live_since_;
  std::optional<Micros> told_live_since_;
  std::optional<Micros> eose_by_;
  std::optional<Micros> stored_by_;
  std::optional<Micros> retry_at_;
  Backoff refused_{kRefusedBackoff};
  Page page_;
  size_t page_filter_ = 0;
  size_t largest_page_ = 0;
  size_t pages_ = 0;
  uint32_t page_number_ = 0;
  bool truncated_ = false;
  bool resumes_;
};

}  // namespace paygress::nostr
