// Tasks at the command line: look, make, stop, run again.
#include "db/tasks/tasks.h"

#include <fmt/format.h>

#include <array>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/record.h"
#include "core/base/json.h"
#include "core/base/uuid.h"
#include "core/model/creation.h"
#include "core/model/ids.h"
#include "core/model/lane.h"
#include "core/model/priority.h"
#include "core/model/queue.h"
#include "core/model/validation.h"
#include "core/program/clock.h"
#include "core/program/task_ids.h"
#include "core/wire/task_json.h"
#include "db/catalog/queue_defaults.h"

namespace postern::admin {
namespace {

// The options of `task add`, which core's errors name.
constexpr FieldNames kFields{
    .queue = "--queue",
    .url = "--url",
    .endpoint = "--endpoint",
    .method = "--method",
    .headers = "--header",
    .content_type = "--content-type",
    .max_retries = "--max-retries",
    .retry_policy = "--retry-policy",
    .timeout = "--timeout",
    .delay = "--delay",
    .run_at = "--run-at",
    .deadline = "--deadline",
    .tags = "--tag",
    .key = "--key",
    .dependencies = "--after",
    .on_complete_url = "--on-complete",
    .on_failure_url = "--on-failure",
};

constexpr std::string_view kColumns[] = {wire::task_field::kId,
                                         wire::kTaskNames.queue,
                                         wire::task_field::kStatus,
                                         wire::task_field::kReason,
                                         wire::task_field::kAttemptCount,
                                         wire::task_field::kCreatedAt,
                                         wire::task_field::kNextAttemptAt,
                                         wire::kTaskNames.endpoint,
                                         wire::kTaskNames.url};

struct Arguments {
  std::string tenant = "default";
  std::vector<std::string> ids;
  // list
  std::string queue, status, tag;
  int limit = 20;
  // add
  std::string url, endpoint, payload, body_file, content_type, delay = "0", key;
  int priority = 5;
  std::optional<int> max_retries;
  std::optional<std::string> timeout, retry_policy, method;
  std::vector<std::string> tags, after;
};

TaskId id_of(const std::string& text, bool json) {
  const auto id = parse_task_id(text);
  if (!id) fail(fmt::format("'{}' is not the id of a task", text), json);
  return *id;
}

std::vector<State> states_of(const std::string& status, bool json) {
  if (status.empty()) return {};
  if (status == "pending") return {State::ready, State::delayed};
  for (const State state : {State::ready, State::delayed, State::active, State::blocked,
                            State::completed, State::failed, State::cancelled}) {
    if (status == name(state)) return {state};
  }
  fail("--status must be pending, ready, delayed, active, blocked, completed, failed or cancelled",
       json);
}

void list(const Context& context, const Arguments& arguments) {
  db::TaskFilter filter;
  filter.queue = arguments.queue;
  filter.states = states_of(arguments.status, context.json);
  filter.tag = arguments.tag;
  filter.limit = arguments.limit;
  auto connection = context.connect(false);
  auto page = db::list_tasks(connection, arguments.tenant, filter);
  while (page.next && static_cast<int>(page.tasks.size()) < arguments.limit) {
    filter.before = page.next;
    filter.limit = arguments.limit - static_cast<int>(page.tasks.size());
    auto more = db::next_tasks(connection, arguments.tenant, filter);
    std::move(more.tasks.begin(), more.tasks.end(), std::back_inserter(page.tasks));
    page.next = more.next;
  }
  std::vector<Record> records;
  for (const auto& task : page.tasks) records.push_back(Record().add(wire::task_fields(), task));
  print(records, kColumns, context.json);
  if (page.next && !context.json) {
    fmt::print("{} of {}{}; --limit shows more\n", page.tasks.size(), page.total,
               page.total_estimated ? " or so" : "");
  }
}

void get(const Context& context, const Arguments& arguments) {
  auto connection = context.connect(false);
  const auto id = id_of(arguments.ids.front(), context.json);
  const auto task = db::get_task(connection, arguments.tenant, id);
  if (!task) fail(fmt::format("there is no task {}", arguments.ids.front()), context.json);
  // The database's tables hold the UUID.
  print(Record().add(wire::task_fields(), *task).add_text("uuid", to_uuid(id)), context.json);
}

std::string read_all(const std::string& file, bool json) {
  if (file == "-") return {std::istreambuf_iterator<char>(std::cin), {}};
  std::ifstream in(file, std::ios::binary);
  if (!in) fail(fmt::format("--body-file: cannot read {}", file), json);
  return {std::istreambuf_iterator<char>(in), {}};
}

Creation creation_of(const Arguments& arguments, bool json) {
  Creation wanted;
  wanted.fields = &kFields;
  wanted.queue = arguments.queue;
  wanted.url = arguments.url;
  wanted.endpoint = arguments.endpoint;
  wanted.method = arguments.method;
  wanted.content_type = arguments.content_type;
  if (!arguments.payload.empty()) {
    if (const auto object = parse_json_object(arguments.payload); !object) {
      fail("--payload: " + object.error().message, json);
    }
    wanted.body = arguments.payload;
  }
  if (!arguments.body_file.empty()) {
    wanted.body = read_all(arguments.body_file, json);
    wanted.body_form = BodyForm::raw;
  }
  wanted.priority = stored_priority(arguments.priority);
  if (arguments.max_retries) wanted.max_retries = *arguments.max_retries;
  wanted.retry_policy = arguments.retry_policy;
  if (arguments.timeout) wanted.timeout = parse_setting_duration(*arguments.timeout);
  wanted.delay = parse_setting_duration(arguments.delay).count();
  wanted.tags = arguments.tags;
  wanted.key = arguments.key;
  wanted.dependencies = arguments.after;
  return wanted;
}

void add(const Context& context, const Arguments& arguments) {
  const auto now = wall_clock();
  auto wanted = creation_of(arguments, context.json);
  require(check_creation(wanted, now), context.json);
  require(check_not_reserved(wanted.queue, "--queue"), context.json);
  auto connection = context.connect();
  if (!db::make_queue(connection, arguments.tenant, wanted.queue)) {
    fail(fmt::format("there is no tenant {}", arguments.tenant), context.json);
  }
  const auto queue = db::queue_defaults(connection, arguments.tenant, wanted.queue);
  const auto task = require(
      new_task(std::move(wanted), queue.value_or(QueueDefaults{}), arguments.tenant, new_task_id()),
      context.json);
  const auto lane = lane_id(task.spec.tenant, task.spec.queue, lane_target(task.spec));
  const db::Insertion insertion{&task, lane};
  if (queue && queue->bounded) {
    if (db::insert_bounded_tasks(connection, Uuid{}, std::span(&insertion, 1)).inserted == 0) {
      fail(fmt::format("the queue {} is full", task.spec.queue), context.json);
    }
  } else {
    db::insert_tasks(connection, Uuid{}, std::span(&insertion, 1));
  }
  print_record({{"id", to_typeid(task.spec.id)}, {"queue", task.spec.queue}}, context.json);
}

using Verb = db::Transition (*)(db::PgConnection&, std::string_view, const TaskId&, const Uuid&);

// Applies `verb` to each id. The exit code is 1 when it failed for one of them.
void change(const Context& context, const Arguments& arguments, Verb verb, const char* done) {
  auto connection = context.connect();
  std::vector<std::vector<std::string>> rows;
  bool all = true;
  for (const auto& text : arguments.ids) {
    const auto end = verb(connection, arguments.tenant, id_of(text, context.json), Uuid{});
    switch (end.kind) {
      case db::Transition::Kind::done: rows.push_back({text, done}); break;
      case db::Transition::Kind::missing: rows.push_back({text, "not there"}); break;
      case db::Transition::Kind::wrong_state:
        rows.push_back({text, fmt::format("left alone: it is {}", name(end.state))});
        break;
    }
    all = all && end.kind == db::Transition::Kind::done;
  }
  print_table({"id", "result"}, rows, context.json);
  if (!all) std::exit(1);
}

}  // namespace

void add_task(Command& app, Context& context) {
  auto arguments = std::make_shared<Arguments>();
  Noun task(app, "task", "Tasks: look, make, stop, run again", arguments->tenant);
  const auto add_ids = [&](Command command) {
    command.option("id", arguments->ids, "in any spelling").required();
  };

  Command show_list =
      task.verb("list", "Show tasks, newest first", "list --queue emails --status failed");
  show_list.option("--queue", arguments->queue, "only of this queue");
  show_list.option("--status", arguments->status,
                   "pending, ready, delayed, active, blocked, completed, failed, cancelled");
  show_list.option("--tag", arguments->tag, "only with this tag");
  show_list.option("--limit", arguments->limit, "at most so many").range(1, 1000).show_default();
  show_list.run([&context, arguments] { list(context, *arguments); });

  Command show_one = task.verb("get", "Show one task with its attempts", "get task_01jk…");
  show_one.option("id", arguments->ids, "in any spelling").required().single();
  show_one.run([&context, arguments] { get(context, *arguments); });

  Command make = task.verb(
      "add", "Make a task",
      "add --queue emails --url https://app.example/send --payload '{\"to\":1}' --delay 5m");
  make.option("--queue", arguments->queue, "its queue; made if it is not there").required();
  make.option("--url", arguments->url, "what is called");
  make.option("--endpoint", arguments->endpoint, "a named target instead");
  make.option("--method", arguments->method, "POST unless said");
  const Option payload =
      make.option("--payload", arguments->payload, "a JSON object for the envelope");
  make.option("--body-file", arguments->body_file, "a file to be sent as it is; - is stdin")
      .excludes(payload);
  make.option("--content-type", arguments->content_type, "of the file");
  make.option("--delay", arguments->delay, "such as 30s, 5m or 1h30m").show_default();
  make.option("--priority", arguments->priority, "1 to 10, higher first")
      .range(1, 10)
      .show_default();
  make.option("--max-retries", arguments->max_retries, "0 to 100; the queue's unless said");
  make.option("--retry-policy", arguments->retry_policy, "a name, or JSON with intervals");
  make.option("--timeout", arguments->timeout, "of one attempt, such as 30s");
  make.option("--tag", arguments->tags, "may be given several times");
  make.option("--key", arguments->key, "ordering key: one at a time and in order");
  make.option("--after", arguments->after, "ids of tasks that must complete first");
  make.run([&context, arguments] { add(context, *arguments); });

  Command cancel = task.verb("cancel", "Stop tasks that wait", "cancel task_01jk… task_01jm…");
  add_ids(cancel);
  cancel.run([&context, arguments] { change(context, *arguments, db::cancel_task, "cancelled"); });
  Command retry = task.verb("retry", "Run finished tasks again", "retry task_01jk…");
  add_ids(retry);
  const Verb retry_it = [](auto& connection, auto tenant, const auto& id, const auto& instance) {
    return db::retry_task(connection, tenant, id, instance);
  };
  retry.run([&context, arguments, retry_it] { change(context, *arguments, retry_it, "retried"); });
  Command remove = task.verb("delete", "Remove waiting tasks without a trace", "delete task_01jk…");
  add_ids(remove);
  const Verb delete_it = [](auto& connection, auto tenant, const auto& id, const auto& instance) {
    return db::delete_task(connection, tenant, id, instance);
  };
  remove.run(
      [&context, arguments, delete_it] { change(context, *arguments, delete_it, "deleted"); });
}

}  // namespace postern::admin
