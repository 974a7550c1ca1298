#include "shell/provider/executor.h"

#include <utility>

#include "core/base/check.h"
#include "core/cashu/curve_work.h"
#include "core/cashu/mint_api.h"
#include "shell/backend/volume_key.h"
#include "shell/base/entropy.h"
#include "shell/provider/lightning_address.h"

namespace paygress::daemon {
namespace {

constexpr Micros kFullRetry = 20'000_us;
// How often a mint that does not answer is asked whether it does.
constexpr Micros kLookAgainEvery = micros(Seconds{60});
constexpr Micros kLookAgainLimit = micros(Seconds{10});

net::HttpCall http_call(const cashu::MintCall& e) {
  net::HttpCall call;
  call.method = cashu::is_post(e.endpoint) ? "POST" : "GET";
  call.url = e.mint + cashu::endpoint_path(e.endpoint, e.path_argument);
  call.headers = {{"accept", "application/json"}};
  if (cashu::is_post(e.endpoint)) call.headers.emplace_back("content-type", "application/json");
  call.body.assign(e.body.begin(), e.body.end());
  call.connect_timeout = std::min(call.connect_timeout, e.deadline);
  call.timeout = e.deadline;
  call.response_bytes_max = cashu::kAnswerBytesMax;
  return call;
}

}  // namespace

Executor::Executor(net::Loop& loop, net::WorkerPool& pool, const Setup& setup,
                   backend::Backend& backend, RelayLinks& links, GuardLink& guard,
                   std::function<void(const provider::Input&)> input)
    : loop_(loop),
      pool_(pool),
      setup_(setup),
      backend_(backend),
      links_(links),
      guard_(guard),
      input_(std::move(input)),
      queue_(pool.make_queue(net::WorkerPool::Order::Parallel, kPureWorkMax)),
      http_(loop, kMintCallsMax) {
  PG_CHECK(input_ != nullptr);
}

Executor::~Executor() { *alive_ = false; }

void Executor::perform(const provider::Effect& effect) {
  std::visit([this](const auto& e) { perform_one(e); }, effect);
}

// Every effect is answered, so a full queue may delay a piece and not drop it. What can be asked
// for is bounded by the core: requests by its rate limit, operations by kOpenOperationsMax.
void Executor::work(std::function<provider::Input()> piece) {
  const bool taken =
      pool_.submit(queue_, [this, alive = alive_, piece]() -> net::WorkerPool::Completion {
        return [this, alive, input = piece()] {
          if (*alive) input_(input);
        };
      });
  if (taken) return;
  loop_.after(kFullRetry, [this, alive = alive_, piece = std::move(piece)] {
    if (*alive) work(piece);
  });
}

void Executor::perform_one(const provider::SignEvent& e) {
  work([e, &me = setup_.me]() -> provider::Input {
    shell::OsEntropy entropy;
    return provider::sign_event(e, me, entropy);
  });
}

void Executor::perform_one(const provider::SealReply& e) {
  work([e, &me = setup_.me]() -> provider::Input {
    shell::OsEntropy entropy;
    return provider::seal_reply(e, me, entropy);
  });
}

void Executor::perform_one(const cashu::MakeOutputs& e) {
  work([e, &seed = setup_.seed]() -> provider::Input { return cashu::make_outputs(e, seed); });
}

void Executor::perform_one(const cashu::OpenSignatures& e) {
  work([e, &seed = setup_.seed]() -> provider::Input { return cashu::open_signatures(e, seed); });
}

void Executor::perform_one(const cashu::CheckToken& e) {
  work([e]() -> provider::Input { return cashu::check_token(e); });
}

// Not sent and uncertain are the same to the core: it asks the mint what became of it. The answer
// is read on a worker: keysets hold dozens of points that must be on the curve.
void Executor::fetch(const cashu::MintCall& e,
                     std::function<void(std::optional<net::Answered>)> then) {
  http_.start(http_call(e), [this, mint = e.mint, endpoint = e.endpoint,
                             then = std::move(then)](net::HttpOutcome outcome) {
    watch_mint(mint, endpoint, outcome);
    auto* answered = std::get_if<net::Answered>(&outcome);
    then(answered != nullptr ? std::optional(std::move(*answered)) : std::nullopt);
  });
}

// What waits for a mint asks it again and again; that it is away is said once.
void Executor::watch_mint(const std::string& mint, cashu::Endpoint endpoint,
                          const net::HttpOutcome& outcome) {
  const Now now = net::Loop::now();
  if (const auto problem = MintWatch::problem_of(outcome)) {
    log_.debug("mint {}{}: {}", mint, cashu::endpoint_path(endpoint), *problem);
    if (!mint_watch_.missed(mint, endpoint, *problem, now)) return;
    log_.warn("mint {} does not answer ({}): what waits for it is asked again until it does", mint,
              mint_watch_.silent().at(mint).reason);
    return look_again(mint);
  }
  if (mint_watch_.heard(mint, endpoint, now)) log_.info("mint {} answers again", mint);
}

// Else nobody would learn that it is back before somebody pays with its money.
void Executor::look_again(const std::string& mint) {
  loop_.after(kLookAgainEvery, [this, mint, alive = alive_] {
    if (!*alive || !mint_watch_.silent().contains(mint)) return;
    cashu::MintCall call;
    call.mint = mint;
    call.endpoint = cashu::Endpoint::Info;
    call.deadline = kLookAgainLimit;
    ask_mint(call, [](const cashu::MintAnswer&) {});
    look_again(mint);
  });
}

void Executor::perform_one(const cashu::MintCall& e) {
  fetch(e, [this, id = e.id, endpoint = e.endpoint](std::optional<net::Answered> answered) {
    if (!answered) return input_(cashu::MintReply{id, cashu::NoReply{}});
    work([id, endpoint, status = static_cast<uint32_t>(answered->status),
          body = std::move(answered->body)]() -> provider::Input {
      return cashu::MintReply{id, cashu::parse_answer(endpoint, status, body)};
    });
  });
}

void Executor::ask_mint(const cashu::MintCall& call,
                        std::function<void(const cashu::MintAnswer&)> then) {
  fetch(call, [endpoint = call.endpoint,
               then = std::move(then)](const std::optional<net::Answered>& answered) {
    then(answered ? cashu::parse_answer(endpoint, static_cast<uint32_t>(answered->status),
                                        answered->body)
                  : cashu::MintAnswer(cashu::NoReply{}));
  });
}

// The core knows where consumers connect to; where the ports are opened on this machine is ours,
// and so is where the guard keeps its groups.
void Executor::perform_one(const workload::Call& e) {
  workload::Call call = e;
  if (call.spec) call.spec->address = setup_.bind_address;
  if (call.spec && call.spec->guarded) call.guard_group = guard_.group_of(call.name);
  backend_.call(call, [this, alive = alive_](workload::Answer answer) {
    if (!*alive) return;
    if (answer.outcome != workload::Outcome::Done)
      log_.warn("engine: {} {}", answer.name, answer.message);
    input_(answer);
  });
}

void Executor::perform_one(const provider::KeepVolumeKey& e) {
  if (!e.key) return backend::forget_volume_key(setup_.config.volume_key_dir, e.lease);
  const auto kept = backend::keep_volume_key(setup_.config.volume_key_dir, e.lease, *e.key);
  if (!kept) log_.error("a volume's key: {}", to_string(kept.error()));
}

void Executor::perform_one(const provider::FetchInvoice& e) {
  fetch_invoice(http_, e.address, e.amount, [this, id = e.id](const Result<std::string>& invoice) {
    input_(provider::InvoiceFetched{id, invoice ? *invoice : "",
                                    invoice ? "" : to_string(invoice.error())});
  });
}

void Executor::perform_one(const provider::Tell& e) {
  switch (e.level) {
    case provider::Level::Info: return log_.info("{}", e.text);
    case provider::Level::Warning: return log_.warn("{}", e.text);
    case provider::Level::Alarm: return log_.error("{}", e.text);
  }
}

}  // namespace paygress::daemon
