// bench-receiver: the target of webhooks. Answers every HTTP request with an empty 200 as fast as
// one thread can, and counts the POSTs. It listens on 127.0.0.1, 127.0.0.2, ... at one port, so
// that one process stands for many hosts, and prints that port. With --hanging some of these never
// answer; with --fail-every some POSTs are answered with 500.
//
// GET /count returns how many POSTs were answered with 200, and the time from the first to the
// last. GET /reset forgets them. GET /save writes the number of each ("n": in its body) with its
// time of arrival into the file that --save names.
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "tests/bench/net.h"

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::uint16_t port = 0;
  std::uint32_t hosts = 1;
  std::uint32_t hanging = 0;
  std::int64_t fail_every = 0;
  std::string save;
};

struct Count {
  std::int64_t posts = 0;
  Clock::time_point first, last;
};

struct Connection {
  bool hangs = false;
  std::string unread;  // the start of its next request
};

// The task's number in the payload of the webhook, as the load generator put it there; -1: none.
std::int64_t number_of(std::string_view request) {
  constexpr std::string_view kName = "\"n\":";
  const auto at = request.find(kName);
  std::int64_t number = -1;
  if (at != std::string_view::npos) {
    const auto digits = request.substr(at + kName.size());
    std::from_chars(digits.data(), digits.data() + digits.size(), number);
  }
  return number;
}

std::string count_answer(const Count& count) {
  const double seconds = std::chrono::duration<double>(count.last - count.first).count();
  std::array<char, 128> body;
  const int length = std::snprintf(body.data(), body.size(), "{\"count\":%lld,\"seconds\":%.6f}\n",
                                   static_cast<long long>(count.posts), seconds);
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n" + body.data();
}

class Receiver {
 public:
  explicit Receiver(const Options& options)
      : options_(options),
        epoll_(bench::check(epoll_create1(0), "epoll_create1")),
        port_(options.port) {
    for (std::uint32_t host = 1; host <= options.hosts; ++host) listen_on(host);
  }

  std::uint16_t port() const { return port_; }

  [[noreturn]] void run() {
    std::array<epoll_event, 128> events;
    for (;;) {
      const int ready = epoll_wait(epoll_, events.data(), events.size(), -1);
      for (int i = 0; i < ready; ++i) {
        const int fd = events[static_cast<std::size_t>(i)].data.fd;
        if (const auto found = connections_.find(fd); found != connections_.end()) {
          serve(fd, found->second);
        } else {
          accept_all(fd);
        }
      }
    }
  }

 private:
  void listen_on(std::uint32_t host) {
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
    if (host <= options_.hanging) hanging_.insert(fd);
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
      connections_[fd].hangs = hanging_.contains(listener);
      watch(fd);
    }
  }

  // Level-triggered, one read per event: unread bytes cause another event.
  void serve(int fd, Connection& connection) {
    std::array<char, 65536> buffer;
    const auto got = recv(fd, buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
      close(fd);
      connections_.erase(fd);
      return;
    }
    std::string& unread = connection.unread;
    unread.append(buffer.data(), static_cast<std::size_t>(got));
    while (const auto length = bench::message_length(unread)) {
      answer(fd, connection.hangs, std::string_view(unread).substr(0, *length));
      unread.erase(0, *length);
    }
  }

  void answer(int fd, bool hangs, std::string_view request) {
    static const std::string empty = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    static const std::string failure =
        "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";
    if (request.starts_with("GET /count ")) return reply(fd, count_answer(count_));
    if (request.starts_with("GET /reset ")) {
      count_ = {};
      arrived_.clear();
      return reply(fd, empty);
    }
    if (request.starts_with("GET /save ")) {
      bench::write_stamps(options_.save, arrived_);
      return reply(fd, empty);
    }
    if (hangs) return;
    if (options_.fail_every > 0 && ++requests_ % options_.fail_every == 0) {
      return reply(fd, failure);
    }
    count_.last = Clock::now();
    if (++count_.posts == 1) count_.first = count_.last;
    if (!options_.save.empty()) {
      arrived_.push_back({number_of(request), count_.last.time_since_epoch().count()});
    }
    reply(fd, empty);
  }

  // An answer fits into any socket buffer; the next read notices a closed connection.
  static void reply(int fd, const std::string& text) {
    (void)send(fd, text.data(), text.size(), MSG_NOSIGNAL);
  }

  const Options& options_;
  const int epoll_;
  std::uint16_t port_;
  std::unordered_set<int> hanging_;  // listening sockets
  std::unordered_map<int, Connection> connections_;
  std::int64_t requests_ = 0;  // for fail_every
  std::vector<bench::Stamp> arrived_;
  Count count_;
};

}  // namespace

int main(int argc, char** argv) try {
  Options options;
  CLI::App app("HTTP receiver that answers 200 and counts");
  app.add_option("--port", options.port, "0: a free one");
  app.add_option("--hosts", options.hosts, "loopback addresses to listen on")
      ->check(CLI::Range(1u, bench::kMaxHosts));
  app.add_option("--hanging", options.hanging, "so many of them, the first, never answer a POST");
  app.add_option("--fail-every", options.fail_every, "500 for every so-manieth POST");
  app.add_option("--save", options.save, "file for GET /save");
  CLI11_PARSE(app, argc, argv);
  Receiver receiver(options);
  std::printf("%d\n", receiver.port());
  std::fflush(stdout);
  receiver.run();
} catch (const std::exception& fault) {
  std::fprintf(stderr, "bench-receiver: %s\n", fault.what());
  return 1;
}
