#include "core/provider/standby_book.h"

#include <algorithm>

#include "core/base/codec.h"
#include "core/crypto/hash.h"

namespace paygress::provider {

void StandbyBook::apply(const Record& record) {
  if (const auto* own = std::get_if<OwnRecord>(&record)) {
    if (const auto* frozen = std::get_if<TermsFrozen>(own)) {
      terms_[frozen->lease] = frozen->terms;
    } else if (const auto* owed = std::get_if<NoticeOwed>(own)) {
      std::erase_if(notices_, [&](const auto& n) { return n.second.lease == owed->lease; });
      notices_.emplace(owed->key, *owed);
      newest_[owed->lease] = owed->key;
    } else if (const auto* taken = std::get_if<NoticeTaken>(own)) {
      notices_.erase(taken->key);
    }
  } else if (const auto* of_lease = std::get_if<lease::LeaseRecord>(&record)) {
    if (const auto* voided = std::get_if<lease::LeaseVoided>(of_lease)) terms_.erase(voided->lease);
  } else if (const auto* of_failover = std::get_if<failover::FailoverRecord>(&record)) {
    if (const auto* joined = std::get_if<failover::Joined>(of_failover))
      terms_.erase(joined->lease);
    if (const auto* left = std::get_if<failover::Left>(of_failover)) newest_.erase(left->lease);
  }
}

bool StandbyBook::told(const LeaseId& lease, uint64_t epoch, failover::News news) const {
  const auto it = newest_.find(lease);
  return it != newest_.end() && it->second == notice_key(lease, epoch, news);
}

const failover::Terms* StandbyBook::terms_of(const LeaseId& lease) const {
  const auto it = terms_.find(lease);
  return it == terms_.end() ? nullptr : &it->second;
}

RequestKey StandbyBook::notice_key(const LeaseId& lease, uint64_t epoch, failover::News news) {
  const Bytes what = encode_bytes(epoch);
  const uint8_t kind = static_cast<uint8_t>(news);
  const auto digest = crypto::sha256(
      {as_bytes("paygress-notice-v1"), ByteView(lease.bytes), ByteView(what), ByteView(&kind, 1)});
  RequestKey key;
  std::copy_n(digest.begin(), key.bytes.size(), key.bytes.begin());
  return key;
}

}  // namespace paygress::provider
