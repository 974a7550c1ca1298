#include "shell/net/http_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <map>
#include <optional>
#include <set>

#include "core/base/check.h"
#include "shell/net/http_transfer.h"

namespace paygress::net {

namespace asio = boost::asio;
using boost::system::error_code;

std::string_view find_header(const HttpHeaders& headers, std::string_view name) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  for (const auto& [key, value] : headers)
    if (std::ranges::equal(key, name, {}, lower, lower)) return value;
  return {};
}

// libcurl's multi interface, socket by socket: it tells which descriptors to watch and when to be
// called again, and is told what happened.
class HttpClient::Impl {
 public:
  Impl(Loop& loop, size_t calls_max) : loop_(loop), calls_max_(calls_max) {
    static const bool ready = curl_global_init(CURL_GLOBAL_ALL) == CURLE_OK;
    PG_CHECK(ready);
    multi_ = curl_multi_init();
    PG_CHECK(multi_ != nullptr);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &Impl::on_socket);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &Impl::on_timer);
    curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  }

  ~Impl() {
    *alive_ = false;
    // Taking handles away makes libcurl ask for timers that nobody would cancel.
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, nullptr);
    loop_.cancel(timer_);
    for (auto& [id, call] : calls_) curl_multi_remove_handle(multi_, call.transfer->handle());
    calls_.clear();
    curl_multi_cleanup(multi_);
    for (auto& [number, watch] : watches_) watch->descriptor.release();
  }

  HttpCallId start(HttpCall call, std::function<void(HttpOutcome)> done) {
    const HttpCallId id = ++last_id_;
    const auto refuse = [&](std::string reason) {
      refused_.insert(id);
      loop_.post([this, alive = alive_, id, done = std::move(done), reason = std::move(reason)] {
        if (*alive && refused_.erase(id) != 0) done(NotSent{reason});
      });
      return id;
    };
    if (running() >= calls_max_) return refuse("too many requests at once");
    auto transfer = HttpTransfer::make(std::move(call));
    if (!transfer) return refuse(transfer.error().message);
    CURL* const handle = (*transfer)->handle();
    calls_.emplace(id, Call{std::move(*transfer), std::move(done)});
    by_handle_.emplace(handle, id);
    PG_CHECK(curl_multi_add_handle(multi_, handle) == CURLM_OK);
    return id;
  }

  void cancel(HttpCallId id) {
    refused_.erase(id);
    const auto it = calls_.find(id);
    if (it == calls_.end()) return;
    // Inside a callback of libcurl (a line of a streamed body) the handle must stay: it is dropped
    // when the loop comes round.
    it->second.cancelled = true;
    it->second.transfer->abandon();
    loop_.post([this, alive = alive_, id] {
      if (!*alive) return;
      if (const auto found = calls_.find(id); found != calls_.end()) remove(found);
    });
  }

  size_t running() const { return calls_.size() + refused_.size(); }

 private:
  struct Call {
    std::unique_ptr<HttpTransfer> transfer;
    std::function<void(HttpOutcome)> done;
    bool cancelled = false;
  };
  // A descriptor that belongs to libcurl; only watched here.
  struct Watch {
    Watch(Loop& loop, int number) : descriptor(loop.context(), number) {}
    asio::posix::stream_descriptor descriptor;
    int wanted = 0;
    bool reading = false;
    bool writing = false;
  };

  std::map<HttpCallId, Call>::iterator remove(std::map<HttpCallId, Call>::iterator it) {
    by_handle_.erase(it->second.transfer->handle());
    curl_multi_remove_handle(multi_, it->second.transfer->handle());
    return calls_.erase(it);
  }

  static int on_socket(CURL*, curl_socket_t number, int what, void* self_pointer, void*) {
    auto& self = *static_cast<Impl*>(self_pointer);
    if (what == CURL_POLL_REMOVE) {
      const auto it = self.watches_.find(number);
      if (it == self.watches_.end()) return 0;
      it->second->wanted = 0;
      it->second->descriptor.release();  // libcurl closes it
      self.watches_.erase(it);
      return 0;
    }
    if (!*self.alive_) return 0;
    auto& watch = self.watches_[number];
    if (watch == nullptr) watch = std::make_shared<Watch>(self.loop_, number);
    watch->wanted = what;
    self.arm(number, watch);
    return 0;
  }

  void arm(int number, const std::shared_ptr<Watch>& watch) {
    using Descriptor = asio::posix::stream_descriptor;
    const auto wait = [&](int bit, bool Watch::* busy, Descriptor::wait_type kind, int event) {
      if ((watch->wanted & bit) == 0 || watch.get()->*busy) return;
      watch.get()->*busy = true;
      watch->descriptor.async_wait(
          kind, [this, alive = alive_, number, watch, bit, busy, event](error_code error) {
            if (!*alive) return;
            watch.get()->*busy = false;
            if (!still_watched(number, watch)) return;
            if ((watch->wanted & bit) != 0) act(number, error ? CURL_CSELECT_ERR : event);
            if (still_watched(number, watch)) arm(number, watch);
          });
    };
    wait(CURL_POLL_IN, &Watch::reading, Descriptor::wait_read, CURL_CSELECT_IN);
    wait(CURL_POLL_OUT, &Watch::writing, Descriptor::wait_write, CURL_CSELECT_OUT);
  }

  // The number may belong to another descriptor by now.
  bool still_watched(int number, const std::shared_ptr<Watch>& watch) const {
    const auto it = watches_.find(number);
    return it != watches_.end() && it->second == watch;
  }

  static int on_timer(CURLM*, long milliseconds, void* self_pointer) {
    auto& self = *static_cast<Impl*>(self_pointer);
    self.loop_.cancel(std::exchange(self.timer_, 0));
    if (milliseconds >= 0)
      self.timer_ = self.loop_.after(Micros{int64_t{milliseconds} * 1000}, [&self] {
        self.timer_ = 0;
        self.act(CURL_SOCKET_TIMEOUT, 0);
      });
    return 0;
  }

  void act(curl_socket_t number, int events) {
    int still_running = 0;
    PG_CHECK(curl_multi_socket_action(multi_, number, events, &still_running) == CURLM_OK);
    int left = 0;
    while (CURLMsg* const message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;
      const auto name = by_handle_.find(message->easy_handle);
      PG_CHECK(name != by_handle_.end());
      const HttpCallId id = name->second;
      Call& call = calls_.at(id);
      auto outcome = std::make_shared<HttpOutcome>(call.transfer->outcome(code));
      // Told later: the callback may start, cancel or destroy, and libcurl is not re-entrant.
      loop_.post([this, alive = alive_, id, outcome] {
        if (!*alive) return;
        const auto it = calls_.find(id);
        if (it == calls_.end()) return;
        const bool cancelled = it->second.cancelled;
        const auto done = std::move(it->second.done);
        remove(it);
        if (!cancelled) done(std::move(*outcome));
      });
    }
  }

  Loop& loop_;
  size_t calls_max_;
  CURLM* multi_ = nullptr;
  std::map<HttpCallId, Call> calls_;
  std::map<CURL*, HttpCallId> by_handle_;
  std::set<HttpCallId> refused_;
  std::map<int, std::shared_ptr<Watch>> watches_;
  TimerId timer_ = 0;
  HttpCallId last_id_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

HttpClient::HttpClient(Loop& loop, size_t calls_max)
    : impl_(std::make_unique<Impl>(loop, calls_max)) {}
HttpClient::~HttpClient() = default;
HttpCallId HttpClient::start(HttpCall call, std::function<void(HttpOutcome)> done) {
  return impl_->start(std::move(call), std::move(done));
}
void HttpClient::cancel(HttpCallId id) { impl_->cancel(id); }
size_t HttpClient::running() const { return impl_->running(); }

}  // namespace paygress::net
