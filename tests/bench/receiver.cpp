// bench-receiver: the target of webhooks. Answers every HTTP request with an empty 200 as fast as
// one thread can, and counts the POSTs. It listens on 127.0.0.1, 127.0.0.2, ... at one port, so
// that one process stands for many hosts, and prints that port. GET /count returns the count and
// the times of the first and last POST; GET /reset resets them.
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <chrono>
#include <cstdio>
#include <unordered_map>

#include "tests/bench/net.h"

namespace {

using Clock = std::chrono::steady_clock;

struct Count {
  std::int64_t posts = 0;
  Clock::time_point first, last;
};

std::string count_answer(const Count& count) {
  const double seconds = std::chrono::duration<double>(count.last - count.first).count();
  std::array<char, 128> body;
  const int length = std::snprintf(body.data(), body.size(), "{\"count\":%lld,\"seconds\":%.6f}\n",
                                   static_cast<long long>(count.posts), seconds);
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n" + body.data();
}

class Receiver {
 public:
  // Listens on `hosts` loopback addresses at `port`; 0: a free port.
  Receiver(std::uint8_t hosts, std::uint16_t port)
      : epoll_(bench::check(epoll_create1(0), "epoll_create1")), port_(port) {
    for (std::uint8_t host = 1; host <= hosts; ++host) listen_on(host);
  }

  std::uint16_t port() const { return port_; }

  [[noreturn]] void run() {
    std::array<epoll_event, 128> events;
    for (;;) {
      const int ready = epoll_wait(epoll_, events.data(), events.size(), -1);
      for (int i = 0; i < ready; ++i) {
        const int fd = events[static_cast<std::size_t>(i)].data.fd;
        if (const auto found = unread_.find(fd); found != unread_.end()) {
          serve(fd, found->second);
        } else {
          accept_all(fd);
        }
      }
    }
  }

 private:
  void listen_on(std::uint8_t host) {
    const int fd = bench::check(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), "socket");
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address = bench::loopback(host, port_);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof address;
    bench::check(bind(fd, generic, size), "bind");
    bench::check(listen(fd, 4096), "listen");
    bench::check(getsockname(fd, generic, &size), "getsockname");
    port_ = ntohs(address.sin_port);
    watch(fd);
  }

  void watch(int fd) {
    epoll_event event{EPOLLIN, {}};
    event.data.fd = fd;
    bench::check(epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
  }

  void accept_all(int listener) {
    for (;;) {
      const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
      if (fd < 0) return;
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      unread_.emplace(fd, std::string());
      watch(fd);
    }
  }

  // Level-triggered, one read per event: unread bytes cause another event.
  void serve(int fd, std::string& unread) {
    std::array<char, 65536> buffer;
    const auto got = recv(fd, buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
      close(fd);
      unread_.erase(fd);
      return;
    }
    unread.append(buffer.data(), static_cast<std::size_t>(got));
    while (const auto length = bench::message_length(unread)) {
      answer(fd, unread);
      unread.erase(0, *length);
    }
  }

  void answer(int fd, std::string_view request) {
    static const std::string empty = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    if (request.starts_with("GET /count ")) return reply(fd, count_answer(count_));
    if (request.starts_with("GET /reset ")) {
      count_ = {};
      return reply(fd, empty);
    }
    count_.last = Clock::now();
    if (++count_.posts == 1) count_.first = count_.last;
    reply(fd, empty);
  }

  // An answer fits into any socket buffer; the next read notices a closed connection.
  static void reply(int fd, const std::string& text) {
    (void)send(fd, text.data(), text.size(), MSG_NOSIGNAL);
  }

  const int epoll_;
  std::uint16_t port_;
  std::unordered_map<int, std::string>
      unread_;  // connections, with the start of their next request
  Count count_;
};

}  // namespace

int main(int argc, char** argv) try {
  std::uint16_t port = 0;
  int hosts = 1;
  CLI::App app("HTTP receiver that answers 200 and counts");
  app.add_option("--port", port, "0: a free one");
  app.add_option("--hosts", hosts, "loopback addresses to listen on")->check(CLI::Range(1, 254));
  CLI11_PARSE(app, argc, argv);
  Receiver receiver(static_cast<std::uint8_t>(hosts), port);
  std::printf("%d\n", receiver.port());
  std::fflush(stdout);
  receiver.run();
} catch (const std::exception& fault) {
  std::fprintf(stderr, "bench-receiver: %s\n", fault.what());
  return 1;
}
