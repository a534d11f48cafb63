// Tasks at the command line: look, make, change, run.
#include "cli/objects/tasks.h"
#include "cli/command/commands.h"

#include <fmt/format.h>

#include "cli/command/ending.h"
#include "cli/objects/task_options.h"
#include "cli/output/show.h"
#include "core/base/base64.h"
#include "core/base/utf8.h"

namespace postern::admin {
namespace {

constexpr std::size_t kPage = 100;

constexpr Column kColumns[] = {
    {"id", "id", 0},
    {"queue", "queue", 2, 8},
    {"status", "status", 0},
    {"reason", "reason", 6, 10},
    {"tries", "attempt_count", 4},
    {"created", "created_at", 3},
    {"next attempt", "next_attempt_at", 5},
    {"target", "endpoint|webhook_url", 7, 20},
    {"last error", "last_error", 8, 20},
};

constexpr FieldOption kNew[] = {
    {"--queue", "queue", Kind::text, "its queue; made if it is not there"},
    task_option::kWebhookUrl,
    task_option::kEndpoint,
    task_option::kMethod,
    task_option::kHeader,
    task_option::kPayload,
    task_option::kBody,
    task_option::kContentType,
    {"--delay", "delay", Kind::seconds, "before it may start, such as 30s, 5m or 1h30m"},
    task_option::kRunAt,
    {"--deadline", "deadline", Kind::time, "the latest start of an attempt, likewise"},
    {"--priority", "priority", Kind::number, "1 to 10, higher first; 5 unless said"},
    task_option::kMaxRetries,
    task_option::kRetryPolicy,
    task_option::kTimeout,
    task_option::kTag,
    task_option::kOrderingKey,
    {"--after", "dependencies", Kind::texts,
     "the id of a task that must complete first; several times"},
    {"--on-complete", "on_complete_url", Kind::text, "a URL, called when it is completed"},
    {"--on-failure", "on_failure_url", Kind::text, "a URL, called when it has failed"},
};

constexpr FieldOption kChange[] = {
    task_option::kPayload,     task_option::kBody,
    task_option::kContentType, {"--delay", "delay", Kind::seconds, "from now on, such as 5m"},
    task_option::kRunAt,       task_option::kPriority,
};

struct Arguments {
  std::optional<std::string> tenant;
  std::string id;
  TaskChoice choice;
  bool lines = false;
  std::optional<std::string> limit_text;
  FieldOptions fields{kNew}, changes{kChange};
  std::optional<std::string> payload_file, body_file, idempotency_key;
};

void list(const Context& context, const Arguments& arguments) {
  Client client(context, arguments.tenant, Client::Purpose::look);
  const auto limit = arguments.limit_text ? number_of("--limit", *arguments.limit_text) : 20;
  if (limit < 1) refuse_option("--limit", "it must be 1 or more");
  const auto found = client.list({"GET", {"tasks"}, arguments.choice.parameters()}, "tasks",
                                 static_cast<std::size_t>(limit), kPage, choice_flag);
  if (arguments.lines) {
    for (std::string task : found.objects) {
      // Outside of strings a line end is white space, and inside there is none.
      for (char& c : task) c = c == '\n' || c == '\r' ? ' ' : c;
      fmt::print("{}\n", task);
    }
    return;
  }
  print_objects(found.objects, kColumns, context);
  if (!found.more) return;
  const JsonObject page(found.last_page);
  say(context, fmt::format("{} of {}{}; --limit shows more", found.objects.size(),
                           page.raw("pagination.total"),
                           page.is_true("pagination.total_estimated") ? " or more" : ""));
}

void write_files(JsonWriter& out, const Arguments& arguments) {
  if (arguments.payload_file) {
    const auto json = content_of("--payload-file", *arguments.payload_file);
    if (!is_json(json)) refuse_option("--payload-file", "this is not valid JSON");
    out.key("payload").raw(json);
  }
  if (arguments.body_file) {
    const auto body = content_of("--body-file", *arguments.body_file);
    is_utf8(body) ? out.member("body", body) : out.member("payload_base64", base64_encode(body));
  }
}

std::string flag_of_file(const Arguments& arguments, std::string_view field) {
  if (field == "payload" && arguments.payload_file) return "--payload-file";
  const bool is_body = field == "body" || field == "payload_base64";
  return is_body && arguments.body_file ? "--body-file" : "";
}

std::string body_of(const FieldOptions& fields, const Arguments& arguments) {
  JsonWriter out;
  out.begin_object();
  fields.write(out);
  write_files(out, arguments);
  out.end_object();
  return out.take();
}

void add(const Context& context, const Arguments& arguments) {
  if (context.url_said) arguments.fields.want_target();
  ApiRequest request{"POST", {"tasks"}, {}, body_of(arguments.fields, arguments)};
  request.idempotency_key = arguments.idempotency_key.value_or("");
  Client client(context, arguments.tenant);
  const auto made = client.ask(request, [&](std::string_view field) {
    const auto flag = flag_of_file(arguments, field);
    return flag.empty() ? arguments.fields.flag_of(field) : flag;
  });
  print_task(made, context);
}

void change(const Context& context, const Arguments& arguments) {
  const ApiRequest request{
      "PATCH", {"tasks", path_name(arguments.id)}, {}, body_of(arguments.changes, arguments)};
  if (request.body == "{}") throw UsageError("say what is to change: --help shows the options");
  Client client(context, arguments.tenant);
  const auto changed = client.ask(request, [&](std::string_view field) {
    const auto flag = flag_of_file(arguments, field);
    return flag.empty() ? arguments.changes.flag_of(field) : flag;
  });
  print_task(changed, context);
}

void add_files(Command& command, Arguments& arguments) {
  command.option("--payload-file", arguments.payload_file, "a file with the payload; - is stdin");
  command.option("--body-file", arguments.body_file, "a file to be sent as it is; - is stdin");
}

}  // namespace

void TaskChoice::add_to(Command& command, const std::string& statuses, bool finished) {
  command.option("--queue", queue, "only of this queue");
  command.option("--status", status, statuses);
  if (finished) {
    command.option("--reason", reason, "only those that ended for it, such as exhausted or gone");
  }
  command.option("--endpoint", endpoint, "only those that name this endpoint");
  command.option("--tag", tag, "only with this tag");
  command.option("--since", since, "made since: RFC 3339, a date, or 2h or 3d back from now");
  command.option("--until", until, "made before, likewise");
}

std::vector<std::pair<std::string, std::string>> TaskChoice::parameters() const {
  std::vector<std::pair<std::string, std::string>> out;
  if (queue) out.emplace_back("queue", *queue);
  if (status) out.emplace_back("status", *status);
  if (reason) out.emplace_back("reason", *reason);
  if (endpoint) out.emplace_back("endpoint", *endpoint);
  if (tag) out.emplace_back("tag", *tag);
  if (since) out.emplace_back("created_since", time_of(*since, Side::before));
  if (until) out.emplace_back("created_until", time_of(*until, Side::before));
  return out;
}

std::string choice_flag(std::string_view field) {
  if (field == "created_since") return "--since";
  if (field == "created_until") return "--until";
  for (const char* known : {"queue", "status", "reason", "endpoint", "tag", "limit"}) {
    if (field == known) return fmt::format("--{}", field);
  }
  return "";
}

void add_task(Command& app, Context& context) {
  auto arguments = std::make_shared<Arguments>();
  Noun task(app, "task", "Tasks: look, make, change, stop, run again", arguments->tenant);
  const auto with_id = [&](const char* name, const char* help, const char* example) {
    Command command = task.verb(name, help, example);
    command.option("id", arguments->id, "in any spelling").required();
    return command;
  };

  Command show_list = task.verb("list", "Show tasks, newest first",
                                "list --queue emails --status failed --since 2h");
  arguments->choice.add_to(show_list, "pending, active, blocked, completed, failed or cancelled");
  show_list.option("--limit", arguments->limit_text, "at most so many; 20 unless said");
  show_list.flag("--ndjson", arguments->lines, "as JSON, one task in each line");
  show_list.run([&context, arguments] { list(context, *arguments); });

  with_id("get", "Show one task with its payload and attempts", "get task_01jk…")
      .run([&context, arguments] {
        Client client(context, arguments->tenant, Client::Purpose::look);
        print_task(client.ask({"GET", {"tasks", path_name(arguments->id)}}), context);
      });

  Command make = task.verb("add", "Make a task",
                           "add --queue emails --webhook-url https://app.example/send --payload "
                           "'{\"to\":1}' --delay 5m");
  arguments->fields.add_to(make);
  add_files(make, *arguments);
  make.option("--idempotency-key", arguments->idempotency_key,
              "the task is made once, however often it is asked for");
  make.run([&context, arguments] { add(context, *arguments); });

  Command edit = with_id("change", "Change a task that waits", "change task_01jk… --delay 1h");
  arguments->changes.add_to(edit);
  add_files(edit, *arguments);
  edit.run([&context, arguments] { change(context, *arguments); });

  with_id("run", "Start a task that waits now", "run task_01jk…").run([&context, arguments] {
    Client client(context, arguments->tenant);
    print_task(client.ask({"POST", {"tasks", path_name(arguments->id), "run"}}), context);
  });
  with_id("watch", "Show each change of its status, until it is over", "watch task_01jk…")
      .run([&context, arguments] {
        Client client(context, arguments->tenant, Client::Purpose::look);
        watch_task(client, path_name(arguments->id), context);
      });
  add_task_ends(task, context, arguments->tenant);
}

}  // namespace postern::admin
