#include "shell/provider/metrics.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

#include "core/provider/free_money.h"

namespace paygress::daemon {
namespace {

using Labels = std::vector<std::pair<std::string_view, std::string>>;

constexpr const char* kTextFormat = "text/plain; version=0.0.4; charset=utf-8";
constexpr size_t kConnectionsMax = 16;
constexpr size_t kRequestBytesMax = 8 * 1024;
constexpr uint64_t kMebibyte = uint64_t{1} << 20;
constexpr uint64_t kGibibyte = uint64_t{1} << 30;

std::string escaped(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') out += '\\';
    out += c;
  }
  return out;
}

// A relay's query may hold a pass word.
std::string without_query(std::string_view url) {
  return std::string(url.substr(0, url.find_first_of("?#")));
}

// One metric after the other, each with its help and type once.
class Page {
 public:
  void gauge(std::string_view name, std::string_view help) { begin(name, help, "gauge"); }
  void counter(std::string_view name, std::string_view help) { begin(name, help, "counter"); }
  template <class Integer>
  void value(Integer number, const Labels& labels = {}) {
    text_ += name_;
    const char* before = "{";
    for (const auto& [label, content] : labels) {
      text_ += fmt::format("{}{}=\"{}\"", before, label, escaped(content));
      before = ",";
    }
    text_ += fmt::format("{} {}\n", labels.empty() ? "" : "}", number);
  }
  std::string take() { return std::move(text_); }

 private:
  void begin(std::string_view name, std::string_view help, std::string_view type) {
    name_ = fmt::format("paygress_{}", name);
    text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name_, help, name_, type);
  }
  std::string text_;
  std::string name_;
};

void add_peers(const provider::Provider& core, const SilentMints& silent, Page& page) {
  const provider::Settings& settings = core.settings();
  page.gauge("relay_up", "Whether the relay is connected and read.");
  for (uint32_t i = 0; i < settings.relays.size(); ++i)
    page.value(counts_as_up(core.relays()->status(RelayIndex{i}).health) ? 1 : 0,
               {{"relay", without_query(settings.relays[i])}});
  page.counter("relay_connects_total", "Connections made to the relay.");
  for (uint32_t i = 0; i < settings.relays.size(); ++i)
    page.value(core.relays()->stats(RelayIndex{i}).connects,
               {{"relay", without_query(settings.relays[i])}});
  page.gauge("mint_ready",
             "Whether the mint answers, its keysets are known and it is fit to be used.");
  const cashu::MintBook& book = core.wallet().mints();
  for (const std::string& mint : settings.mints)
    page.value(book.ready(mint) && book.suitable(mint) && !silent.contains(mint) ? 1 : 0,
               {{"mint", mint}});
}

void add_money(const provider::Provider& core, Page& page) {
  page.gauge("wallet_balance", "Ecash in the wallet, in the unit of the mint.");
  const cashu::RedeemState& wallet = core.wallet().state();
  for (const auto& [purse, balance] : wallet.wallet().balances())
    page.value(balance, {{"mint", purse.mint}, {"unit", purse.unit}});
  page.gauge("wallet_free_millisats", "What the operator may take out of the wallet.");
  for (const auto& [purse, money] : provider::free_money(core.leases(), wallet))
    page.value(money.free.value, {{"mint", purse.first}, {"unit", purse.second}});
  page.gauge("payments_open", "Tokens being redeemed or in doubt.");
  page.value(wallet.open_count());
  page.gauge("money_millisats", "Redeemed = consumed + open + claims + kept.");
  for (const auto& [purse, totals] : core.leases().totals()) {
    const std::pair<const char*, Msat> parts[] = {{"redeemed", totals.redeemed},
                                                  {"consumed", totals.consumed},
                                                  {"open", totals.open},
                                                  {"claims", totals.claims},
                                                  {"kept", totals.kept}};
    for (const auto& [part, amount] : parts)
      page.value(amount.value, {{"mint", purse.first}, {"unit", purse.second}, {"part", part}});
  }
}

