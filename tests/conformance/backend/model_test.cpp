// The engines' contract on the simulator's model of an engine.
#include "sim/models/backend.h"
#include "sim/models/guard.h"
#include "tests/conformance/backend/guard_conformance.h"

namespace paygress::conformance {
namespace {

class ModelUnderTest final : public BackendUnderTest {
 public:
  ModelUnderTest() : model_({.install = install_of(Daemon::Ours), .fault_ppm = {}}, 1, 1) {}

  Answer call(Daemon daemon, const Call& call) override {
    const auto reply = model_.handle_as(install_of(daemon), call, now_);
    if (reply.answer && reply.due <= now_.mono + call.deadline) {
      advance(reply.due - now_.mono);
      return *reply.answer;
    }
    advance(call.deadline);
    Answer unknown;
    unknown.id = call.id;
    return unknown;
  }
  void call_and_lose_answer(const Call& lost) override {
    model_.plan_fault(lost.verb, sim::BackendFault::AnswerLost);
    EXPECT_EQ(call(Daemon::Ours, lost).outcome, Outcome::Unknown);
  }
  void restart_client() override {}
  void crash_workload(const std::string& name) override {
    EXPECT_TRUE(model_.exit_workload(name, 3, now_));
  }
  bool told_of(const LeaseId& lease, Micros) override {
    for (const workload::Noticed& word : model_.take_noticed())
      if (word.lease == lease) return true;
    return false;
  }
  uint16_t unused_port() override { return ++port_; }
  std::optional<workload::GuardAnswered> ask_guard(const GuardRequest& request) override {
    const sim::GuardReply reply =
        std::visit([this](const auto& r) { return guard_.handle(r, now_); }, request);
    advance(reply.due - now_.mono);
    return reply.answer;
  }
  std::string guard_group(const std::string& name) override { return name; }
  void pass(Micros time) override { advance(time); }
  Micros now() override { return now_.mono; }
  std::string fetch(uint16_t) override { return std::string(kUnreal); }
  std::string ssh(uint16_t, const std::string&, const std::string&) override {
    return std::string(kUnreal);
  }

 private:
  void advance(Micros by) {
    now_.mono += by;
    now_.wall = UnixSeconds{1'700'000'000 + now_.mono.value / 1'000'000};
  }
  sim::BackendModel model_;
  sim::GuardModel guard_{{}, model_};
  Now now_{0_us, UnixSeconds{1'700'000'000}};
  uint16_t port_ = 30000;
};

INSTANTIATE_TEST_SUITE_P(Model, BackendConformance, ::testing::Values(MakeBackend([] {
                           return std::make_unique<ModelUnderTest>();
                         })));
INSTANTIATE_TEST_SUITE_P(Model, GuardConformance, ::testing::Values(MakeBackend([] {
                           return std::make_unique<ModelUnderTest>();
                         })));

}  // namespace
}  // namespace paygress::conformance
