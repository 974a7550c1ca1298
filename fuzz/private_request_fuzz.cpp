// The text inside a private message, both ways, and the content of public events: whatever parses
// has one written form, which parses to the same; no refusal is longer than a line.
#include "core/base/check.h"
#include "core/market/messages.h"
#include "core/market/role.h"
#include "core/market/texts.h"
#include "core/market/volume.h"

namespace paygress::market {
namespace {

constexpr size_t kRefusalBytesMax = 256;

template <class T>
bool parsed(const Result<T>& result) {
  if (!result) PG_CHECK(to_string(result.error()).size() <= kRefusalBytesMax);
  return result.has_value();
}

template <class T>
void check_message(std::string_view input, Result<T> (*parse)(std::string_view)) {
  const auto message = parse(input);
  if (!parsed(message)) return;
  const std::string text = to_json(*message);
  if (text.size() <= kMessageBytesMax) PG_CHECK(parse(text) == message);
}

void check_spawn(const SpawnRequest& spawn) {
  const Role role = role_of(spawn, PubKey{});
  PG_CHECK(role.kind != RoleKind::Standby || role.index < role.count);
  if (is_warm_standby(spawn)) {
    const auto members = members_of(spawn);
    if (parsed(members)) PG_CHECK(members->keys.size() == role.count + 1);
  }
  if (spawn.volume_encryption) static_cast<void>(parsed(volume_key_of(*spawn.volume_encryption)));
}

void run(std::string_view input) {
  check_message(input, parse_request);
  check_message(input, parse_reply);
  check_message(input, parse_offer);
  check_message(input, parse_heartbeat);
  check_message(input, parse_revocation);
  check_message(input, parse_promotion);
  check_message(input, parse_claim);
  const auto request = parse_request(input);
  if (!request) PG_CHECK(parse_reply(to_json(Reply(unparseable_reply(request.error())))));
  if (request && std::holds_alternative<SpawnRequest>(*request))
    check_spawn(std::get<SpawnRequest>(*request));
}

}  // namespace
}  // namespace paygress::market

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  paygress::market::run({reinterpret_cast<const char*>(data), size});
  return 0;
}
