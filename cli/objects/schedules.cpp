// Schedules at the command line.
#include <fmt/format.h>

#include <limits>
#include <memory>

#include "cli/command/commands.h"
#include "cli/command/ending.h"
#include "cli/objects/client.h"
#include "cli/objects/fields.h"
#include "cli/objects/task_options.h"
#include "cli/output/show.h"
#include "core/model/schedule_times.h"
#include "core/program/clock.h"
#include "core/wire/schedule_json.h"

namespace postern::admin {
namespace {

constexpr std::size_t kPage = 100;

constexpr FieldOption kCron{"--cron", "schedule", Kind::text, "five fields, @daily, @every 5m"};
constexpr FieldOption kEvery{"--every", "interval_seconds", Kind::seconds,
                             "an interval instead, such as 90s"};
constexpr FieldOption kTimezone{"--timezone", "timezone", Kind::text,
                                "an IANA name; UTC unless said"};
constexpr FieldOption kStartsAt{"--starts-at", "starts_at", Kind::time,
                                "occurrences from then on: RFC 3339, or 1h from now"};
constexpr FieldOption kEndsAt{"--ends-at", "ends_at", Kind::time,
                              "occurrences before that, likewise"};

constexpr FieldOption kFields[] = {
    kCron,
    kEvery,
    kTimezone,
    {"--queue", "queue", Kind::text, "of its tasks"},
    task_option::kWebhookUrl,
    task_option::kEndpoint,
    task_option::kMethod,
    task_option::kHeader,
    task_option::kPayload,
    task_option::kBody,
    task_option::kContentType,
    task_option::kPriority,
    task_option::kMaxRetries,
    task_option::kRetryPolicy,
    task_option::kTimeout,
    task_option::kTag,
    task_option::kOrderingKey,
    {"--on-complete", "on_complete_url", Kind::text, "a URL, called when a task is completed"},
    {"--on-failure", "on_failure_url", Kind::text, "a URL, called when a task has failed"},
    {"--deadline-offset", "deadline_offset", Kind::go_duration,
     "a task's deadline, from its time on"},
    {"--misfire", "misfire", Kind::text, "late occurrences: skip, last or all"},
    {"--misfire-window", "misfire_window_seconds", Kind::seconds, "how late `last` may be"},
    {"--misfire-limit", "misfire_limit", Kind::number, "how many `all` are"},
    {"--overlap", "overlap", Kind::text, "allow, or skip while the run before is live"},
    kStartsAt,
    kEndsAt,
    {"--jitter", "jitter_seconds", Kind::seconds, "a task starts up to so much later"},
};

// Those of them that say when.
constexpr FieldOption kTimes[] = {kCron, kEvery, kTimezone, kStartsAt, kEndsAt};

constexpr Column kColumns[] = {
    {"name", "name", 0, 12},
    {"paused", "paused", 1},
    {"schedule", "schedule", 2, 10},
    {"timezone", "timezone", 4, 10},
    {"next", "next_at", 1},
    {"queue", "queue", 3, 8},
    {"target", "endpoint|webhook_url|task_type", 5, 20},
};
constexpr Column kRunColumns[] = {{"time", "nominal_time", 0},
                                  {"fired", "fired_at", 1},
                                  {"task", "task_id", 0},
                                  {"skipped", "skipped", 0}};

struct Arguments {
  std::optional<std::string> tenant, cron, timezone, queue, count;
  std::string name;
  FieldOptions fields{kFields}, times{kTimes};
  bool paused = false;
};

ApiRequest to_schedule(const char* method, const Arguments& arguments, const char* verb = nullptr) {
  ApiRequest request{method, {"schedules", path_name(arguments.name)}};
  if (verb != nullptr) request.path.emplace_back(verb);
  return request;
}

std::string list_flag(std::string_view field) {
  if (field == "n" || field == "limit") return "--count";
  return field == "queue" ? "--queue" : "";
}

void list(const Context& context, const Arguments& arguments) {
  Client client(context, arguments.tenant, Client::Purpose::look);
  ApiRequest request{"GET", {"schedules"}};
  if (arguments.queue) request.query.emplace_back("queue", *arguments.queue);
  const auto found =
      client.list(request, "schedules", std::numeric_limits<int>::max(), kPage, list_flag);
  print_objects(found.objects, kColumns, context);
}

void show_times(std::string_view json, const Context& context) {
  if (context.json) return print_object(json, context);
  for (const auto time : JsonObject(json).elements("next")) {
    fmt::print("{}\n", shown_value("next_at", time));
  }
}

std::int64_t count_of(const Arguments& arguments, std::int64_t most) {
  const auto count = arguments.count ? number_of("--count", *arguments.count) : 10;
  if (count < 1 || count > most) {
    refuse_option("--count", fmt::format("it must be 1 to {}", most));
  }
  return count;
}

// The next times of an expression that no schedule has yet, for which the API is not asked.
std::string times_of_expression(const Arguments& arguments) {
  const Time now = wall_clock();
  Schedule schedule;
  schedule.created_at = now;
  const auto spec = CronSpec::parse(*arguments.cron, arguments.timezone.value_or("UTC"), "--cron");
  if (!spec) throw UsageError(spec.error().message);
  JsonWriter out;
  wire::write_next(
      out, occurrences_after(*spec, schedule, now, static_cast<int>(count_of(arguments, 100))));
  return out.take();
}

void next(const Context& context, const Arguments& arguments) {
  if (arguments.cron.has_value() != arguments.name.empty()) {
    throw UsageError("give the name of a schedule, or --cron");
  }
  if (arguments.cron) return show_times(times_of_expression(arguments), context);
  if (arguments.timezone) refuse_option("--timezone", "it goes with --cron");
  ApiRequest request = to_schedule("GET", arguments, "next");
  request.query.emplace_back("n", std::to_string(count_of(arguments, 100)));
  Client client(context, arguments.tenant, Client::Purpose::look);
  show_times(client.ask(request, list_flag), context);
}

// The same of a schedule that is not made, as the API says it.
void preview(const Context& context, const Arguments& arguments) {
  JsonWriter body;
  body.begin_object();
  arguments.times.write(body);
  body.member("count", count_of(arguments, 100)).end_object();
  Client client(context, arguments.tenant, Client::Purpose::look);
  show_times(client.ask({"POST", {"schedules", "preview"}, {}, body.take()},
                        [&](std::string_view field) {
                          return field == "count" ? "--count" : arguments.times.flag_of(field);
                        }),
             context);
}

void runs(const Context& context, const Arguments& arguments) {
  const auto count = static_cast<std::size_t>(count_of(arguments, 100'000));
  Client client(context, arguments.tenant, Client::Purpose::look);
  const auto found =
      client.list(to_schedule("GET", arguments, "runs"), "runs", count, kPage, list_flag);
  print_objects(found.objects, kRunColumns, context);
}

void add(const Context& context, const Arguments& arguments) {
  if (context.url_said) arguments.fields.want_target();
  JsonWriter body;
  body.begin_object().member("name", arguments.name);
  arguments.fields.write(body);
  if (arguments.paused) body.member("paused", true);
  body.end_object();
  Client client(context, arguments.tenant);
  print_object(client.ask({"POST", {"schedules"}, {}, body.take()}, arguments.fields.flags()),
               context);
}

void change(const Context& context, const Arguments& arguments) {
  if (!arguments.fields.any()) {
    throw UsageError("say what is to change: --help shows the options");
  }
  JsonWriter body;
  body.begin_object();
  arguments.fields.write(body);
  body.end_object();
  ApiRequest request = to_schedule("PATCH", arguments);
  request.body = body.take();
  Client client(context, arguments.tenant);
  print_object(client.ask(request, arguments.fields.flags()), context);
}

}  // namespace

void add_schedule(Command& app, Context& context) {
  auto arguments = std::make_shared<Arguments>();
  Noun schedule(app, "schedule", "Schedules: tasks by cron or interval", arguments->tenant);
  const auto named = [&](const char* name, const char* help, const char* example) {
    Command command = schedule.verb(name, help, example);
    command.option("name", arguments->name, "which").required();
    return command;
  };

  Command every = schedule.verb("list", "Show all schedules", "list --queue jobs");
  every.option("--queue", arguments->queue, "only those whose tasks go there");
  every.run([&context, arguments] { list(context, *arguments); });
  named("get", "Show one schedule", "get nightly").run([&context, arguments] {
    Client client(context, arguments->tenant, Client::Purpose::look);
    print_object(client.ask(to_schedule("GET", *arguments)), context);
  });
  Command make =
      named("add", "Make a schedule",
            "add nightly --cron '30 2 * * *' --timezone Europe/Berlin --queue jobs --webhook-url "
            "https://app.example/nightly");
  arguments->fields.add_to(make);
  make.flag("--paused", arguments->paused, "it fires when it is resumed");
  make.run([&context, arguments] { add(context, *arguments); });
  Command set = named("set", "Change what is said", "set nightly --cron '0 3 * * *'");
  arguments->fields.add_to(set);
  set.run([&context, arguments] { change(context, *arguments); });
  for (const auto& [verb, help] :
       {std::pair{"pause", "Fire no more"}, std::pair{"resume", "Go on from now"},
        std::pair{"trigger", "Make one task now, paused or not"}}) {
    named(verb, help, fmt::format("{} nightly", verb).c_str())
        .run([&context, arguments, verb = verb] {
          Client client(context, arguments->tenant);
          print_object(client.ask(to_schedule("POST", *arguments, verb)), context);
        });
  }
  named("delete", "Delete it; the tasks it made stay", "delete nightly").run([&context, arguments] {
    Client client(context, arguments->tenant);
    client.ask(to_schedule("DELETE", *arguments));
    say(context, fmt::format("{}: deleted", arguments->name));
  });
  Command times = schedule.verb("next", "Show when it fires next; or when an expression would",
                                "next --cron '0 8 * * mon-fri' --timezone Europe/Berlin --count 5");
  times.option("name", arguments->name, "a schedule that is there");
  times.option("--cron", arguments->cron, "an expression, without any schedule");
  times.option("--timezone", arguments->timezone, "for --cron; UTC unless said");
  times.option("--count", arguments->count, "how many times; 10 unless said");
  times.run([&context, arguments] { next(context, *arguments); });
  Command trial = schedule.verb("preview", "Show when a schedule would fire that is not made",
                                "preview --cron '0 8 * * mon-fri' --timezone Europe/Berlin");
  arguments->times.add_to(trial);
  trial.option("--count", arguments->count, "how many times; 10 unless said");
  trial.run([&context, arguments] { preview(context, *arguments); });
  Command history = named("runs", "Show what it did, newest first", "runs nightly");
  history.option("--count", arguments->count, "at most so many; 10 unless said");
  history.run([&context, arguments] { runs(context, *arguments); });
}

}  // namespace postern::admin
