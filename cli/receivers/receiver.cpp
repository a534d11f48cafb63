// The only file that includes Boost.Asio and Beast. One thread runs a coroutine per connection.
#include "cli/receivers/receiver.h"

#include <csignal>
#include <cstdio>
#include <sstream>

#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include "cli/receivers/received.h"
#include "core/program/clock.h"

namespace postern::admin {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;

constexpr std::uint64_t kMaxBody = 16 * 1024 * 1024;
constexpr std::uint32_t kMaxHeaders = 64 * 1024;
constexpr std::chrono::minutes kIdle{5};          // for a client to send or take the next piece
constexpr std::chrono::seconds kDrain{1};         // for what a refused client still sends
constexpr std::chrono::milliseconds kPause{100};  // when no descriptor is left for a connection
constexpr Seconds kTolerance{300};                // of a signature's timestamp
constexpr auto kValues = asio::as_tuple(asio::use_awaitable);  // an error is a value, no exception

class Receiver {
 public:
  // Throws boost::system::system_error when the address cannot be had.
  explicit Receiver(ReceiverPlan plan)
      : plan_(std::move(plan)),
        acceptor_(io_, tcp::endpoint(asio::ip::make_address(plan_.address), plan_.port)) {}

  // Returns on SIGINT, on SIGTERM, or when plan.max requests are answered.
  void run() {
    asio::signal_set signals(io_, SIGINT, SIGTERM);
    signals.async_wait([this](const beast::error_code&, int) { io_.stop(); });
    std::ostringstream address;
    address << acceptor_.local_endpoint();
    fmt::print(stderr, "listening on http://{}\n", address.str());
    start(accept());
    io_.run();
  }

 private:
  void start(asio::awaitable<void> task) {
    asio::co_spawn(io_, std::move(task), [](std::exception_ptr failed) {
      if (!failed) return;
      try {
        std::rethrow_exception(failed);
      } catch (const std::exception& error) {
        fmt::print(stderr, "postern: a connection failed: {}\n", error.what());
      }
    });
  }

  asio::awaitable<void> accept() {
    for (;;) {
      auto [error, socket] = co_await acceptor_.async_accept(kValues);
      if (!error) {
        start(serve(beast::tcp_stream(std::move(socket))));
      } else {
        asio::steady_timer pause(io_, kPause);
        co_await pause.async_wait(kValues);
      }
    }
  }

  asio::awaitable<void> serve(beast::tcp_stream stream) {
    beast::flat_buffer buffer;
    for (bool keep = true; keep;) {
      http::request_parser<http::string_body> parser;
      parser.body_limit(kMaxBody);
      parser.header_limit(kMaxHeaders);
      if (const auto error = co_await read(stream, buffer, parser)) {
        co_await refuse(stream, buffer, error);
        co_return;
      }
      if (plan_.max > 0 && taken_ == plan_.max) co_return;
      const auto& request = parser.get();
      const int status = take(request);
      if (plan_.delay > Seconds{0}) {
        asio::steady_timer delay(io_, plan_.delay);
        co_await delay.async_wait(kValues);
      }
      keep = co_await answer(stream, request, status);
      if (++answered_ == plan_.max) io_.stop();
    }
    beast::error_code ignored;
    stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
  }

  static asio::awaitable<beast::error_code> read(beast::tcp_stream& stream,
                                                 beast::flat_buffer& buffer,
                                                 http::request_parser<http::string_body>& parser) {
    stream.expires_after(kIdle);
    auto [error, size] = co_await http::async_read_header(stream, buffer, parser, kValues);
    if (!error && beast::iequals(parser.get()[http::field::expect], "100-continue")) {
      http::response<http::empty_body> go_on(http::status::continue_, 11);
      std::tie(error, size) = co_await http::async_write(stream, go_on, kValues);
    }
    while (!error && !parser.is_done()) {
      stream.expires_after(kIdle);
      std::tie(error, size) = co_await http::async_read_some(stream, buffer, parser, kValues);
    }
    co_return error;
  }

  // Answers a client that sent something else than HTTP. A client that left gets no answer.
  asio::awaitable<void> refuse(beast::tcp_stream& stream, beast::flat_buffer& buffer,
                               beast::error_code why) {
    if (why == http::error::end_of_stream || why == http::error::partial_message ||
        why.category() != make_error_code(http::error::bad_method).category()) {
      co_return;
    }
    fmt::print(stderr, "postern: refused a request: {}\n", why.message());
    http::response<http::string_body> response(why == http::error::body_limit
                                                   ? http::status::payload_too_large
                                                   : http::status::bad_request,
                                               11);
    response.body() = why.message() + "\n";
    response.keep_alive(false);
    response.prepare_payload();
    stream.expires_after(kDrain);
    co_await http::async_write(stream, response, kValues);
    // Closing while bytes wait to be read would reset the connection, and the answer with it.
    beast::error_code error;
    stream.socket().shutdown(tcp::socket::shutdown_send, error);
    while (!error) {
      buffer.clear();
      error = std::get<0>(co_await stream.async_read_some(buffer.prepare(64 * 1024), kValues));
    }
  }

  // Shows the request; returns the status that is its turn.
  int take(const http::request<http::string_body>& request) {
    Received received;
    received.at = wall_clock();
    received.method = request.method_string();
    received.path = request.target();
    for (const auto& field : request) {
      received.headers.push_back({field.name_string(), field.value()});
    }
    received.body = request.body();
    const auto turn = std::min(static_cast<std::size_t>(taken_++), plan_.statuses.size() - 1);
    received.status = plan_.statuses[turn];
    if (plan_.secret) {
      const std::string id = received.header("webhook-id");
      const std::string timestamp = received.header("webhook-timestamp");
      const std::string signature = received.header("webhook-signature");
      received.verdict =
          judge(*plan_.secret, {id, timestamp, signature, received.body}, kTolerance);
    }
    fmt::print("{}", plan_.json ? as_json(received) : as_text(received));
    std::fflush(stdout);
    return received.status;
  }

  // False when the connection is over.
  asio::awaitable<bool> answer(beast::tcp_stream& stream,
                               const http::request<http::string_body>& request, int status) {
    http::response<http::string_body> response;
    response.version(request.version() == 10 ? 10 : 11);
    response.result(static_cast<unsigned>(status));
    for (const Header& header : plan_.headers) response.insert(header.name, header.value);
    if (http::int_to_status(response.result_int()) == http::status::unknown) {
      response.reason("Unknown");
    }
    response.keep_alive(request.keep_alive());
    if (status != 204 && status != 304) {  // these have neither a body nor its length
      response.body() = plan_.body;
      response.prepare_payload();
    }
    if (request.method() == http::verb::head) response.body().clear();  // its length stays
    stream.expires_after(kIdle);
    const auto [error, size] = co_await http::async_write(stream, response, kValues);
    co_return !error && response.keep_alive();
  }

  ReceiverPlan plan_;
  std::int64_t taken_ = 0;
  std::int64_t answered_ = 0;
  asio::io_context io_{1};
  tcp::acceptor acceptor_;
};

}  // namespace

bool is_ip_address(const std::string& text) {
  beast::error_code error;
  asio::ip::make_address(text, error);
  return !error;
}

bool is_loopback(const std::string& address) {
  return asio::ip::make_address(address).is_loopback();
}

void receive(ReceiverPlan plan) { Receiver(std::move(plan)).run(); }

}  // namespace postern::admin
