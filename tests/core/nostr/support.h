// What the tests of this folder share: keys, vectors, and ways to damage a text.
#pragma once

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <boost/json.hpp>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "core/base/random.h"
#include "core/crypto/schnorr.h"
#include "core/nostr/event.h"

namespace paygress::nostr::testing {

inline std::string read_vector(const std::string& name) {
  std::ifstream file(std::string(PAYGRESS_VECTORS "/nostr/") + name);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline boost::json::value vector_json(const std::string& name) {
  return boost::json::parse(read_vector(name));
}

inline std::vector<std::string> vector_lines(const std::string& name) {
  std::vector<std::string> lines;
  std::istringstream text(read_vector(name));
  for (std::string line; std::getline(text, line);)
    if (!line.empty()) lines.push_back(line);
  return lines;
}

inline std::string text_of(const boost::json::value& value) {
  return std::string(value.as_string());
}

inline ByteArray<32> bytes32(const boost::json::value& hex) {
  ByteArray<32> bytes{};
  EXPECT_TRUE(from_lower_hex(text_of(hex), bytes));
  return bytes;
}

inline crypto::Keypair keypair(uint8_t last) {
  SecretKey secret;
  secret.bytes[31] = last;
  return *crypto::Keypair::from(secret);
}

inline Event signed_event(const Draft& draft, uint8_t key = 1) {
  return sign(keypair(key), draft, {});
}

// A JSON text with a few bytes changed, removed, doubled or cut: what a hostile relay may send.
inline rc::Gen<std::string> damaged(std::string text) {
  using namespace rc;
  return gen::map(gen::container<std::vector<uint32_t>>(gen::arbitrary<uint32_t>()),
                  [text = std::move(text)](const std::vector<uint32_t>& draws) {
                    constexpr std::string_view kSpecial = "\"\\{}[],:0e-.u\xff\xc0\x01 t";
                    std::string out = text;
                    for (size_t i = 0; i < draws.size() && i < 4 && !out.empty(); ++i) {
                      const size_t at = draws[i] / 8 % out.size();
                      switch (draws[i] % 8) {
                        case 0: out.resize(at); break;
                        case 1: out.erase(at, 1 + draws[i] / 64 % 8); break;
                        case 2: out.insert(at, out.substr(at, draws[i] / 64 % 64)); break;
                        case 3: out[at] = static_cast<char>(draws[i] >> 24); break;
                        default: out[at] = kSpecial[(draws[i] >> 20) % kSpecial.size()];
                      }
                    }
                    return out;
                  });
}

}  // namespace paygress::nostr::testing
