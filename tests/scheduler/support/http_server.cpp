#include "tests/scheduler/support/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <stdexcept>

#include <fmt/format.h>

namespace postern::scheduler::test {
namespace {

constexpr std::string_view kEndOfHead = "\r\n\r\n";
constexpr std::string_view kLength = "\r\nContent-Length: ";

std::size_t content_length(std::string_view head) {
  const std::size_t at = head.find(kLength);
  return at == head.npos ? 0 : std::stoul(std::string(head.substr(at + kLength.size())));
}

}  // namespace

bool Connection::receive() {
  char buffer[16 * 1024];
  const auto count = ssl_ ? SSL_read(ssl_, buffer, sizeof buffer)
                          : static_cast<int>(recv(fd_, buffer, sizeof buffer, 0));
  if (count <= 0) return false;
  received_.append(buffer, static_cast<std::size_t>(count));
  return true;
}

std::optional<std::string> Connection::read_head() {
  while (received_.find(kEndOfHead) == received_.npos) {
    if (!receive()) return std::nullopt;
  }
  const std::size_t size = received_.find(kEndOfHead) + kEndOfHead.size();
  std::string head = received_.substr(0, size);
  received_.erase(0, size);
  return head;
}

std::optional<std::string> Connection::read_request() {
  std::optional<std::string> request = read_head();
  if (!request) return std::nullopt;
  const std::size_t length = content_length(*request);
  while (received_.size() < length) {
    if (!receive()) return std::nullopt;
  }
  *request += received_.substr(0, length);
  received_.erase(0, length);
  server_->saw(*request);
  return request;
}

bool Connection::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto count = ssl_ ? SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()))
                            : static_cast<int>(::send(fd_, bytes.data(), bytes.size(), 0));
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

void Connection::wait_for_close() {
  while (receive()) received_.clear();
}

void Connection::reset() {
  const linger now{1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

std::string Connection::server_name() const {
  const char* name = ssl_ ? SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name) : nullptr;
  return name ? name : "";
}

HttpServer::HttpServer(Script script, ssl_ctx_st* tls, const char* address_text)
    : script_(std::move(script)), tls_(tls) {
  std::signal(SIGPIPE, SIG_IGN);
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  inet_pton(AF_INET, address_text, &address.sin_addr);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (listener_ < 0 || bind(listener_, generic, size) != 0 || listen(listener_, 1024) != 0 ||
      getsockname(listener_, generic, &size) != 0) {
    throw std::runtime_error("the test's HTTP server cannot listen");
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

HttpServer::~HttpServer() {
  shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  {
    const std::lock_guard lock(mutex_);
    for (const int fd : open_) shutdown(fd, SHUT_RDWR);
  }
  for (std::thread& thread : threads_) thread.join();
  close(listener_);
}

void HttpServer::accept_all() {
  for (int number = 0;; ++number) {
    // accept4 takes a descriptor before it waits, and fails at once where a test leaves none.
    pollfd waiting{listener_, POLLIN, 0};
    poll(&waiting, 1, -1);
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in own{};
    socklen_t size = sizeof own;
    getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size);
    char text[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &own.sin_addr, text, sizeof text);

    const std::lock_guard lock(mutex_);
    ++accepted_;
    open_.push_back(fd);
    threads_.emplace_back(
        [this, fd, number, local = std::string(text)] { serve(fd, number, local); });
  }
}

void HttpServer::serve(int fd, int number, std::string address) {
  Connection connection;
  connection.fd_ = fd;
  connection.number_ = number;
  connection.address_ = std::move(address);
  connection.server_ = this;
  if (tls_) {
    connection.ssl_ = SSL_new(tls_);
    SSL_set_fd(connection.ssl_, fd);
  }
  if (!tls_ || SSL_accept(connection.ssl_) == 1) {
    script_(connection);
    if (tls_) SSL_shutdown(connection.ssl_);
  }
  SSL_free(connection.ssl_);
  const std::lock_guard lock(mutex_);
  std::erase(open_, fd);
  close(fd);
  changed_.notify_all();
}

void HttpServer::saw(std::string request) {
  const std::lock_guard lock(mutex_);
  requests_.push_back(std::move(request));
  changed_.notify_all();
}

std::string HttpServer::url(std::string_view path, std::string_view host) const {
  return fmt::format("{}://{}:{}{}", tls_ ? "https" : "http", host, port_, path);
}

std::vector<std::string> HttpServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

int HttpServer::accepted() const {
  const std::lock_guard lock(mutex_);
  return accepted_;
}

int HttpServer::open() const {
  const std::lock_guard lock(mutex_);
  return static_cast<int>(open_.size());
}

bool HttpServer::wait_until_open(int connections) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::seconds(10),
                           [&] { return static_cast<int>(open_.size()) == connections; });
}

bool HttpServer::wait_until_requested(std::size_t requests) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::seconds(10),
                           [&] { return requests_.size() >= requests; });
}

std::string ok(std::string_view body) {
  return fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", body.size(), body);
}

void answer_all(Connection& connection) {
  while (connection.read_request()) connection.send(ok());
}

Later::Later(std::string answer, std::string rest)
    : answer_(std::move(answer)), rest_(std::move(rest)) {}

void Later::operator()(Connection& connection) {
  if (connection.number() != 0) return answer_all(connection);
  connection.read_request();
  connection.send(answer_);
  asked_.get_future().wait();
  connection.send(rest_);
  sent_.set_value();
  connection.wait_for_close();
}

void Later::send() {
  asked_.set_value();
  sent_.get_future().wait();
}

}  // namespace postern::scheduler::test
