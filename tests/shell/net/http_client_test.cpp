// The HTTP client against our own server, and what its three outcomes promise.
#include "shell/net/http_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "shell/net/control_socket.h"
#include "shell/net/http_server.h"
#include "tests/shell/net/tls_front.h"

namespace paygress::net {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr Micros kPatience = micros(Seconds{20});

class Http : public ::testing::Test {
 protected:
  using Handler = std::function<void(const HttpRequest&, Responder)>;

  void serve(Handler handler, ServerOptions options = {}) {
    ServerHandlers handlers;
    handlers.on_request = [this, handler = std::move(handler)](const HttpRequest& request,
                                                               Responder responder) {
      requests_.push_back(request);
      handler(request, std::move(responder));
    };
    auto server = HttpServer::listen(loop_, options, handlers);
    ASSERT_TRUE(server) << to_string(server.error());
    server_ = std::move(*server);
  }

  HttpCall get(const std::string& target) const {
    HttpCall call;
    call.url = server_->url("http") + target;
    return call;
  }
  HttpCall post(const std::string& target, std::string body) const {
    HttpCall call = get(target);
    call.method = "POST";
    call.body = std::move(body);
    return call;
  }

  HttpOutcome run(HttpCall call) {
    std::optional<HttpOutcome> outcome;
    client_.start(std::move(call), [&](HttpOutcome o) {
      EXPECT_FALSE(outcome) << "told twice";
      outcome = std::move(o);
    });
    EXPECT_FALSE(outcome) << "never from inside start()";
    EXPECT_TRUE(loop_.run_until([&] { return outcome.has_value(); }, kPatience));
    return outcome.value_or(Uncertain{"the test waited in vain"});
  }

