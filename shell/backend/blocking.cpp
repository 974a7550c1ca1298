#include "shell/backend/blocking.h"

#include <utility>

#include "core/base/random.h"

namespace paygress::backend {

using workload::Answer;
using workload::Call;
using workload::Fault;
using workload::Outcome;

BlockingBackend::BlockingBackend(net::Loop& loop, Engine engine, size_t lanes,
                                 std::function<void()> leave)
    : loop_(loop),
      engine_(std::move(engine)),
      leave_(std::move(leave)),
      calls_(std::make_shared<Calls>(loop)),
      pool_(loop, lanes) {
  for (size_t i = 0; i < lanes; ++i)
    lanes_.push_back(pool_.make_queue(net::WorkerPool::Order::Serial, kLaneBound));
}

BlockingBackend::~BlockingBackend() {
  if (leave_) leave_();
}

void BlockingBackend::call(const Call& call, Done done) {
  auto finish = calls_->begin(call, std::move(done));
  if (!finish) return;
  const auto lane = lanes_[name64(call.name) % lanes_.size()];
  const bool taken = pool_.submit(lane, [this, call, finish] {
    Answer answer = engine_(call);
    return [finish, answer = std::move(answer)] { finish(answer); };
  });
  if (taken) return;
  // Only calls that were given up at their deadline can have filled the lane.
  loop_.post([finish, busy = answer_to(call, Outcome::Failed, Fault::Busy, "the lane is full")] {
    finish(busy);
  });
}

}  // namespace paygress::backend
