// Queues at the command line.
#include <fmt/format.h>

#include <map>
#include <memory>

#include "cli/command/commands.h"
#include "cli/command/ending.h"
#include "cli/objects/client.h"
#include "cli/objects/fields.h"
#include "cli/output/confirm.h"
#include "cli/output/show.h"

namespace postern::admin {
namespace {

constexpr FieldOption kFields[] = {
    {"--max-concurrent", "max_concurrent", Kind::limit, "tasks under way; 0: no limit"},
    {"--max-entries", "max_entries", Kind::number, "live tasks; 0: no bound"},
    {"--discard-old", "discard_old", Kind::boolean, "true: a full queue drops its oldest"},
    {"--max-age", "max_age", Kind::go_duration, "how long a task may wait; 0: for ever"},
    {"--max-runtime", "max_runtime", Kind::go_duration, "of an attempt; 0: no limit"},
    {"--max-tries", "max_tries", Kind::limit, "a cap on a task's attempts; 0: none"},
    {"--max-retries", "max_retries", Kind::number, "of tasks that do not say"},
    {"--retry-policy", "retry_policy", Kind::text_or_json, "of tasks that do not say"},
    {"--timeout", "timeout_seconds", Kind::seconds, "of tasks that do not say"},
    {"--endpoint", "endpoint", Kind::nullable, "default target; empty: none"},
    {"--keep-completed", "retention.completed", Kind::text, "short or standard"},
    {"--keep-failed", "retention.failed", Kind::text, "short or standard"},
    {"--keep-cancelled", "retention.cancelled", Kind::text, "short or standard"},
};

constexpr Column kColumns[] = {
    {"name", "name", 0, 12},
    {"paused", "paused", 1},
    {"ready", "stats.depth.ready", 2},
    {"delayed", "stats.depth.delayed", 2},
    {"active", "stats.depth.active", 2},
    {"completed", "stats.finished.completed", 3},
    {"failed", "stats.finished.failed", 2},
    {"concurrent", "max_concurrent", 4},
    {"rate", "rate_limit", 5},
};

struct Arguments {
  std::optional<std::string> tenant;
  std::string name;
  FieldOptions fields{kFields};
  RateOptions rate;
  bool all = false, dry_run = false, force = false;
};

ApiRequest to_queue(const char* method, const Arguments& arguments, const char* verb = nullptr) {
  ApiRequest request{method, {"queues", path_name(arguments.name)}};
  if (verb != nullptr) request.path.emplace_back(verb);
  return request;
}

// People are shown what is in the queues too, which the API counts elsewhere.
void list(const Context& context, const Arguments& arguments) {
  Client client(context, arguments.tenant, Client::Purpose::look);
  ApiRequest request{"GET", {"queues"}};
  if (arguments.all) request.query.emplace_back("all", "true");
  const auto answer = client.ask(request);
  const auto queues = JsonObject(answer).elements("queues");
  std::vector<std::string> objects(queues.begin(), queues.end());
  bool engine_paused = false;
  if (!context.json) {
    const auto numbers = client.ask({"GET", {"stats"}});
    engine_paused = JsonObject(numbers).is_true("paused");
    std::map<std::string, std::string_view> stats;
    for (const auto each : JsonObject(numbers).elements("queues")) {
      stats.emplace(JsonObject(each).text("name"), each);
    }
    for (auto& object : objects) {
      const auto of_queue = stats.find(JsonObject(object).text("name"));
      if (of_queue == stats.end()) continue;
      object.insert(object.rfind('}'), fmt::format(",\"stats\":{}", of_queue->second));
    }
  }
  print_objects(objects, kColumns, context);
  if (engine_paused) say(context, kEnginePaused);
}

void make(const Context& context, const Arguments& arguments) {
  JsonWriter body;
  body.begin_object().member("name", arguments.name);
  arguments.fields.write(body);
  arguments.rate.write(body, "");
  body.end_object();
  Client client(context, arguments.tenant);
  print_object(client.ask({"POST", {"queues"}, {}, body.take()}, arguments.fields.flags()),
               context);
}

void change(const Context& context, const Arguments& arguments) {
  if (!arguments.fields.any() && !arguments.rate.given()) {
    throw UsageError("say what is to change: --help shows the options");
  }
  Client client(context, arguments.tenant);
  const auto there = arguments.rate.given() ? client.ask(to_queue("GET", arguments)) : "";
  JsonWriter body;
  body.begin_object();
  arguments.fields.write(body);
  arguments.rate.write(body, JsonObject(there).raw("rate_limit"));
  body.end_object();
  ApiRequest request = to_queue("PATCH", arguments);
  request.body = body.take();
  print_object(client.ask(request, arguments.fields.flags()), context);
}

std::string count_of(Client& client, const Arguments& arguments) {
  JsonWriter body;
  body.begin_object().key("filter").begin_object().member("queue", arguments.name).end_object();
  body.member("dry_run", true).end_object();
  return client.ask({"POST", {"tasks", "cancel"}, {}, body.take()});
}

// Again as long as the API says that it did not come to the end.
void until_done(Client& client, const ApiRequest& request) {
  for (;;) {
    const auto answer = client.try_ask(request);
    if (answer.good()) return;
    if (JsonObject(answer.body).text("error.details.reason") != "purge_incomplete") {
      client.refuse(answer);
    }
  }
}

void purge(const Context& context, const Arguments& arguments) {
  Client client(context, arguments.tenant);
  client.ask(to_queue("GET", arguments));
  if (arguments.dry_run) {
    const auto count = count_of(client, arguments);
    if (context.json) return print_object(count, context);
    return fmt::print("{} would be cancelled\n", counted_tasks(count));
  }
  if (asks_first(context)) {
    confirm(fmt::format("{} of the queue {} will be cancelled.",
                        counted_tasks(count_of(client, arguments)), arguments.name));
  }
  until_done(client, to_queue("POST", arguments, "purge"));
  say(context, fmt::format("{}: purged", arguments.name));
}

void remove(const Context& context, const Arguments& arguments) {
  Client client(context, arguments.tenant);
  ApiRequest request = to_queue("DELETE", arguments);
  if (arguments.force) {
    request.query.emplace_back("force", "true");
    client.ask(to_queue("GET", arguments));
    if (asks_first(context)) {
      confirm(fmt::format("{} of the queue {} will be cancelled, and it will be deleted.",
                          counted_tasks(count_of(client, arguments)), arguments.name));
    }
  }
  until_done(client, request);
  say(context, fmt::format("{}: deleted", arguments.name));
}

}  // namespace

void add_queue(Command& app, Context& context) {
  auto arguments = std::make_shared<Arguments>();
  Noun queue(app, "queue", "Queues: limits, pauses, what is in them", arguments->tenant);
  const auto named = [&](const char* name, const char* help, const char* example) {
    Command command = queue.verb(name, help, example);
    command.option("name", arguments->name, "which").required();
    return command;
  };
  const auto shows = [&context, arguments](const char* verb) {
    return [&context, arguments, verb] {
      Client client(context, arguments->tenant, Client::Purpose::look);
      print_object(client.ask(to_queue("GET", *arguments, verb)), context);
    };
  };

  Command every = queue.verb("list", "Show all queues", "list");
  every.flag("--all", arguments->all, "those of the APIs that know none, too");
  every.run([&context, arguments] { list(context, *arguments); });
  named("get", "Show one queue's settings", "get emails").run(shows(nullptr));
  named("stats", "Show what is in it, and what happened", "stats emails").run(shows("stats"));
  Command add = named("add", "Make a queue", "add emails --max-concurrent 20 --rate 50");
  arguments->fields.add_to(add);
  arguments->rate.add_to(add);
  add.run([&context, arguments] { make(context, *arguments); });
  Command set = named("set", "Change what is said", "set emails --rate 100 --period 1m");
  arguments->fields.add_to(set);
  arguments->rate.add_to(set);
  set.run([&context, arguments] { change(context, *arguments); });
  for (const auto& [verb, help] :
       {std::pair{"pause", "Deliver nothing from it"}, std::pair{"resume", "Deliver again"}}) {
    named(verb, help, fmt::format("{} emails", verb).c_str())
        .run([&context, arguments, verb = verb] {
          Client client(context, arguments->tenant);
          print_object(client.ask(to_queue("POST", *arguments, verb)), context);
        });
  }
  Command empty = named("purge", "Cancel what waits in it", "purge emails --dry-run");
  empty.flag("--dry-run", arguments->dry_run, "only say how many tasks wait");
  empty.run([&context, arguments] { purge(context, *arguments); });
  Command end = named("delete", "Delete it", "delete emails --force");
  end.flag("--force", arguments->force, "with what waits in it, which is cancelled");
  end.run([&context, arguments] { remove(context, *arguments); });
}

}  // namespace postern::admin
