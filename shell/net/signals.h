// Signals as callbacks of the loop.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>

#include "shell/net/loop.h"

namespace paygress::net {

class Signals {
 public:
  // Called with the number for each signal received, until destroyed.
  Signals(Loop& loop, std::initializer_list<int> numbers, std::function<void(int)> on_signal);
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace paygress::net
