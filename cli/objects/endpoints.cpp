// Endpoints at the command line.
#include <fmt/format.h>

#include <limits>
#include <memory>

#include "cli/command/commands.h"
#include "cli/command/ending.h"
#include "cli/objects/client.h"
#include "cli/objects/fields.h"
#include "cli/objects/tasks.h"
#include "cli/output/show.h"
#include "core/base/text.h"

namespace postern::admin {
namespace {

constexpr std::size_t kPage = 100;

constexpr FieldOption kFields[] = {
    {"--webhook-url", "url", Kind::text, "what is called"},
    {"--method", "method", Kind::text, "POST unless said"},
    {"--header", "headers", Kind::headers, "\"Name: value\"; may be given several times"},
    {"--timeout", "timeout_seconds", Kind::seconds, "of an attempt, such as 30s"},
    {"--max-in-flight", "max_in_flight", Kind::limit, "at a time; 0: no limit"},
};

constexpr FieldOption kTest[] = {
    {"--queue", "queue", Kind::text, "of the task; endpoint-tests unless said"},
    {"--payload", "payload", Kind::json, "a JSON object; {\"test\":true} unless said"},
};

constexpr Column kColumns[] = {
    {"name", "name", 0, 12},           {"paused", "paused", 1},           {"url", "url", 1, 24},
    {"method", "method", 3},           {"in flight", "max_in_flight", 4}, {"rate", "rate_limit", 5},
    {"timeout", "timeout_seconds", 6},
};

struct Arguments {
  std::optional<std::string> tenant, since, until, secret_file;
  std::string name;
  FieldOptions fields{kFields}, test{kTest};
  RateOptions rate;
  bool force = false, watch = false, drop_secret = false, drop_headers = false;
};

ApiRequest to_endpoint(const char* method, const Arguments& arguments, const char* verb = nullptr) {
  ApiRequest request{method, {"endpoints", path_name(arguments.name)}};
  if (verb != nullptr) request.path.emplace_back(verb);
  return request;
}

std::string recover_flag(std::string_view field) {
  return field == "since" || field == "until" ? fmt::format("--{}", field) : "";
}

void list(const Context& context, const Arguments& arguments) {
  Client client(context, arguments.tenant, Client::Purpose::look);
  auto found =
      client.list({"GET", {"endpoints"}}, "endpoints", std::numeric_limits<int>::max(), kPage);
  if (!context.json) {
    // The catch-all as it is spelled in paths.
    for (auto& each : found.objects) {
      if (JsonObject(each).raw("name") == "\"\"") each.replace(each.find("\"\""), 2, "\"*\"");
    }
  }
  print_objects(found.objects, kColumns, context);
}

void write_secret(JsonWriter& out, const Arguments& arguments) {
  if (!arguments.secret_file) return;
  out.member("secret", trimmed(content_of("--secret-file", *arguments.secret_file)));
}

FlagOf flags_of(const Arguments& arguments) {
  return [&arguments](std::string_view field) {
    return field == "secret" ? "--secret-file" : arguments.fields.flag_of(field);
  };
}

void make(const Context& context, const Arguments& arguments) {
  if (context.url_said) arguments.fields.want_target();
  JsonWriter body;
  body.begin_object().member("name", arguments.name);
  arguments.fields.write(body);
  arguments.rate.write(body, "");
  write_secret(body, arguments);
  body.end_object();
  Client client(context, arguments.tenant);
  print_object(client.ask({"POST", {"endpoints"}, {}, body.take()}, flags_of(arguments)), context);
}

void change(const Context& context, const Arguments& arguments) {
  if (!arguments.fields.any() && !arguments.rate.given() && !arguments.drop_secret &&
      !arguments.drop_headers) {
    throw UsageError("say what is to change: --help shows the options");
  }
  Client client(context, arguments.tenant);
  const auto there = arguments.rate.given() ? client.ask(to_endpoint("GET", arguments)) : "";
  JsonWriter body;
  body.begin_object();
  arguments.fields.write(body);
  arguments.rate.write(body, JsonObject(there).raw("rate_limit"));
  if (arguments.drop_secret) body.key("secret").null();
  if (arguments.drop_headers) body.key("headers").null();
  body.end_object();
  ApiRequest request = to_endpoint("PATCH", arguments);
  request.body = body.take();
  print_object(client.ask(request, flags_of(arguments)), context);
}

void test(const Context& context, const Arguments& arguments) {
  JsonWriter body;
  body.begin_object();
  arguments.test.write(body);
  body.end_object();
  ApiRequest request = to_endpoint("POST", arguments, "test");
  request.body = body.take();
  Client client(context, arguments.tenant);
  const auto task = client.ask(request, arguments.test.flags());
  if (!arguments.watch) return print_task(task, context);
  watch_task(client, JsonObject(task).text("id"), context);
}

void recover(const Context& context, const Arguments& arguments) {
  JsonWriter body;
  body.begin_object();
  if (arguments.since) body.member("since", time_of(*arguments.since, Side::before));
  if (arguments.until) body.member("until", time_of(*arguments.until, Side::before));
  body.end_object();
  ApiRequest request = to_endpoint("POST", arguments, "recover");
  request.body = body.take();
  Client client(context, arguments.tenant);
  std::int64_t count = 0;
  // What is retried and fails again is there again.
  constexpr int kMostRounds = 1'000;  // of 5,000 tasks each
  int rounds = 0;
  for (bool more = true; more && rounds < kMostRounds; ++rounds) {
    const auto answer = client.ask(request, recover_flag);
    const JsonObject step(answer);
    count += static_cast<std::int64_t>(step.number("count"));
    more = step.is_true("more");
  }
  if (context.json) return fmt::print("{{\"count\":{}}}\n", count);
  fmt::print("{} {} retried\n", count, count == 1 ? "task" : "tasks");
}

void rotate(const Context& context, const Arguments& arguments) {
  JsonWriter body;
  body.begin_object();
  write_secret(body, arguments);
  body.end_object();
  ApiRequest request = to_endpoint("POST", arguments, "rotate");
  if (arguments.force) request.query.emplace_back("force", "true");
  request.body = body.take();
  Client client(context, arguments.tenant);
  print_object(client.ask(request, flags_of(arguments)), context);
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

  endpoint.verb("list", "Show all endpoints", "list").run([&context, arguments] {
    list(context, *arguments);
  });
  named("get", "Show one, with its health", "get mail").run([&context, arguments] {
    Client client(context, arguments->tenant, Client::Purpose::look);
    print_object(client.ask(to_endpoint("GET", *arguments)), context);
  });
  Command add =
      named("add", "Make an endpoint", "add mail --webhook-url https://mail.example/hook");
  arguments->fields.add_to(add);
  arguments->rate.add_to(add);
  add.option("--secret-file", arguments->secret_file, "with a secret of its own; - is stdin");
  add.run([&context, arguments] { make(context, *arguments); });
  Command set = named("set", "Change what is said", "set mail --max-in-flight 5");
  arguments->fields.add_to(set);
  arguments->rate.add_to(set);
  set.flag("--drop-headers", arguments->drop_headers, "it has no headers");
  set.flag("--drop-secret", arguments->drop_secret, "the tenant's secret signs again, at once");
  set.run([&context, arguments] { change(context, *arguments); });
  for (const auto& [verb, help] :
       {std::pair{"pause", "Hold its tasks"}, std::pair{"resume", "Deliver again"}}) {
    named(verb, help, fmt::format("{} mail", verb).c_str()).run([&context, arguments, verb = verb] {
      Client client(context, arguments->tenant);
      print_object(client.ask(to_endpoint("POST", *arguments, verb)), context);
    });
  }
  Command try_it = named("test", "Make a task that goes there now", "test mail --watch");
  arguments->test.add_to(try_it);
  try_it.flag("--watch", arguments->watch, "wait for its end, as `task watch`");
  try_it.run([&context, arguments] { test(context, *arguments); });
  Command again = named("recover", "Retry what failed there", "recover mail --since 2h");
  again.option("--since", arguments->since, "ended since: RFC 3339, or 2h back from now")
      .required();
  again.option("--until", arguments->until, "ended before, likewise");
  again.run([&context, arguments] { recover(context, *arguments); });
  Command renew =
      named("rotate", "Make a new secret; the old one signs too for 24 hours", "rotate mail");
  renew.option("--secret-file", arguments->secret_file, "with the new secret; - is stdin");
  renew.flag("--force", arguments->force, "even while an earlier overlap runs");
  renew.run([&context, arguments] { rotate(context, *arguments); });
  named("delete", "Delete it; tasks that name it look for another", "delete mail")
      .run([&context, arguments] {
        Client client(context, arguments->tenant);
        client.ask(to_endpoint("DELETE", *arguments));
        say(context, fmt::format("{}: deleted", arguments->name));
      });
}

}  // namespace postern::admin
