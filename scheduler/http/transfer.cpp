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
#include "core/base/utf8.h"
#include "core/model/answer_limits.h"
#include "scheduler/http/leftover.h"

namespace postern::scheduler {
namespace {

using Kind = HttpResult::Kind;

constexpr std::size_t kBodyKept = kAnswerKept;
constexpr std::size_t kLongestCharacter = 4;  // of UTF-8: what the limit of the body may cut
constexpr std::size_t kBodyRead = std::size_t{1024} * 1024;
constexpr std::size_t kHeadersKept = 100;
constexpr std::size_t kHeaderBytesKept = std::size_t{16} * 1024;
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

bool has_body(const OutgoingRequest& request) {
  if (request.method == "GET") return false;
  return request.method != "DELETE" || !request.body.empty();
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
  set(easy, CURLOPT_MAXLIFETIME_CONN, static_cast<long>(options.connection_life.count()));
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
  addresses_denied_ = socket_error_ = 0;
  opened_.clear();
  found_unfit_ = mixed_up_ = sent_ = answer_begun_ = answer_cut_ = false;
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
  by_name_ = addresses != nullptr;
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
  pinned_ = addresses;
}

void Transfer::take_new_connection() {
  found_unfit_ = false;
  set(easy_.get(), CURLOPT_FRESH_CONNECT, 1L);
}

curl_socket_t Transfer::open_socket(void* self, curlsocktype purpose,
                                    curl_sockaddr* address) noexcept {
  auto& transfer = *static_cast<Transfer*>(self);
  if (purpose != CURLSOCKTYPE_IPCXN || !transfer.policy_.allows(address->addr)) {
    ++transfer.addresses_denied_;
    return CURL_SOCKET_BAD;
  }
  const int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if (fd < 0) {
    transfer.socket_error_ = errno;
    return CURL_SOCKET_BAD;
  }
  transfer.sockets_.opened(fd);
  transfer.opened_.push_back(fd);
  return fd;
}

// Called before each request. A second call within a transfer means that libcurl is about to repeat
// the request because the reused connection died. It is aborted, since the receiver may have acted
// on the first one: only the task's retry policy may repeat it.
int Transfer::before_send(void* self, char* address, char* own, int port, int own_port) noexcept {
  auto& transfer = *static_cast<Transfer*>(self);
  crash_point("webhook", "unsent");
  const std::string ends = fmt::format("{} {} {} {}", own, own_port, address, port);
  if (!transfer.opened_.empty()) {
    transfer.sockets_.connected(transfer.opened_, ends, own_port);
  } else if (!transfer.sent_ && !transfer.is_fit(address, ends)) {
    transfer.found_unfit_ = true;
    return CURL_PREREQFUNC_ABORT;
  }
  return std::exchange(transfer.sent_, true) ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

// Whether a kept connection, of these ends, may carry one more request. Not if the name
// has moved to other addresses since. Not if there is something to read: bytes behind the last
// answer must not be taken for the answer to this request (RFC 9112, 6.3; libcurl does not look
// before version 8).
bool Transfer::is_fit(const char* address, const std::string& ends) {
  if (by_name_ && std::ranges::find(pinned_, std::string_view(address)) == pinned_.end()) {
    return false;
  }
  const Leftover found = leftover(easy_.get(), sockets_.between(ends));
  mixed_up_ = found == Leftover::bytes;
  return found == Leftover::nothing;
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
    headers.push_back({std::move(name), std::string(first_bytes(value, kErrorKept))});
  }
  return size;
}

std::size_t Transfer::on_body(char* data, std::size_t, std::size_t size, void* self) noexcept {
  auto& transfer = *static_cast<Transfer*>(self);
  std::string& body = transfer.result_.body;
  body.append(data, std::min(size, kBodyKept + kLongestCharacter - body.size()));
  transfer.received_ += size;
  transfer.answer_cut_ = transfer.received_ > kBodyRead;
  return transfer.answer_cut_ ? 0 : size;
}

}  // namespace postern::scheduler
