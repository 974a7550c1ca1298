// Carries out what the core asked for, and hands every answer back as an input.
#pragma once

#include <functional>
#include <memory>

#include "core/cashu/mint_api.h"
#include "core/provider/pure_work.h"
#include "shell/backend/backend.h"
#include "shell/base/log.h"
#include "shell/net/http_client.h"
#include "shell/net/worker_pool.h"
#include "shell/provider/guard_link.h"
#include "shell/provider/mint_watch.h"
#include "shell/provider/relay_links.h"
#include "shell/provider/setup.h"

namespace paygress::daemon {

// Pieces of curve work under way; what comes beyond waits its turn.
inline constexpr size_t kPureWorkMax = 4096;
inline constexpr size_t kMintCallsMax = 256;

// Lives on the loop's thread.
class Executor {
 public:
  // Every input comes from the loop, never from inside perform(). All must outlive the executor.
  Executor(net::Loop& loop, net::WorkerPool& pool, const Setup& setup, backend::Backend& backend,
           RelayLinks& links, GuardLink& guard, std::function<void(const provider::Input&)> input);
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  void perform(const provider::Effect& effect);
  // A question to a mint that changes nothing and that the core does not ask: the answer comes to
  // `then`, unless the executor is gone before.
  void ask_mint(const cashu::MintCall& call, std::function<void(const cashu::MintAnswer&)> then);
  const SilentMints& silent_mints() const { return mint_watch_.silent(); }

 private:
  void perform_one(const provider::OpenLink& e) { links_.open(e); }
  void perform_one(const provider::CloseLink& e) { links_.close(e.link); }
  void perform_one(const provider::PingLink& e) { links_.ping(e.link); }
  void perform_one(const provider::SendFrame& e) { links_.send(e); }
  void perform_one(const provider::SignEvent& e);
  void perform_one(const provider::SealReply& e);
  void perform_one(const cashu::MakeOutputs& e);
  void perform_one(const cashu::OpenSignatures& e);
  void perform_one(const cashu::CheckToken& e);
  void perform_one(const cashu::MintCall& e);
  void perform_one(const workload::Call& e);
  void perform_one(const provider::GuardHold& e) { guard_.ask(e); }
  void perform_one(const provider::GuardFreeze& e) { guard_.ask(e); }
  void perform_one(const provider::GuardKill& e) { guard_.ask(e); }
  void perform_one(const provider::GuardRelease& e) { guard_.ask(e); }
  void perform_one(const provider::GuardQuery& e) { guard_.ask(e); }
  void perform_one(const provider::KeepVolumeKey& e);
  void perform_one(const provider::Tell& e);
  void perform_one(const provider::FetchInvoice& e);
  void perform_one(const provider::WithdrawalSettled&) {}  // the daemon's own (wallet_desk.h)
  void perform_one(const provider::WalletSearched&) {}     // likewise
  void perform_one(const provider::ReleaseSettled&) {}     // likewise

  // Nothing: no answer came.
  void fetch(const cashu::MintCall& e, std::function<void(std::optional<net::Answered>)> then);
  void watch_mint(const std::string& mint, cashu::Endpoint endpoint,
                  const net::HttpOutcome& outcome);
  void look_again(const std::string& mint);
  // On a worker; its result becomes an input.
  void work(std::function<provider::Input()> piece);

  net::Loop& loop_;
  net::WorkerPool& pool_;
  const Setup& setup_;
  backend::Backend& backend_;
  RelayLinks& links_;
  GuardLink& guard_;
  std::function<void(const provider::Input&)> input_;
  net::WorkerPool::QueueId queue_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  shell::Logger log_{"provider"};
  MintWatch mint_watch_;
  net::HttpClient http_;  // last: its callbacks use the others
};

}  // namespace paygress::daemon
