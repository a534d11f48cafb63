// Lists of tasks and how many there are: see tasks.h.
#include <fmt/format.h>

#include <algorithm>

#include "core/model/queue.h"
#include "db/tasks/columns.h"
#include "db/tasks/tasks.h"

namespace postern::db {
namespace {

// The task's Phase, as core/model/phase.cpp has it.
constexpr char kPhase[] =
    "CASE state WHEN 'ready' THEN CASE WHEN attempt > 0 THEN 'retry' ELSE 'pending' END "
    "WHEN 'delayed' THEN CASE WHEN attempt > 0 THEN 'retry' ELSE 'delayed' END "
    "WHEN 'active' THEN CASE WHEN deferred AND hold_seconds > 0 THEN 'waiting' ELSE state END "
    "WHEN 'failed' THEN reason WHEN 'cancelled' THEN reason ELSE state END";

// What both halves of a list ask of a task in queue `n.queue`. NULL parameters ask nothing.
std::string filter_sql() {
  return fmt::format(R"sql(
        tenant = $1 AND k.queue = n.queue AND ($3::text[] IS NULL OR state = ANY($3))
        AND ($4::text IS NULL OR $4 = ANY(tags))
        AND ($5::timestamptz IS NULL OR created_at >= $5) AND ($6::timestamptz IS NULL OR created_at < $6)
        AND ($7::text IS NULL OR endpoint = $7)
        AND ($8::text[] IS NULL OR {} = ANY($8)))sql",
                     kPhase);
}

// The two halves: `live` and `over` name the queues of each that are looked at.
struct Half {
  const char* queues;
  const char* table;  // where the queues' names are
  const char* tasks;  // the tasks as they are
};
constexpr Half kLive{"live", "postern.task", "postern.task_live"},
    kOver{"over", "postern.task_finished", "postern.task_finished"};

// The one queue asked for, or all that hold tasks: an index descent for each, however many tasks.
std::string queues_sql(const Half& half) {
  return fmt::format(R"sql(
  {queues}(queue) AS (
    (SELECT coalesce($2::text, (SELECT queue FROM {table} WHERE tenant = $1 ORDER BY queue LIMIT 1)))
    UNION ALL
    SELECT (SELECT k.queue FROM {table} k WHERE k.tenant = $1 AND k.queue > n.queue ORDER BY k.queue LIMIT 1)
      FROM {queues} n WHERE $2::text IS NULL AND n.queue IS NOT NULL))sql",
                     fmt::arg("queues", half.queues), fmt::arg("table", half.table));
}

// The first of each queue. `past` is how an id compares with that of the page before, `order` what
// goes with it.
std::string first_sql(const Half& half, std::string_view past, std::string_view order) {
  return fmt::format(R"sql((
      SELECT f.* FROM {} n CROSS JOIN LATERAL (
        SELECT * FROM {} k WHERE {}
           AND ($9::uuid IS NULL OR uuid_send(id) {} uuid_send($9))
         ORDER BY uuid_send(id) {} LIMIT $10 + $11) f))sql",
                     half.queues, half.tasks, filter_sql(), past, order);
}

// The first of these; the bodies of a page's rows alone are read.
std::string list_sql(std::string_view past, std::string_view order) {
  return fmt::format(R"sql(
  WITH RECURSIVE {live_queues}, {over_queues},
  page AS (
    SELECT * FROM ({live} UNION ALL {over}) both_halves
     ORDER BY id {order} OFFSET $11 LIMIT $10)
  SELECT {columns} FROM page ORDER BY id {order})sql",
                     fmt::arg("live_queues", queues_sql(kLive)),
                     fmt::arg("over_queues", queues_sql(kOver)),
                     fmt::arg("live", first_sql(kLive, past, order)),
                     fmt::arg("over", first_sql(kOver, past, order)), fmt::arg("order", order),
                     fmt::arg("columns", task_columns(Body::small)));
}

const BuiltStatement kNewest{"newest_tasks", list_sql("<", "DESC")};
const BuiltStatement kOldest{"oldest_tasks", list_sql(">", "ASC")};

constexpr int kExactTotal = 10'000;

std::string count_sql() {
  return fmt::format(R"sql(
  WITH RECURSIVE {live_queues}, {over_queues}
  SELECT count(*) FROM (
    SELECT FROM live n CROSS JOIN LATERAL (SELECT FROM postern.task_live k WHERE {filter} LIMIT 10001) f
    UNION ALL
    SELECT FROM over n CROSS JOIN LATERAL (SELECT FROM postern.task_finished k WHERE {filter} LIMIT 10001) f
    LIMIT 10001) few)sql",
                     fmt::arg("live_queues", queues_sql(kLive)),
                     fmt::arg("over_queues", queues_sql(kOver)), fmt::arg("filter", filter_sql()));
}

