#include "db/tasks/columns.h"

#include <stdexcept>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/base/headers_json.h"

namespace postern::db {
namespace {

using Bind = void (*)(Array&, const Insertion&);
using Asks = bool (*)(const TaskSpec&);
using ReadSpec = void (*)(TaskSpec&, const Value&);
using ReadTask = void (*)(Task&, const Value&);

// A column of what the caller asks for: it is sent as it is given, and stays with the task.
constexpr TaskColumn asked(const char* name, Oid type, Bind bind, ReadSpec read,
                           const char* inserted = nullptr) {
  return {.name = name,
          .moved = true,
          .type = type,
          .bind = bind,
          .inserted = inserted == nullptr ? name : inserted,
          .read_spec = read};
}

constexpr TaskColumn rare(TaskColumn column, Asks asks) {
  column.asks = asks;
  return column;
}

// The same for a text that is always there, and for one that is NULL when it is empty.
template <std::string TaskSpec::*member>
constexpr TaskColumn asked_text(const char* name) {
  return asked(
      name, Oid::text, [](Array& to, const Insertion& from) { to.text(from.task->spec.*member); },
      [](TaskSpec& spec, const Value& value) { spec.*member = value.text(); });
}
template <std::string TaskSpec::*member>
constexpr TaskColumn asked_text_or_null(const char* name) {
  return asked(
      name, Oid::text,
      [](Array& to, const Insertion& from) { to.text_or_null(from.task->spec.*member); },
      [](TaskSpec& spec, const Value& value) { spec.*member = value.text(); });
}
template <std::string TaskSpec::*member>
constexpr TaskColumn rare_text_or_null(const char* name) {
  return rare(asked_text_or_null<member>(name),
              [](const TaskSpec& spec) { return !(spec.*member).empty(); });
}

// A number of seconds that is NULL when it is 0.
template <Seconds TaskSpec::*member>
constexpr TaskColumn rare_seconds(const char* name) {
  const TaskColumn column = asked(
      name, Oid::int8,
      [](Array& to, const Insertion& from) {
        const auto count = (from.task->spec.*member).count();
        count > 0 ? to.int8(count) : to.null();
      },
      [](TaskSpec& spec, const Value& value) {
        spec.*member = Seconds{value.integer_or_null().value_or(0)};
      });
  return rare(column, [](const TaskSpec& spec) { return (spec.*member).count() > 0; });
}

// A column that only Postern writes.
constexpr TaskColumn kept(const char* name, ReadTask read, const char* selected = nullptr) {
  return {.name = name, .selected = selected, .read_task = read};
}
constexpr TaskColumn kept_and_moved(const char* name, ReadTask read) {
  return {.name = name, .moved = true, .read_task = read};
}

// Read in this order: the parts of the result after its code, the body's size after the body.
constexpr TaskColumn kColumns[] = {
    asked(
        "id", Oid::uuid, [](Array& to, const Insertion& from) { to.uuid(from.task->spec.id); },
        [](TaskSpec& spec, const Value& value) { spec.id = value.uuid(); }),
    {.name = "lane",
     .moved = true,
     .type = Oid::int8,
     .bind = [](Array& to, const Insertion& from) { to.int8(from.lane); },
     .inserted = "lane"},
    asked_text<&TaskSpec::tenant>("tenant"),
    asked(
        "dialect", Oid::text,
        [](Array& to, const Insertion& from) { to.text(name(from.task->spec.dialect)); },
        [](TaskSpec& spec, const Value& value) { spec.dialect = dialect_from(value.text()); }),
    asked_text<&TaskSpec::queue>("queue"),
    asked_text_or_null<&TaskSpec::endpoint>("endpoint"),
    asked_text<&TaskSpec::method>("method"),
    asked_text_or_null<&TaskSpec::url>("url"),
    asked(
        "headers", Oid::text,
        [](Array& to, const Insertion& from) {
          to.text_or_null(headers_json(from.task->spec.headers));
        },
        [](TaskSpec& spec, const Value& value) { spec.headers = headers_from_json(value.text()); }),
    asked(
        "body_form", Oid::text,
        [](Array& to, const Insertion& from) { to.text(name(from.task->spec.body_form)); },
        [](TaskSpec& spec, const Value& value) { spec.body_form = body_form_from(value.text()); }),
    asked(
        "body", Oid::bytea,
        [](Array& to, const Insertion& from) {
          const auto& body = from.task->spec.body;
          body ? to.text(*body) : to.null();
        },
        [](TaskSpec& spec, const Value& value) { spec.body = value.text_or_null(); }),
    rare_text_or_null<&TaskSpec::content_type>("content_type"),
    asked(
        "priority", Oid::int2,
        [](Array& to, const Insertion& from) {
          to.int2(static_cast<std::int16_t>(from.task->spec.priority));
        },
        [](TaskSpec& spec, const Value& value) { spec.priority = value.int4(); }),
    asked(
        "max_attempts", Oid::int4,
        [](Array& to, const Insertion& from) { to.int4(from.task->spec.max_attempts); },
        [](TaskSpec& spec, const Value& value) { spec.max_attempts = value.int4(); }),
    asked_text<&TaskSpec::retry_policy>("retry_policy"),
    asked(
        "timeout_ms", Oid::int4,
        [](Array& to, const Insertion& from) {
          const auto count = from.task->spec.timeout.count();
          count > 0 ? to.int4(static_cast<std::int32_t>(count)) : to.null();
        },
        [](TaskSpec& spec, const Value& value) {
          spec.timeout = Milliseconds{value.integer_or_null().value_or(0)};
        }),
    rare(asked(
             "deadline", Oid::timestamptz,
             [](Array& to, const Insertion& from) {
               const auto& deadline = from.task->spec.deadline;
               deadline ? to.time(*deadline) : to.null();
             },
             [](TaskSpec& spec, const Value& value) { spec.deadline = value.time_or_null(); }),
         [](const TaskSpec& spec) { return spec.deadline.has_value(); }),
    rare_text_or_null<&TaskSpec::key>("key"),
    {.name = "key_seq",
     .moved = true,
     .asks = [](const TaskSpec& spec) { return !spec.key.empty(); },
     .inserted = "CASE WHEN key IS NOT NULL THEN nextval('postern.key_seq') END"},
    // Lists travel as literals, because unnest would flatten arrays of arrays.
    rare(asked(
             "tags", Oid::text,
             [](Array& to, const Insertion& from) {
               const auto& tags = from.task->spec.tags;
               to.text_or_null(tags.empty() ? "" : text_array_literal(tags));
             },
             [](TaskSpec& spec, const Value& value) { spec.tags = value.text_array(); },
             "tags::text[]"),
         [](const TaskSpec& spec) { return !spec.tags.empty(); }),
    rare(asked(
             "dependencies", Oid::text,
             [](Array& to, const Insertion& from) {
               const auto& dependencies = from.task->spec.dependencies;
               to.text_or_null(dependencies.empty() ? "" : uuid_array_literal(dependencies));
             },
             [](TaskSpec& spec, const Value& value) { spec.dependencies = value.uuid_array(); },
             "dependencies::uuid[]"),
         [](const TaskSpec& spec) { return !spec.dependencies.empty(); }),
    rare_text_or_null<&TaskSpec::on_complete_url>("on_complete_url"),
    rare_text_or_null<&TaskSpec::on_failure_url>("on_failure_url"),
    asked_text_or_null<&TaskSpec::traceparent>("traceparent"),
    rare_text_or_null<&TaskSpec::extra>("extra"),
    asked_text_or_null<&TaskSpec::idempotency_key>("idempotency_key"),
    rare(asked(
             "job_id", Oid::int8,
             [](Array& to, const Insertion& from) {
               const auto& job_id = from.task->spec.job_id;
               job_id ? to.int8(*job_id) : to.null();
             },
             [](TaskSpec& spec, const Value& value) { spec.job_id = value.integer_or_null(); }),
         [](const TaskSpec& spec) { return spec.job_id.has_value(); }),
    rare_seconds<&TaskSpec::repeat>("repeat_seconds"),
    rare_seconds<&TaskSpec::hold>("hold_seconds"),
    rare(asked(
             "load_results", Oid::boolean,
             [](Array& to, const Insertion& from) { to.boolean(from.task->spec.load_results); },
             [](TaskSpec& spec, const Value& value) { spec.load_results = value.boolean(); }),
         [](const TaskSpec& spec) { return spec.load_results; }),

    // A start is a time, or a delay from the database's now(); see insertion_sql.
    {.name = "delay_us",
     .stored = false,
     .type = Oid::int8,
     .bind = [](Array& to, const Insertion& from) { to.int8(from.task->delay.count()); }},
    {.name = "start",
     .stored = false,
     .type = Oid::timestamptz,
     .bind =
         [](Array& to, const Insertion& from) {
           from.task->run_at ? to.time(*from.task->run_at) : to.null();
         }},
    {.name = "run_at",
     .moved = true,
     .inserted = "run_at",
     .read_task = [](Task& task, const Value& value) { task.run_at = value.time(); }},
    // The state at creation: C++'s is state_at_creation (tasks.h), and a test holds the two
    // together.
    {.name = "state",
     .inserted = "CASE WHEN key IS NOT NULL OR dependencies IS NOT NULL THEN 'blocked' "
                 "WHEN run_at > now() THEN 'delayed' ELSE 'ready' END",
     .read_task = [](Task& task, const Value& value) { task.state = state_from(value.text()); }},

    kept("reason", [](Task& task, const Value& value) { task.reason = reason_from(value.text()); }),
    kept("attempt", [](Task& task, const Value& value) { task.attempt = value.int4(); }),
    kept_and_moved("attempt_base",
                   [](Task& task, const Value& value) { task.attempt_base = value.int4(); }),
    kept(
        "attempts",
        [](Task& task, const Value& value) {
          if (!value.text().starts_with('[')) throw std::runtime_error("it is not a list");
          task.attempts = value.text();
        },
        "attempts::text"),
    kept("last_error", [](Task& task, const Value& value) { task.last_error = value.text(); }),
    kept("result_code",
         [](Task& task, const Value& value) {
           if (!value.is_null()) task.result.emplace().status = value.int4();
         }),
    kept("result_ms",
         [](Task& task, const Value& value) {
           if (!task.result) return;
           task.result->duration = Milliseconds{value.integer_or_null().value_or(0)};
         }),
    kept("result_headers",
         [](Task& task, const Value& value) {
           if (task.result) task.result->headers = headers_from_json(value.text());
         }),
    kept("result_body",
         [](Task& task, const Value& value) {
           if (task.result) task.result->body = value.text();
         }),
    kept_and_moved("created_at",
                   [](Task& task, const Value& value) { task.created_at = value.time(); }),
    kept("updated_at", [](Task& task, const Value& value) { task.updated_at = value.time(); }),
    kept("finished_at",
         [](Task& task, const Value& value) { task.finished_at = value.time_or_null(); }),
    {.name = "body_bytes",
     .stored = false,
     .selected = "octet_length(body)",
     .read_task =
         [](Task& task, const Value& value) {
           task.body_omitted = !task.spec.body && !value.is_null();
         }},
    kept("resolved", [](Task& task, const Value& value) { task.resolved = value.text_or_null(); }),
    kept("deferred", [](Task& task, const Value& value) { task.deferred = value.boolean(); }),
    kept("claimed_at",
         [](Task& task, const Value& value) { task.claimed_at = value.time_or_null(); }),
    // Whose attempt it is, and which partition keeps it: engine/ and functions only.
    {.name = "lease"},
    {.name = "retention"},
};

// The pieces of all columns for which there is one, separated by commas.
template <class PieceOf>
std::string list_of(PieceOf piece_of) {
  std::string list;
  for (const auto& column : kColumns) {
    const std::string piece = piece_of(column);
    if (piece.empty()) continue;
    if (!list.empty()) list += ", ";
    list += piece;
  }
  return list;
}

bool is_left_out(const TaskColumn& column, Columns columns) {
  return columns == Columns::common && column.asks != nullptr;
}

std::string selected(const TaskColumn& column, Body body) {
  const char* sql = column.selected;
  if (std::string_view(column.name) == "body") {
    switch (body) {
      case Body::whole: break;
      case Body::small: sql = "CASE WHEN octet_length(body) <= 16384 THEN body END"; break;
      case Body::left_out: sql = "NULL::bytea"; break;
    }
  }
  return sql == nullptr ? column.name : fmt::format("{} AS {}", sql, column.name);
}

template <class Object, class ReadOf>
std::vector<Column<Object>> readers(ReadOf read_of) {
  std::vector<Column<Object>> out;
  for (const auto& column : kColumns) {
    if (const auto read = read_of(column)) out.push_back({column.name, read});
  }
  return out;
}

const std::vector<Column<TaskSpec>>& spec_readers() {
  static const auto kReaders =
      readers<TaskSpec>([](const TaskColumn& column) { return column.read_spec; });
  return kReaders;
}

const std::vector<Column<Task>>& task_readers() {
  static const auto kReaders =
      readers<Task>([](const TaskColumn& column) { return column.read_task; });
  return kReaders;
}

}  // namespace

std::span<const TaskColumn> task_column_table() { return kColumns; }

std::string spec_columns(Body body) {
  return list_of([body](const TaskColumn& column) {
    return column.read_spec == nullptr ? std::string() : selected(column, body);
  });
}

std::string task_columns(Body body) {
  return list_of([body](const TaskColumn& column) {
    const bool read = column.read_spec != nullptr || column.read_task != nullptr;
    return read ? selected(column, body) : std::string();
  });
}

std::string moved_columns() {
  return list_of([](const TaskColumn& column) { return column.moved ? column.name : ""; });
}

std::string sent_columns(Columns columns) {
  return list_of([columns](const TaskColumn& column) {
    return column.bind == nullptr || is_left_out(column, columns) ? "" : column.name;
  });
}

std::string sent_arrays(int first, Columns columns) {
  return list_of([&first, columns](const TaskColumn& column) {
    return column.bind == nullptr || is_left_out(column, columns)
               ? std::string()
               : fmt::format("${}::{}[]", first++, type_name(column.type));
  });
}

std::string inserted_columns(Columns columns) {
  return list_of([columns](const TaskColumn& column) {
    return column.inserted == nullptr || is_left_out(column, columns) ? "" : column.name;
  });
}

std::string inserted_values(Columns columns) {
  return list_of([columns](const TaskColumn& column) {
    return column.inserted == nullptr || is_left_out(column, columns) ? "" : column.inserted;
  });
}

Columns columns_for(std::span<const Insertion> batch) {
  for (const auto& column : kColumns) {
    if (column.asks == nullptr) continue;
    for (const auto& insertion : batch) {
      if (column.asks(insertion.task->spec)) return Columns::all;
    }
  }
  return Columns::common;
}

void add_batch(Params& params, std::span<const Insertion> batch, Columns columns) {
  for (const auto& column : kColumns) {
    if (column.bind == nullptr || is_left_out(column, columns)) continue;
    Array array(column.type, batch.size());
    for (const auto& insertion : batch) column.bind(array, insertion);
    params.array(std::move(array));
  }
}

SpecReader::SpecReader(const PgResult& result) : RowReader(result, spec_readers()) {}

TaskReader::TaskReader(const PgResult& result) : spec_(result), rest_(result, task_readers()) {}

Task TaskReader::operator()(int row) const {
  Task task;
  task.unreadable = spec_.read_what_can_be(row, task.spec);
  const std::string rest = rest_.read_what_can_be(row, task);
  if (task.unreadable.empty()) task.unreadable = rest;
  if (is_finished(task.state) && task.state != State::completed && task.reason == Reason::none) {
    task.reason = Reason::corrupt_row;
  }
  if (!task.unreadable.empty()) task.last_error = corrupt_row_error(task.unreadable);
  return task;
}

}  // namespace postern::db
