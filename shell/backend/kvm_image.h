// Base images of virtual machines: found or fetched, and verified before anything is made of them.
#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>

#include "core/base/result.h"

namespace paygress::backend {

// At least one of `path` and `url`. `sha256` (hex) is required with a url, and checked for a path
// when it is given.
struct KvmImage {
  std::filesystem::path path;  // of a qcow2 or raw disk; never written to
  std::string url;             // https://, or http:// of this machine; used when path is empty
  std::string sha256;

  bool operator==(const KvmImage&) const = default;
};

inline constexpr size_t kImageBytesMax = size_t{64} << 30;

// Why the description cannot be used.
Result<void> check_image(const KvmImage& image);

struct VerifiedImage {
  std::filesystem::path path;
  bool qcow2 = true;  // else raw
};

// May be used from several threads; one fetches at a time.
class KvmImages {
 public:
  // Fetched images are kept in `directory`, named by their digest, and made when needed.
  explicit KvmImages(std::filesystem::path directory) : directory_(std::move(directory)) {}

  // Blocks until the image is here and its digest is the one that is asked for; a file that was
  // verified once is not read again until it changes. A fetch that takes longer than `limit` fails
  // and leaves nothing.
  Result<VerifiedImage> get(const KvmImage& image, std::chrono::seconds limit);
  // A fetch that is under way fails, and so does every later one. Thread-safe.
  void abandon() { abandoned_ = true; }

 private:
  Result<void> verify(const std::filesystem::path& file, const std::string& sha256);
  Result<std::filesystem::path> fetch(const KvmImage& image, std::chrono::seconds limit);

  std::filesystem::path directory_;
  std::mutex mutex_;
  std::atomic<bool> abandoned_ = false;
  std::map<std::filesystem::path, std::string> verified_;  // path -> what it looked like then
};

}  // namespace paygress::backend
