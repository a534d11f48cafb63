#include "fcgi/server/listener.h"

#include <fcntl.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace postern {
namespace {

// A full queue is a 502 for the client. The kernel cuts this to net.core.somaxconn.
constexpr int kBacklog = 4096;

[[noreturn]] void fail(const std::string& listen, const char* what) {
  throw std::runtime_error(
      fmt::format("cannot listen on {}: {}: {}", listen, what, std::strerror(errno)));
}

// Frees descriptor 0, so that no file opened later is taken for the socket.
Listener inherited() {
  int listening = 0;
  socklen_t size = sizeof(listening);
  if (getsockopt(STDIN_FILENO, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0 ||
      listening == 0) {
    throw std::runtime_error(
        "standard input is not a listening socket: start this program by postern-fcgi.socket or "
        "spawn-fcgi, or give --listen unix:PATH or ADDRESS:PORT");
  }
  Fd own(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3));
  const Fd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!own || !null || dup2(null.get(), STDIN_FILENO) < 0) fail("standard input", "dup");
  return {std::move(own), false};
}

// Whether somebody still accepts at this address; a socket file outlives its process.
bool answers(const sockaddr_un& address) {
  const Fd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
}

Listener at_path(const std::string& listen, const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), std::min(path.size(), sizeof(address.sun_path) - 1));

  struct stat found {};
  if (lstat(path.c_str(), &found) == 0) {
    if (!S_ISSOCK(found.st_mode)) {
      throw std::runtime_error(
          fmt::format("cannot listen on {}: there is a file that is no socket", listen));
    }
    if (answers(address)) {
      throw std::runtime_error(
          fmt::format("cannot listen on {}: another program does already", listen));
    }
    unlink(path.c_str());
  }
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) fail(listen, "socket");
  // The file is made with its final mode: between bind and chmod anybody could connect.
  const mode_t before = umask(0117);
  const int bound = bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  umask(before);
  if (bound != 0) fail(listen, "bind");
  if (::listen(fd.get(), kBacklog) != 0) fail(listen, "listen");
  return {std::move(fd), true};
}

Listener at_port(const std::string& listen) {
  const auto colon = listen.rfind(':');
  std::string host = listen.substr(0, colon);
  const std::string port = listen.substr(colon + 1);
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);

  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0) {
    throw std::runtime_error(fmt::format("cannot listen on {}: {}", listen, gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(found, freeaddrinfo);
  Fd fd(socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) fail(listen, "socket");
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(fd.get(), found->ai_addr, found->ai_addrlen) != 0) fail(listen, "bind");
  if (::listen(fd.get(), kBacklog) != 0) fail(listen, "listen");
  return {std::move(fd), true};
}

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = other.release();
  }
  return *this;
}

int Fd::release() { return std::exchange(fd_, -1); }

void Fd::reset() {
  if (fd_ >= 0) close(std::exchange(fd_, -1));
}

Listener open_listener(const std::string& listen) {
  constexpr std::string_view kUnix = "unix:";
  if (listen.empty()) return inherited();
  if (listen.starts_with(kUnix)) return at_path(listen, listen.substr(kUnix.size()));
  return at_port(listen);
}

}  // namespace postern
