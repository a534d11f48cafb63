// postern stats, failures and health: what happened, and what is wrong.
#include <fmt/format.h>

#include <memory>

#include "cli/command/commands.h"
#include "cli/command/ending.h"
#include "cli/objects/client.h"
#include "cli/objects/fields.h"
#include "cli/output/records.h"
#include "cli/output/show.h"
#include "core/base/json_writer.h"
#include "core/time/time.h"

namespace postern::admin {
namespace {

constexpr Column kQueues[] = {
    {"queue", "name", 0, 12},
    {"paused", "paused", 2},
    {"ready", "depth.ready", 1},
    {"delayed", "depth.delayed", 1},
    {"active", "depth.active", 1},
    {"blocked", "depth.blocked", 2},
    {"oldest due", "oldest_due_seconds", 2},
    {"created", "created", 3},
    {"completed", "finished.completed", 2},
    {"failed", "finished.failed", 1},
    {"cancelled", "finished.cancelled", 4},
};
constexpr Column kSchedulers[] = {
    {"scheduler", "name", 0, 12},  {"version", "version", 2},
    {"since", "since", 2},         {"up", "up", 0},
    {"in flight", "in_flight", 1}, {"slots", "slots", 2},
};
constexpr Column kBreakers[] = {{"tenant", "tenant", 1},
                                {"queue", "queue", 0, 12},
                                {"target", "target", 0, 12},
                                {"state", "state", 0}};
constexpr Column kHandlers[] = {
    {"handler", "name", 0, 12}, {"version", "version", 1}, {"since", "since", 2}, {"up", "up", 0}};
constexpr Column kPartitions[] = {{"partition", "name", 0},
                                  {"class", "class", 2},
                                  {"day", "day", 1},
                                  {"rows", "rows_estimate", 0},
                                  {"bytes", "bytes", 0}};
constexpr Column kMinutes[] = {
    {"minute", "minute_at", 0},
    {"created", "created", 1},
    {"completed", "completed", 2},
    {"failed", "failed", 1},
    {"cancelled", "cancelled", 4},
    {"attempts", "attempts", 2},
    {"attempts failed", "attempts_failed", 3},
    {"p95 ms", "p95_ms", 3},
};
constexpr Column kBusiest[] = {
    {"name", "queue|endpoint", 0, 12},
    {"created", "created", 1},
    {"completed", "completed", 2},
    {"failed", "failed", 1},
    {"cancelled", "cancelled", 4},
    {"attempts", "attempts", 1},
    {"attempts failed", "attempts_failed", 2},
};
constexpr Column kGroups[] = {
    {"count", "count", 0},
    {"reason", "reason", 0},
    {"queue", "queue", 1, 8},
    {"target", "endpoint|host", 2, 12},
    {"last", "last_at", 3},
    {"first", "first_at", 5},
    {"last error", "last_error", 4, 20},
    {"last task", "last_task", 6},
};
// In the order of the API's.
constexpr std::string_view kKinds[] = {"created",  "completed",       "failed", "cancelled",
                                       "attempts", "attempts_failed", "p95_ms"};

struct Arguments {
  std::optional<std::string> tenant, queue, endpoint, by, minutes, limit, reason, since, until;
  bool series = false;
};

std::vector<std::string> copied(const std::vector<std::string_view>& views) {
  return {views.begin(), views.end()};
}

void totals(Client& client, const Context& context) {
  const auto answer = client.ask({"GET", {"stats"}});
  if (context.json) return print_object(answer, context);
  const JsonObject all(answer);
  if (all.is_true("paused")) fmt::print("{}\n\n", kEnginePaused);
  print_objects(copied(all.elements("queues")), kQueues, context);
  if (all.number("queues_left_out") > 0) {
    fmt::print("{} more queues are in the totals\n", all.raw("queues_left_out"));
  }
  fmt::print("\n");
  print_lines(all.object("totals"));
  fmt::print("in_flight: {}\n\n", all.raw("in_flight"));
  print_objects(copied(all.elements("schedulers")), kSchedulers, context);
}

// An object for each minute; what is not known is left out.
std::vector<std::string> minutes_of(const JsonObject& all, const JsonObject& series) {
  std::vector<std::string> out;
  const auto since = parse_rfc3339(all.text("since"));
  const auto count = static_cast<std::size_t>(all.number("minutes"));
  std::vector<std::vector<std::string_view>> values;
  for (const auto kind : kKinds) values.push_back(series.elements(kind));
  for (std::size_t i = 0; i < count && since; ++i) {
    JsonWriter row;
    row.begin_object().member("minute_at", format_rfc3339(*since + std::chrono::minutes{i}));
    for (std::size_t k = 0; k < std::size(kKinds); ++k) {
      const bool known = i < values[k].size() && values[k][i] != "null";
      if (known) row.key(kKinds[k]).raw(values[k][i]);
    }
    row.end_object();
    out.push_back(row.take());
  }
  return out;
}

// An object with the sums of what is known.
std::string sums_of(const JsonObject& series) {
  JsonWriter row;
  row.begin_object();
  for (const char* name : {"queue", "endpoint"}) {
    if (series.raw(name) != "null") row.member(name, series.text(name));
  }
  for (const auto kind : kKinds) {
    std::int64_t sum = 0;
    bool known = false;
    for (const auto value : series.elements(kind)) {
      if (value == "null") continue;
      sum += std::stoll(std::string(value));
      known = true;
    }
    if (known) row.member(kind, sum);
  }
  row.end_object();
  return row.take();
}

std::string series_flag(std::string_view field) {
  for (const char* known : {"queue", "endpoint", "by", "minutes", "limit"}) {
    if (field == known) return fmt::format("--{}", field);
  }
  return "";
}

void series(Client& client, const Arguments& arguments, const Context& context) {
  ApiRequest request{"GET", {"stats", "series"}};
  const std::pair<const char*, const std::optional<std::string>&> given[] = {
      {"queue", arguments.queue},     {"endpoint", arguments.endpoint}, {"by", arguments.by},
      {"minutes", arguments.minutes}, {"limit", arguments.limit},
  };
  for (const auto& [name, value] : given) {
    if (value) request.query.emplace_back(name, *value);
  }
  const auto answer = client.ask(request, series_flag);
  if (context.json) return print_object(answer, context);
  const JsonObject all(answer);
  const auto found = all.elements("series");
  if (!arguments.by) {
    if (found.empty()) return;
    return print_objects(minutes_of(all, JsonObject(found.front())), kMinutes, context);
  }
  std::vector<std::string> rows;
  for (const auto each : found) rows.push_back(sums_of(JsonObject(each)));
  print_objects(rows, kBusiest, context);
}

void stats(const Context& context, const Arguments& arguments) {
  const bool narrowed =
      arguments.queue || arguments.endpoint || arguments.by || arguments.minutes || arguments.limit;
  if (narrowed && !arguments.series) {
    throw UsageError("--queue, --endpoint, --by, --minutes and --limit go with --series");
  }
  Client client(context, arguments.tenant, Client::Purpose::look);
  arguments.series ? series(client, arguments, context) : totals(client, context);
}

std::string failures_flag(std::string_view field) {
  if (field == "created_since") return "--since";
  if (field == "created_until") return "--until";
  for (const char* known : {"queue", "endpoint", "reason"}) {
    if (field == known) return fmt::format("--{}", field);
  }
  return "";
}

void failures(const Context& context, const Arguments& arguments) {
  ApiRequest request{"GET", {"failures"}};
  if (arguments.queue) request.query.emplace_back("queue", *arguments.queue);
  if (arguments.endpoint) request.query.emplace_back("endpoint", *arguments.endpoint);
  if (arguments.reason) request.query.emplace_back("reason", *arguments.reason);
  if (arguments.since) {
    request.query.emplace_back("created_since", time_of(*arguments.since, Side::before));
  }
  if (arguments.until) {
    request.query.emplace_back("created_until", time_of(*arguments.until, Side::before));
  }
  Client client(context, arguments.tenant, Client::Purpose::look);
  const auto answer = client.ask(request, failures_flag);
  if (context.json) return print_object(answer, context);
  const JsonObject all(answer);
  print_objects(copied(all.elements("groups")), kGroups, context);
  if (!all.is_true("complete")) {
    say(context, fmt::format("of the {} that failed last; there are more", all.raw("looked")));
  }
}

// As the doctor shows them: whole sentences, however wide the terminal is.
void print_checks(const JsonObject& report) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& each : report.elements("checks")) {
    const JsonObject check(each);
    rows.push_back(
        {check.text("name"), check.text("verdict"), check.text("finding"), check.text("hint")});
  }
  print_table({"check", "verdict", "finding", "hint"}, rows, false);
}

