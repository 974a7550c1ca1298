#include "shell/dev/consumer.h"

#include <unistd.h>

#include <array>
#include <boost/json.hpp>
#include <cstdio>
#include <filesystem>

#include "shell/base/file.h"
#include "shell/net/http_client.h"

namespace paygress::dev {
namespace {

std::optional<std::string> find_program(const std::string& name) {
  for (const char* directory : {"/usr/local/bin/", "/usr/bin/", "/bin/"})
    if (access((directory + name).c_str(), X_OK) == 0) return directory + name;
  return std::nullopt;
}

}  // namespace

std::vector<std::string> list_arguments() { return {"list", "--json"}; }

std::vector<std::string> mint_arguments(const Market& market, uint64_t sats) {
  return {"wallet", "mint", std::to_string(sats), "--mint", market.services().mint_url(), "--json"};
}

std::vector<std::string> spawn_arguments(const std::string& npub, uint64_t sats) {
  return {"spawn", npub, "--template", "hello", "--amount", std::to_string(sats), "--json"};
}

std::vector<std::string> spawn_set_arguments(const std::string& primary,
                                             const std::string& standbys, uint64_t sats) {
  auto arguments = spawn_arguments(primary, sats);
  arguments.insert(arguments.end() - 1, {"--standby", standbys});
  return arguments;
}

std::vector<std::string> status_arguments(const Bought& bought) {
  return {"status", bought.pod, "--json"};
}

std::vector<std::string> stop_arguments(const Bought& bought) {
  return {"stop", bought.pod, "--json"};
}

std::vector<std::string> topup_arguments(const Bought& bought, uint64_t sats) {
  return {"topup", bought.pod, "--amount", std::to_string(sats), "--json"};
}

const boost::json::value* find_member(const boost::json::value& json, std::string_view name) {
  if (const auto* object = json.if_object()) {
    for (const auto& [key, value] : *object) {
      if (key == name && !value.is_null()) return &value;
      if (const auto* found = find_member(value, name)) return found;
    }
  }
  if (const auto* array = json.if_array())
    for (const auto& value : *array)
      if (const auto* found = find_member(value, name)) return found;
  return nullptr;
}

std::optional<std::string> text_member(const boost::json::value& json, std::string_view name) {
  const auto* found = find_member(json, name);
  if (found == nullptr || !found->is_string()) return std::nullopt;
  return std::string(found->get_string());
}

std::optional<int64_t> number_member(const boost::json::value& json, std::string_view name) {
  const auto* found = find_member(json, name);
  if (found == nullptr) return std::nullopt;
  boost::system::error_code error;
  const auto number = found->to_number<int64_t>(error);
  return error ? std::nullopt : std::optional(number);
}

std::optional<UnixSeconds> time_member(const boost::json::value& json, std::string_view name) {
  const auto seconds = number_member(json, name);
  return seconds ? std::optional(UnixSeconds{*seconds}) : std::nullopt;
}

Result<Bought> read_bought(const boost::json::value& told, const std::string& npub) {
  Bought bought;
  bought.provider = npub;
  const auto pod = text_member(told, "pod_id");
  const auto expires = time_member(told, "expires_at");
  if (!pod || !expires) return fail("no access details in the answer");
  bought.pod = *pod;
  bought.expires_at = *expires;
  bought.host = text_member(told, "host").value_or("127.0.0.1");
  std::array<char, 33> user{};
  if (std::sscanf(text_member(told, "ssh_command").value_or("").c_str(), "ssh -p %hu %32[^@]@",
                  &bought.ssh_port, user.data()) == 2)
    bought.ssh_user = user.data();
  bought.ssh_password = text_member(told, "ssh_password").value_or("");
  if (const auto* ports = find_member(told, "ports"))
    if (const auto port = number_member(*ports, "host_port"))
      bought.page_port = static_cast<uint16_t>(*port);
  return bought;
}

Result<std::string> fetch(const std::string& url, Micros limit) {
  net::Loop loop;
  net::HttpClient client(loop);
  net::HttpCall call;
  call.url = url;
  call.timeout = limit;
  std::optional<net::HttpOutcome> outcome;
  client.start(std::move(call), [&](net::HttpOutcome got) { outcome = std::move(got); });
  loop.run_until([&] { return outcome.has_value(); }, limit + limit);
  if (!outcome) return fail("no answer", url);
  if (const auto* refused = std::get_if<net::NotSent>(&*outcome)) return fail(refused->reason, url);
  if (const auto* lost = std::get_if<net::Uncertain>(&*outcome)) return fail(lost->reason, url);
  const auto& answered = std::get<net::Answered>(*outcome);
  if (answered.status != 200) return fail(answered.status_line, url);
  return answered.body;
}

std::string page_url(const Bought& bought) {
  return "http://" + bought.host + ":" + std::to_string(bought.page_port.value_or(0)) + "/";
}

Result<Command> login(const Market& market, const Bought& bought, const std::string& remote) {
  const auto ssh = find_program("ssh");
  if (!ssh) return fail("there is no ssh on this machine");
  Command command;
  if (const auto sshpass = find_program("sshpass")) {
    command.argv = {*sshpass, "-e"};
    command.environment["SSHPASS"] = bought.ssh_password;
  } else {
    // ssh runs this instead of asking at a terminal; the password comes through its environment.
    const std::string script = market.directory() + "/askpass";
    if (auto ok = shell::write_whole_file(script, "#!/bin/sh\nprintf '%s\\n' \"$SSHPASS\"\n", true);
        !ok)
      return std::unexpected(ok.error());
    std::filesystem::permissions(script, std::filesystem::perms::owner_all);
    command.environment = {{"SSH_ASKPASS", script},
                           {"SSH_ASKPASS_REQUIRE", "force"},
                           {"SSHPASS", bought.ssh_password}};
  }
  // The host was made a moment ago: there is no key of it to know.
  command.argv.insert(
      command.argv.end(),
      {*ssh, "-p", std::to_string(bought.ssh_port), "-o", "StrictHostKeyChecking=no", "-o",
       "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=10", "-o",
       "PubkeyAuthentication=no", "-o", "NumberOfPasswordPrompts=1",
       bought.ssh_user + "@" + bought.host, remote});
  return command;
}

}  // namespace paygress::dev