const BuiltStatement kCount{"count_tasks", count_sql()};

// Past the exact range, the counters tell how many there have been; what retention has dropped is
// not known to them, hence "estimated".
constexpr Statement kCounted{"counted_tasks", R"sql(
  SELECT coalesce(sum(postern.total_change(name, value)), 0)::bigint
    FROM postern.counter WHERE tenant = $1 AND ($2::text IS NULL OR queue = $2))sql"};

constexpr Statement kCountedByEnd{"counted_by_end", R"sql(
  SELECT coalesce(sum(value), 0)::bigint FROM postern.counter
   WHERE tenant = $1 AND ($2::text IS NULL OR queue = $2) AND name = ANY($3))sql"};

void add_filter(Params& params, std::string_view tenant, const TaskFilter& filter) {
  params.text(tenant).text_or_null(filter.queue);
  if (filter.states.empty()) {
    params.null_array(Oid::text);
  } else {
    Array states(Oid::text);
    for (const auto state : filter.states) states.text(name(state));
    params.array(states);
  }
  params.text_or_null(filter.tag).time(filter.created_since).time(filter.created_until);
  params.text_or_null(filter.endpoint);
  if (filter.phases.empty()) {
    params.null_array(Oid::text);
  } else {
    Array phases(Oid::text);
    for (const auto phase : filter.phases) phases.text(name(phase));
    params.array(phases);
  }
}

// How many match, more or less, when counting them would take too long: -1 when nothing can tell.
std::int64_t estimated_total(PgConnection& connection, std::string_view tenant,
                             const TaskFilter& filter) {
  if (!filter.tag.empty() || filter.created_since || filter.created_until ||
      !filter.endpoint.empty() || !filter.phases.empty()) {
    return -1;
  }
  Params params;
  params.text(tenant).text_or_null(filter.queue);
  if (filter.states.empty()) return connection.exec(kCounted, params).integer(0, 0);
  Array ends(Oid::text);
  for (const auto state : filter.states) {
    if (!is_finished(state)) return -1;
    ends.text(fmt::format("finished_{}", name(state)));
  }
  return connection.exec(kCountedByEnd, params.array(ends)).integer(0, 0);
}

}  // namespace

std::vector<Task> next_tasks(PgConnection& connection, std::string_view tenant,
                             const TaskFilter& filter) {
  Params params;
  add_filter(params, tenant, filter);
  params.uuid(filter.before).int8(filter.limit).int8(filter.offset);
  const auto rows = connection.exec(filter.oldest_first ? kOldest : kNewest, params);
  const TaskReader read(rows);
  std::vector<Task> tasks;
  tasks.reserve(static_cast<std::size_t>(rows.rows()));
  for (int i = 0; i < rows.rows(); ++i) tasks.push_back(read(i));
  return tasks;
}

Page list_tasks(PgConnection& connection, std::string_view tenant, const TaskFilter& filter) {
  Page page;
  TaskFilter one_more = filter;
  ++one_more.limit;
  page.tasks = next_tasks(connection, tenant, one_more);
  page.has_more = static_cast<int>(page.tasks.size()) > filter.limit;
  if (page.has_more) page.tasks.pop_back();

  Params count;
  add_filter(count, tenant, filter);
  page.total = connection.exec(kCount, count).integer(0, 0);
  if (page.total > kExactTotal) {
    page.total_estimated = true;
    page.total = std::max<std::int64_t>(page.total, estimated_total(connection, tenant, filter));
  }
  return page;
}

constexpr Statement kTotals{"totals", R"sql(
  SELECT (SELECT coalesce(sum(postern.total_change(name, value)), 0)::bigint
            FROM postern.counter WHERE tenant = $1) AS tasks,
         (SELECT count(*) FROM postern.queue WHERE tenant = $1 AND name <> ALL($2)) AS queues)sql"};

Totals totals(PgConnection& connection, std::string_view tenant) {
  Array unlisted(Oid::text);
  for (const auto queue : kUnlistedQueues) unlisted.text(queue);
  const auto row = connection.exec(kTotals, Params().text(tenant).array(unlisted));
  return {row.integer(0, row.column("tasks")), row.integer(0, row.column("queues"))};
}

}  // namespace postern::db