// The lists of an installation are in the answer to an operator alone.
void health(const Context& context) {
  Client client(context, std::nullopt, Client::Purpose::look);
  const auto answer = client.ask({"GET", {"health"}});
  const JsonObject all(answer);
  const bool wrong = all.text("status") == "wrong";
  if (context.json) {
    print_object(answer, context);
  } else {
    const auto table = [&](std::string_view name, std::span<const Column> columns) {
      const auto objects = copied(all.elements(name));
      if (objects.empty()) return;
      fmt::print("\n");
      print_objects(objects, columns, context);
    };
    print_checks(all);
    table("breakers", kBreakers);
    table("schedulers", kSchedulers);
    table("handlers", kHandlers);
    table("partitions", kPartitions);
    if (all.has("database")) {
      fmt::print("\n");
      print_lines(all.object("database"));
    }
  }
  if (wrong) throw Exit{kNotDone};
}

}  // namespace

void add_numbers(Command& app, Context& context) {
  auto arguments = std::make_shared<Arguments>();
  const auto add = [&](const char* name, const char* help) {
    Command command = app.add(name, help);
    command.option("--tenant", arguments->tenant,
                   "whose, on the host's database; default unless said");
    return command;
  };
  Command numbers = add("stats", "Numbers of all queues, and the schedulers; or minute by minute");
  numbers.flag("--series", arguments->series, "the last hour, minute by minute");
  numbers.option("--queue", arguments->queue, "the series of this queue");
  numbers.option("--endpoint", arguments->endpoint, "the series of this endpoint");
  numbers.option("--by", arguments->by, "queue or endpoint: the busiest, added up");
  numbers.option("--minutes", arguments->minutes, "how many; 60 unless said, 180 at most");
  numbers.option("--limit", arguments->limit, "with --by at most so many; 20 unless said");
  numbers.run([&context, arguments] { stats(context, *arguments); });

  Command failed = add("failures", "The last tasks that failed, grouped by reason and target");
  failed.option("--queue", arguments->queue, "only of this queue");
  failed.option("--endpoint", arguments->endpoint, "only those that name this endpoint");
  failed.option("--reason", arguments->reason, "only those that failed for it, such as exhausted");
  failed.option("--since", arguments->since,
                "made since: RFC 3339, a date, or 2h or 3d back from now");
  failed.option("--until", arguments->until, "made before, likewise");
  failed.run([&context, arguments] { failures(context, *arguments); });

  app.add("health", "What the doctor finds by the API; exit 1 when something is wrong")
      .run([&context] { health(context); });
}

}  // namespace postern::admin
