// Endpoints at the command line.
#include "db/catalog/endpoints.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/output.h"
#include "core/base/url.h"
#include "core/security/signing.h"

namespace postern::admin {
namespace {

constexpr Seconds kHealthWindow{3600};
constexpr int kMost = 1000;

struct Arguments {
  std::string tenant = "default", name, overlap = "24h";
  std::optional<std::string> url, method, timeout, period;
  std::optional<std::int64_t> max_in_flight, rate, burst;
  bool force = false;
};

// As it is written and shown: the catch-all has no name.
std::string shown(const std::string& name) { return name.empty() ? "*" : name; }

EndpointSettings settings_of(const Arguments& given) {
  EndpointSettings settings;
  settings.url = given.url;
  settings.method = given.method;
  if (given.timeout) settings.timeout.emplace(parse_setting_duration(*given.timeout));
  if (given.max_in_flight) {
    settings.max_in_flight.emplace();
    if (*given.max_in_flight > 0) *settings.max_in_flight = *given.max_in_flight;
  }
  if (given.rate) {
    settings.rate_limit.emplace();
    if (*given.rate > 0) {
      *settings.rate_limit =
          RateLimit{*given.rate, parse_setting_duration(given.period.value_or("1s")), given.burst};
    }
  }
  return settings;
}

void show_endpoint(db::PgConnection& connection, const Arguments& arguments,
                   const std::string& name, bool json) {
  const auto endpoint = db::get_endpoint(connection, arguments.tenant, name);
  if (!endpoint) fail(fmt::format("there is no endpoint {}", arguments.name), json);
  const auto health = db::endpoint_health(connection, arguments.tenant, name, kHealthWindow);
  print_record(
      {{"name", shown(endpoint->name)},
       {"url", endpoint->url},
       {"method", endpoint->method},
       {"paused", endpoint->paused ? "yes" : "no"},
       {"max in flight",
        endpoint->max_in_flight ? std::to_string(*endpoint->max_in_flight) : std::string()},
       {"rate", endpoint->rate_limit ? fmt::format("{} per {} s", endpoint->rate_limit->count,
                                                   endpoint->rate_limit->period.count())
                                     : std::string()},
       {"own secret", endpoint->own_secret ? "yes" : "no"},
       {"previous until", show(endpoint->previous_until)},
       {"attempts in the last hour", std::to_string(health.attempts)},
       {"failed", std::to_string(health.failed)},
       {"breaker", health.breaker}},
      json);
}

std::string name_of(const Arguments& arguments, bool json) {
  return require(endpoint_name(arguments.name, "name"), json);
}

void list(const Context& context, const Arguments& arguments) {
  auto connection = context.connect(false);
  std::vector<std::vector<std::string>> rows;
  for (const auto& endpoint :
       db::list_endpoints(connection, arguments.tenant, std::nullopt, kMost)) {
    rows.push_back(
        {shown(endpoint.name), endpoint.paused ? "paused" : "", endpoint.method, endpoint.url});
  }
  print_table({"name", "state", "method", "url"}, rows, context.json);
}

void add(const Context& context, const Arguments& arguments) {
  const auto name = name_of(arguments, context.json);
  auto settings = settings_of(arguments);
  require(check_endpoint(settings), context.json);
  settings.url = parse_url(*settings.url, "url")->canonical();
  auto connection = context.connect();
  switch (db::make_endpoint(connection, arguments.tenant, name, settings)) {
    case db::EndpointMade::yes: break;
    case db::EndpointMade::name_taken:
      fail(fmt::format("there is an endpoint {} already", arguments.name), context.json);
    case db::EndpointMade::no_tenant:
      fail(fmt::format("there is no tenant {}", arguments.tenant), context.json);
  }
  show_endpoint(connection, arguments, name, context.json);
}

void change(const Context& context, const Arguments& arguments, EndpointSettings settings) {
  const auto name = name_of(arguments, context.json);
  require(check_endpoint(settings), context.json);
  if (settings.url) settings.url = parse_url(*settings.url, "url")->canonical();
  auto connection = context.connect();
  if (!db::change_endpoint(connection, arguments.tenant, name, settings)) {
    fail(fmt::format("there is no endpoint {}", arguments.name), context.json);
  }
  show_endpoint(connection, arguments, name, context.json);
}

void rotate(const Context& context, const Arguments& arguments) {
  const auto name = name_of(arguments, context.json);
  auto connection = context.connect();
  const auto secret = make_webhook_secret();
  if (!db::rotate_endpoint_secret(connection, arguments.tenant, name, secret,
                                  parse_setting_duration(arguments.overlap), arguments.force)) {
    fail(fmt::format("there is no endpoint {}, or its last rotation's overlap still runs (--force "
                     "rotates all the same)",
                     arguments.name),
         context.json);
  }
  print_record({{"name", shown(name)}, {"secret", secret}}, context.json);
}

}  // namespace

void add_endpoint(CLI::App& app, Context& context) {
  auto* endpoint = app.add_subcommand("endpoint", "Endpoints: named targets of tasks");
  endpoint->require_subcommand(1);
  auto arguments = std::make_shared<Arguments>();
  const auto subcommand = [&](const char* name, const char* help, const char* example) {
    auto* command = endpoint->add_subcommand(name, help);
    command->add_option("--tenant", arguments->tenant, "whose")->capture_default_str();
    command->footer(fmt::format("Example: postern endpoint {}", example));
    return command;
  };
  const auto named = [&](const char* name, const char* help, const char* example) {
    auto* command = subcommand(name, help, example);
    command->add_option("name", arguments->name, "which; * is the catch-all")->required();
    return command;
  };
  const auto add_limits = [&](CLI::App* command) {
    command->add_option("--method", arguments->method, "POST unless said");
    command->add_option("--timeout", arguments->timeout, "of an attempt, such as 30s");
    command->add_option("--max-in-flight", arguments->max_in_flight, "at a time; 0: no limit");
    command->add_option("--rate", arguments->rate, "attempts in each period; 0: no limit");
    command->add_option("--period", arguments->period, "of the rate; 1s unless said");
    command->add_option("--burst", arguments->burst, "so many at once after a pause");
  };

  subcommand("list", "Show all endpoints", "list")->callback([&context, arguments] {
    list(context, *arguments);
  });
  named("get", "Show one, with its health", "get mail")->callback([&context, arguments] {
    auto connection = context.connect(false);
    show_endpoint(connection, *arguments, name_of(*arguments, context.json), context.json);
  });
  auto* make = named("add", "Make an endpoint", "add mail --url https://mail.example/hook");
  make->add_option("--url", arguments->url, "what is called")->required();
  add_limits(make);
  make->callback([&context, arguments] { add(context, *arguments); });
  auto* set = named("set", "Change what is said", "set mail --max-in-flight 5");
  set->add_option("--url", arguments->url, "what is called");
  add_limits(set);
  set->callback([&context, arguments] { change(context, *arguments, settings_of(*arguments)); });
  for (const bool paused : {true, false}) {
    named(paused ? "pause" : "resume", paused ? "Hold its tasks" : "Deliver again",
          paused ? "pause mail" : "resume mail")
        ->callback([&context, arguments, paused] {
          EndpointSettings settings;
          settings.paused = paused;
          change(context, *arguments, std::move(settings));
        });
  }
  auto* renew = named("rotate", "Make a new secret; the old one signs too for a while",
                      "rotate mail --overlap 24h");
  renew->add_option("--overlap", arguments->overlap, "how long both sign")->capture_default_str();
  renew->add_flag("--force", arguments->force, "even while an earlier overlap runs");
  renew->callback([&context, arguments] { rotate(context, *arguments); });
  named("delete", "Delete it; tasks that name it look for another", "delete mail")
      ->callback([&context, arguments] {
        auto connection = context.connect();
        if (!db::delete_endpoint(connection, arguments->tenant,
                                 name_of(*arguments, context.json))) {
          fail(fmt::format("there is no endpoint {}", arguments->name), context.json);
        }
        print_record({{"deleted", arguments->name}}, context.json);
      });
}

}  // namespace postern::admin