void add_leases(const provider::Provider& core, Page& page) {
  using enum lease::Phase;
  std::map<lease::Phase, uint64_t> count;
  for (const lease::Phase phase : {Reserved, Creating, Running, Down, Ending, Ended, Void})
    count[phase] = 0;
  for (const auto& [id, lease] : core.leases().leases()) ++count[lease.phase];
  page.gauge("leases", "Leases that the ledger still remembers, by phase.");
  for (const auto& [phase, number] : count)
    page.value(number, {{"phase", std::string(lease::to_string(phase))}});
  page.gauge("workloads_running", "Workloads that run now.");
  page.value(core.workloads().running_count());
  const lease::Resources free = core.leases().allocator().unreserved();
  page.gauge("unreserved_cpu_millicores", "Processor time that is not sold.");
  page.value(free.cpu_millicores);
  page.gauge("unreserved_memory_bytes", "Memory that is not sold.");
  page.value(free.memory_mb * kMebibyte);
  page.gauge("unreserved_storage_bytes", "Disk that is not sold.");
  page.value(free.storage_gb * kGibibyte);
}

}  // namespace

std::string metrics_text(const provider::Provider& core, const Readiness& readiness,
                         const ProcessFacts& facts) {
  Page page;
  page.gauge("start_time_seconds", "When the process started, in Unix time.");
  page.value(facts.started_at.value);
  page.gauge("ready", "Whether /readyz says that it can sell.");
  page.value(waits_for(core, readiness).empty() ? 1 : 0);
  page.gauge("draining", "Whether the operator takes no new leases.");
  page.value(core.draining() ? 1 : 0);
  page.counter("frames_refused_total", "Relay frames that were not fit to be read.");
  page.value(facts.frames_refused);
  page.counter("requests_total", "Private messages that were looked at.");
  page.value(core.counters().requests);
  page.counter("requests_over_limit_total", "Messages beyond what one key may send in a minute.");
  page.value(core.counters().over_limit);
  page.counter("requests_waited_total",
               "Times that a request waited for its mint or its members' offers.");
  page.value(core.counters().waited);
  add_peers(core, facts.silent_mints, page);
  add_leases(core, page);
  add_money(core, page);
  return page.take();
}

Result<std::unique_ptr<MetricsServer>> MetricsServer::listen(net::Loop& loop,
                                                             std::string_view address,
                                                             Sources sources) {
  net::ServerOptions options;
  const size_t colon = address.rfind(':');
  if (colon == address.npos) return fail("no port in the address", std::string(address));
  options.address = std::string(address.substr(0, colon));
  if (options.address == "localhost") options.address = "127.0.0.1";
  if (options.address.starts_with('[') && options.address.ends_with(']'))
    options.address = options.address.substr(1, options.address.size() - 2);
  const std::string_view port = address.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), options.port);
  if (error != std::errc{} || end != port.data() + port.size())
    return fail("no port in the address", std::string(address));
  options.connections_max = kConnectionsMax;
  options.header_bytes_max = options.body_bytes_max = kRequestBytesMax;
  std::unique_ptr<MetricsServer> metrics(new MetricsServer(std::move(sources)));
  net::ServerHandlers handlers;
  handlers.on_request = [self = metrics.get()](const net::HttpRequest& request,
                                               net::Responder respond) {
    respond(self->answer(request));
  };
  auto server = net::HttpServer::listen(loop, std::move(options), std::move(handlers));
  if (!server) return std::unexpected(server.error());
  metrics->server_ = *std::move(server);
  return metrics;
}

net::HttpResponse MetricsServer::answer(const net::HttpRequest& request) const {
  if (request.method != "GET") return net::HttpResponse::text(405, "only GET is answered here\n");
  if (request.path() == "/healthz") return net::HttpResponse::text(200, "ok\n");
  if (request.path() == "/metrics") {
    net::HttpResponse page = net::HttpResponse::text(200, sources_.metrics());
    page.headers = {{"content-type", kTextFormat}};
    return page;
  }
  if (request.path() == "/readyz") {
    std::string reasons;
    for (const std::string& reason : sources_.waits_for()) reasons += reason + "\n";
    return reasons.empty() ? net::HttpResponse::text(200, "ready\n")
                           : net::HttpResponse::text(503, std::move(reasons));
  }
  return net::HttpResponse::text(404, "here are /metrics, /healthz and /readyz\n");
}

}  // namespace paygress::daemon
