#include "tests/scheduler/support/dns_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <stdexcept>

#include <fmt/format.h>

namespace postern::scheduler::test {
namespace {

constexpr int kTypeA = 1;
constexpr int kTypeCname = 5;
constexpr int kTypeAaaa = 28;
constexpr std::size_t kHeader = 12;
constexpr std::size_t kUdpLimit = 512;

std::string two_bytes(std::size_t number) {
  return {static_cast<char>(number >> 8 & 0xff), static_cast<char>(number & 0xff)};
}

std::string encoded(std::string_view name) {
  std::string out;
  while (!name.empty()) {
    const std::string_view label = name.substr(0, name.find('.'));
    out += static_cast<char>(label.size());
    out += label;
    name.remove_prefix(std::min(label.size() + 1, name.size()));
  }
  return out + '\0';
}

// The question's name as text; `at` moves behind it.
std::string read_name(std::string_view query, std::size_t& at) {
  std::string name;
  while (at < query.size() && query[at] != 0) {
    const auto size = static_cast<std::size_t>(query[at]);
    if (!name.empty()) name += '.';
    name += query.substr(at + 1, size);
    at += size + 1;
  }
  ++at;
  return name;
}

std::string record(const std::string& name, int type, const std::string& data) {
  return encoded(name) + two_bytes(static_cast<std::size_t>(type)) + two_bytes(1) +
         std::string(4, '\0') + two_bytes(data.size()) + data;
}

std::string address_bytes(const std::string& text, int type) {
  std::array<char, 16> bytes{};
  if (inet_pton(type == kTypeA ? AF_INET : AF_INET6, text.c_str(), bytes.data()) != 1) return "";
  return {bytes.data(), type == kTypeA ? 4u : 16u};
}

int bound(int type, const std::string& address, int port) {
  const int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(static_cast<std::uint16_t>(port));
  inet_pton(AF_INET, address.c_str(), &where.sin_addr);
  if (fd < 0 || bind(fd, reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0) {
    throw std::runtime_error("the test's name server cannot listen");
  }
  return fd;
}

int port_of(int fd) {
  sockaddr_in where{};
  socklen_t size = sizeof where;
  getsockname(fd, reinterpret_cast<sockaddr*>(&where), &size);
  return ntohs(where.sin_port);
}

bool read_exactly(int fd, std::string& out, std::size_t size) {
  out.resize(size);
  return recv(fd, out.data(), size, MSG_WAITALL) == static_cast<ssize_t>(size);
}

}  // namespace

DnsServer::DnsServer(Zone zone, const std::string& address, int port)
    : zone_(std::move(zone)), address_(address) {
  tcp_ = bound(SOCK_STREAM, address, port);
  port_ = port_of(tcp_);
  udp_ = bound(SOCK_DGRAM, address, port_);
  if (listen(tcp_, 16) != 0 || pipe(stop_) != 0) {
    throw std::runtime_error("the test's name server cannot start");
  }
  thread_ = std::thread([this] { serve(); });
}

DnsServer::~DnsServer() {
  close(stop_[1]);
  thread_.join();
  close(stop_[0]);
  close(udp_);
  close(tcp_);
}

std::string DnsServer::endpoint() const { return fmt::format("{}:{}", address_, port_); }

int DnsServer::queries(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = queries_.find(name);
  return found == queries_.end() ? 0 : found->second;
}

void DnsServer::serve() {
  std::vector<pollfd> fds = {{stop_[0], POLLIN, 0}, {udp_, POLLIN, 0}, {tcp_, POLLIN, 0}};
  for (;;) {
    poll(fds.data(), fds.size(), -1);
    if (fds[0].revents) break;
    if (fds[1].revents) serve_udp();
    for (std::size_t i = fds.size() - 1; i > 2; --i) {
      if (!fds[i].revents || serve_tcp(fds[i].fd)) continue;
      close(fds[i].fd);
      fds.erase(fds.begin() + static_cast<std::ptrdiff_t>(i));
    }
    if (fds[2].revents) fds.push_back({accept4(tcp_, nullptr, nullptr, SOCK_CLOEXEC), POLLIN, 0});
  }
  for (std::size_t i = 3; i < fds.size(); ++i) close(fds[i].fd);
}

void DnsServer::serve_udp() {
  std::array<char, 4096> buffer;
  sockaddr_in from{};
  socklen_t size = sizeof from;
  auto* peer = reinterpret_cast<sockaddr*>(&from);
  const ssize_t count = recvfrom(udp_, buffer.data(), buffer.size(), 0, peer, &size);
  if (count <= 0) return;
  const std::string_view query(buffer.data(), static_cast<std::size_t>(count));
  std::size_t at = kHeader;
  {
    const std::lock_guard lock(mutex_);
    ++queries_[read_name(query, at)];
  }
  const std::string answer = reply(query, kUdpLimit);
  if (!answer.empty()) sendto(udp_, answer.data(), answer.size(), 0, peer, size);
}

bool DnsServer::serve_tcp(int fd) {
  std::string size, query;
  if (!read_exactly(fd, size, 2)) return false;
  const auto high = static_cast<unsigned char>(size[0]);
  if (!read_exactly(fd, query, high * 256u + static_cast<unsigned char>(size[1]))) return false;
  const std::string answer = reply(query, 65'535);
  const std::string framed = two_bytes(answer.size()) + answer;
  return send(fd, framed.data(), framed.size(), MSG_NOSIGNAL) > 0;
}

std::string DnsServer::reply(std::string_view query, std::size_t limit) {
  std::size_t at = kHeader;
  const std::string name = read_name(query, at);
  const int type =
      static_cast<unsigned char>(query[at]) * 256 + static_cast<unsigned char>(query[at + 1]);
  const DnsReply answer = zone_(name);
  if (answer.kind == DnsReply::Kind::silence) return "";

  std::size_t count = 0;
  std::string records;
  if (!answer.alias.empty()) {
    records += record(name, kTypeCname, encoded(answer.alias));
    ++count;
  }
  const std::string& owner = answer.alias.empty() ? name : answer.alias;
  for (const std::string& address : answer.addresses) {
    const bool is_v6 = address.find(':') != address.npos;
    if (type != (is_v6 ? kTypeAaaa : kTypeA)) continue;
    records += record(owner, type, address_bytes(address, type));
    ++count;
  }
  std::size_t code = 0;
  if (answer.kind == DnsReply::Kind::server_failure) code = 2;
  if (answer.kind == DnsReply::Kind::no_such_name) code = 3;

  const std::string_view question = query.substr(kHeader, at + 4 - kHeader);
  const bool fits = kHeader + question.size() + records.size() <= limit;
  // Response, recursion desired and available; truncated when it does not fit.
  std::string out(query.substr(0, 2));
  out += two_bytes(0x8180 | code | (fits ? 0 : 0x0200));
  out += two_bytes(1) + two_bytes(fits ? count : 0) + two_bytes(0) + two_bytes(0);
  out += question;
  if (fits) out += records;
  return out;
}

}  // namespace postern::scheduler::test
