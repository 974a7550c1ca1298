#include "shell/provider/lightning_address.h"

#include <utility>

#include "core/cashu/lightning_address.h"

namespace paygress::daemon {
namespace {

using Done = std::function<void(Result<std::string>)>;

net::HttpCall question(const std::string& url) {
  net::HttpCall call;
  call.url = url;
  call.headers = {{"accept", "application/json"}};
  call.timeout = kReceiverTimeout;
  call.response_bytes_max = cashu::kLnurlBytesMax;
  return call;
}

// Errors come with a status of their own, or with 200.
Result<std::string> body_of(const net::HttpOutcome& outcome) {
  if (const auto* answered = std::get_if<net::Answered>(&outcome)) {
    if (answered->status >= 200 && answered->status < 300) return answered->body;
    return fail("the receiver answers " + answered->status_line);
  }
  const auto* not_sent = std::get_if<net::NotSent>(&outcome);
  return fail("the receiver does not answer: " +
              (not_sent != nullptr ? not_sent->reason : std::get<net::Uncertain>(outcome).reason));
}

void fetch_second(net::HttpClient& http, const std::string& url, Msat amount, Done done) {
  http.start(question(url), [amount, done = std::move(done)](const net::HttpOutcome& outcome) {
    const auto body = body_of(outcome);
    done(body ? cashu::read_invoice(*body, amount) : std::unexpected(body.error()));
  });
}

}  // namespace

void fetch_invoice(net::HttpClient& http, const std::string& address, Msat amount, Done done) {
  const auto url = cashu::lightning_address_url(address);
  // The config was checked; the answer comes from the loop all the same.
  if (!url)
    return static_cast<void>(
        http.start({}, [done = std::move(done), error = url.error()](const net::HttpOutcome&) {
          done(std::unexpected(error));
        }));
  http.start(question(*url),
             [&http, url = *url, amount, done = std::move(done)](const net::HttpOutcome& outcome) {
               const auto body = body_of(outcome);
               if (!body) return done(std::unexpected(body.error()));
               const auto request = cashu::read_pay_request(url, *body);
               if (!request) return done(std::unexpected(request.error()));
               const auto next = cashu::invoice_url(*request, amount);
               if (!next) return done(std::unexpected(next.error()));
               fetch_second(http, *next, amount, done);
             });
}

}  // namespace paygress::daemon
