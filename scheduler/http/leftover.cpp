#include "scheduler/http/leftover.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <cerrno>

namespace postern::scheduler {
namespace {

// A record may hold no data: TLS 1.3 sends session tickets behind the handshake.
Leftover leftover_of(SSL* tls) {
  char byte;
  const int got = SSL_peek(tls, &byte, 1);
  const int error = got > 0 ? SSL_ERROR_NONE : SSL_get_error(tls, got);
  ERR_clear_error();
  if (error == SSL_ERROR_NONE) return Leftover::bytes;
  return error == SSL_ERROR_WANT_READ ? Leftover::nothing : Leftover::end;
}

}  // namespace

Leftover leftover(CURL* easy, int fd) {
  const curl_tlssessioninfo* tls = nullptr;
  curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &tls);
  if (tls && tls->backend == CURLSSLBACKEND_OPENSSL && tls->internals) {
    return leftover_of(static_cast<SSL*>(tls->internals));
  }
  char byte;
  const ssize_t got = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (got > 0) return Leftover::bytes;
  return got < 0 && errno == EAGAIN ? Leftover::nothing : Leftover::end;
}

}  // namespace postern::scheduler
