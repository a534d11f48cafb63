// Queues at the command line.
#include "db/catalog/queues.h"

#include <fmt/format.h>

#include <memory>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/record.h"
#include "core/model/validation.h"
#include "core/wire/queue_json.h"

namespace postern::admin {
namespace {

struct Arguments {
  std::string tenant = "default", name;
  std::optional<std::int64_t> max_concurrent, max_entries, max_tries, max_retries, rate, burst;
  std::optional<std::string> period, max_age, max_runtime, timeout, retry_policy, endpoint;
  std::optional<bool> discard_old;
  bool force = false;
};

constexpr std::string_view kColumns[] = {wire::queue_field::kName,
                                         wire::queue_field::kPaused,
                                         "depth.total",
                                         "totals.completed",
                                         "totals.failed",
                                         wire::queue_field::kMaxConcurrent,
                                         wire::queue_field::kRateLimit};

Record record_of(const Queue& queue) { return Record().add(wire::queue_fields(), queue); }

// Changes the settings for which an option was given. 0 removes a limit.
void apply(const Arguments& given, QueueSettings& settings) {
  if (given.max_concurrent) {
    settings.max_concurrent = *given.max_concurrent;
    if (*given.max_concurrent == 0) settings.max_concurrent.reset();
  }
  if (given.max_entries) settings.max_entries = *given.max_entries;
  if (given.max_tries) {
    settings.max_tries = *given.max_tries;
    if (*given.max_tries == 0) settings.max_tries.reset();
  }
  if (given.max_retries) settings.max_retries = *given.max_retries;
  if (given.rate) {
    settings.rate_limit.reset();
    if (*given.rate > 0) {
      settings.rate_limit =
          RateLimit{*given.rate, parse_setting_duration(given.period.value_or("1s")), given.burst};
    }
  }
  if (given.max_age) settings.max_age = parse_setting_duration(*given.max_age);
  if (given.max_runtime) settings.max_runtime = parse_setting_duration(*given.max_runtime);
  if (given.timeout) settings.timeout = parse_setting_duration(*given.timeout);
  if (given.retry_policy) settings.retry_policy = *given.retry_policy;
  if (given.endpoint) {
    settings.endpoint = *given.endpoint;
    if (given.endpoint->empty()) settings.endpoint.reset();
  }
  if (given.discard_old) settings.discard_old = *given.discard_old;
}

Queue existing(std::optional<Queue> queue, const Arguments& arguments, bool json) {
  if (!queue) fail(fmt::format("there is no queue {}", arguments.name), json);
  return std::move(*queue);
}

void list(const Context& context, const Arguments& arguments) {
  auto connection = context.connect(false);
  std::vector<Record> records;
  for (const auto& queue : db::list_queues(connection, arguments.tenant)) {
    auto& record = records.emplace_back(record_of(queue));
    const auto stats = db::queue_stats(connection, arguments.tenant, queue.name);
    if (stats) record.add(wire::queue_stats_fields(), *stats);
  }
  print(records, kColumns, context.json);
}

void make(const Context& context, const Arguments& arguments) {
  QueueSettings settings;
  apply(arguments, settings);
  require(check_queue_name(arguments.name, "name"), context.json);
  require(check_not_reserved(arguments.name, "name"), context.json);
  require(check_queue(settings), context.json);
  auto connection = context.connect();
  const auto queue = db::create_queue(connection, arguments.tenant, arguments.name, settings);
  if (!queue) {
    fail(fmt::format("there is a queue {} already, or no tenant {}", arguments.name,
                     arguments.tenant),
         context.json);
  }
  print(record_of(*queue), context.json);
}

void change(const Context& context, const Arguments& arguments) {
  auto connection = context.connect();
  db::Transaction transaction(connection);
  auto queue = existing(db::lock_queue(connection, arguments.tenant, arguments.name), arguments,
                        context.json);
  apply(arguments, queue.settings);
  require(check_queue(queue.settings), context.json);
  const auto done = db::put_queue(connection, arguments.tenant, arguments.name, queue.settings);
  transaction.commit();
  print(record_of(done->queue), context.json);
}

// Ends the tasks in steps, each of which is a transaction of its own.
int purge(db::PgConnection& connection, const Arguments& arguments, const Queue& queue,
          Reason reason) {
  int ended = 0, step = 0;
  do {
    step = db::purge_queue(connection, arguments.tenant, arguments.name, queue.read_at, reason,
                           Uuid{});
    ended += step;
  } while (step == db::kPurgeStep);
  return ended;
}

void purge(const Context& context, const Arguments& arguments) {
  auto connection = context.connect();
  const auto queue = existing(db::get_queue(connection, arguments.tenant, arguments.name),
                              arguments, context.json);
  const int ended = purge(connection, arguments, queue, Reason::queue_purged);
  print_record({{"purged", arguments.name}, {"tasks", std::to_string(ended)}}, context.json);
}

void remove(const Context& context, const Arguments& arguments) {
  auto connection = context.connect();
  const auto queue = existing(db::get_queue(connection, arguments.tenant, arguments.name),
                              arguments, context.json);
  if (arguments.force) {
    purge(connection, arguments, queue, Reason::queue_deleted);
    db::delete_queue(connection, arguments.tenant, arguments.name);
  } else if (!db::delete_empty_queue(connection, arguments.tenant, arguments.name)) {
    fail(fmt::format("the queue {} has live tasks (--force cancels those that wait)",
                     arguments.name),
         context.json);
  }
  print_record({{"deleted", arguments.name}}, context.json);
}

void add_settings_of(Command& command, const std::shared_ptr<Arguments>& a) {
  command.option("--max-concurrent", a->max_concurrent, "tasks under way; 0: no limit");
  command.option("--rate", a->rate, "attempts in each period; 0: no limit");
  command.option("--period", a->period, "of the rate; 1s unless said");
  command.option("--burst", a->burst, "so many at once after a pause");
  command.option("--max-entries", a->max_entries, "live tasks; 0: no bound");
  command.option("--discard-old", a->discard_old, "true: a full queue drops its oldest");
  command.option("--max-age", a->max_age, "how long a task may wait; 0: for ever");
  command.option("--max-runtime", a->max_runtime, "of an attempt; 0: no limit");
  command.option("--max-tries", a->max_tries, "a cap on a task's attempts; 0: none");
  command.option("--max-retries", a->max_retries, "of tasks that do not say");
  command.option("--retry-policy", a->retry_policy, "of tasks that do not say");
  command.option("--timeout", a->timeout, "of tasks that do not say");
  command.option("--endpoint", a->endpoint, "default target; empty: none");
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

  queue.verb("list", "Show all queues", "list").run([&context, arguments] {
    list(context, *arguments);
  });
  named("get", "Show one queue's settings", "get emails").run([&context, arguments] {
    auto connection = context.connect(false);
    print(record_of(existing(db::get_queue(connection, arguments->tenant, arguments->name),
                             *arguments, context.json)),
          context.json);
  });
  Command add = named("add", "Make a queue", "add emails --max-concurrent 20 --rate 50");
  add_settings_of(add, arguments);
  add.run([&context, arguments] { make(context, *arguments); });
  Command set = named("set", "Change what is said", "set emails --rate 100 --period 1m");
  add_settings_of(set, arguments);
  set.run([&context, arguments] { change(context, *arguments); });
  for (const bool paused : {true, false}) {
    named(paused ? "pause" : "resume", paused ? "Deliver nothing from it" : "Deliver again",
          paused ? "pause emails" : "resume emails")
        .run([&context, arguments, paused] {
          auto connection = context.connect();
          print(record_of(existing(
                    db::pause_queue(connection, arguments->tenant, arguments->name, paused),
                    *arguments, context.json)),
                context.json);
        });
  }
  named("purge", "Cancel what waits in it", "purge emails").run([&context, arguments] {
    purge(context, *arguments);
  });
  Command end = named("delete", "Delete it", "delete emails --force");
  end.flag("--force", arguments->force, "with what waits in it, which is cancelled");
  end.run([&context, arguments] { remove(context, *arguments); });
}

}  // namespace postern::admin
