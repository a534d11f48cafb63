// bench-load: posts requests on persistent HTTP/1.1 connections to 127.0.0.1, one at a time on
// each, and prints one JSON line with the rate and the latencies. It uses one thread, to leave the
// machine to the programs that are measured.
//
// Without --rate each connection posts as fast as it is answered. With --rate requests are due at
// equal distances, whether earlier ones have been answered or not, and their latency counts from
// the time they were due.
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
#include "tests/bench/request.h"

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::duration;
using std::chrono::duration_cast;
using std::chrono::microseconds;

struct Options {
  std::uint16_t port = 0;
  bench::RequestForm form;
  std::size_t connections = 64;
  double rate = 0;  // requests per second; 0: as many as are answered
  double seconds = 5;
  std::int64_t count = INT64_MAX;  // requests; the run ends at the first limit that is reached
  std::string save;
};

struct Connection {
  int fd = -1;
  std::int64_t number = 0;  // of the request in flight
  std::string request;
  std::size_t sent = 0;
  std::string answer;
  Clock::time_point due;
};

class Load {
 public:
  explicit Load(const Options& options)
      : options_(options),
        requests_(options.form),
        epoll_(bench::check(epoll_create1(0), "epoll_create1")),
        connections_(options.connections) {
    for (Connection& connection : connections_) free_.push_back(&connection);
  }

  // Runs to the limit, then waits at most 5 s for missing answers.
  void run() {
    begin_ = Clock::now();
    stop_sending_ = begin_ + duration_cast<Clock::duration>(duration<double>(options_.seconds));
    const auto give_up = stop_sending_ + std::chrono::seconds(5);
    std::array<epoll_event, 64> events;
    begin_due();
    while ((in_flight_ > 0 || may_send()) && Clock::now() < give_up) {
      const timespec wait = time_to_next();
      const int ready = epoll_pwait2(epoll_, events.data(), events.size(), &wait, nullptr);
      for (int i = 0; i < ready; ++i) {
        advance(*static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr));
      }
      begin_due();
    }
    unanswered_ += in_flight_;
    elapsed_ = duration<double>(last_answer_ - begin_).count();
    if (!options_.save.empty()) bench::write_stamps(options_.save, acknowledged_);
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
    if (!refusal_.empty()) std::fprintf(stderr, "bench-load: %s\n", refusal_.c_str());
  }

 private:
  bool may_send() const { return begun_ < options_.count && Clock::now() < stop_sending_; }

  // When the next request is due.
  Clock::time_point next_due() const {
    if (options_.rate <= 0) return Clock::now();
    return begin_ + duration_cast<Clock::duration>(
                        duration<double>(static_cast<double>(begun_) / options_.rate));
  }

  timespec time_to_next() const {
    std::int64_t ns = 100'000'000;
    if (options_.rate > 0 && !free_.empty() && may_send()) {
      ns = std::clamp<std::int64_t>((next_due() - Clock::now()).count(), 0, ns);
    }
    return {0, static_cast<long>(ns)};
  }

  // Begins requests on free connections. One that is due while none is free begins later.
  void begin_due() {
    while (!free_.empty() && may_send()) {
      const auto due = next_due();
      if (due > Clock::now()) return;
      Connection& connection = *free_.back();
      free_.pop_back();
      begin_request(connection, due);
      if (connection.fd < 0) {
        open(connection);
      } else {
        advance(connection);
      }
    }
  }

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
  }

  void begin_request(Connection& connection, Clock::time_point due) {
    connection.number = begun_++;
    requests_.write(connection.number, connection.request);
    connection.sent = 0;
    connection.answer.clear();
    connection.due = due;
    ++in_flight_;
  }

  // Sends the rest of the request and reads what has arrived; after a complete answer begins the
  // next request.
  void advance(Connection& connection) {
    for (;;) {
      if (connection.sent < connection.request.size()) {
        const auto sent = send(connection.fd, connection.request.data() + connection.sent,
                               connection.request.size() - connection.sent, MSG_NOSIGNAL);
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
    const auto took = duration_cast<microseconds>(last_answer_ - connection.due);
    latencies_.push_back(static_cast<float>(took.count()));
    if (!connection.answer.starts_with("HTTP/1.1 2")) {
      ++not_2xx_;
      refusal_ = connection.answer;
    } else if (!options_.save.empty()) {
      const auto first = requests_.first_task(connection.number);
      for (std::int64_t i = 0; i < requests_.tasks(); ++i) {
        acknowledged_.push_back({first + i, last_answer_.time_since_epoch().count()});
      }
    }
    --in_flight_;
    // nginx closes a connection after keepalive_requests and says so.
    const bool closes = connection.answer.find("\r\nConnection: close\r\n") != std::string::npos;
    if (closes) {
      close(connection.fd);
      connection.fd = -1;
    }
    const auto due = next_due();
    if (!closes && may_send() && due <= last_answer_) {
      begin_request(connection, due);
      return true;
    }
    free_.push_back(&connection);
    return false;
  }

  // A free connection that the server closes is opened again when it is needed.
  void wait_or_lose(Connection& connection) {
    if (errno != EAGAIN && errno != ENOTCONN) lose(connection);
  }

  void lose(Connection& connection) {
    close(connection.fd);
    connection.fd = -1;
    const bool is_free = std::find(free_.begin(), free_.end(), &connection) != free_.end();
    if (is_free) return;
    ++unanswered_;
    --in_flight_;
    free_.push_back(&connection);
  }

  const Options& options_;
  const bench::Requests requests_;
  const int epoll_;
  std::vector<Connection> connections_;
  std::vector<Connection*> free_;
  Clock::time_point begin_;
  Clock::time_point stop_sending_;
  Clock::time_point last_answer_ = Clock::now();
  double elapsed_ = 0;
  std::int64_t begun_ = 0;
  std::int64_t in_flight_ = 0;
  std::int64_t not_2xx_ = 0;
  std::int64_t unanswered_ = 0;
  std::string refusal_;           // the last answer that was not 2xx
  std::vector<float> latencies_;  // microseconds
  std::vector<bench::Stamp> acknowledged_;
};

}  // namespace

int main(int argc, char** argv) try {
  Options options;
  CLI::App app("POST load on kept connections to 127.0.0.1");
  app.add_option("--port", options.port)->required();
  app.add_option("--path", options.form.path);
  app.add_option("--header", options.form.headers, "Name: value; may be repeated");
  app.add_option("--body", options.form.body, "{n}: the task's number, {host}: an address");
  app.add_option("--batch", options.form.batch, "so many tasks, as the body says, in one POST");
  app.add_option("--hosts", options.form.hosts, "addresses to take in turn for {host}");
  app.add_option("--first", options.form.first, "number of the first task");
  app.add_option("--connections", options.connections);
  app.add_option("--rate", options.rate, "requests per second; 0: as many as are answered");
  app.add_option("--seconds", options.seconds, "stop beginning requests then");
  app.add_option("--count", options.count, "or after so many requests");
  app.add_option("--save", options.save,
                 "file for the numbers and times of the tasks acknowledged");
  CLI11_PARSE(app, argc, argv);
  Load load(options);
  load.run();
  load.report();
  return 0;
} catch (const std::exception& fault) {
  std::fprintf(stderr, "bench-load: %s\n", fault.what());
  return 1;
}
