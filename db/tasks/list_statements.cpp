#include "db/tasks/list_statements.h"

#include <fmt/format.h>

#include <deque>
#include <string>
#include <string_view>

#include "db/tasks/columns.h"

namespace postern::db {
namespace {

// The task's Phase, as core/model/phase.cpp has it.
constexpr char kPhase[] =
    "CASE state WHEN 'ready' THEN CASE WHEN attempt > 0 THEN 'retry' ELSE 'pending' END "
    "WHEN 'delayed' THEN CASE WHEN attempt > 0 THEN 'retry' ELSE 'delayed' END "
    "WHEN 'active' THEN CASE WHEN deferred AND hold_seconds > 0 THEN 'waiting' ELSE state END "
    "WHEN 'failed' THEN reason WHEN 'cancelled' THEN reason ELSE state END";

// Whether it is asked for. NULL parameters ask nothing.
std::string matches_sql(Judged judged) {
  if (judged == Judged::by_index) return "true";
  std::string sql = R"sql(
         (($6::text IS NULL OR $6 = ANY(tags)) AND ($9::text IS NULL OR endpoint = $9)
          AND ($16::text IS NULL OR reason = $16)
          AND ($7::timestamptz IS NULL OR created_at >= $7)
          AND ($8::timestamptz IS NULL OR created_at < $8))sql";
  if (judged == Judged::by_state) {
    sql += fmt::format(R"sql(
          AND ($5::text[] IS NULL OR state = ANY($5)) AND ($10::text[] IS NULL OR {} = ANY($10)))sql",
                       kPhase);
  }
  return sql + ") IS TRUE";
}

// A part of a list: for each row n of `queues`, the tasks k of `tasks` for which `which` holds.
struct Part {
  const char* queues;
  const char* tasks;
  const char* which;
  const char* look;  // how many entries in each of the queues
};

constexpr char kOfQueue[] = "k.tenant = $1 AND k.queue = n.queue";
constexpr char kOfLive[] = "unnest($2::text[]) AS n(queue)";
// By id alone, as an index that begins with the tenant must not look as good for that. The leases
// are as many as attempts are under way, so they are read whole and put in order.
constexpr char kOfLeases[] = R"sql(unnest($2::text[]) AS q(queue) CROSS JOIN LATERAL (
      SELECT l.task FROM (VALUES (false), (true)) AS d(deferred) CROSS JOIN LATERAL (
        SELECT task FROM postern.lease WHERE deferred = d.deferred AND tenant = $1 AND queue = q.queue LIMIT $14) l) n)sql";

Part part_of(LivePart part) {
  switch (part) {
    case LivePart::active: return {kOfLeases, "postern.task_live", "k.id = n.task", "$14"};
    case LivePart::blocked:
      return {kOfLive, "postern.task",
              "k.tenant = $1 AND k.queue = n.queue AND k.state = 'blocked'", "$14"};
    default: return {kOfLive, "postern.task_live", kOfQueue, "$14"};
  }
}

Part part_of(FinishedPart part) {
  if (part == FinishedPart::ended) {
    return {"unnest($3::text[], $4::text[]) AS n(queue, state)", "postern.task_finished",
            "k.tenant = $1 AND k.queue = n.queue AND k.state = n.state AND k.state <> 'completed'",
            "$15"};
  }
  return {"unnest($3::text[]) AS n(queue)", "postern.task_finished", kOfQueue, "$15"};
}

constexpr char kBetween[] = "uuid_send(k.id) > uuid_send($11) AND uuid_send(k.id) < uuid_send($12)";

constexpr char kFinishedSince[] = " AND k.finished_at >= $13";

// What a statement is for.
struct Shape {
  ListParts parts;
  Judged judged;
  const char* order;
};

// The subquery's order is that of the index, and row numbers keep it. Sorting again what is in
// order would read all of it before the first row.
std::string find_part(const Part& part, std::string_view since, const Shape& shape) {
  return fmt::format(R"sql(
  SELECT f.* FROM {queues} CROSS JOIN LATERAL (
    SELECT id, finished_at, place, matches, at = {look} AS is_last
      FROM (SELECT *, row_number() OVER () AS at
              FROM (SELECT id, finished_at, uuid_send(k.id) AS place, {matches} AS matches
                      FROM {tasks} k WHERE {which} AND {between}{since}
                     ORDER BY uuid_send(k.id) {order} LIMIT {look}) looked) numbered
     WHERE matches OR at = {look} LIMIT $17) f)sql",
                     fmt::arg("queues", part.queues), fmt::arg("look", part.look),
                     fmt::arg("matches", matches_sql(shape.judged)), fmt::arg("tasks", part.tasks),
                     fmt::arg("which", part.which), fmt::arg("between", kBetween),
                     fmt::arg("since", since), fmt::arg("order", shape.order));
}

