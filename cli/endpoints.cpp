// Endpoints at the command line.
#include "db/catalog/endpoints.h"

#include <fmt/format.h>

#include <memory>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/record.h"
#include "core/base/url.h"
#include "core/security/signing.h"
#include "core/wire/endpoint_json.h"

namespace postern::admin {
namespace {

constexpr int kMost = 1000;

constexpr std::string_view kColumns[] = {wire::endpoint_field::kName, wire::endpoint_field::kPaused,
                                         wire::endpoint_field::kMethod, wire::endpoint_field::kUrl};

struct Arguments {
  std::string tenant = "default", name, overlap = "24h";
  std::optional<std::string> url, method, timeout, period;
  std::optional<std::int64_t> max_in_flight, rate, burst;
  bool force = false;
};

// People are shown "*" for the catch-all, whose name is empty, as it is spelled in paths.
Record record_of(const Endpoint& endpoint) {
  return Record()
      .add(wire::endpoint_fields(), endpoint)
      .show(wire::endpoint_field::kName, endpoint_path_name(endpoint.name));
}

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

Endpoint existing(db::PgConnection& connection, const Arguments& arguments, const std::string& name,
                  bool json) {
  auto endpoint = db::get_endpoint(connection, arguments.tenant, name);
  if (!endpoint) fail(fmt::format("there is no endpoint {}", arguments.name), json);
  return std::move(*endpoint);
}

void show_endpoint(db::PgConnection& connection, const Arguments& arguments,
                   const std::string& name, bool json) {
  const auto endpoint = existing(connection, arguments, name, json);
  const auto seen = db::endpoint_health(connection, arguments.tenant, name, kHealthWindow);
  const auto health = health_report(seen.attempts, seen.failed, seen.durations, seen.breaker);
  print(record_of(endpoint).add(wire::endpoint_field::kHealth, wire::health_fields(), health),
        json);
}

std::string name_of(const Arguments& arguments, bool json) {
  return require(endpoint_name(arguments.name, "name"), json);
}

void list(const Context& context, const Arguments& arguments) {
  auto connection = context.connect(false);
  std::vector<Record> records;
  for (const auto& endpoint :
       db::list_endpoints(connection, arguments.tenant, std::nullopt, kMost)) {
    records.push_back(record_of(endpoint));
  }
  print(records, kColumns, context.json);
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
  print(record_of(existing(connection, arguments, name, context.json))
            .add_text(wire::endpoint_field::kSecret, secret),
        context.json);
}

}  // namespace

void add_endpoint(Command& app, Context& context) {
  auto arguments = std::make_shared<Arguments>();
  Noun endpoint(app, "endpoint", "Endpoints: named targets of tasks", arguments->tenant);
  const auto named = [&](const char* name, const char* help, const char* example) {
    Command command = endpoint.verb(name, help, example);
    command.option("name", arguments->name, "which; * is the catch-all").required();
    return command;
  };
  const auto add_limits = [&](Command command) {
    command.option("--method", arguments->method, "POST unless said");
    command.option("--timeout", arguments->timeout, "of an attempt, such as 30s");
    command.option("--max-in-flight", arguments->max_in_flight, "at a time; 0: no limit");
    command.option("--rate", arguments->rate, "attempts in each period; 0: no limit");
    command.option("--period", arguments->period, "of the rate; 1s unless said");
    command.option("--burst", arguments->burst, "so many at once after a pause");
  };

  endpoint.verb("list", "Show all endpoints", "list").run([&context, arguments] {
    list(context, *arguments);
  });
  named("get", "Show one, with its health", "get mail").run([&context, arguments] {
    auto connection = context.connect(false);
    show_endpoint(connection, *arguments, name_of(*arguments, context.json), context.json);
  });
  Command make = named("add", "Make an endpoint", "add mail --url https://mail.example/hook");
  make.option("--url", arguments->url, "what is called").required();
  add_limits(make);
  make.run([&context, arguments] { add(context, *arguments); });
  Command set = named("set", "Change what is said", "set mail --max-in-flight 5");
  set.option("--url", arguments->url, "what is called");
  add_limits(set);
  set.run([&context, arguments] { change(context, *arguments, settings_of(*arguments)); });
  for (const bool paused : {true, false}) {
    named(paused ? "pause" : "resume", paused ? "Hold its tasks" : "Deliver again",
          paused ? "pause mail" : "resume mail")
        .run([&context, arguments, paused] {
          EndpointSettings settings;
          settings.paused = paused;
          change(context, *arguments, std::move(settings));
        });
  }
  Command renew = named("rotate", "Make a new secret; the old one signs too for a while",
                        "rotate mail --overlap 24h");
  renew.option("--overlap", arguments->overlap, "how long both sign").show_default();
  renew.flag("--force", arguments->force, "even while an earlier overlap runs");
  renew.run([&context, arguments] { rotate(context, *arguments); });
  named("delete", "Delete it; tasks that name it look for another", "delete mail")
      .run([&context, arguments] {
        auto connection = context.connect();
        if (!db::delete_endpoint(connection, arguments->tenant,
                                 name_of(*arguments, context.json))) {
          fail(fmt::format("there is no endpoint {}", arguments->name), context.json);
        }
        print_record({{"deleted", arguments->name}}, context.json);
      });
}

}  // namespace postern::admin
