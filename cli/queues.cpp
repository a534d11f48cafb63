// Queues at the command line.
#include "db/catalog/queues.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/output.h"
#include "core/model/validation.h"

namespace postern::admin {
namespace {

struct Arguments {
  std::string tenant = "default", name;
  std::optional<std::int64_t> max_concurrent, max_entries, max_tries, max_retries, rate, burst;
  std::optional<std::string> period, max_age, max_runtime, timeout, retry_policy, endpoint;
  std::optional<bool> discard_old;
  bool force = false;
};

std::string limit(std::int64_t value) { return value > 0 ? std::to_string(value) : ""; }

std::string rate_shown(const std::optional<RateLimit>& rate) {
  if (!rate) return "";
  return fmt::format("{} per {} s", rate->count, rate->period.count());
}

std::string seconds(std::chrono::nanoseconds time) {
  return time.count() == 0 ? "" : fmt::format("{} s", std::chrono::floor<Seconds>(time).count());
}

void show_queue(const Queue& queue, bool json) {
  const QueueSettings& s = queue.settings;
  print_record({{"name", queue.name},
                {"paused", queue.paused ? "yes" : "no"},
                {"max concurrent", limit(s.max_concurrent.value_or(0))},
                {"rate", rate_shown(s.rate_limit)},
                {"max entries", limit(s.max_entries)},
                {"discard old", s.discard_old ? "yes" : "no"},
                {"max age", seconds(s.max_age)},
                {"max runtime", seconds(s.max_runtime)},
                {"max tries", limit(s.max_tries.value_or(0))},
                {"max retries", std::to_string(s.max_retries)},
                {"retry policy", s.retry_policy},
                {"timeout", fmt::format("{} s", s.timeout.count())},
                {"endpoint", s.endpoint.value_or("")},
                {"created at", format_rfc3339(queue.created_at)}},
               json);
}

// What was said over what there is. 0 takes a limit away.
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
  std::vector<std::vector<std::string>> rows;
  for (const auto& queue : db::list_queues(connection, arguments.tenant)) {
    const auto stats = db::queue_stats(connection, arguments.tenant, queue.name);
    const auto& s = queue.settings;
    rows.push_back({queue.name, queue.paused ? "paused" : "",
                    stats ? std::to_string(stats->totals.depth()) : "",
                    stats ? std::to_string(stats->totals.completed) : "",
                    stats ? std::to_string(stats->totals.failed) : "",
                    limit(s.max_concurrent.value_or(0)), rate_shown(s.rate_limit)});
  }
  print_table({"name", "state", "waiting", "completed", "failed", "max concurrent", "rate"}, rows,
              context.json);
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
  show_queue(*queue, context.json);
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
  show_queue(done->queue, context.json);
}

// In steps, each committed for itself.
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

void add_settings_of(CLI::App* command, const std::shared_ptr<Arguments>& a) {
  command->add_option("--max-concurrent", a->max_concurrent, "tasks under way; 0: no limit");
  command->add_option("--rate", a->rate, "attempts in each period; 0: no limit");
  command->add_option("--period", a->period, "of the rate; 1s unless said");
  command->add_option("--burst", a->burst, "so many at once after a pause");
  command->add_option("--max-entries", a->max_entries, "live tasks; 0: no bound");
  command->add_option("--discard-old", a->discard_old, "true: a full queue drops its oldest");
  command->add_option("--max-age", a->max_age, "how long a task may wait; 0: for ever");
  command->add_option("--max-runtime", a->max_runtime, "of an attempt; 0: no limit");
  command->add_option("--max-tries", a->max_tries, "a cap on a task's attempts; 0: none");
  command->add_option("--max-retries", a->max_retries, "of tasks that do not say");
  command->add_option("--retry-policy", a->retry_policy, "of tasks that do not say");
  command->add_option("--timeout", a->timeout, "of tasks that do not say");
  command->add_option("--endpoint", a->endpoint, "default target; empty: none");
}

}  // namespace

void add_queue(CLI::App& app, Context& context) {
  auto* queue = app.add_subcommand("queue", "Queues: limits, pauses, what is in them");
  queue->require_subcommand(1);
  auto arguments = std::make_shared<Arguments>();
  const auto subcommand = [&](const char* name, const char* help, const char* example) {
    auto* command = queue->add_subcommand(name, help);
    command->add_option("--tenant", arguments->tenant, "whose")->capture_default_str();
    command->footer(fmt::format("Example: postern queue {}", example));
    return command;
  };
  const auto named = [&](const char* name, const char* help, const char* example) {
    auto* command = subcommand(name, help, example);
    command->add_option("name", arguments->name, "which")->required();
    return command;
  };

  subcommand("list", "Show all queues", "list")->callback([&context, arguments] {
    list(context, *arguments);
  });
  named("get", "Show one queue's settings", "get emails")->callback([&context, arguments] {
    auto connection = context.connect(false);
    show_queue(existing(db::get_queue(connection, arguments->tenant, arguments->name), *arguments,
                        context.json),
               context.json);
  });
  auto* add = named("add", "Make a queue", "add emails --max-concurrent 20 --rate 50");
  add_settings_of(add, arguments);
  add->callback([&context, arguments] { make(context, *arguments); });
  auto* set = named("set", "Change what is said", "set emails --rate 100 --period 1m");
  add_settings_of(set, arguments);
  set->callback([&context, arguments] { change(context, *arguments); });
  for (const bool paused : {true, false}) {
    named(paused ? "pause" : "resume", paused ? "Deliver nothing from it" : "Deliver again",
          paused ? "pause emails" : "resume emails")
        ->callback([&context, arguments, paused] {
          auto connection = context.connect();
          show_queue(
              existing(db::pause_queue(connection, arguments->tenant, arguments->name, paused),
                       *arguments, context.json),
              context.json);
        });
  }
  named("purge", "Cancel what waits in it", "purge emails")->callback([&context, arguments] {
    purge(context, *arguments);
  });
  auto* end = named("delete", "Delete it", "delete emails --force");
  end->add_flag("--force", arguments->force, "with what waits in it, which is cancelled");
  end->callback([&context, arguments] { remove(context, *arguments); });
}

}  // namespace postern::admin
