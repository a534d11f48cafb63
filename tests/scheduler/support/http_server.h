// A real HTTP receiver on loopback whose every byte a test decides. One thread per connection.
#pragma once

#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

struct ssl_ctx_st;
struct ssl_st;

namespace postern::scheduler::test {

// What a script talks over. Reads end, and sends fail, when the client or the server closes.
class Connection {
 public:
  // One whole request: its head and as much body as Content-Length says. nullopt: none came.
  std::optional<std::string> read_request();
  // Up to and with the empty line.
  std::optional<std::string> read_head();
  bool send(std::string_view bytes);
  // Sleeps until the client has closed or the test is over; what it sends is dropped.
  void wait_for_close();
  // Has the connection end with a reset.
  void reset();

  int number() const { return number_; }                   // 0 is the server's first
  const std::string& address() const { return address_; }  // the own one, e.g. "127.0.0.2"
  std::string server_name() const;                         // the SNI of a TLS connection

 private:
  friend class HttpServer;
  bool receive();

  int fd_ = -1;
  ssl_st* ssl_ = nullptr;
  int number_ = 0;
  std::string address_;
  std::string received_;
  class HttpServer* server_ = nullptr;
};

class HttpServer {
 public:
  using Script = std::function<void(Connection&)>;
  // Runs `script` for each connection and closes it at the script's end. With `tls` (not owned)
  // speaks TLS.
  explicit HttpServer(Script script, ssl_ctx_st* tls = nullptr, const char* address = "0.0.0.0");
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  int port() const { return port_; }
  std::string url(std::string_view path = "/", std::string_view host = "127.0.0.1") const;

  std::vector<std::string> requests() const;  // those that were read whole
  int accepted() const;                       // connections
  int open() const;                           // of them
  // False when it does not come true within ten seconds.
  bool wait_until_open(int connections) const;
  bool wait_until_requested(std::size_t requests) const;

 private:
  friend class Connection;
  void accept_all();
  void serve(int fd, int number, std::string address);
  void saw(std::string request);

  Script script_;
  ssl_ctx_st* tls_;
  int listener_ = -1;
  int port_ = 0;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::vector<std::string> requests_;
  std::vector<int> open_;
  int accepted_ = 0;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

// "HTTP/1.1 200 OK" with a Content-Length.
std::string ok(std::string_view body = "ok");

// Answers every request with ok().
void answer_all(Connection& connection);

// A script whose first connection answers its first request with `answer`, and sends `rest` when
// the test says so, which waits until it has. All other requests are answered with ok().
class Later {
 public:
  Later(std::string answer, std::string rest);
  void operator()(Connection& connection);
  void send();

 private:
  const std::string answer_, rest_;
  std::promise<void> asked_, sent_;
};

}  // namespace postern::scheduler::test
