// `postern check`: a plugin for Nagios, Icinga and the like.
#include <memory>
#include <stdexcept>

#include <fmt/format.h>

#include "cli/api/http.h"
#include "cli/command/commands.h"
#include "cli/command/ending.h"
#include "cli/command/printable.h"
#include "cli/host/health.h"
#include "db/catalog/longest_due.h"
#include "db/catalog/metrics.h"
#include "db/catalog/recent_ends.h"
#include "db/schema/migrations.h"

namespace postern::admin {
namespace {

constexpr char kHelp[] =
    R"(A plugin for Nagios and Icinga. Exit code 0: OK; 1: WARNING; 2: CRITICAL; 3: UNKNOWN.

CRITICAL: no scheduler is up, or one of the --critical bounds is reached, or nobody answers.
WARNING: a --warning bound, a scheduler that fell silent, an open breaker, a paused engine.

  postern check --warning 5m --critical 15m
  postern check --url https://tasks.example.com

By --url it reads the text of /metrics, which nginx gives to the addresses of
monitors.conf without a key. There is no share of failures in it.)";

struct Arguments {
  std::string warning = "5m", critical = "15m";
  Thresholds thresholds;
};

// The numbers of the host's database.
Report check_database(const Context& context, const Thresholds& thresholds) {
  std::optional<db::PgConnection> connection;
  try {
    connection.emplace(db::PgConnection::connect(context.connection_options(false)));
  } catch (const db::PgError& error) {
    return trouble(Grade::critical,
                   fmt::format("cannot connect to the database: {}", error.what()));
  }
  if (const auto misfit = db::schema_misfit(*connection)) return trouble(Grade::critical, *misfit);
  const db::Numbers numbers = db::numbers(*connection, "");
  Health health;
  for (const auto& [name, scheduler] : db::by_name(numbers.schedulers)) {
    ++(scheduler.up ? health.schedulers : health.silent);
  }
  for (const auto& queue : numbers.queues) health.ready += queue.depth.ready;
  if (const auto oldest = db::longest_due(*connection)) {
    health.oldest_due = oldest->seconds;
    health.oldest_queue = fmt::format("{}/{}", oldest->tenant, oldest->queue);
  }
  health.open_breakers = static_cast<int>(db::open_breakers(numbers.lanes).size());
  const db::Counts& counts = numbers.counts;
  health.created = counts.created;
  health.finished = counts.completed + counts.failed + counts.cancelled;
  health.failed = counts.failed;
  health.paused = numbers.engine_paused;
  health.recent = db::recent_ends(*connection);
  return judge(health, thresholds);
}

// The numbers of /metrics, which is below /v1 in a vhost that has other things, too.
Report check_url(std::string url, const std::string& ca_file, const Thresholds& thresholds) {
  while (url.ends_with('/')) url.pop_back();
  HttpClient client;
  HttpAnswer fetched;
  for (const char* path : {"/v1/metrics", "/metrics"}) {
    try {
      fetched = client.ask({.url = url + path, .ca_file = ca_file});
    } catch (const HttpFault& fault) {
      return trouble(Grade::critical, fmt::format("{} does not answer: {}", url, fault.what()));
    }
    if (fetched.status == 200) {
      if (const auto health = read_metrics(fetched.body)) return judge(*health, thresholds);
    }
  }
  if (fetched.status == 403) {
    return trouble(Grade::unknown,
                   "nginx gives /metrics only to the addresses in "
                   "/etc/nginx/postern/monitors.conf, which must have this host's");
  }
  if (fetched.status >= 500) {
    return trouble(Grade::critical, fmt::format("{}/metrics answers {}", url, fetched.status));
  }
  return trouble(Grade::unknown,
                 fmt::format("{}/metrics answers {} without Postern's numbers: --url is what "
                             "stands in front of /v1",
                             url, fetched.status));
}

Report check(const Context& context, Arguments& arguments) {
  try {
    arguments.thresholds.due_warning = duration_option("--warning", arguments.warning);
    arguments.thresholds.due_critical = duration_option("--critical", arguments.critical);
    return context.url.empty() ? check_database(context, arguments.thresholds)
                               : check_url(context.url, context.ca_file, arguments.thresholds);
  } catch (const std::exception& error) {  // a right that is missing, a duration that is none
    return trouble(Grade::unknown, error.what());
  }
}

}  // namespace

void add_check(Command& app, Context& context) {
  Command command = app.add("check", "Tell a monitoring system how Postern is: a Nagios plugin");
  command.footer(kHelp);
  const auto arguments = std::make_shared<Arguments>();
  command
      .option("--warning", arguments->warning, "how long the oldest task may be due: then WARNING")
      .show_default();
  command.option("--critical", arguments->critical, "the same: then CRITICAL").show_default();
  command
      .option(
          "--failed-warning", arguments->thresholds.failed_warning,
          "how many of 100 tasks that ended in 15 minutes may fail, of 10 or more: then WARNING")
      .range(0, 101)
      .show_default();
  command
      .option("--failed-critical", arguments->thresholds.failed_critical, "the same: then CRITICAL")
      .range(0, 101)
      .show_default();
  command
      .option("--schedulers", arguments->thresholds.schedulers,
              "how many schedulers must be up; fewer: CRITICAL")
      .range(0, 10'000)
      .show_default();
  command.run([&context, arguments] {
    const Report report = check(context, *arguments);
    fmt::print("{}\n", printable(report.line));
    throw Exit{static_cast<int>(report.grade)};
  });
}

}  // namespace postern::admin
