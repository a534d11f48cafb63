// bench-load: posts the same request repeatedly on persistent HTTP/1.1 connections to 127.0.0.1,
// one request at a time on each, and prints one JSON line with the rate and the latencies. It uses
// one thread, to leave the machine to the programs that are measured.
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <vector>

#include "tests/bench/net.h"

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::duration;
using std::chrono::duration_cast;
using std::chrono::microseconds;

struct Options {
  std::uint16_t port = 0;
  std::string path = "/";
  std::vector<std::string> headers;
  std::string body;
  std::size_t connections = 64;
  double seconds = 5;
  std::int64_t count = INT64_MAX;  // requests; the run ends at the first limit that is reached
};

std::string request_text(const Options& options) {
  std::string text = "POST " + options.path + " HTTP/1.1\r\nHost: 127.0.0.1\r\n";
  for (const std::string& header : options.headers) text += header + "\r\n";
  text += "Content-Length: " + std::to_string(options.body.size()) + "\r\n\r\n" + options.body;
  return text;
}

struct Connection {
  int fd = -1;
  std::size_t sent = 0;  // bytes of the request in flight
  std::string answer;
  Clock::time_point started;
};

class Load {
 public:
  explicit Load(const Options& options)
      : options_(options),
        request_(request_text(options)),
        epoll_(bench::check(epoll_create1(0), "epoll_create1")),
        connections_(options.connections) {}

  // Runs to the limit, then waits at most 5 s for missing answers.
  void run() {
    const auto begin = Clock::now();
    stop_sending_ = begin + duration_cast<Clock::duration>(duration<double>(options_.seconds));
    for (Connection& connection : connections_) {
      if (may_send()) open(connection);
    }
    const auto give_up = stop_sending_ + std::chrono::seconds(5);
    std::array<epoll_event, 64> events;
    while (in_flight_ > 0 && Clock::now() < give_up) {
      const int ready = epoll_wait(epoll_, events.data(), events.size(), 100);
      for (int i = 0; i < ready; ++i) {
        advance(*static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr));
      }
    }
    unanswered_ += in_flight_;
    elapsed_ = duration<double>(last_answer_ - begin).count();
  }

  void report() {
    std::sort(latencies_.begin(), latencies_.end());
    const auto quantile = [&](double q) {
      if (latencies_.empty()) return 0.0;
      const auto at = static_cast<std::size_t>(q * static_cast<double>(latencies_.size() - 1));
      return latencies_[at] / 1000.0;
    };
    const auto answers = static_cast<double>(latencies_.size());
    std::printf(
        "{\"answers\":%zu,\"seconds\":%.3f,\"per_second\":%.1f,\"not_2xx\":%lld,"
        "\"unanswered\":%lld,\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"max_ms\":%.2f}\n",
        latencies_.size(), elapsed_, elapsed_ > 0 ? answers / elapsed_ : 0,
        static_cast<long long>(not_2xx_), static_cast<long long>(unanswered_), quantile(0.5),
        quantile(0.99), quantile(1));
  }

 private:
  bool may_send() const { return begun_ < options_.count && Clock::now() < stop_sending_; }

  void open(Connection& connection) {
    const sockaddr_in address = bench::loopback(1, options_.port);
    connection.fd = bench::check(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), "socket");
    const int on = 1;
    setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(connection.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0 &&
        errno != EINPROGRESS) {
      bench::check(-1, "connect");
    }
    // Edge-triggered: each event is handled until the socket would block.
    epoll_event event{EPOLLIN | EPOLLOUT | EPOLLET, {&connection}};
    bench::check(epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event), "epoll_ctl");
    begin_request(connection);
  }

  void begin_request(Connection& connection) {
    connection.sent = 0;
    connection.answer.clear();
    connection.started = Clock::now();
    ++begun_;
    ++in_flight_;
  }

  // Sends the rest of the request and reads what has arrived; after a complete answer begins the
  // next request.
  void advance(Connection& connection) {
    for (;;) {
      if (connection.sent < request_.size()) {
        const auto sent = send(connection.fd, request_.data() + connection.sent,
                               request_.size() - connection.sent, MSG_NOSIGNAL);
        if (sent < 0) return wait_or_lose(connection);
        connection.sent += static_cast<std::size_t>(sent);
        continue;
      }
      std::array<char, 16384> buffer;
      const auto got = recv(connection.fd, buffer.data(), buffer.size(), 0);
      if (got < 0) return wait_or_lose(connection);
      if (got == 0) return lose(connection);
      connection.answer.append(buffer.data(), static_cast<std::size_t>(got));
      if (bench::message_length(connection.answer) && !finish(connection)) return;
    }
  }

  // Counts the answer. True when the next request has begun on this same connection.
  bool finish(Connection& connection) {
    last_answer_ = Clock::now();
    const auto took = duration_cast<microseconds>(last_answer_ - connection.started);
    latencies_.push_back(static_cast<float>(took.count()));
    if (!connection.answer.starts_with("HTTP/1.1 2")) ++not_2xx_;
    --in_flight_;
    // nginx closes a connection after keepalive_requests and says so.
    const bool closes = connection.answer.find("\r\nConnection: close\r\n") != std::string::npos;
    const bool more = may_send();
    if (more && !closes) {
      begin_request(connection);
      return true;
    }
    close(connection.fd);
    if (more) open(connection);
    return false;
  }

  void wait_or_lose(Connection& connection) {
    if (errno != EAGAIN && errno != ENOTCONN) lose(connection);
  }

  void lose(Connection& connection) {
    ++unanswered_;
    --in_flight_;
    close(connection.fd);
    if (may_send()) open(connection);
  }

  const Options& options_;
  const std::string request_;
  const int epoll_;
  std::vector<Connection> connections_;
  Clock::time_point stop_sending_;
  Clock::time_point last_answer_ = Clock::now();
  double elapsed_ = 0;
  std::int64_t begun_ = 0;
  std::int64_t in_flight_ = 0;
  std::int64_t not_2xx_ = 0;
  std::int64_t unanswered_ = 0;
  std::vector<float> latencies_;  // microseconds
};

}  // namespace

int main(int argc, char** argv) try {
  Options options;
  CLI::App app("POST load on kept connections to 127.0.0.1");
  app.add_option("--port", options.port)->required();
  app.add_option("--path", options.path);
  app.add_option("--header", options.headers, "Name: value; may be repeated");
  app.add_option("--body", options.body);
  app.add_option("--connections", options.connections);
  app.add_option("--seconds", options.seconds, "stop beginning requests then");
  app.add_option("--count", options.count, "or after so many requests");
  CLI11_PARSE(app, argc, argv);
  Load load(options);
  load.run();
  load.report();
  return 0;
} catch (const std::exception& fault) {
  std::fprintf(stderr, "bench-load: %s\n", fault.what());
  return 1;
}
