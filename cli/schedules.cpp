// Schedules at the command line.
#include "db/catalog/schedules.h"

#include <fmt/format.h>

#include <memory>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/record.h"
#include "core/base/json.h"
#include "core/program/clock.h"
#include "core/wire/schedule_json.h"

namespace postern::admin {
namespace {

constexpr int kMost = 1000;

constexpr std::string_view kColumns[] = {
    wire::schedule_field::kName,     wire::schedule_field::kPaused, wire::schedule_field::kSchedule,
    wire::schedule_field::kTimezone, wire::schedule_field::kNextAt, wire::kTaskNames.queue,
    wire::kTaskNames.endpoint,       wire::kTaskNames.url};
constexpr std::string_view kRunColumns[] = {wire::run_field::kNominalTime,
                                            wire::run_field::kFiredAt, wire::run_field::kTaskId,
                                            wire::run_field::kSkipped};

// The options of `schedule add`, which core's errors name.
constexpr FieldNames kFields{
    .queue = "--queue",
    .url = "--url",
    .endpoint = "--endpoint",
};

struct Arguments {
  std::string tenant = "default", name, cron, every, timezone = "UTC", queue, url, endpoint,
              payload;
  int count = 10;
};

Schedule existing(std::optional<Schedule> schedule, const Arguments& arguments, bool json) {
  if (!schedule) fail(fmt::format("there is no schedule {}", arguments.name), json);
  return std::move(*schedule);
}

Record record_of(const Schedule& schedule) {
  return Record().add(wire::schedule_fields(), schedule);
}

void list(const Context& context, const Arguments& arguments) {
  auto connection = context.connect(false);
  std::vector<Record> records;
  for (const auto& each : db::list_schedules(connection, arguments.tenant, "", "", kMost)) {
    records.push_back(record_of(each));
  }
  print(records, kColumns, context.json);
}

void show_times(const std::vector<Time>& times, bool json) {
  if (json) {
    JsonWriter out;
    wire::write_next(out, times);
    fmt::print("{}\n", out.text());
    return;
  }
  for (const Time time : times) fmt::print("{}\n", format_rfc3339(time));
}

// Shows the next times of a schedule, or of an expression that no schedule has yet.
void next(const Context& context, const Arguments& arguments) {
  if (!arguments.cron.empty()) {
    const Time now = wall_clock();
    Schedule schedule;
    schedule.created_at = now;
    const auto spec =
        require(CronSpec::parse(arguments.cron, arguments.timezone, "--cron"), context.json);
    return show_times(occurrences_after(spec, schedule, now, arguments.count), context.json);
  }
  if (arguments.name.empty()) fail("give the name of a schedule, or --cron", context.json);
  auto connection = context.connect(false);
  const auto schedule = existing(db::get_schedule(connection, arguments.tenant, arguments.name),
                                 arguments, context.json);
  const Time now = db::transaction_time(connection);
  const auto spec = require(check_schedule(schedule, now), context.json);
  show_times(occurrences_after(spec, schedule, now, arguments.count), context.json);
}

void add(const Context& context, const Arguments& arguments) {
  auto connection = context.connect();
  db::Transaction transaction(connection);
  const Time now = db::transaction_time(connection);
  Schedule schedule;
  schedule.name = arguments.name;
  schedule.spec = arguments.cron;
  if (!arguments.every.empty()) set_interval(schedule, parse_setting_duration(arguments.every));
  schedule.timezone = arguments.timezone;
  schedule.created_at = schedule.updated_at = now;
  schedule.task.fields = &kFields;
  schedule.task.queue = arguments.queue;
  schedule.task.url = arguments.url;
  schedule.task.endpoint = arguments.endpoint;
  if (!arguments.payload.empty()) {
    if (const auto object = parse_json_object(arguments.payload); !object) {
      fail("--payload: " + object.error().message, context.json);
    }
    schedule.task.body = arguments.payload;
  }
  const auto spec = require(check_schedule(schedule, now), context.json);
  require(set_first_time(schedule, spec, now), context.json);
  if (!db::insert_schedule(connection, arguments.tenant, schedule)) {
    fail(fmt::format("there is a schedule {} already, or no tenant {}", arguments.name,
                     arguments.tenant),
         context.json);
  }
  transaction.commit();
  print(record_of(schedule), context.json);
}

void pause(const Context& context, const Arguments& arguments, bool paused) {
  auto connection = context.connect();
  db::Transaction transaction(connection);
  auto schedule = existing(db::lock_schedule(connection, arguments.tenant, arguments.name),
                           arguments, context.json);
  require(set_paused(schedule, paused, db::transaction_time(connection)), context.json);
  db::update_schedule(connection, arguments.tenant, schedule);
  transaction.commit();
  print(record_of(schedule), context.json);
}

void runs(const Context& context, const Arguments& arguments) {
  auto connection = context.connect(false);
  existing(db::get_schedule(connection, arguments.tenant, arguments.name), arguments, context.json);
  std::vector<Record> records;
  for (const auto& run : db::schedule_runs(connection, arguments.tenant, arguments.name,
                                           std::nullopt, arguments.count)) {
    records.push_back(Record().add(wire::run_fields(), run));
  }
  print(records, kRunColumns, context.json);
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

  schedule.verb("list", "Show all schedules", "list").run([&context, arguments] {
    list(context, *arguments);
  });
  named("get", "Show one schedule", "get nightly").run([&context, arguments] {
    auto connection = context.connect(false);
    print(record_of(existing(db::get_schedule(connection, arguments->tenant, arguments->name),
                             *arguments, context.json)),
          context.json);
  });
  Command make =
      named("add", "Make a schedule",
            "add nightly --cron '30 2 * * *' --timezone Europe/Berlin --queue jobs --url "
            "https://app.example/nightly");
  const Option cron = make.option("--cron", arguments->cron, "five fields, @daily, @every 5m");
  make.option("--every", arguments->every, "an interval instead, such as 90s").excludes(cron);
  make.option("--timezone", arguments->timezone, "an IANA name").show_default();
  make.option("--queue", arguments->queue, "of its tasks").required();
  make.option("--url", arguments->url, "what is called");
  make.option("--endpoint", arguments->endpoint, "a named target instead");
  make.option("--payload", arguments->payload, "a JSON object for the envelope");
  make.run([&context, arguments] { add(context, *arguments); });
  named("pause", "Fire no more", "pause nightly").run([&context, arguments] {
    pause(context, *arguments, true);
  });
  named("resume", "Go on from now", "resume nightly").run([&context, arguments] {
    pause(context, *arguments, false);
  });
  named("delete", "Delete it; the tasks it made stay", "delete nightly").run([&context, arguments] {
    auto connection = context.connect();
    if (!db::delete_schedule(connection, arguments->tenant, arguments->name)) {
      fail(fmt::format("there is no schedule {}", arguments->name), context.json);
    }
    print_record({{"deleted", arguments->name}}, context.json);
  });
  Command times = schedule.verb("next", "Show when it fires next; or when an expression would",
                                "next --cron '0 8 * * mon-fri' --timezone Europe/Berlin --count 5");
  times.option("name", arguments->name, "a schedule that is there");
  times.option("--cron", arguments->cron, "an expression, without any schedule");
  times.option("--timezone", arguments->timezone, "for --cron").show_default();
  times.option("--count", arguments->count, "how many times").range(1, 100).show_default();
  times.run([&context, arguments] { next(context, *arguments); });
  Command history = named("runs", "Show what it did, newest first", "runs nightly");
  history.option("--count", arguments->count, "at most so many").range(1, 100).show_default();
  history.run([&context, arguments] { runs(context, *arguments); });
}

}  // namespace postern::admin
