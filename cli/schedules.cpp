// Schedules at the command line.
#include "db/catalog/schedules.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/output.h"
#include "core/base/json.h"
#include "core/program/clock.h"

namespace postern::admin {
namespace {

constexpr int kMost = 1000;

// The options of `schedule add`, for the errors of core.
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

std::string target(const Creation& task) {
  return task.endpoint.empty() ? task.url : "endpoint " + task.endpoint;
}

void list(const Context& context, const Arguments& arguments) {
  auto connection = context.connect(false);
  std::vector<std::vector<std::string>> rows;
  for (const auto& each : db::list_schedules(connection, arguments.tenant, "", "", kMost)) {
    rows.push_back({each.name, each.paused ? "paused" : "", each.spec, each.timezone,
                    each.paused ? "" : show(each.next_at), each.task.queue, target(each.task)});
  }
  print_table({"name", "state", "schedule", "timezone", "next at", "queue", "target"}, rows,
              context.json);
}

void show_schedule(const Schedule& schedule, bool json) {
  print_record({{"name", schedule.name},
                {"paused", schedule.paused ? "yes" : "no"},
                {"schedule", schedule.spec},
                {"timezone", schedule.timezone},
                {"next at", schedule.paused ? "" : show(schedule.next_at)},
                {"last at", show(schedule.last_at)},
                {"queue", schedule.task.queue},
                {"target", target(schedule.task)},
                {"misfire", std::string(name(schedule.misfire.kind))},
                {"overlap", std::string(name(schedule.overlap))},
                {"created at", format_rfc3339(schedule.created_at)}},
               json);
}

void show_times(const std::vector<Time>& times, bool json) {
  std::vector<std::vector<std::string>> rows;
  for (const Time time : times) rows.push_back({format_rfc3339(time)});
  print_table({"time"}, rows, json);
}

// Of a schedule that is there, or of an expression that is to become one.
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
  const auto times = occurrences_after(spec, schedule, now, 1);
  if (times.empty()) fail("the schedule would never fire", context.json);
  schedule.next_at = times.front();
  if (!db::insert_schedule(connection, arguments.tenant, schedule)) {
    fail(fmt::format("there is a schedule {} already, or no tenant {}", arguments.name,
                     arguments.tenant),
         context.json);
  }
  transaction.commit();
  show_schedule(schedule, context.json);
}

void pause(const Context& context, const Arguments& arguments, bool paused) {
  auto connection = context.connect();
  db::Transaction transaction(connection);
  auto schedule = existing(db::lock_schedule(connection, arguments.tenant, arguments.name),
                           arguments, context.json);
  require(set_paused(schedule, paused, db::transaction_time(connection)), context.json);
  db::update_schedule(connection, arguments.tenant, schedule);
  transaction.commit();
  show_schedule(schedule, context.json);
}

void runs(const Context& context, const Arguments& arguments) {
  auto connection = context.connect(false);
  existing(db::get_schedule(connection, arguments.tenant, arguments.name), arguments, context.json);
  std::vector<std::vector<std::string>> rows;
  for (const auto& run : db::schedule_runs(connection, arguments.tenant, arguments.name,
                                           std::nullopt, arguments.count)) {
    rows.push_back({format_rfc3339(run.nominal), format_rfc3339(run.fired_at),
                    run.task ? to_typeid(*run.task) : "", run.skipped});
  }
  print_table({"nominal time", "fired at", "task", "skipped"}, rows, context.json);
}

}  // namespace

void add_schedule(CLI::App& app, Context& context) {
  auto* schedule = app.add_subcommand("schedule", "Schedules: tasks by cron or interval");
  schedule->require_subcommand(1);
  auto arguments = std::make_shared<Arguments>();
  const auto subcommand = [&](const char* name, const char* help, const char* example) {
    auto* command = schedule->add_subcommand(name, help);
    command->add_option("--tenant", arguments->tenant, "whose")->capture_default_str();
    command->footer(fmt::format("Example: postern schedule {}", example));
    return command;
  };
  const auto named = [&](const char* name, const char* help, const char* example) {
    auto* command = subcommand(name, help, example);
    command->add_option("name", arguments->name, "which")->required();
    return command;
  };

  subcommand("list", "Show all schedules", "list")->callback([&context, arguments] {
    list(context, *arguments);
  });
  named("get", "Show one schedule", "get nightly")->callback([&context, arguments] {
    auto connection = context.connect(false);
    show_schedule(existing(db::get_schedule(connection, arguments->tenant, arguments->name),
                           *arguments, context.json),
                  context.json);
  });
  auto* make = named("add", "Make a schedule",
                     "add nightly --cron '30 2 * * *' --timezone Europe/Berlin --queue jobs --url "
                     "https://app.example/nightly");
  auto* cron = make->add_option("--cron", arguments->cron, "five fields, @daily, @every 5m");
  make->add_option("--every", arguments->every, "an interval instead, such as 90s")->excludes(cron);
  make->add_option("--timezone", arguments->timezone, "an IANA name")->capture_default_str();
  make->add_option("--queue", arguments->queue, "of its tasks")->required();
  make->add_option("--url", arguments->url, "what is called");
  make->add_option("--endpoint", arguments->endpoint, "a named target instead");
  make->add_option("--payload", arguments->payload, "a JSON object for the envelope");
  make->callback([&context, arguments] { add(context, *arguments); });
  named("pause", "Fire no more", "pause nightly")->callback([&context, arguments] {
    pause(context, *arguments, true);
  });
  named("resume", "Go on from now", "resume nightly")->callback([&context, arguments] {
    pause(context, *arguments, false);
  });
  named("delete", "Delete it; the tasks it made stay", "delete nightly")
      ->callback([&context, arguments] {
        auto connection = context.connect();
        if (!db::delete_schedule(connection, arguments->tenant, arguments->name)) {
          fail(fmt::format("there is no schedule {}", arguments->name), context.json);
        }
        print_record({{"deleted", arguments->name}}, context.json);
      });
  auto* times = subcommand("next", "Show when it fires next; or when an expression would",
                           "next --cron '0 8 * * mon-fri' --timezone Europe/Berlin --count 5");
  times->add_option("name", arguments->name, "a schedule that is there");
  times->add_option("--cron", arguments->cron, "an expression, without any schedule");
  times->add_option("--timezone", arguments->timezone, "for --cron")->capture_default_str();
  times->add_option("--count", arguments->count, "how many times")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  times->callback([&context, arguments] { next(context, *arguments); });
  auto* history = named("runs", "Show what it did, newest first", "runs nightly");
  history->add_option("--count", arguments->count, "at most so many")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  history->callback([&context, arguments] { runs(context, *arguments); });
}

}  // namespace postern::admin
