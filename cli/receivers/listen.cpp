// `postern listen`: a receiver on this machine that shows what arrives, and answers as it is told.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <memory>
#include <vector>

#include <boost/system/system_error.hpp>

#include "cli/command/commands.h"
#include "cli/command/ending.h"
#include "cli/receivers/receiver.h"
#include "cli/receivers/verify.h"

namespace postern::admin {
namespace {

constexpr char kHelp[] =
    R"(Receive webhooks on this machine and show them; every request is answered as the options say.
The address goes to standard error, what arrives to standard output.

  postern listen --secret-file secret       show each webhook, and whether its signature is right
  postern listen --status 500,500,200       fail twice, then succeed for ever
  postern listen --status 503 --header 'Retry-After: 5'
  postern listen --status 400 --header 'Postern-No-Retry: 1' --max 1 --json

The scheduler refuses to call loopback addresses unless its egress_allow names 127.0.0.0/8.)";

// A decimal number from `min` to `max`, and nothing around it.
std::optional<std::int64_t> number(std::string_view text, std::int64_t min, std::int64_t max) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (value < min || value > max) return std::nullopt;
  return value;
}

void parse_bind(const std::string& text, bool unsafe, ReceiverPlan& plan) {
  const std::size_t colon = std::min(text.rfind(':'), text.size());
  std::string host = text.substr(0, colon);
  if (host == "localhost") host = "127.0.0.1";
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const auto port = number(text.substr(std::min(colon + 1, text.size())), 0, 65'535);
  if (!is_ip_address(host) || !port) {
    refuse_option("--bind",
                  "it must be an IP address or localhost with a port, such as "
                  "127.0.0.1:8081; port 0 takes a free one");
  }
  if (!is_loopback(host) && !unsafe) {
    refuse_option("--bind",
                  "it must be a loopback address, since whoever can connect is answered; "
                  "--unsafe-bind allows it all the same");
  }
  plan.address = host;
  plan.port = static_cast<std::uint16_t>(*port);
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
  ReceiverPlan plan;
  parse_bind(arguments.bind, arguments.unsafe_bind, plan);
  plan.statuses = parse_statuses(arguments.status);
  plan.headers = parse_headers(arguments.headers);
  plan.body = arguments.body;
  plan.delay = duration_option("--delay", arguments.delay);
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
    receive(std::move(plan));
  } catch (const boost::system::system_error& error) {
    fail(fmt::format("cannot listen on {}: {}", arguments.bind, error.code().message()),
         context.json);
  }
}

}  // namespace

void add_listen(Command& app, Context& context) {
  Command command = app.add("listen", "Receive webhooks here and show them");
  command.footer(kHelp);
  auto arguments = std::make_shared<Arguments>();
  command.option("--bind", arguments->bind, "where; port 0 takes a free one").show_default();
  command.flag("--unsafe-bind", arguments->unsafe_bind,
               "allow --bind to be an address that is not loopback");
  command.option("--status", arguments->status, "the statuses in turn; the last one repeats")
      .show_default();
  command
      .option("--header", arguments->headers,
              "one more header of each answer, 'Name: value'; may be repeated")
      .one_value_each();
  command.option("--body", arguments->body, "the body of each answer");
  command.option("--delay", arguments->delay, "how long each answer waits").show_default();
  command.option("--max", arguments->max, "exit after so many requests; never if absent");
  arguments->secret.add_to(command);
  command.run([&context, arguments] { listen(context, *arguments); });
}

}  // namespace postern::admin
