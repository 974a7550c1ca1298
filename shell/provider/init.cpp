#include "shell/provider/init.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "core/base/check.h"
#include "core/cashu/nut13.h"
#include "core/crypto/schnorr.h"
#include "core/nostr/nip19.h"

namespace paygress::daemon {
namespace {

namespace json = boost::json;

// Public relays and a public mint that answer strangers; an operator replaces them at will.
constexpr const char* kRelays[] = {"wss://relay.damus.io", "wss://nos.lol",
                                   "wss://relay.primal.net"};
constexpr const char* kMint = "https://mint.minibits.cash/Bitcoin";

crypto::Keypair fresh_key(Entropy& entropy) {
  for (;;) {  // one draw in 2^128 is no key
    SecretKey secret;
    entropy.fill(secret.bytes);
    if (auto key = crypto::Keypair::from(secret)) return *std::move(key);
  }
}

provider::ProviderConfig first_config() {
  provider::ProviderConfig config;
  config.backend_type = provider::BackendType::Docker;
  config.nostr_relays.assign(std::begin(kRelays), std::end(kRelays));
  config.whitelisted_mints = {kMint};
  config.specs = {{"basic", "Basic", "1 vCPU, 1 GB RAM, 10 GB disk", 1000, 1024, 50, 10},
                  {"standard", "Standard", "2 vCPU, 2 GB RAM, 20 GB disk", 2000, 2048, 100, 20},
                  {"premium", "Premium", "4 vCPU, 4 GB RAM, 40 GB disk", 4000, 4096, 200, 40}};
  config.ssh_port_start = provider::kSshPortStartDefault;
  config.ssh_port_end = provider::kSshPortEndDefault;
  return config;
}

json::array list_of(const std::vector<std::string>& texts) {
  json::array list;
  for (const std::string& text : texts) list.emplace_back(text);
  return list;
}

}  // namespace

Result<NewConfig> make_config(const InitAnswers& answers, Entropy& entropy) {
  provider::ProviderConfig config = first_config();
  const crypto::Keypair key = fresh_key(entropy);
  config.nostr_private_key = nostr::to_nsec(key.secret());
  json::object merged = json::parse(provider::write_config(config)).get_object();
  if (!answers.json.empty()) {
    boost::system::error_code bad;
    const json::value given = json::parse(answers.json, bad);
    if (bad || !given.is_object()) return fail("is not a JSON object", "the answers");
    for (const auto& [name, value] : given.get_object()) merged[name] = value;
    if (given.get_object().contains("nostr_private_key_file")) merged["nostr_private_key"] = "";
  }
  if (answers.backend) merged["backend_type"] = *answers.backend;
  if (answers.allow_sandbox)
    if (json::object* sandbox = merged["sandbox"].if_object())
      (*sandbox)["allow_outside_dev"] = true;
  if (answers.public_ip) merged["public_ip"] = *answers.public_ip;
  if (answers.name) merged["provider_name"] = *answers.name;
  if (!answers.relays.empty()) merged["nostr_relays"] = list_of(answers.relays);
  if (!answers.mints.empty()) merged["whitelisted_mints"] = list_of(answers.mints);

  const provider::ConfigReport report = provider::parse_config(json::serialize(merged));
  NewConfig made;
  made.text = provider::write_config(report.config);
  made.findings = report.findings;
  made.usable = report.usable();
  const std::string& literal = report.config.nostr_private_key;
  if (const auto secret = nostr::parse_secret_key(literal)) {
    const auto keypair = crypto::Keypair::from(*secret);
    PG_CHECK(keypair.has_value());
    made.npub = nostr::to_npub(keypair->public_key());
    made.mnemonic = cashu::mnemonic_from_key(literal);
  }
  return made;
}

}  // namespace paygress::daemon