  Loop loop_;
  std::unique_ptr<HttpServer> server_;
  HttpClient client_{loop_};
  std::vector<HttpRequest> requests_;
};

std::string reason_of(const HttpOutcome& outcome) {
  if (const auto* not_sent = std::get_if<NotSent>(&outcome)) return "not sent: " + not_sent->reason;
  if (const auto* uncertain = std::get_if<Uncertain>(&outcome))
    return "uncertain: " + uncertain->reason;
  return "answered";
}

TEST_F(Http, CarriesRequestAndAnswer) {
  serve(
      [](const HttpRequest&, Responder respond) { respond({201, {{"X-Answer", "yes"}}, "made"}); });
  HttpCall call = post("/v1/swap?a=b", "{\"inputs\":[]}");
  call.headers = {{"X-Ask", "why"}, {"X-Empty", ""}};
  const HttpOutcome outcome = run(call);
  const auto* answer = std::get_if<Answered>(&outcome);
  ASSERT_NE(answer, nullptr) << reason_of(outcome);
  EXPECT_EQ(answer->status, 201);
  EXPECT_EQ(answer->status_line, "HTTP/1.1 201 Created");
  EXPECT_EQ(find_header(answer->headers, "x-answer"), "yes");
  EXPECT_EQ(answer->body, "made");
  ASSERT_EQ(requests_.size(), 1U);
  EXPECT_EQ(requests_[0].method, "POST");
  EXPECT_EQ(requests_[0].target, "/v1/swap?a=b");
  EXPECT_EQ(requests_[0].path(), "/v1/swap");
  EXPECT_EQ(requests_[0].body, "{\"inputs\":[]}");
  EXPECT_EQ(find_header(requests_[0].headers, "x-ask"), "why");
  EXPECT_EQ(find_header(requests_[0].headers, "content-type"), "application/json");
}

TEST_F(Http, AnErrorStatusIsAnAnswerWithItsBody) {
  serve([](const HttpRequest&, Responder respond) {
    respond(HttpResponse::json(400, "{\"code\":11001}"));
  });
  const HttpOutcome outcome = run(post("/v1/swap", "{}"));
  const auto* answer = std::get_if<Answered>(&outcome);
  ASSERT_NE(answer, nullptr) << reason_of(outcome);
  EXPECT_EQ(answer->status, 400);
  EXPECT_EQ(answer->body, "{\"code\":11001}");
}

TEST_F(Http, EveryMethodArrives) {
  serve([](const HttpRequest& request, Responder respond) { respond({200, {}, request.method}); });
  for (const char* method : {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}) {
    HttpCall call = get("/");
    call.method = method;
    const HttpOutcome outcome = run(call);
    const auto* answer = std::get_if<Answered>(&outcome);
    ASSERT_NE(answer, nullptr) << method << ": " << reason_of(outcome);
    EXPECT_EQ(answer->body, std::string(method) == "HEAD" ? "" : method);
    EXPECT_EQ(requests_.back().method, method);
  }
}

TEST_F(Http, ARefusedConnectionIsNotSent) {
  serve([](const HttpRequest&, Responder) {});
  const HttpCall call = post("/", "{}");
  server_.reset();
  EXPECT_THAT(reason_of(run(call)), HasSubstr("not sent"));
}

TEST_F(Http, AMissingUnixSocketIsNotSent) {
  HttpCall call;
  call.url = "http://docker/version";
  call.unix_socket = "/nonexistent/docker.sock";
  EXPECT_THAT(reason_of(run(call)), HasSubstr("not sent"));
}

TEST_F(Http, AMalformedCallIsNotSent) {
  HttpCall call;
  call.url = "file:///etc/passwd";
  EXPECT_THAT(reason_of(run(call)), HasSubstr("not sent"));
  call.url = "http://127.0.0.1:1/";
  call.method = "BREW";
  EXPECT_THAT(reason_of(run(call)), HasSubstr("not sent"));
  call.method = "GET";
  call.headers = {{"X", "a\r\nY: b"}};
  EXPECT_THAT(reason_of(run(call)), HasSubstr("one line"));
}

TEST_F(Http, ALostAnswerIsUncertainAndSentOnce) {
  serve([](const HttpRequest&, Responder respond) { respond.drop(); });
  EXPECT_THAT(reason_of(run(post("/v1/swap", "{}"))), HasSubstr("uncertain"));
  EXPECT_EQ(requests_.size(), 1U);
}

// A kept connection that dies under a request makes libcurl try again by itself; not for a POST.
TEST_F(Http, APostIsNeverSentTwice) {
  bool drop = false;
  serve([&](const HttpRequest&, Responder respond) {
    if (drop) return respond.drop();
    respond({200, {}, "ok"});
  });
  EXPECT_EQ(reason_of(run(get("/warm"))), "answered");
  EXPECT_EQ(reason_of(run(post("/warm", "{}"))), "answered");
  drop = true;
  requests_.clear();
  EXPECT_THAT(reason_of(run(post("/v1/swap", "{}"))), HasSubstr("uncertain"));
  EXPECT_EQ(requests_.size(), 1U);
}

TEST_F(Http, ASlowAnswerIsUncertain) {
  std::vector<Responder> held;
  serve([&](const HttpRequest&, Responder respond) { held.push_back(respond); });
  HttpCall call = post("/", "{}");
  call.timeout = 100_ms;
  EXPECT_THAT(reason_of(run(call)), HasSubstr("uncertain"));
  EXPECT_EQ(requests_.size(), 1U);
  held.clear();
}

TEST_F(Http, AnAnswerThatIsTooLongIsUncertain) {
  serve([](const HttpRequest&, Responder respond) { respond({200, {}, std::string(1001, 'x')}); });
  HttpCall call = get("/");
  call.response_bytes_max = 1000;
  EXPECT_THAT(reason_of(run(call)), HasSubstr("longer than 1000"));
  call.response_bytes_max = 1001;
  EXPECT_EQ(reason_of(run(call)), "answered");
}

TEST_F(Http, RedirectsAreFollowedForReadingOnly) {
  serve([](const HttpRequest& request, Responder respond) {
    if (request.path() == "/old") return respond({307, {{"location", "/new"}}, ""});
    respond({200, {}, "here"});
  });
  HttpCall call = get("/old");
  const HttpOutcome plain = run(call);
  EXPECT_EQ(std::get<Answered>(plain).status, 307) << "only when asked for";
  call.redirects_max = 2;
  const HttpOutcome followed = run(call);
  EXPECT_EQ(std::get<Answered>(followed).body, "here");
  HttpCall write = post("/old", "{}");
  write.redirects_max = 2;
  const HttpOutcome kept = run(write);
  EXPECT_EQ(std::get<Answered>(kept).status, 307);
}

TEST_F(Http, PassesOnLinesAsTheyArrive) {
  serve([](const HttpRequest&, Responder respond) { respond({200, {}, "one\r\ntwo\n\nlast"}); });
  std::vector<std::string> lines;
  HttpCall call = get("/");
  call.on_line = [&](std::string_view line) { lines.emplace_back(line); };
  const HttpOutcome outcome = run(call);
  ASSERT_EQ(reason_of(outcome), "answered");
  EXPECT_THAT(lines, ElementsAre("one", "two", "", "last"));
  EXPECT_EQ(std::get<Answered>(outcome).body, "");
}

TEST_F(Http, KeepsTheBodyOfARefusalOfAStream) {
  serve([](const HttpRequest&, Responder respond) { respond({404, {}, "no such image\n"}); });
  HttpCall call = get("/");
  call.on_line = [](std::string_view) { ADD_FAILURE() << "a line of an error"; };
  const HttpOutcome outcome = run(call);
  EXPECT_EQ(std::get<Answered>(outcome).body, "no such image\n");
}

TEST_F(Http, BoundsALineOfAStream) {
  serve([](const HttpRequest&, Responder respond) { respond({200, {}, std::string(2000, 'x')}); });
  HttpCall call = get("/");
  call.response_bytes_max = 1000;
  call.on_line = [](std::string_view) { ADD_FAILURE(); };
  EXPECT_THAT(reason_of(run(call)), HasSubstr("longer than 1000"));
}

TEST_F(Http, ACancelledCallIsNotTold) {
  std::vector<Responder> held;
  serve([&](const HttpRequest&, Responder respond) { held.push_back(respond); });
  bool told = false;
  const HttpCallId id = client_.start(get("/"), [&](HttpOutcome) { told = true; });
  ASSERT_TRUE(loop_.run_until([&] { return held.size() == 1; }, kPatience));
  client_.cancel(id);
  ASSERT_TRUE(loop_.run_until([&] { return client_.running() == 0; }, kPatience));
  held[0](HttpResponse::text(200, "late"));
  EXPECT_FALSE(loop_.run_until([&] { return told; }, 5_ms));
}

TEST_F(Http, MayBeDestroyedWithCallsUnderWay) {
  std::vector<Responder> held;
  serve([&](const HttpRequest&, Responder respond) { held.push_back(respond); });
  bool told = false;
  auto client = std::make_unique<HttpClient>(loop_);
  for (const char* target : {"/a", "/b"})
    client->start(get(target), [&](HttpOutcome) { told = true; });
  ASSERT_TRUE(loop_.run_until([&] { return held.size() == 2; }, kPatience));
  client->start(get("/c"), [&](HttpOutcome) { told = true; });
  HttpCall malformed;
  client->start(malformed, [&](HttpOutcome) { told = true; });
  client.reset();
  held.clear();
  EXPECT_FALSE(loop_.run_until([&] { return told; }, 20_ms));
}

TEST_F(Http, BoundsTheCallsThatRun) {
  std::vector<Responder> held;
  serve([&](const HttpRequest&, Responder respond) { held.push_back(respond); });
  HttpClient small(loop_, 1);
  std::optional<HttpOutcome> refused;
  small.start(get("/"), [](HttpOutcome) {});
  small.start(get("/"), [&](HttpOutcome o) { refused = std::move(o); });
  ASSERT_TRUE(loop_.run_until([&] { return refused.has_value(); }, kPatience));
  EXPECT_THAT(reason_of(*refused), HasSubstr("not sent: too many"));
}

TEST_F(Http, SpeaksTlsToATrustedHostOnly) {
  serve([](const HttpRequest&, Responder respond) { respond({200, {}, "secret"}); });
  const test::TlsFront front(server_->port());
  HttpCall call = post("/", "{}");
  call.url = "https://localhost:" + std::to_string(front.port()) + "/";
  const std::string unknown = reason_of(run(call));
  EXPECT_THAT(unknown, AllOf(HasSubstr("not sent"), HasSubstr("certificate")));
  call.ca_file = front.ca_file();
  const HttpOutcome outcome = run(call);
  ASSERT_EQ(reason_of(outcome), "answered");
  EXPECT_EQ(std::get<Answered>(outcome).body, "secret");
  call.url = "https://127.0.0.1:" + std::to_string(front.port()) + "/";
  const std::string other_name = reason_of(run(call));
  EXPECT_THAT(other_name, AllOf(HasSubstr("not sent"), HasSubstr("certificate")));
  EXPECT_EQ(requests_.size(), 1U);
}

TEST_F(Http, TheServerBoundsBodiesAndHeaders) {
  ServerOptions options;
  options.body_bytes_max = 1000;
  options.header_bytes_max = 1000;
  serve([](const HttpRequest&, Responder respond) { respond({200, {}, ""}); }, options);
  const HttpOutcome body = run(post("/", std::string(1001, 'x')));
  EXPECT_EQ(std::get<Answered>(body).status, 413);
  HttpCall call = get("/");
  call.headers = {{"X", std::string(2000, 'x')}};
  const HttpOutcome header = run(call);
  EXPECT_EQ(std::get<Answered>(header).status, 431);
  EXPECT_TRUE(requests_.empty());
  EXPECT_EQ(reason_of(run(post("/", std::string(1000, 'x')))), "answered");
}

}  // namespace
}  // namespace paygress::net
