// postern task cancel, retry and delete: by ids, or all that match a filter.
#include <fmt/format.h>

#include <algorithm>

#include "cli/command/ending.h"
#include "cli/command/printable.h"
#include "cli/objects/tasks.h"
#include "cli/output/confirm.h"
#include "cli/output/show.h"
#include "core/base/text.h"
#include "core/model/ids.h"

namespace postern::admin {
namespace {

constexpr std::size_t kMaxIds = 100;  // of one request

constexpr Column kColumns[] = {{"id", "id", 0}, {"result", "status", 0}, {"why", "error", 1, 20}};

struct Arguments {
  std::vector<std::string> ids;
  TaskChoice choice;
  bool all = false, dry_run = false;

  bool by_filter() const { return all || choice.any(); }
};

// A whole number is TaskMQ's spelling.
bool is_task_id(const std::string& text) {
  return parse_task_id(text) || (!text.empty() && all_of(text, is_digit));
}

// All of them, before anything is done.
void judge(const std::vector<std::string>& ids) {
  for (const auto& id : ids) {
    if (is_task_id(id)) continue;
    throw UsageError(
        fmt::format("\"{}\" is not the id of a task; nothing was done", printable(id)));
  }
}

// The table of what became of each, in the form of the API's; the exit code is kNotDone when one
// was not done.
void finish(const std::vector<std::string>& results, const Context& context) {
  print_objects(results, kColumns, context);
  const bool all = std::ranges::all_of(
      results, [](const auto& each) { return JsonObject(each).text("status") == "ok"; });
  if (!all) throw Exit{kNotDone};
}

void change_each(Client& client, const std::string& verb, const Arguments& arguments,
                 const Context& context) {
  std::vector<std::string> results;
  for (std::size_t from = 0; from < arguments.ids.size(); from += kMaxIds) {
    JsonWriter body;
    body.begin_object().key("ids").begin_array();
    const auto to = std::min(from + kMaxIds, arguments.ids.size());
    for (std::size_t i = from; i < to; ++i) body.string(arguments.ids[i]);
    body.end_array().end_object();
    const auto answer = client.ask({"POST", {"tasks", verb}, {}, body.take()});
    for (const auto each : JsonObject(answer).elements("results")) results.emplace_back(each);
  }
  finish(results, context);
}

void delete_each(Client& client, const Arguments& arguments, const Context& context) {
  std::vector<std::string> results;
  for (const auto& id : arguments.ids) {
    const auto answer = client.try_ask({"DELETE", {"tasks", id}});
    JsonWriter out;
    out.begin_object().member("id", id);
    const JsonObject body(answer.body);
    const auto code = body.text("error.code");
    if (answer.good()) {
      out.member("status", "ok");
    } else if (code == "not_found" || code == "conflict") {
      out.member("status", code == "not_found" ? "not_found" : "failed");
      out.member("error", body.text("error.message")).member("code", code);
      out.member("reason", body.text("error.details.reason"));
    } else {
      client.refuse(answer);
    }
    out.end_object();
    results.push_back(out.take());
  }
  finish(results, context);
}

std::string filter_body(const Arguments& arguments, bool dry_run) {
  JsonWriter out;
  out.begin_object().key("filter").begin_object();
  for (const auto& [name, value] : arguments.choice.parameters()) out.member(name, value);
  if (arguments.all) out.member("all", true);
  out.end_object();
  if (dry_run) out.member("dry_run", true);
  out.end_object();
  return out.take();
}

constexpr int kMostRounds = 1'000;  // of 15 s each at most, where not all could be counted

void change_matching(Client& client, const std::string& verb, const char* done,
                     const Arguments& arguments, const Context& context) {
  const auto count = [&] {
    return client.ask({"POST", {"tasks", verb}, {}, filter_body(arguments, true)}, choice_flag);
  };
  if (arguments.dry_run) {
    const auto answer = count();
    if (context.json) return print_object(answer, context);
    return fmt::print("{} would be {}\n", counted_tasks(answer), done);
  }
  // What is retried and fails again matches again: as many are changed as there were at first.
  const auto first = count();
  if (asks_first(context)) confirm(fmt::format("{} will be {}.", counted_tasks(first), done));
  const JsonObject at_first(first);
  const bool bounded = !at_first.is_true("estimated");
  const auto most = static_cast<std::int64_t>(at_first.number("count"));
  std::int64_t changed = 0;
  int rounds = 0;
  for (bool more = true; more && rounds < kMostRounds && (!bounded || changed < most); ++rounds) {
    const auto answer =
        client.ask({"POST", {"tasks", verb}, {}, filter_body(arguments, false)}, choice_flag);
    const JsonObject step(answer);
    changed += static_cast<std::int64_t>(step.number("count"));
    more = step.is_true("more");
  }
  if (context.json) return fmt::print("{{\"count\":{}}}\n", changed);
  fmt::print("{} {}\n", changed == 1 ? "1 task" : fmt::format("{} tasks", changed), done);
}

}  // namespace

void add_task_ends(Noun& task, Context& context, std::optional<std::string>& tenant) {
  struct Verb {
    const char *name, *help, *done, *statuses;
    bool finished;
  };
  constexpr Verb kVerbs[] = {
      {"cancel", "Stop tasks that wait: by id, or all that match", "cancelled",
       "pending or blocked; both unless said", false},
      {"retry", "Run finished tasks again: by id, or all that match", "retried",
       "completed, failed or cancelled; failed unless said", true},
  };
  for (const Verb& verb : kVerbs) {
    auto arguments = std::make_shared<Arguments>();
    Command command = task.verb(verb.name, verb.help,
                                fmt::format("{0} task_01jk… task_01jm…\n         postern task {0} "
                                            "--queue emails --since 2h --dry-run",
                                            verb.name));
    command.option("id", arguments->ids, "in any spelling");
    arguments->choice.add_to(command, verb.statuses, verb.finished);
    command.flag("--all", arguments->all, "whatever the queue, the tag and the time");
    command.flag("--dry-run", arguments->dry_run, "only say how many match");
    command.run([&context, &tenant, arguments, verb] {
      if (arguments->ids.empty() != arguments->by_filter()) {
        throw UsageError(
            fmt::format("say which tasks: by ids, or by --queue, --status, {}--endpoint, --tag, "
                        "--since, --until or --all",
                        verb.finished ? "--reason, " : ""));
      }
      if (arguments->dry_run && !arguments->by_filter()) {
        refuse_option("--dry-run", "it goes with a filter, not with ids");
      }
      judge(arguments->ids);
      Client client(context, tenant);
      arguments->by_filter() ? change_matching(client, verb.name, verb.done, *arguments, context)
                             : change_each(client, verb.name, *arguments, context);
    });
  }
  auto arguments = std::make_shared<Arguments>();
  Command remove = task.verb("delete", "Remove waiting tasks without a trace", "delete task_01jk…");
  remove.option("id", arguments->ids, "in any spelling").required();
  remove.run([&context, &tenant, arguments] {
    judge(arguments->ids);
    Client client(context, tenant);
    delete_each(client, *arguments, context);
  });
}

}  // namespace postern::admin
