#include "shell/backend/kvm_image.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "core/base/bytes.h"

namespace paygress::backend {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kQcow2Magic = "QFI\xfb";

class Sha256 {
 public:
  Sha256() { EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr); }
  void add(const void* data, size_t size) { EVP_DigestUpdate(context_.get(), data, size); }
  std::string hex() {
    ByteArray<32> digest{};
    EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr);
    return to_hex(digest);
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_{EVP_MD_CTX_new(),
                                                                   EVP_MD_CTX_free};
};

// A file that is written while it is hashed.
struct Sink {
  int fd = -1;
  uint64_t size = 0;
  Sha256 digest;
};

size_t take(char* data, size_t one, size_t count, void* target) {
  auto& sink = *static_cast<Sink*>(target);
  const size_t size = one * count;
  sink.size += size;
  if (sink.size > kImageBytesMax) return 0;
  sink.digest.add(data, size);
  return write(sink.fd, data, size) == static_cast<ssize_t>(size) ? size : 0;
}

int is_abandoned(void* flag, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return *static_cast<std::atomic<bool>*>(flag) ? 1 : 0;
}

std::string look_of(const fs::path& file) {
  struct stat status{};
  if (stat(file.c_str(), &status) != 0) return {};
  return std::to_string(status.st_dev) + " " + std::to_string(status.st_ino) + " " +
         std::to_string(status.st_size) + " " + std::to_string(status.st_mtim.tv_sec) + "." +
         std::to_string(status.st_mtim.tv_nsec);
}

bool is_local(std::string_view url) {
  return url.starts_with("http://127.0.0.1:") || url.starts_with("http://localhost:");
}

bool is_qcow2(const fs::path& file) {
  char magic[4] = {};
  const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC);
  const bool read_all = fd >= 0 && read(fd, magic, sizeof magic) == sizeof magic;
  if (fd >= 0) close(fd);
  return read_all && std::string_view(magic, sizeof magic) == kQcow2Magic;
}

}  // namespace

Result<void> check_image(const KvmImage& image) {
  const bool hex = image.sha256.size() == 64 &&
                   image.sha256.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!image.sha256.empty() && !hex)
    return fail("must be 64 lower-case hexadecimal digits", "sha256");
  if (!image.path.empty()) {
    if (!image.path.is_absolute()) return fail("must be absolute", "path");
    return {};
  }
  if (image.url.empty()) return fail("a path or a URL is needed", "path");
  if (!image.url.starts_with("https://") && !is_local(image.url))
    return fail("must be https://", "url");
  if (image.sha256.empty())
    return fail("is needed with a URL: what is fetched is verified", "sha256");
  return {};
}

Result<VerifiedImage> KvmImages::get(const KvmImage& image, std::chrono::seconds limit) {
  if (auto ok = check_image(image); !ok) return std::unexpected(ok.error());
  const std::lock_guard lock(mutex_);
  fs::path file = image.path;
  if (file.empty()) {
    auto fetched = fetch(image, limit);
    if (!fetched) return std::unexpected(fetched.error());
    file = *fetched;
  }
  if (auto ok = verify(file, image.sha256); !ok) return std::unexpected(ok.error());
  return VerifiedImage{file, is_qcow2(file)};
}

Result<void> KvmImages::verify(const fs::path& file, const std::string& sha256) {
  const std::string look = look_of(file) + " " + sha256;
  if (const auto it = verified_.find(file); it != verified_.end() && it->second == look) return {};
  const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail("the base image cannot be read", file.string());
  Sha256 digest;
  std::string chunk(size_t{1} << 20, '\0');
  ssize_t n = 0;
  while (!sha256.empty() && (n = read(fd, chunk.data(), chunk.size())) > 0)
    digest.add(chunk.data(), static_cast<size_t>(n));
  close(fd);
  if (n < 0) return fail("the base image cannot be read", file.string());
  if (!sha256.empty() && digest.hex() != sha256)
    return fail("the base image has another SHA-256 than the configured one", file.string());
  verified_[file] = look;
  return {};
}

Result<fs::path> KvmImages::fetch(const KvmImage& image, std::chrono::seconds limit) {
  const fs::path file = directory_ / (image.sha256 + ".img");
  std::error_code error;
  if (fs::exists(file, error)) return file;
  fs::create_directories(directory_, error);
  const fs::path draft = directory_ / (image.sha256 + ".part");
  Sink sink;
  sink.fd = open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (sink.fd < 0) return fail("cannot be written", draft.string());
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(),
                                                                 curl_easy_cleanup);
  curl_easy_setopt(curl.get(), CURLOPT_URL, image.url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, is_local(image.url) ? "http" : "https");
  curl_easy_setopt(curl.get(), CURLOPT_REDIR_PROTOCOLS_STR, "https");
  curl_easy_setopt(curl.get(), CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_MAXREDIRS, 5L);
  curl_easy_setopt(curl.get(), CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT, static_cast<long>(limit.count()));
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, take);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &sink);
  curl_easy_setopt(curl.get(), CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl.get(), CURLOPT_XFERINFOFUNCTION, is_abandoned);
  curl_easy_setopt(curl.get(), CURLOPT_XFERINFODATA, &abandoned_);
  const CURLcode code = curl_easy_perform(curl.get());
  const bool whole = fsync(sink.fd) == 0 && code == CURLE_OK;
  close(sink.fd);
  std::string why;
  if (!whole)
    why = std::string("the base image cannot be fetched: ") + curl_easy_strerror(code);
  else if (sink.digest.hex() != image.sha256)
    why = "the fetched base image has another SHA-256 than the configured one";
  else if (chmod(draft.c_str(), 0444) != 0 || rename(draft.c_str(), file.c_str()) != 0)
    why = "the fetched base image cannot be put in its place";
  if (why.empty()) return file;
  unlink(draft.c_str());
  return fail(why, image.url);
}

}  // namespace paygress::backend
