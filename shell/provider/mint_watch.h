// Which mints do not answer, for the operator. The core sees its calls one by one and asks again; a
// person wants to read once that a mint is away, and once that it is back.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "core/base/units.h"
#include "core/cashu/redeem.h"
#include "shell/net/http_client.h"

namespace paygress::daemon {

struct Silence {
  UnixSeconds since;
  std::string reason;  // of the first call that went unanswered: "/v1/swap: time-out"
};
using SilentMints = std::map<std::string, Silence>;  // by URL

// A mint may answer one question and hang at the next. So it is heard again when every kind of
// question that it missed was answered, or when it misses none any more for so long: what was in
// doubt may be settled by another question, and then nobody asks the first one again.
inline constexpr Micros kMissedLately = micros(Seconds{300});

class MintWatch {
 public:
  // What is wrong with the outcome of a call: no answer, or that of a server in front of a mint
  // that is away (status 5xx). Nothing: the mint answered.
  static std::optional<std::string> problem_of(const net::HttpOutcome& outcome);

  // True: until now it answered.
  bool missed(const std::string& mint, cashu::Endpoint endpoint, const std::string& reason,
              Now now);
  // True: until now it did not.
  bool heard(const std::string& mint, cashu::Endpoint endpoint, Now now);
  const SilentMints& silent() const { return silent_; }

 private:
  struct Missed {
    std::set<cashu::Endpoint> endpoints;
    Micros last;
  };
  std::map<std::string, Missed> missed_;  // has the keys of silent_
  SilentMints silent_;
};

}  // namespace paygress::daemon
