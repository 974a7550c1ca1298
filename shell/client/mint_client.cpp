#include "shell/client/mint_client.h"

#include <deque>
#include <memory>

namespace paygress::client {
namespace {

constexpr Micros kCallTimeout = micros(Seconds{30});
constexpr Micros kCallGiveUp = micros(Seconds{35});

}  // namespace

cashu::MintAnswer MintClient::ask(const std::string& mint, cashu::Endpoint endpoint,
                                  const std::string& argument, const Bytes& body) {
  net::HttpCall call;
  call.method = cashu::is_post(endpoint) ? "POST" : "GET";
  call.url = mint + cashu::endpoint_path(endpoint, argument);
  if (cashu::is_post(endpoint)) call.headers = {{"Content-Type", "application/json"}};
  call.body = std::string(as_text(body));
  call.timeout = kCallTimeout;
  call.response_bytes_max = cashu::kAnswerBytesMax;
  auto outcome = std::make_shared<std::optional<net::HttpOutcome>>();
  const auto id = http_.start(std::move(call), [outcome](net::HttpOutcome o) { *outcome = o; });
  if (!loop_.run_until([&] { return outcome->has_value(); }, kCallGiveUp)) {
    http_.cancel(id);
    return cashu::NoReply{};
  }
  const auto* answered = std::get_if<net::Answered>(&**outcome);
  if (answered == nullptr) return cashu::NoReply{};
  return cashu::parse_answer(endpoint, static_cast<uint32_t>(answered->status), answered->body);
}

Outcome<cashu::MintBook> MintClient::read(const std::string& mint) {
  cashu::MintBook book({mint});
  const auto first = book.begin_reading(mint);
  std::deque<cashu::MintAsk> asks(first.begin(), first.end());
  while (!asks.empty()) {
    const cashu::MintAsk next = asks.front();
    asks.pop_front();
    for (auto& more : book.on_answer(next, ask(mint, next.endpoint, next.argument)))
      asks.push_back(std::move(more));
  }
  if (!book.ready(mint))
    return failure(ExitCode::Failed, "the mint " + mint + " does not answer",
                   "Nothing was changed. Try again later.");
  if (!book.suitable(mint))
    return failure(ExitCode::Payment,
                   "the mint " + mint + " lacks NUT-07, NUT-09 or NUT-12: money could be lost");
  return book;
}

void MintClient::pause(Micros time) {
  loop_.run_until([] { return false; }, time);
}

}  // namespace paygress::client
