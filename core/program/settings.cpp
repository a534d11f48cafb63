#include <arpa/inet.h>

#include "core/program/settings.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <stdexcept>
#include <string_view>

#include <fmt/format.h>

#include "core/base/cidr.h"
#include "core/base/url.h"
#include "core/model/cell.h"
#include "core/model/validation.h"

namespace postern {
namespace {

// `text` as a decimal integer; nullopt when it is anything else.
std::optional<std::int64_t> integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The readers of values: each writes one member of Settings and returns false when the value is
// not what the table expects.

template <auto member>
bool set_text(Settings& settings, const std::string& value) {
  settings.*member = value;
  return true;
}

template <auto member, int min, int max>
bool set_number(Settings& settings, const std::string& value) {
  const std::optional<std::int64_t> number = integer(value);
  if (!number || *number < min || *number > max) return false;
  settings.*member = static_cast<int>(*number);
  return true;
}

template <auto member, int min_seconds>
bool set_duration(Settings& settings, const std::string& value) {
  try {
    const Seconds duration = parse_setting_duration(value);
    if (duration < Seconds{min_seconds}) return false;
    settings.*member = duration;
    return true;
  } catch (const std::invalid_argument&) {
    return false;
  }
}

template <auto member>
bool set_switch(Settings& settings, const std::string& value) {
  if (value != "true" && value != "false") return false;
  settings.*member = value == "true";
  return true;
}

bool set_log_level(Settings& settings, const std::string& value) {
  settings.log_level = value;
  return value == "debug" || value == "info" || value == "warning" || value == "error";
}

bool set_auth(Settings& settings, const std::string& value) {
  settings.auth = value;
  return value == "nginx" || value == "none";
}

// The host of "IP:port", "[IPv6]:port" or "localhost:port", without brackets; nullopt otherwise.
std::optional<std::string> tcp_host(const std::string& value) {
  const std::size_t colon = value.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  const std::optional<std::int64_t> port = integer(std::string_view(value).substr(colon + 1));
  if (!port || *port < 1 || *port > 65'535) return std::nullopt;
  std::string host = value.substr(0, colon);
  std::array<unsigned char, 16> address;
  if (host == "localhost" || inet_pton(AF_INET, host.c_str(), address.data()) == 1) return host;
  if (!host.starts_with('[') || !host.ends_with(']')) return std::nullopt;
  host = host.substr(1, host.size() - 2);
  if (inet_pton(AF_INET6, host.c_str(), address.data()) == 1) return host;
  return std::nullopt;
}

bool is_loopback(const std::string& host) {
  std::array<unsigned char, 16> address;
  if (host == "localhost") return true;
  if (inet_pton(AF_INET, host.c_str(), address.data()) == 1) return address[0] == 127;
  std::array<unsigned char, 16> loopback{};
  loopback[15] = 1;
  return inet_pton(AF_INET6, host.c_str(), address.data()) == 1 && address == loopback;
}

bool set_listen(Settings& settings, const std::string& value) {
  constexpr std::size_t kMaxPath = 107;  // sockaddr_un's, less its final NUL
  settings.listen = value;
  if (value.empty()) return true;
  constexpr std::string_view kUnix = "unix:";
  if (value.starts_with(kUnix)) {
    return value.substr(kUnix.size()).starts_with('/') && value.size() - kUnix.size() <= kMaxPath;
  }
  return tcp_host(value).has_value();
}

bool set_public_url(Settings& settings, const std::string& value) {
  settings.public_url = value;
  while (settings.public_url.ends_with('/')) settings.public_url.pop_back();
  return value.empty() ||
         (parse_url(value, "public_url") && value.find_first_of("?#") == std::string::npos);
}

bool set_state_dir(Settings& settings, const std::string& value) {
  settings.state_dir = value;
  return value.empty() || value.starts_with('/');
}

bool set_cell(Settings& settings, const std::string& value) {
  settings.cell = value;
  return value.empty() || check_cell_label(value, "cell");
}

template <auto member, std::int64_t min, std::int64_t max>
bool set_bytes(Settings& settings, const std::string& value) {
  std::string_view digits = value;
  std::int64_t unit = 1;
  if (digits.ends_with('k')) unit = 1024;
  if (digits.ends_with('m')) unit = 1024 * 1024;
  if (unit > 1) digits.remove_suffix(1);
  const std::optional<std::int64_t> number = integer(digits);
  if (!number || *number < 1 || *number > max || *number * unit < min || *number * unit > max) {
    return false;
  }
  settings.*member = *number * unit;
  return true;
}

bool set_asyncjobs_queue(Settings& settings, const std::string& value) {
  settings.asyncjobs_queue = value;
  return value.empty() || check_queue_name(value, "asyncjobs_queue").has_value();
}

bool set_name(Settings& settings, const std::string& value) {
  settings.name = value;
  return value.empty() || check_key(value, "name").has_value();
}

// The parts of `value` between commas and spaces.
std::vector<std::string> parts_of(const std::string& value) {
  std::vector<std::string> parts;
  std::size_t at = 0;
  while ((at = value.find_first_not_of(", ", at)) != std::string::npos) {
    const std::size_t end = std::min(value.find_first_of(", ", at), value.size());
    parts.push_back(value.substr(at, end - at));
    at = end;
  }
  return parts;
}

bool set_operator_sources(Settings& settings, const std::string& value) {
  settings.operator_sources = parts_of(value);
  return std::ranges::all_of(settings.operator_sources, [](const auto& part) {
    return part == "key" || part == "token" || part == "header";
  });
}

bool set_egress_allow(Settings& settings, const std::string& value) {
  settings.egress_allow = parts_of(value);
  return std::ranges::all_of(settings.egress_allow,
                             [](const auto& part) { return parse_cidr(part).has_value(); });
}

bool set_egress_ports_allow(Settings& settings, const std::string& value) {
  settings.egress_ports_allow.clear();
  for (const auto& part : parts_of(value)) {
    const auto port = integer(part);
    if (!port || *port < 1 || *port > 65'535) return false;
    settings.egress_ports_allow.push_back(static_cast<int>(*port));
  }
  return true;
}

using S = Settings;
constexpr std::int64_t kMiB = 1024 * 1024;
constexpr char kSwitch[] = "true or false";
constexpr char kQuota[] = "a number from 0 to 1000000000";
constexpr int kMost = 1'000'000'000;
constexpr char kDuration[] = "a duration such as 30s, 5m, 1h30m or 7d";
constexpr char kDurationOver0[] = "a duration of at least 1 second such as 30s, 5m, 1h30m or 7d";

constexpr Setting kSettings[] = {
    {"database", Users::all, "CONNINFO", "a libpq connection string", "dbname=postern",
     "the PostgreSQL database, as a libpq connection string or URI", set_text<&S::database>},
    {"database_password_file", Users::all, "FILE", "a file's path", "",
     "the file with the password for PostgreSQL; empty: the credential database-password, if there "
     "is one",
     set_text<&S::database_password_file>},
    {"log_level", Users::all, "LEVEL", "debug, info, warning or error", "info",
     "the least severe kind of message that is logged", set_log_level},
    {"public_url", Users::all, "URL", "an http or https URL without query", "",
     "what stands in front of /v1 for clients and receivers, for links in answers and webhooks; "
     "empty: links are paths",
     set_public_url},
    {"cell", Users::all, "LABEL",
     "a label of 1 to 16 characters of a-z and 0-9, and not default, hostnames, include or "
     "volatile, which are words of nginx's maps",
     "", "the label of this cell, where there are several; new API keys carry it; empty: none",
     set_cell},
    {"state_dir", Users::all, "FOLDER", "an absolute path", "",
     "where the daemons keep which PostgreSQL is the primary, and the command finds it; empty: "
     "$STATE_DIRECTORY, else nowhere, and /var/lib/postern for the command",
     set_state_dir},

    {"prepared_statements", Users::daemons, nullptr, kSwitch, "true",
     "prepare statements on the server; off behind PgBouncer in transaction mode",
     set_switch<&S::prepared_statements>},
    {"unsafe_durability", Users::daemons, nullptr, kSwitch, "false",
     "start although the database is set to lose acknowledged tasks in a crash (fsync or "
     "synchronous_commit off)",
     set_switch<&S::unsafe_durability>},

    {"listen", Users::fcgi, "ADDRESS",
     "unix:/path, or an IP address or localhost with a port such as 127.0.0.1:9000", "",
     "where FastCGI requests come in; empty: the socket on file descriptor 0", set_listen},
    {"unsafe_bind", Users::fcgi, nullptr, kSwitch, "false",
     "allow listen to name an address that is not loopback, where anybody who can connect may "
     "claim any identity",
     set_switch<&S::unsafe_bind>},
    {"threads", Users::fcgi, "NUMBER", "a number from 1 to 1024", "64",
     "how many requests are answered at the same time", set_number<&S::threads, 1, 1024>},
    {"idle_exit", Users::fcgi, "DURATION", kDuration, "0",
     "exit after so long without a request, for the socket to start us again; 0: never",
     set_duration<&S::idle_exit, 0>},
    {"auth", Users::fcgi, "WHO", "nginx or none", "nginx",
     "who authenticates: nginx by auth_request, or none, where every request is an admin's",
     set_auth},
    {"operator_sources", Users::fcgi, "SOURCES",
     "some of key, token and header, with commas between", "key",
     "whose word makes an operator: API keys made as such on the host, the role of JSON Web "
     "Tokens, nginx's own maps and sign-on; empty: nobody's",
     set_operator_sources, true},
    {"auto_create_queues", Users::fcgi_and_command, nullptr, kSwitch, "true",
     "make a queue when its first task arrives", set_switch<&S::auto_create_queues>},
    {"allow_create_default", Users::fcgi_and_command, nullptr, kSwitch, "false",
     "let POST /v1/queues make a queue named DEFAULT", set_switch<&S::allow_create_default>},
    {"asyncjobs_queue", Users::fcgi, "NAME", "a queue's name", "",
     "the queue of asyncjobs's tasks that name none; empty: DEFAULT where allow_create_default is "
     "on, else such tasks are refused",
     set_asyncjobs_queue},
    {"asyncjobs_lists", Users::fcgi, "NUMBER", "a number from 1 to 64", "1",
     "how many lists of asyncjobs's a tenant may read at the same time",
     set_number<&S::asyncjobs_lists, 1, 64>},
    {"jwt_secret_file", Users::fcgi, "FILE", "a file's path", "",
     "secrets that JSON Web Tokens are checked with, one a line; empty: the unit's credential "
     "jwt-secrets, if it loads one; also POSTERN_JWT_SECRET and TASKMQ_JWT_SECRET in the "
     "environment",
     set_text<&S::jwt_secret_file>},
    {"jwt_keys_file", Users::fcgi_and_command, "FILE", "a file's path", "",
     "public keys that JSON Web Tokens signed with RS256 or ES256 are checked with: PEM, or a JSON "
     "Web Key Set",
     set_text<&S::jwt_keys_file>},
    {"jwt_audience", Users::fcgi, "TEXT", "a text", "",
     "what the aud of JSON Web Tokens must hold; empty: tokens with an aud are refused",
     set_text<&S::jwt_audience>},
    {"jwt_require_exp", Users::fcgi, nullptr, kSwitch, "true",
     "refuse JSON Web Tokens that never end", set_switch<&S::jwt_require_exp>},
    {"max_body", Users::fcgi_and_command, "BYTES", "1k to 64m: bytes, or a number with k or m",
     "512k", "the largest request body that is accepted, in bytes or with k or m",
     set_bytes<&S::max_body, 1024, 64 * kMiB>},
    {"max_bodies_in_flight", Users::fcgi, "BYTES", "1m to 65536m: bytes, or a number with k or m",
     "96m", "the bodies of all requests under way together, in bytes or with k or m",
     set_bytes<&S::max_bodies_in_flight, kMiB, 65'536 * kMiB>},
    {"idempotency_window", Users::fcgi_and_command, "DURATION", kDurationOver0, "10m",
     "how long an Idempotency-Key is remembered", set_duration<&S::idempotency_window, 1>},
    {"ready_needs_scheduler", Users::fcgi, nullptr, kSwitch, "false",
     "let /readyz answer 503 while no scheduler is heard of",
     set_switch<&S::ready_needs_scheduler>},
    {"pool_size", Users::fcgi, "NUMBER", "a number from 1 to 64", "8",
     "database connections for changes and for reads of one thing",
     set_number<&S::pool_size, 1, 64>},
    {"read_pool_size", Users::fcgi, "NUMBER", "a number from 1 to 64", "4",
     "database connections for lists, streams and counts", set_number<&S::read_pool_size, 1, 64>},
    {"vital_pool_size", Users::fcgi, "NUMBER", "a number from 1 to 64", "2",
     "database connections for authentication, creation and readiness, besides the two that "
     "insert tasks",
     set_number<&S::vital_pool_size, 1, 64>},
    {"quota_queues", Users::fcgi_and_command, "NUMBER", kQuota, "10000",
     "how many queues a tenant may have; 0: any number", set_number<&S::quota_queues, 0, kMost>},
    {"quota_endpoints", Users::fcgi_and_command, "NUMBER", kQuota, "20000",
     "how many endpoints a tenant may have; 0: any number",
     set_number<&S::quota_endpoints, 0, kMost>},
    {"quota_schedules", Users::fcgi_and_command, "NUMBER", kQuota, "20000",
     "how many schedules a tenant may have; 0: any number",
     set_number<&S::quota_schedules, 0, kMost>},
    {"quota_lanes", Users::fcgi_and_command, "NUMBER", kQuota, "20000",
     "to how many pairs of a queue and a host a tenant may have tasks ready; 0: any number",
     set_number<&S::quota_lanes, 0, kMost>},
    {"quota_waiting", Users::all, "NUMBER", kQuota, "20000000",
     "how many tasks of a tenant may wait; 0: any number", set_number<&S::quota_waiting, 0, kMost>},

    {"name", Users::scheduler, "NAME", "1 to 128 printable ASCII characters without space", "",
     "this scheduler's name in the instance table; empty: the host's name", set_name},
    {"slots", Users::scheduler, "NUMBER", "a number from 1 to 10000", "256",
     "how many webhooks that may be answered soon are in flight at most",
     set_number<&S::slots, 1, 10'000>},
    {"places", Users::scheduler, "NUMBER", "a number from 1 to 50000", "4096",
     "how many webhooks besides may wait for a slow answer", set_number<&S::places, 1, 50'000>},
    {"unsent_bodies", Users::scheduler, "BYTES", "1m to 65536m: bytes, or a number with k or m",
     "256m",
     "how many bytes of webhooks' bodies are held in memory until they are sent, in bytes or with "
     "k "
     "or m; a tenant has three quarters of them at most",
     set_bytes<&S::unsent_bodies, kMiB, 65'536 * kMiB>},
    {"egress_allow", Users::scheduler, "CIDRS",
     "networks such as 10.0.0.0/8 or fd00::/8, separated by commas", "",
     "private networks that webhooks may reach all the same, and ports of this host's own "
     "addresses besides 80 and 443",
     set_egress_allow, true},
    {"egress_ports_allow", Users::scheduler, "PORTS",
     "ports from 1 to 65535 such as 25 or 6443,8500, separated by commas", "",
     "ports that webhooks may go to although a mail server, a database or the like is usually "
     "behind them",
     set_egress_ports_allow, true},
    {"rescue_after", Users::scheduler, "DURATION", kDurationOver0, "1m",
     "tasks of a scheduler that has been silent for so long are given to others",
     set_duration<&S::rescue_after, 1>},
    {"drain_timeout", Users::scheduler, "DURATION", kDuration, "30s",
     "how long webhooks in flight may take to finish after SIGTERM",
     set_duration<&S::drain_timeout, 0>},
    {"retention_short", Users::scheduler, "DURATION", kDurationOver0, "1d",
     "how long finished tasks of the class short are kept", set_duration<&S::retention_short, 1>},
    {"retention_standard", Users::scheduler, "DURATION", kDurationOver0, "30d",
     "how long finished tasks of the class standard are kept",
     set_duration<&S::retention_standard, 1>},
    {"ca_file", Users::scheduler, "FILE", "a file's path", "",
     "certificate authorities (PEM) that webhooks' TLS certificates must come from; empty: the "
     "system's",
     set_text<&S::ca_file>},
};

}  // namespace

std::span<const Setting> all_settings() { return kSettings; }

std::optional<std::string> settings_conflict(const Settings& settings) {
  const std::optional<std::string> host = tcp_host(settings.listen);
  if (!host || is_loopback(*host) || settings.unsafe_bind) return std::nullopt;
  return fmt::format(
      "listen = \"{}\" is wrong: it must be a loopback address, since whoever can "
      "connect may claim any identity; --unsafe-bind allows it all the same.",
      settings.listen);
}

Seconds parse_setting_duration(const std::string& text) {
  struct Unit {
    char letter;
    std::int64_t seconds;
  };
  constexpr Unit kUnits[] = {{'d', 86'400}, {'h', 3600}, {'m', 60}, {'s', 1}};
  constexpr std::int64_t kMax = 36'600LL * 86'400;  // a hundred years
  const std::invalid_argument wrong(
      fmt::format("\"{}\" is not a duration; write 30s, 5m, 1h30m, 7d or a number of seconds, up "
                  "to a hundred years.",
                  text));

  if (const std::optional<std::int64_t> seconds = integer(text)) {
    if (*seconds < 0 || *seconds > kMax) throw wrong;
    return Seconds{*seconds};
  }
  // Numbers with units, the larger unit first, each unit once.
  std::int64_t total = 0;
  std::string_view rest = text;
  for (const Unit& unit : kUnits) {
    const std::size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
    if (digits == 0 || digits == rest.size() || rest[digits] != unit.letter) continue;
    const std::optional<std::int64_t> number = integer(rest.substr(0, digits));
    if (!number || *number > kMax) throw wrong;
    total += *number * unit.seconds;
    rest.remove_prefix(digits + 1);
  }
  if (text.empty() || !rest.empty() || total > kMax) throw wrong;
  return Seconds{total};
}

}  // namespace postern