// From the newest on, whose rows a first page has read. What is judged by its index entry is
// counted in the index alone, which a condition on uuid_send(id) would prevent.
std::string count_part(const Part& part, std::string_view since, const Shape& shape) {
  const auto range = fmt::format(" AND {}{} ORDER BY uuid_send(k.id) DESC", kBetween, since);
  return fmt::format(R"sql(
    SELECT f.matches FROM {} CROSS JOIN LATERAL (
      SELECT {} AS matches FROM {} k WHERE {}{} LIMIT $14) f)sql",
                     part.queues, matches_sql(shape.judged), part.tasks, part.which,
                     shape.judged == Judged::by_index ? "" : range);
}

// Both halves, of which one may be missing.
std::string halves(const Shape& shape,
                   std::string (*sql)(const Part&, std::string_view, const Shape&)) {
  std::string live, finished;
  if (shape.parts.live != LivePart::none) live = sql(part_of(shape.parts.live), "", shape);
  if (shape.parts.finished != FinishedPart::none) {
    finished = sql(part_of(shape.parts.finished), kFinishedSince, shape);
  }
  return live + (live.empty() || finished.empty() ? "" : "\n  UNION ALL") + finished;
}

std::string find_sql(const Shape& shape) {
  return fmt::format(
      "SELECT id, finished_at, matches, is_last FROM ({}) found ORDER BY place {} LIMIT $17",
      halves(shape, find_part), shape.order);
}

std::string count_sql(const Shape& shape) {
  return fmt::format(
      "SELECT count(*) FILTER (WHERE matches) AS matching, count(*) AS looked "
      "FROM ({} LIMIT $14) few",
      halves(shape, count_part));
}

// The statements of one kind and order, for each combination of parts and what is judged by.
class Statements {
 public:
  Statements(std::string_view kind, std::string (*sql)(const Shape&), const char* order) {
    for (int at = 0; at < kLive * kFinished * kJudged; ++at) {
      const Shape shape{{static_cast<LivePart>(at / kJudged / kFinished),
                         static_cast<FinishedPart>(at / kJudged % kFinished)},
                        static_cast<Judged>(at % kJudged),
                        order};
      names_.push_back(fmt::format("{}_{}", kind, at));
      statements_.emplace_back(names_.back().c_str(), sql(shape));
    }
  }
  const Statement& get(ListParts parts, Judged judged) const {
    const int at =
        (static_cast<int>(parts.live) * kFinished + static_cast<int>(parts.finished)) * kJudged +
        static_cast<int>(judged);
    return statements_[static_cast<std::size_t>(at)];
  }

 private:
  static constexpr int kLive = 4, kFinished = 3, kJudged = 3;
  std::deque<std::string> names_;
  std::deque<BuiltStatement> statements_;
};

std::string queues_sql(std::string_view table) {
  return fmt::format(R"sql(
  WITH RECURSIVE q(queue) AS (
    (SELECT queue FROM {0} WHERE tenant = $1 ORDER BY queue LIMIT 1)
    UNION ALL
    SELECT (SELECT k.queue FROM {0} k WHERE k.tenant = $1 AND k.queue > q.queue ORDER BY k.queue LIMIT 1)
      FROM q WHERE q.queue IS NOT NULL)
  SELECT queue FROM q WHERE queue IS NOT NULL)sql",
                     table);
}

const BuiltStatement kListedBuilt{"listed_tasks", fmt::format(R"sql(
  SELECT {} FROM unnest($1::uuid[], $2::timestamptz[]) WITH ORDINALITY AS a(task, ended, at)
   CROSS JOIN LATERAL (
    SELECT * FROM postern.task_live WHERE id = a.task AND a.ended IS NULL
    UNION ALL
    SELECT * FROM postern.task_finished WHERE id = a.task AND finished_at = a.ended) t
   ORDER BY at)sql",
                                                              task_columns(Body::small))};
const BuiltStatement kLiveQueuesBuilt{"live_queues", queues_sql("postern.task")};
const BuiltStatement kFinishedQueuesBuilt{"finished_queues", queues_sql("postern.task_finished")};
constexpr Statement kLeasesText{"leases_of_queues", R"sql(
  SELECT count(*) FROM (
    SELECT FROM unnest($2::text[]) AS q(queue) CROSS JOIN (VALUES (false), (true)) AS d(deferred)
     CROSS JOIN LATERAL (SELECT FROM postern.lease WHERE deferred = d.deferred AND tenant = $1
                            AND queue = q.queue LIMIT $3) l
     LIMIT $3) few)sql"};

}  // namespace

const Statement& kListed = kListedBuilt;
const Statement& kLiveQueues = kLiveQueuesBuilt;
const Statement& kFinishedQueues = kFinishedQueuesBuilt;
const Statement& kLeases = kLeasesText;

const Statement& find_tasks(ListParts parts, Judged judged, bool oldest_first) {
  static const Statements newest("newest_tasks", find_sql, "DESC");
  static const Statements oldest("oldest_tasks", find_sql, "ASC");
  return (oldest_first ? oldest : newest).get(parts, judged);
}

const Statement& count_tasks(ListParts parts, Judged judged) {
  static const Statements all("count_tasks", count_sql, "");
  return all.get(parts, judged);
}

}  // namespace postern::db
