#include "shell/net/signals.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <utility>

namespace paygress::net {

class Signals::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(Loop& loop, std::function<void(int)> on_signal)
      : set_(loop.context()), on_signal_(std::move(on_signal)) {}

  void add(int number) { set_.add(number); }
  void wait() {
    set_.async_wait([self = shared_from_this()](boost::system::error_code error, int number) {
      if (error || self->stopped_) return;
      const auto on_signal = self->on_signal_;  // it may destroy the Signals
      self->wait();
      on_signal(number);
    });
  }
  void stop() {
    stopped_ = true;
    set_.cancel();
    set_.clear();
  }

 private:
  boost::asio::signal_set set_;
  std::function<void(int)> on_signal_;
  bool stopped_ = false;
};

Signals::Signals(Loop& loop, std::initializer_list<int> numbers, std::function<void(int)> on_signal)
    : impl_(std::make_shared<Impl>(loop, std::move(on_signal))) {
  for (int number : numbers) impl_->add(number);
  impl_->wait();
}

Signals::~Signals() { impl_->stop(); }

}  // namespace paygress::net
