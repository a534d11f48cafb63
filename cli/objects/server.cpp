// What the server says about itself and the caller: stats, info, whoami and the retry policies.
#include <fmt/format.h>

#include <chrono>
#include <memory>

#include "cli/command/commands.h"
#include "cli/command/ending.h"
#include "cli/objects/client.h"
#include "cli/output/records.h"
#include "cli/output/show.h"
#include "core/base/json_writer.h"

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
constexpr Column kPolicies[] = {
    {"name", "name", 0}, {"delays", "delays", 1, 20}, {"jitter", "jitter", 1}};

std::vector<std::string> copied(const std::vector<std::string_view>& views) {
  return {views.begin(), views.end()};
}

void stats(const Context& context, const std::optional<std::string>& tenant) {
  Client client(context, tenant, Client::Purpose::look);
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

// Its first delays, in seconds.
std::string delays_of(const JsonObject& policy) {
  constexpr std::size_t kShown = 12;
  constexpr double kNanoseconds = 1e9;
  std::string out;
  const auto intervals = policy.elements("intervals");
  for (std::size_t i = 0; i < std::min(kShown, intervals.size()); ++i) {
    const double nanoseconds = std::stod(std::string(intervals[i]));
    out += fmt::format("{}{:g}", i == 0 ? "" : ", ", nanoseconds / kNanoseconds);
  }
  if (out.empty()) return "none";
  return out + (intervals.size() > kShown ? ", … s" : " s");
}

void policies(const Context& context, const std::optional<std::string>& tenant) {
  Client client(context, tenant, Client::Purpose::look);
  const auto answer = client.ask({"GET", {"retry-policies"}});
  auto objects = copied(JsonObject(answer).elements("policies"));
  if (!context.json) {
    for (auto& object : objects) {
      const auto delays = delays_of(JsonObject(object));
      object.insert(object.rfind('}'), fmt::format(",\"delays\":{}", json_quote(delays)));
    }
  }
  print_objects(objects, kPolicies, context);
}

void info(const Context& context, const std::optional<std::string>& tenant) {
  Client client(context, tenant, Client::Purpose::look);
  print_object(client.ask({"GET", {"info"}}), context);
}

void whoami(const Context& context, const std::optional<std::string>& tenant) {
  Client client(context, tenant, Client::Purpose::look);
  print_object(client.ask({"GET", {"whoami"}}), context);
}

}  // namespace

void add_server(Command& app, Context& context) {
  auto tenant = std::make_shared<std::optional<std::string>>();
  const auto add = [&](Command parent, const char* name, const char* help, auto show) {
    Command command = parent.add(name, help);
    command.option("--tenant", *tenant, "whose, on the host's database; default unless said");
    command.run([&context, tenant, show] { show(context, *tenant); });
  };
  add(app, "stats", "Numbers of all queues, and the schedulers", stats);
  Command look =
      app.add("health", "What the doctor finds by the API; exit 1 when something is wrong");
  look.run([&context] { health(context); });
  add(app, "info", "The version, and what the server can do", info);
  add(app, "whoami", "Who the API takes you for: identity, tenant and role", whoami);
  Command policy = app.add("policy", "Retry policies");
  policy.require_subcommand();
  add(policy, "list", "Show those with a name", policies);
}

}  // namespace postern::admin
