// What the end of a transfer means.
#include <cerrno>
#include <cstring>
#include <string_view>

#include <fmt/format.h>

#include "core/base/crash_point.h"
#include "core/base/utf8.h"
#include "core/model/answer_limits.h"
#include "scheduler/http/transfer.h"

namespace postern::scheduler {
namespace {

using Kind = HttpResult::Kind;

std::string text(Milliseconds duration) {
  if (duration.count() % 1000 == 0) return fmt::format("{} s", duration.count() / 1000);
  return fmt::format("{} ms", duration.count());
}

bool is_tls_error(CURLcode code) {
  switch (code) {
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS: return true;
    default: return false;
  }
}

// Cuts the cause out of libcurl's message: it follows ": " in "SSL certificate problem: certificate
// has expired", and "::" in "error:0A00042E:SSL routines::tlsv1 alert protocol version".
std::string tls_error(CURLcode code, std::string_view message) {
  if (code == CURLE_SSL_CACERT_BADFILE) return "TLS: the trusted certificates cannot be read";
  const std::string_view mark = code == CURLE_PEER_FAILED_VERIFICATION ? ": " : "::";
  const std::size_t at = message.find(mark);
  if (at == message.npos) return "TLS: the handshake was cut off";
  return fmt::format("TLS: {}", message.substr(at + mark.size()));
}

}  // namespace

bool Transfer::mixed_up(CURLcode code) const {
  const bool no_http = code == CURLE_WEIRD_SERVER_REPLY || code == CURLE_UNSUPPORTED_PROTOCOL;
  return mixed_up_ || (sent_ && !answer_begun_ && no_http);
}

HttpResult Transfer::end(CURLcode code) {
  crash_point("webhook", "answered");
  auto [kind, error] = verdict(code);
  if (kind == Kind::answered) result_.status = status();
  result_.body.resize(first_bytes(result_.body, kAnswerKept).size());
  return end(kind, std::move(error));
}

HttpResult Transfer::end(Kind kind, std::string error) {
  result_.kind = kind;
  result_.error = std::move(error);
  if (kind != Kind::answered) {
    result_.headers.clear();
    result_.body.clear();
  }
  result_.duration = std::chrono::round<Milliseconds>(Clock::now() - started_);
  const auto ended = std::move(request_);  // an assignment of {} would keep its memory
  return std::exchange(result_, {});
}

Transfer::Verdict Transfer::verdict(CURLcode code) const {
  const std::string_view message = curl_error_.data();
  if (answer_begun_ && (code == CURLE_OK || answer_cut_ || is_complete())) {
    return {Kind::answered, ""};
  }
  if (code == CURLE_OPERATION_TIMEDOUT) return timeout_verdict();
  if (!sent_) {
    if (addresses_denied_ > 0 && opened_.empty()) {
      return {Kind::egress_denied, kEgressDenied};
    }
    if (is_tls_error(code)) return {Kind::not_connected, tls_error(code, message)};
    return {Kind::not_connected, connect_error()};
  }
  if (answer_begun_) return {Kind::broken, "the answer ended early: " + partial_answer()};
  if (message.starts_with("Too large")) return {Kind::broken, "the answer's headers are too large"};
  switch (code) {
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR: return {Kind::broken, "the connection was reset before an answer came"};
    case CURLE_OK:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL: return {Kind::broken, "what came is not an HTTP answer"};
    default: return {Kind::broken, "the connection was closed before an answer came"};
  }
}

Transfer::Verdict Transfer::timeout_verdict() const {
  if (!sent_ && Clock::now() < deadline()) {
    return {Kind::not_connected, "no connection within " + text(kConnectTimeout)};
  }
  const std::string time = text(request_.timeout);
  if (!sent_) return {Kind::timed_out, "no connection within " + time};
  if (!answer_begun_) return {Kind::timed_out, "no answer within " + time};
  return {Kind::timed_out,
          fmt::format("the answer took longer than {}: {}", time, partial_answer())};
}

std::string Transfer::connect_error() const {
  if (socket_error_ != 0) return fmt::format("no socket: {}", std::strerror(socket_error_));
  long error = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_OS_ERRNO, &error);
  switch (error) {
    case ECONNREFUSED: return "connection refused";
    case ENETUNREACH:
    case EHOSTUNREACH: return "the host cannot be reached";
    case ECONNRESET: return "the connection was reset";
    default: return "no connection";
  }
}

// True when the whole answer has been received, whatever error libcurl met afterwards: a receiver
// may answer and close without reading the request to its end.
bool Transfer::is_complete() const {
  const curl_off_t length = announced_length();
  return status() == 204 || (length >= 0 && received_ == static_cast<std::size_t>(length));
}

std::string Transfer::partial_answer() const {
  const curl_off_t length = announced_length();
  if (length < 0) return fmt::format("status {}, {} bytes", status(), received_);
  return fmt::format("status {}, {} of {} bytes", status(), received_, length);
}

int Transfer::status() const {
  long status = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
  return static_cast<int>(status);
}

curl_off_t Transfer::announced_length() const {
  curl_off_t length = -1;
  curl_easy_getinfo(easy_.get(), CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  return length;
}

}  // namespace postern::scheduler
