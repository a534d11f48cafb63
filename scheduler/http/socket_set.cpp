#include "scheduler/http/socket_set.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

namespace postern::scheduler {
namespace {

// The own port of a connected socket; -1: it has none.
int port_of(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return -1;
  return ntohs(address.ss_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                   : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

}  // namespace

SocketSet::SocketSet() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) throw std::runtime_error("no file descriptor for HTTP");
}

SocketSet::~SocketSet() { close(epoll_); }

SocketSet::Socket& SocketSet::at(int fd) {
  const auto place = static_cast<std::size_t>(fd);
  if (place >= sockets_.size()) sockets_.resize(place + 1);
  return sockets_[place];
}

void SocketSet::opened(int fd) {
  Socket& socket = at(fd);
  if (const auto old = by_ends_.find(socket.ends); old != by_ends_.end() && old->second == fd) {
    by_ends_.erase(old);
  }
  socket = {.opening = socket.opening + 1};
}

void SocketSet::connected(std::span<const int> opened, const std::string& ends, int port) {
  const auto found = std::ranges::find_if(
      opened, [&](int fd) { return opened.size() == 1 || port_of(fd) == port; });
  if (found == opened.end()) return;
  at(*found).ends = ends;
  by_ends_[ends] = *found;
}

int SocketSet::between(const std::string& ends) const {
  const auto found = by_ends_.find(ends);
  return found == by_ends_.end() ? -1 : found->second;
}

void SocketSet::change(int operation, int fd, std::uint32_t events) {
  Socket& socket = at(fd);
  epoll_event event{};
  event.events = events;
  event.data.u64 = std::uint64_t{socket.opening} << 32 | static_cast<std::uint32_t>(fd);
  epoll_ctl(epoll_, operation, fd, &event);
  socket.registered = events;
}

void SocketSet::watch(int fd, int wish, void* owner) {
  Socket& socket = at(fd);
  if (wish == CURL_POLL_REMOVE) {
    socket.owner = nullptr;
    return;
  }
  socket.owner = owner;
  const std::uint32_t events =
      (wish & CURL_POLL_IN ? EPOLLIN : 0u) | (wish & CURL_POLL_OUT ? EPOLLOUT : 0u);
  if (events == socket.registered) return;
  change(socket.registered != 0 ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, events);
}

std::span<const SocketSet::Ready> SocketSet::take_ready() {
  const int count = epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()), 0);
  std::size_t size = 0;
  for (int i = 0; i < count; ++i) {
    const auto& [events, data] = events_[static_cast<std::size_t>(i)];
    const int fd = static_cast<int>(data.u64 & 0xffff'ffffu);
    if (at(fd).owner == nullptr) {  // idle, and it would be reported again and again
      change(EPOLL_CTL_DEL, fd, 0);
      continue;
    }
    const int what = (events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                     (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                     (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
    ready_[size++] = {fd, static_cast<std::uint32_t>(data.u64 >> 32), what};
  }
  return {ready_.data(), size};
}

void* SocketSet::owner(const Ready& ready) const {
  const Socket& socket = sockets_[static_cast<std::size_t>(ready.fd)];
  return socket.opening == ready.opening ? socket.owner : nullptr;
}

}  // namespace postern::scheduler
