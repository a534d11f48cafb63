// `postern listen`: a receiver on this machine that shows what arrives, and answers as it is told.
// The only file that knows Boost.Asio and Beast. One thread; a coroutine for each connection.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/asio.hpp>
#include <boost/beast.hpp>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <memory>
#include <vector>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/received.h"
#include "cli/verify.h"
#include "core/program/clock.h"

namespace postern::admin {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;

constexpr char kHelp[] =
    R"(Receive webhooks on this machine and show them; every request is answered as the options say.
The address goes to standard error, what arrives to standard output.

  postern listen --secret-file secret       show each webhook, and whether its signature is right
  postern listen --status 500,500,200       fail twice, then succeed for ever
  postern listen --status 503 --header 'Retry-After: 5'
  postern listen --status 400 --header 'Postern-No-Retry: 1' --max 1 --json

The scheduler refuses to call loopback addresses unless its egress_allow names 127.0.0.0/8.)";

constexpr std::uint64_t kMaxBody = 16 * 1024 * 1024;
constexpr std::uint32_t kMaxHeaders = 64 * 1024;
constexpr std::chrono::minutes kIdle{5};          // for a client to send or take the next piece
constexpr std::chrono::seconds kDrain{1};         // for what a refused client still sends
constexpr std::chrono::milliseconds kPause{100};  // when no descriptor is left for a connection
constexpr Seconds kTolerance{300};
constexpr auto kValues = asio::as_tuple(asio::use_awaitable);  // an error is a value, no exception

struct Plan {
  tcp::endpoint bind;
  std::vector<int> statuses;  // in turn; the last one repeats
  Headers headers;
  std::string body;
  Seconds delay{0};
  std::int64_t max = 0;  // requests; 0: no end
  std::optional<std::string> secret;
  bool json = false;
};

class Receiver {
 public:
  // Throws boost::system::system_error when the address cannot be had.
  explicit Receiver(Plan plan) : plan_(std::move(plan)), acceptor_(io_, plan_.bind) {}

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

  // Tells a client that sent something else than HTTP so. A client that left is told nothing.
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

  Plan plan_;
  std::int64_t taken_ = 0;
  std::int64_t answered_ = 0;
  asio::io_context io_{1};
  tcp::acceptor acceptor_;
};

// Nothing but a decimal number from `min` to `max`.
std::optional<std::int64_t> number(std::string_view text, std::int64_t min, std::int64_t max) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (value < min || value > max) return std::nullopt;
  return value;
}

tcp::endpoint parse_bind(const std::string& text, bool unsafe) {
  const std::size_t colon = std::min(text.rfind(':'), text.size());
  std::string host = text.substr(0, colon);
  if (host == "localhost") host = "127.0.0.1";
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const auto port = number(text.substr(std::min(colon + 1, text.size())), 0, 65'535);
  beast::error_code error;
  const auto address = asio::ip::make_address(host, error);
  if (error || !port) {
    refuse_option("--bind",
                  "it must be an IP address or localhost with a port, such as "
                  "127.0.0.1:8081; port 0 takes a free one");
  }
  if (!address.is_loopback() && !unsafe) {
    refuse_option("--bind",
                  "it must be a loopback address, since whoever can connect is answered; "
                  "--unsafe-bind allows it all the same");
  }
  return {address, static_cast<std::uint16_t>(*port)};
}

std::vector<int> parse_statuses(std::string_view text) {
  std::vector<int> statuses;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    const auto status = number(text.substr(at, end - at), 200, 599);
    if (!status) {
      refuse_option("--status",
                    "it must be statuses from 200 to 599 with commas between, such as "
                    "500,500,200");
    }
    statuses.push_back(static_cast<int>(*status));
    at = end + 1;
  }
  return statuses;
}

Headers parse_headers(const std::vector<std::string>& texts) {
  constexpr std::string_view kTokenMarks = "!#$%&'*+-.^_`|~";
  const auto is_token = [&](unsigned char c) {
    return std::isalnum(c) != 0 || kTokenMarks.find(static_cast<char>(c)) != kTokenMarks.npos;
  };
  const auto is_control = [](unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7F; };
  Headers headers;
  for (const std::string& text : texts) {
    const std::size_t colon = text.find(':');
    const std::string name = text.substr(0, colon);
    std::string value = colon == text.npos ? "" : text.substr(colon + 1);
    value.erase(0, value.find_first_not_of(" \t"));
    if (colon == text.npos || name.empty() || !std::all_of(name.begin(), name.end(), is_token) ||
        std::any_of(value.begin(), value.end(), is_control)) {
      refuse_option("--header", "it must be 'Name: value', such as 'Retry-After: 5'");
    }
    for (const char* own : {"content-length", "transfer-encoding", "connection"}) {
      if (equal_ignoring_case(name, own)) {
        refuse_option("--header", name + " belongs to the connection and cannot be set");
      }
    }
    headers.push_back({name, value});
  }
  return headers;
}

struct Arguments {
  std::string bind = "127.0.0.1:8081", status = "200", delay = "0s", max, body;
  std::vector<std::string> headers;
  bool unsafe_bind = false;
  SecretOptions secret;
};

void listen(const Context& context, const Arguments& arguments) {
  Plan plan;
  plan.bind = parse_bind(arguments.bind, arguments.unsafe_bind);
  plan.statuses = parse_statuses(arguments.status);
  plan.headers = parse_headers(arguments.headers);
  plan.body = arguments.body;
  plan.delay = parse_duration_option("--delay", arguments.delay);
  if (!arguments.max.empty()) {
    const auto max = number(arguments.max, 1, std::numeric_limits<std::int64_t>::max());
    if (!max) refuse_option("--max", "it must be a number of requests from 1 on");
    plan.max = *max;
  }
  plan.secret = arguments.secret.read();
  if (plan.secret && !webhook_secret_key(*plan.secret)) {
    refuse_option(
        "--secret",
        "it, or what --secret-file or POSTERN_WEBHOOK_SECRET gives, must be whsec_ and the "
        "base64 of 24 to 64 bytes");
  }
  plan.json = context.json;
  try {
    Receiver(std::move(plan)).run();
  } catch (const boost::system::system_error& error) {
    fail(fmt::format("cannot listen on {}: {}", arguments.bind, error.code().message()),
         context.json);
  }
}

}  // namespace

void add_listen(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("listen", "Receive webhooks here and show them");
  command->footer(kHelp);
  auto arguments = std::make_shared<Arguments>();
  command->add_option("--bind", arguments->bind, "where; port 0 takes a free one")
      ->capture_default_str();
  command->add_flag("--unsafe-bind", arguments->unsafe_bind,
                    "allow --bind to be an address that is not loopback");
  command->add_option("--status", arguments->status, "the statuses in turn; the last one repeats")
      ->capture_default_str();
  command
      ->add_option("--header", arguments->headers,
                   "one more header of each answer, 'Name: value'; may be repeated")
      ->allow_extra_args(false);
  command->add_option("--body", arguments->body, "the body of each answer");
  command->add_option("--delay", arguments->delay, "how long each answer waits")
      ->capture_default_str();
  command->add_option("--max", arguments->max, "exit after so many requests; never if absent");
  arguments->secret.add_to(*command);
  command->callback([&context, arguments] { listen(context, *arguments); });
}

}  // namespace postern::admin
