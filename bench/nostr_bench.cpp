// What the Nostr codec costs beside the cryptography it cannot do without. Each benchmark runs
// subject and baseline in turns, so that both meet the same machine, and prints
//   ratio        subject / baseline, the median over the rounds (the figure to hold on to)
//   subject_us, baseline_us    microseconds per event
#include <benchmark/benchmark.h>
#include <boost/json.hpp>

#include <algorithm>
#include <ctime>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "core/base/check.h"
#include "core/crypto/ecdh.h"
#include "core/crypto/schnorr.h"
#include "core/nostr/admission.h"
#include "core/nostr/nip59.h"

namespace paygress::nostr {
namespace {

// Processor time: another program's turn on the core must not count.
double cpu_seconds() {
  timespec time{};
  PG_CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

template <class Function>
double seconds(Function function) {
  const double start = cpu_seconds();
  function();
  return cpu_seconds() - start;
}

// Rounds are fixed: the library would size them by the subject, and the baseline may be far slower.
constexpr int kCorpusRounds = 20;
constexpr int kMessageRounds = 2000;

// `items`: how many events one call of either function handles.
template <class Subject, class Baseline>
void compare(benchmark::State& state, size_t items, Subject subject, Baseline baseline) {
  double subject_total = 0;
  double baseline_total = 0;
  std::vector<double> ratios;
  for (auto _ : state) {
    const double base_time = seconds(baseline);
    const double time = seconds(subject);
    baseline_total += base_time;
    subject_total += time;
    ratios.push_back(time / base_time);
    state.SetIterationTime(time);
  }
  const double scale = 1e6 / static_cast<double>(items) / static_cast<double>(state.iterations());
  state.SetItemsProcessed(static_cast<int64_t>(items) * state.iterations());
  state.counters["subject_us"] = subject_total * scale;
  state.counters["baseline_us"] = baseline_total * scale;
  const auto middle = ratios.begin() + static_cast<ptrdiff_t>(ratios.size() / 2);
  std::nth_element(ratios.begin(), middle, ratios.end());
  state.counters["ratio"] = *middle;
}

const std::vector<std::string>& frames() {
  static const auto lines = [] {
    std::ifstream file(PAYGRESS_VECTORS "/nostr/real-relay-events.jsonl");
    std::vector<std::string> result;
    for (std::string line; std::getline(file, line);)
      if (!line.empty()) result.push_back(line);
    PG_CHECK(!result.empty());
    return result;
  }();
  return lines;
}

const std::vector<VerifiedEvent>& events() {
  static const auto all = [] {
    std::vector<VerifiedEvent> result;
    for (const std::string& frame : frames())
      result.push_back(std::get<EventFor<VerifiedEvent>>(*Admission::admit(frame)).event);
    return result;
  }();
  return all;
}

bool signature_good(const Event& event) {
  return crypto::verify_schnorr(event.pubkey, event.id.bytes, event.sig);
}

void verify_signatures() {
  for (const VerifiedEvent& event : events()) PG_CHECK(signature_good(*event));
}

void admit_frames() {
  for (const std::string& frame : frames()) PG_CHECK(Admission::admit(frame).has_value());
}

void parse_frames() {
  for (const std::string& frame : frames()) PG_CHECK(parse_relay_frame(frame).has_value());
}

// Goal: at most 1.15.
void admit_beside_signature(benchmark::State& state) {
  compare(state, frames().size(), admit_frames, verify_signatures);
}
BENCHMARK(admit_beside_signature)->UseManualTime()->Iterations(kCorpusRounds);

void parse_beside_signature(benchmark::State& state) {
  compare(state, frames().size(), parse_frames, verify_signatures);
}
BENCHMARK(parse_beside_signature)->UseManualTime()->Iterations(kCorpusRounds);

// The second relay's copy. Goal: subject_us at most 2.
void known_beside_admission(benchmark::State& state) {
  Admission admission;
  for (const VerifiedEvent& event : events()) admission.remember(event);
  const auto peek = [&] {
    for (const std::string& frame : frames()) PG_CHECK(admission.known(frame).has_value());
  };
  compare(state, frames().size(), peek, admit_frames);
}
BENCHMARK(known_beside_admission)->UseManualTime()->Iterations(kCorpusRounds);

struct Nip17Example {
  std::string wrap_json;
  crypto::Keypair receiver;
  Event wrap;
  Event seal;
};

const Nip17Example& nip17() {
  static const auto example = [] {
    std::ifstream file(PAYGRESS_VECTORS "/nostr/nip17-example.json");
    std::ostringstream text;
    text << file.rdbuf();
    const auto vector = boost::json::parse(text.str()).at("vectors").at(0);
    SecretKey secret;
    PG_CHECK(from_lower_hex(std::string(vector.at("recipient_sec").as_string()), secret.bytes)
                 .has_value());
    const std::string json = serialize(vector.at("wrap"));
    return Nip17Example{json, *crypto::Keypair::from(secret), *parse_event(json),
                        *parse_event(std::string(vector.at("seal_plaintext").as_string()))};
  }();
  return example;
}

void two_signatures_two_exchanges(bool cached) {
  const Nip17Example& it = nip17();
  PG_CHECK(signature_good(it.wrap) && signature_good(it.seal));
  benchmark::DoNotOptimize(crypto::shared_x(it.receiver.secret(), it.wrap.pubkey));
  if (!cached) benchmark::DoNotOptimize(crypto::shared_x(it.receiver.secret(), it.seal.pubkey));
}

// From the text of the wrap to the message. Goal: at most 1.08.
void unwrap_beside_primitives(benchmark::State& state) {
  const auto subject = [] {
    PG_CHECK(unwrap(*verify(*parse_event(nip17().wrap_json)), nip17().receiver).has_value());
  };
  compare(state, 1, subject, [] { two_signatures_two_exchanges(false); });
}
BENCHMARK(unwrap_beside_primitives)->UseManualTime()->Iterations(kMessageRounds);

void unwrap_from_known_sender(benchmark::State& state) {
  ConversationKeys keys;
  const auto subject = [&] {
    PG_CHECK(unwrap(*verify(*parse_event(nip17().wrap_json)), nip17().receiver, &keys).has_value());
  };
  compare(state, 1, subject, [] { two_signatures_two_exchanges(true); });
}
BENCHMARK(unwrap_from_known_sender)->UseManualTime()->Iterations(kMessageRounds);

}  // namespace
}  // namespace paygress::nostr
