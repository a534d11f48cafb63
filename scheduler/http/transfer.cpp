#include "scheduler/http/transfer.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string_view>

#include <fmt/format.h>

#include "core/base/crash_point.h"
#include "core/model/answer_limits.h"

namespace postern::scheduler {
namespace {

using Kind = HttpResult::Kind;

constexpr std::size_t kBodyKept = kAnswerKept;
constexpr std::size_t kBodyRead = std::size_t{1024} * 1024;
constexpr std::size_t kHeadersKept = 100;
constexpr std::size_t kHeaderBytesKept = std::size_t{16} * 1024;
constexpr Milliseconds kConnectTimeout{5000};
// libcurl's buffer for what it sends. A larger body is read piece by piece and then let go, since
// its answer may take long.
constexpr std::size_t kSendBuffer = std::size_t{16} * 1024;
constexpr char kSystemCaFile[] = "/etc/ssl/certs/ca-certificates.crt";

template <class T>
void set(CURL* easy, CURLoption option, T value) {
  if (curl_easy_setopt(easy, option, value) != CURLE_OK) {
    throw std::runtime_error(fmt::format("libcurl refuses option {}", static_cast<int>(option)));
  }
}

void append(SList& list, const std::string& line) {
  curl_slist* longer = curl_slist_append(list.get(), line.c_str());
  if (!longer) throw std::bad_alloc();
  static_cast<void>(list.release());
  list.reset(longer);
}

std::string text(Milliseconds duration) {
  if (duration.count() % 1000 == 0) return fmt::format("{} s", duration.count() / 1000);
  return fmt::format("{} ms", duration.count());
}

bool has_body(const OutgoingRequest& request) {
  if (request.method == "GET") return false;
  return request.method != "DELETE" || !request.body.empty();
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

Transfer::Transfer(const HttpClient::Options& options, const AddressPolicy& policy,
                   SocketSet& sockets, std::vector<std::uint64_t>& sent)
    : policy_(policy), sockets_(sockets), read_headers_(options.read_headers), sent_ids_(sent) {
  CURL* easy = easy_.get();
  if (!easy || !dns_cache_) throw std::bad_alloc();
  set(easy, CURLOPT_PRIVATE, this);
  set(easy, CURLOPT_ERRORBUFFER, curl_error_.data());
  set(easy, CURLOPT_NOSIGNAL, 1L);
  set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  set(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  set(easy, CURLOPT_FOLLOWLOCATION, 0L);
  set(easy, CURLOPT_PROXY, "");  // ignores the proxy variables of the environment too
  set(easy, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  set(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(easy, CURLOPT_USERAGENT, options.user_agent.c_str());
  set(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(kConnectTimeout.count()));
  set(easy, CURLOPT_MAXAGE_CONN, kMaxIdleSeconds);
  set(easy, CURLOPT_UPLOAD_BUFFERSIZE, static_cast<long>(kSendBuffer));  // 64 KiB by default

  // A file without a directory: only then does libcurl parse the certificates once and not for
  // each connection.
  set(easy, CURLOPT_CAINFO, options.ca_file.empty() ? kSystemCaFile : options.ca_file.c_str());
  set(easy, CURLOPT_CAPATH, static_cast<char*>(nullptr));
  set(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  set(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  set(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));

  if (curl_share_setopt(dns_cache_.get(), CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) != CURLSHE_OK) {
    throw std::runtime_error("libcurl refuses to share its DNS cache");
  }
  set(easy, CURLOPT_SHARE, dns_cache_.get());
  set(easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L);  // only pinned addresses are used
  set(easy, CURLOPT_QUICK_EXIT, 1L);

  set(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  set(easy, CURLOPT_OPENSOCKETDATA, this);
  set(easy, CURLOPT_PREREQFUNCTION, before_send);
  set(easy, CURLOPT_PREREQDATA, this);
  // Without a function to seek: libcurl must not send a request twice.
  set(easy, CURLOPT_READFUNCTION, read_body);
  set(easy, CURLOPT_READDATA, this);
  set(easy, CURLOPT_HEADERFUNCTION, on_header);
  set(easy, CURLOPT_HEADERDATA, this);
  set(easy, CURLOPT_WRITEFUNCTION, on_body);
  set(easy, CURLOPT_WRITEDATA, this);
}

void Transfer::begin(std::uint64_t id, OutgoingRequest request) {
  id_ = id;
  request_ = std::move(request);
  result_ = {};
  started_ = Clock::now();
  addresses_denied_ = sockets_opened_ = socket_error_ = 0;
  sent_ = answer_begun_ = answer_cut_ = false;
  given_ = received_ = header_bytes_ = 0;
  curl_error_[0] = '\0';
}

void Transfer::prepare(const Addresses* addresses) {
  CURL* easy = easy_.get();
  const bool with_body = has_body(request_);
  const std::string origin = request_.url.origin();
  origin_ = std::hash<std::string>{}(origin);
  set(easy, CURLOPT_URL, (origin + request_.url.path).c_str());
  if (with_body) {
    set(easy, CURLOPT_POST, 1L);
    set(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
    const char* whole = request_.body.size() > kSendBuffer ? nullptr : request_.body.data();
    set(easy, CURLOPT_POSTFIELDS, whole);
  } else {
    set(easy, CURLOPT_HTTPGET, 1L);
  }
  set(easy, CURLOPT_CUSTOMREQUEST, request_.method.c_str());
  set_headers(with_body);
  if (addresses) pin(*addresses);
  set(easy, CURLOPT_FRESH_CONNECT, request_.fresh_connection ? 1L : 0L);
  const auto left = std::chrono::ceil<Milliseconds>(deadline() - Clock::now()).count();
  set(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(std::max<Milliseconds::rep>(left, 1)));
}

void Transfer::set_headers(bool with_body) {
  headers_.reset();
  bool has_content_type = false;
  std::string line;
  for (const auto& [name, value] : request_.headers) {
    line = name;
    // To libcurl "Name:" means not to send that header, "Name;" to send it empty.
    trimmed(value).empty() ? line += ';' : line.append(": ").append(value);
    append(headers_, line);
    has_content_type = has_content_type || equal_ignoring_case(name, "content-type");
  }
  if (with_body) {
    append(headers_, "Expect:");
    if (!has_content_type) append(headers_, "Content-Type:");
  }
  set(easy_.get(), CURLOPT_HTTPHEADER, headers_.get());
}

// Makes libcurl connect to `addresses` for the request's host.
void Transfer::pin(const Addresses& addresses) {
  std::string host = fmt::format("{}:{}", request_.url.host, request_.url.port);
  std::string line = host + ":";
  for (const std::string& address : addresses) {
    const bool is_ipv6 = address.find(':') != address.npos;
    line += is_ipv6 ? fmt::format("[{}],", address) : address + ",";
  }
  line.pop_back();
  if (line == pin_) return;  // still in this transfer's DNS cache

  pins_.reset();
  if (!pinned_host_.empty()) append(pins_, "-" + pinned_host_);
  append(pins_, line);
  set(easy_.get(), CURLOPT_RESOLVE, pins_.get());
  pinned_host_ = std::move(host);
  pin_ = std::move(line);
}

curl_socket_t Transfer::open_socket(void* self, curlsocktype purpose,
                                    curl_sockaddr* address) noexcept {
  auto& transfer = *static_cast<Transfer*>(self);
  if (purpose != CURLSOCKTYPE_IPCXN || !transfer.policy_.allows(address->addr)) {
    ++transfer.addresses_denied_;
    return CURL_SOCKET_BAD;
  }
  ++transfer.sockets_opened_;
  const int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if (fd < 0) {
    transfer.socket_error_ = errno;
    return CURL_SOCKET_BAD;
  }
  transfer.sockets_.opened(fd);
  return fd;
}

// Called before each request. A second call within a transfer means that libcurl is about to repeat
// the request because the reused connection died. It is aborted, since the receiver may have acted
// on the first one: only the task's retry policy may repeat it.
int Transfer::before_send(void* self, char*, char*, int, int) noexcept {
  auto& transfer = *static_cast<Transfer*>(self);
  crash_point("webhook", "unsent");
  return std::exchange(transfer.sent_, true) ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

std::size_t Transfer::read_body(char* to, std::size_t, std::size_t size, void* self) noexcept {
  auto& transfer = *static_cast<Transfer*>(self);
  std::string& body = transfer.request_.body;
  const std::size_t part = std::min(size, body.size() - transfer.given_);
  std::copy_n(body.data() + transfer.given_, part, to);
  transfer.given_ += part;
  if (part > 0 && transfer.given_ == body.size()) {
    std::string().swap(body);  // an assignment would keep its memory
    transfer.given_ = 0;
    transfer.sent_ids_.push_back(transfer.id_);
  }
  return part;
}

std::size_t Transfer::on_header(char* data, std::size_t, std::size_t size, void* self) noexcept {
  auto& transfer = *static_cast<Transfer*>(self);
  if (transfer.answer_begun_) return size;  // trailers
  const std::string_view line(data, size);
  Headers& headers = transfer.result_.headers;

  if (trimmed(line).empty()) {
    transfer.answer_begun_ = transfer.status() >= 200;
    if (!transfer.answer_begun_) headers.clear();  // they belonged to an interim answer
    return size;
  }
  const std::size_t colon = line.find(':');
  const bool continues_another = line.front() == ' ' || line.front() == '\t';
  if (colon == line.npos || continues_another || line.starts_with("HTTP/")) return size;
  transfer.header_bytes_ += size;
  std::string name = to_lower(trimmed(line.substr(0, colon)));
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (headers.size() < kHeadersKept && transfer.header_bytes_ <= kHeaderBytesKept) {
    headers.push_back({std::move(name), std::string(value)});
  } else if (const auto& read = transfer.read_headers_;
             std::ranges::find(read, name) != read.end() &&
             std::ranges::find(headers, name, &Header::name) == headers.end()) {
    headers.push_back({std::move(name), std::string(value.substr(0, kErrorKept))});
  }
  return size;
}

std::size_t Transfer::on_body(char* data, std::size_t, std::size_t size, void* self) noexcept {
  auto& transfer = *static_cast<Transfer*>(self);
  std::string& body = transfer.result_.body;
  body.append(data, std::min(size, kBodyKept - body.size()));
  transfer.received_ += size;
  transfer.answer_cut_ = transfer.received_ > kBodyRead;
  return transfer.answer_cut_ ? 0 : size;
}

HttpResult Transfer::end(CURLcode code) {
  crash_point("webhook", "answered");
  auto [kind, error] = verdict(code);
  if (kind == Kind::answered) result_.status = status();
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
    if (addresses_denied_ > 0 && sockets_opened_ == 0) {
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
