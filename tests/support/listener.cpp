#include "tests/support/listener.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>
#include <vector>

namespace postern::test {

Listener::Listener() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  if (bind(socket_, any, size) != 0 || listen(socket_, 64) != 0 ||
      getsockname(socket_, any, &size) != 0) {
    throw std::runtime_error("a test cannot listen on loopback");
  }
  port_ = ntohs(address.sin_port);
}

Listener::~Listener() { close(socket_); }

int Listener::arrivals() {
  std::vector<int> taken;
  for (int fd = -1; (fd = accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
    taken.push_back(fd);
  }
  for (const int fd : taken) close(fd);
  return static_cast<int>(taken.size());
}

}  // namespace postern::test
