#include "tests/shell/net/tls_front.h"

#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <memory>

#include "core/base/check.h"

namespace paygress::test {
namespace {

using Key = std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)>;
using Certificate = std::unique_ptr<X509, void (*)(X509*)>;

Key make_key() { return {EVP_EC_gen("P-256"), EVP_PKEY_free}; }

void extend(X509* certificate, int kind, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value);
  PG_CHECK(extension != nullptr);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

// Signed by `issuer`, or by itself when there is none.
Certificate make_certificate(const char* name, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key) {
  Certificate certificate(X509_new(), X509_free);
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), issuer == nullptr ? 1 : 2);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME* const subject = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
  X509_set_issuer_name(certificate.get(),
                       issuer == nullptr ? subject : X509_get_subject_name(issuer));
  if (issuer == nullptr)
    extend(certificate.get(), NID_basic_constraints, "critical,CA:TRUE");
  else
    extend(certificate.get(), NID_subject_alt_name, "DNS:localhost");
  PG_CHECK(X509_sign(certificate.get(), issuer_key, EVP_sha256()) > 0);
  return certificate;
}

sockaddr_in loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

}  // namespace

TlsFront::TlsFront(uint16_t backend_port) : backend_port_(backend_port) {
  const Key ca_key = make_key();
  const Certificate ca = make_certificate("Test CA", ca_key.get(), nullptr, ca_key.get());
  const Key key = make_key();
  const Certificate leaf = make_certificate("leaf", key.get(), ca.get(), ca_key.get());
  std::FILE* const file = std::fopen(ca_file().c_str(), "w");
  PG_CHECK(file != nullptr && PEM_write_X509(file, ca.get()) == 1);
  std::fclose(file);

  context_ = SSL_CTX_new(TLS_server_method());
  PG_CHECK(SSL_CTX_use_certificate(context_, leaf.get()) == 1);
  PG_CHECK(SSL_CTX_use_PrivateKey(context_, key.get()) == 1);

  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  PG_CHECK(bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
  PG_CHECK(listen(listener_, 8) == 0);
  PG_CHECK(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { serve(); });
}

TlsFront::~TlsFront() {
  stopped_ = true;
  shutdown(listener_, SHUT_RDWR);
  thread_.join();
  for (std::thread& client : clients_) client.join();
  close(listener_);
  SSL_CTX_free(context_);
}

std::string TlsFront::asked_name() const {
  const std::lock_guard lock(mutex_);
  return asked_name_;
}

void TlsFront::serve() {
  while (!stopped_) {
    const int client = accept(listener_, nullptr, nullptr);
    if (client < 0) return;
    clients_.emplace_back([this, client] {
      pass_on(client);
      close(client);
    });
  }
}

// Until one of the two ends closes, or the front is stopped.
void TlsFront::pass_on(int client) const {
  const std::unique_ptr<SSL, void (*)(SSL*)> tls(SSL_new(context_), SSL_free);
  SSL_set_fd(tls.get(), client);
  if (SSL_accept(tls.get()) != 1) return;
  {
    const std::lock_guard lock(mutex_);
    const char* const name = SSL_get_servername(tls.get(), TLSEXT_NAMETYPE_host_name);
    asked_name_ = name == nullptr ? "" : name;
  }
  const int backend = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(backend_port_);
  std::array<char, 4096> buffer;
  bool open = connect(backend, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  while (open && !stopped_) {
    std::array<pollfd, 2> watched = {pollfd{client, POLLIN, 0}, pollfd{backend, POLLIN, 0}};
    poll(watched.data(), watched.size(), 20);
    if (watched[0].revents != 0) {
      do {
        const int got = SSL_read(tls.get(), buffer.data(), static_cast<int>(buffer.size()));
        open =
            got > 0 && send(backend, buffer.data(), static_cast<size_t>(got), MSG_NOSIGNAL) == got;
      } while (open && SSL_pending(tls.get()) > 0);
    }
    if (open && watched[1].revents != 0) {
      const ssize_t got = recv(backend, buffer.data(), buffer.size(), 0);
      open = got > 0 && SSL_write(tls.get(), buffer.data(), static_cast<int>(got)) == got;
    }
  }
  SSL_shutdown(tls.get());
  close(backend);
}

}  // namespace paygress::test
