#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "core/cashu/mint_url.h"
#include "core/consumer/pending.h"
#include "core/market/time_text.h"
#include "shell/base/clock.h"
#include "shell/client/command_line.h"
#include "shell/client/lease_session.h"
#include "shell/client/terminal.h"
#include "shell/client/token_text.h"

namespace paygress::client {
namespace {

namespace json = boost::json;
using cashu::Amount;

struct WalletOptions {
  std::string mint;
  Amount amount = 0;
  std::string token;
  uint64_t number = 0;
  int64_t timeout_seconds = 600;
  bool take_back = false;
};

Outcome<void> balance(const Options& options, const WalletOptions&) {
  auto state = WalletFile::look(options.home);
  if (!state) return std::unexpected(state.error());
  json::array array;
  std::vector<std::vector<std::string>> rows{{"MINT", "BALANCE", "IN DOUBT", "GIVEN AWAY"}};
  std::set<cashu::WalletStore::Purse> purses;
  for (const auto& [purse, amount] : state->purse().balances()) purses.insert(purse);
  for (const auto& [number, op] : state->open_ops()) purses.insert({op.mint, op.unit});
  for (const auto& [number, token] : state->tokens())
    purses.insert({token.stored.mint, token.stored.unit});
  for (const auto& purse : purses) {
    const Amount have = state->purse().balance(purse);
    array.push_back(json::object{{"mint", purse.mint},
                                 {"unit", purse.unit},
                                 {"balance", have},
                                 {"in_doubt", state->locked(purse)},
                                 {"given_away", state->underway(purse)}});
    rows.push_back({purse.mint, fmt::format("{} {}", have, purse.unit),
                    std::to_string(state->locked(purse)), std::to_string(state->underway(purse))});
  }
  if (options.json)
    print_json(array);
  else if (array.empty())
    note("the wallet is empty; fill it with: paygress wallet mint --mint URL SATS");
  else
    print_table(rows);
  return {};
}

Outcome<void> mint(const Options& options, const WalletOptions& wanted) {
  const auto url = cashu::normalise_mint_url(wanted.mint);
  if (!url) return failure(ExitCode::Usage, "--mint: " + to_string(url.error()));
  auto session = open_session(options);
  if (!session) return std::unexpected(session.error());
  progress("asking " + *url);
  const auto show = [](const std::string& invoice) {
    note("Pay this invoice (waiting):");
    note(printable(invoice));
  };
  auto minted =
      (*session)->purse.mint(*url, wanted.amount, micros(Seconds{wanted.timeout_seconds}), show);
  if (!minted) return std::unexpected(minted.error());
  const Amount have = (*session)->file->state().purse().balance({*url, kUnit});
  if (options.json)
    print_json(json::object{{"mint", *url}, {"minted", *minted}, {"balance", have}});
  else
    print_line(fmt::format("{} sat minted at {}; balance {} sat", *minted, *url, have));
  return {};
}

Outcome<void> send(const Options& options, const WalletOptions& wanted) {
  auto session = open_session(options);
  if (!session) return std::unexpected(session.error());
  std::vector<std::string> mints;
  if (!wanted.mint.empty()) {
    const auto url = cashu::normalise_mint_url(wanted.mint);
    if (!url) return failure(ExitCode::Usage, "--mint: " + to_string(url.error()));
    mints.push_back(*url);
  }
  auto token = (*session)->purse.make_token(mints, {wanted.amount, false}, false);
  if (!token) return std::unexpected(token.error());
  WalletFile& file = *(*session)->file;
  if (auto ok = file.commit(
          {consumer::TokenChanged{*token, consumer::TokenFate::Sent, shell::now().wall}});
      !ok)
    return ok;
  const auto& stored = file.state().tokens().at(*token).stored;
  if (options.json)
    print_json(json::object{{"number", *token},
                            {"mint", stored.mint},
                            {"amount", stored.amount},
                            {"token", stored.text}});
  else
    print_line(stored.text);
  return {};
}

Outcome<void> print_received(const Options& options, Session& session, Amount amount) {
  if (options.json)
    print_json(
        json::object{{"received", amount}, {"open", session.file->state().open_ops().size()}});
  else
    print_line(fmt::format("{} sat received", amount));
  return {};
}

Outcome<void> receive(const Options& options, const WalletOptions& wanted) {
  std::string text;
  if (!wanted.token.empty()) {
    auto given = token_text(wanted.token);
    if (!given) return std::unexpected(given.error());
    text = *std::move(given);
  }
  auto session = open_session(options);
  if (!session) return std::unexpected(session.error());
  if (text.empty()) {
    const size_t open = (*session)->purse.recover();
    if (open > 0)
      return failure(ExitCode::TimedOut, fmt::format("{} operations are still open", open),
                     "Nothing is lost: run `paygress wallet receive` again later.");
    if (!options.json) print_line("nothing is open");
    if (options.json) print_json(json::object{{"received", nullptr}, {"open", 0}});
    return {};
  }
  auto got = (*session)->purse.receive(text, consumer::TokenOrigin::Given);
  if (!got) return std::unexpected(got.error());
  return print_received(options, **session, *got);
}

Outcome<void> reclaim(const Options& options, const WalletOptions& wanted) {
  auto session = open_session(options);
  if (!session) return std::unexpected(session.error());
  const auto& tokens = (*session)->file->state().tokens();
  const auto found = tokens.find(wanted.number);
  if (found == tokens.end())
    return failure(ExitCode::NotFound, fmt::format("no token number {}", wanted.number),
                   "`paygress wallet history` shows the numbers.");
  if (found->second.fate != consumer::TokenFate::Here &&
      found->second.fate != consumer::TokenFate::Sent)
    return failure(ExitCode::Payment,
                   "that token is " + std::string(consumer::to_text(found->second.fate)));
  auto got = (*session)->purse.receive_stored(wanted.number);
  if (!got) return std::unexpected(got.error());
  return print_received(options, **session, *got);
}

std::string state_text(const std::optional<cashu::ProofState>& state) {
  if (!state) return "the mint does not answer";
  switch (*state) {
    case cashu::ProofState::Unspent: return "not redeemed";
    case cashu::ProofState::Pending: return "being paid with";
    case cashu::ProofState::Spent: return "redeemed";
  }
  return "?";
}

// The command that brings the answer, or the money, of one of them.
std::string advice_of(const consumer::PendingToken& pending, const consumer::StoredRequest* request,
                      const std::optional<cashu::ProofState>& state) {
  const bool spent = state == cashu::ProofState::Spent;
  if (pending.waiting == consumer::Waiting::Refund) return "paygress wallet receive";
  if (spent && request) {
    const auto message = market::parse_request(request->made.json);
    const bool topup = message && std::holds_alternative<market::TopUpRequest>(*message);
    return fmt::format("paygress {} --resume {}", topup ? "topup" : "spawn",
                       request->made.request.hex());
  }
  if (spent) return "paygress wallet receive";  // by a swap of ours that is open
  if (state == cashu::ProofState::Pending) return "wait: the mint has not decided yet";
  if (pending.may_take_back) return "paygress wallet pending --take-back";
  return fmt::format("paygress wallet reclaim {}", pending.number);
}

// A token that was given away and has been redeemed is no longer pending.
Outcome<void> end_of_given(WalletFile& file, uint64_t number) {
  const UnixSeconds now = shell::now().wall;
  note(fmt::format("token {} was redeemed by whoever got it", number));
  return file.commit({consumer::TokenChanged{number, consumer::TokenFate::Taken, now}});
}

Outcome<void> pending(const Options& options, const WalletOptions& wanted) {
  auto session = open_session(options);
  if (!session) return std::unexpected(session.error());
  Purse& purse = (*session)->purse;
  const consumer::WalletState& state = (*session)->file->state();
  json::array array;
  std::vector<std::vector<std::string>> rows{
      {"NR", "SENT", "AMOUNT", "MINT", "PROVIDER SAYS", "MINT SAYS", "WHAT TO DO"}};
  for (const auto& entry : consumer::pending_tokens(state, shell::now().wall)) {
    const auto known = purse.state_of(entry.number);
    if (known && consumer::is_redeemed(state, entry, *known)) {
      if (auto ok = end_of_given(*(*session)->file, entry.number); !ok) return ok;
      continue;
    }
    const auto request = state.tokens().at(entry.number).stored.request;
    const auto made = request ? state.requests().find(*request) : state.requests().end();
    std::string todo =
        advice_of(entry, made == state.requests().end() ? nullptr : &made->second, known);
    std::optional<Amount> back;
    if (wanted.take_back && entry.may_take_back && known == cashu::ProofState::Unspent) {
      auto got = purse.receive_stored(entry.number);
      if (got) back = *got;
      todo = got ? fmt::format("taken back: {} sat", *got) : got.error().message;
    }
    const auto& token = state.tokens().at(entry.number);
    array.push_back(
        json::object{{"number", entry.number},
                     {"mint", token.stored.mint},
                     {"amount", token.stored.amount},
                     {"waiting", consumer::to_text(entry.waiting)},
                     {"mint_says", state_text(known)},
                     {"may_take_back", entry.may_take_back},
                     {"taken_back", back ? json::value(*back) : json::value(nullptr)},
                     {"request_id", request ? json::value(request->hex()) : json::value(nullptr)}});
    rows.push_back({std::to_string(entry.number), market::to_human_time(token.stored.at),
                    fmt::format("{} {}", token.stored.amount, token.stored.unit), token.stored.mint,
                    std::string(consumer::to_text(entry.waiting)), state_text(known),
                    std::move(todo)});
  }
  if (options.json)
    print_json(array);
  else if (array.empty())
    note("nothing is pending: of every token it is known what became of it");
  else
    print_table(rows);
  return {};
}

// In brackets what a token is worth that moved no money of the wallet.
std::string amount_text(const consumer::HistoryEntry& entry) {
  if (entry.amount == 0 && entry.token > 0) return fmt::format("({} {})", entry.token, entry.unit);
  return fmt::format("{:+} {}", entry.amount, entry.unit);
}

Outcome<void> history(const Options& options, const WalletOptions&) {
  auto state = WalletFile::look(options.home);
  if (!state) return std::unexpected(state.error());
  json::array array;
  std::vector<std::vector<std::string>> rows{
      {"NR", "TIME", "WHAT", "AMOUNT", "STATE", "MINT", "NOTE"}};
  for (const auto& entry : state->history()) {
    json::object line{{"number", entry.number}, {"time", entry.at.value}, {"what", entry.what},
                      {"state", entry.state},   {"mint", entry.mint},     {"unit", entry.unit},
                      {"amount", entry.amount}, {"note", entry.note},     {"request_id", nullptr},
                      {"token_amount", nullptr}};
    if (entry.token > 0) line["token_amount"] = entry.token;
    std::string note = entry.note;
    if (entry.request) {
      line["request_id"] = entry.request->hex();
      note += (note.empty() ? "request " : ", request ") + entry.request->hex();
    }
    array.push_back(std::move(line));
    rows.push_back({std::to_string(entry.number), market::to_human_time(entry.at), entry.what,
                    amount_text(entry), entry.state, entry.mint, note});
  }
  if (options.json)
    print_json(array);
  else
    print_table(rows);
  return {};
}

using Verb = Outcome<void> (*)(const Options&, const WalletOptions&);

}  // namespace

void add_wallet_command(CLI::App& app, const Options& options, int& exit_code) {
  auto* wallet = app.add_subcommand("wallet", "The money that pays for workloads");
  wallet->require_subcommand(1);
  auto wanted = std::make_shared<WalletOptions>();
  const auto add = [&](const char* name, const char* help, Verb verb) {
    auto* command = wallet->add_subcommand(name, help);
    command->callback([&options, &exit_code, wanted, verb] {
      if (auto done = verb(options, *wanted); !done) exit_code = report(done.error(), options.json);
    });
    return command;
  };
  add("balance", "What is there, by mint", balance);
  auto* make = add("mint", "Buy ecash: shows an invoice, waits until it is paid", mint);
  make->add_option("--mint", wanted->mint, "The mint's address")->required();
  make->add_option("sats", wanted->amount, "How much")
      ->required()
      ->transform(number_up_to(kSatsMax));
  make->add_option("--timeout", wanted->timeout_seconds, "Seconds to wait for the payment")
      ->transform(number_up_to(kTimeoutMax))
      ->capture_default_str();
  auto* give = add("send", "Make a token of exactly so much, and print it", send);
  give->add_option("sats", wanted->amount, "How much")
      ->required()
      ->transform(number_up_to(kSatsMax));
  give->add_option("--mint", wanted->mint, "Of this mint only");
  auto* take =
      add("receive", "Swap a token for money of ours; without one, finish what is open", receive);
  take->add_option("token", wanted->token, "The token, or - to read it from stdin");
  auto* back =
      add("reclaim", "Swap a token that was given away back to us, if nobody took it", reclaim);
  back->add_option("number", wanted->number, "Its number in the history")
      ->required()
      ->transform(number_up_to(kNumbersMax));
  auto* waiting =
      add("pending", "Tokens that left and whose end is not known; what the mint says", pending);
  waiting->add_flag("--take-back", wanted->take_back,
                    "Swap those back that nobody redeemed and nobody is expected to");
  add("history", "Every operation and token, and what became of it", history);
  wallet->footer(
      "Example:\n  paygress wallet mint --mint https://mint.example 100\n"
      "  paygress wallet send 21 > token.txt\n  paygress wallet receive - < token.txt");
}

}  // namespace paygress::client
