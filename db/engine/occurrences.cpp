#include "db/engine/occurrences.h"

#include "db/catalog/queue_defaults.h"
#include "db/catalog/schedules.h"
#include "db/engine/turns.h"
#include "db/tasks/insertion.h"

namespace postern::db {

namespace {

constexpr char kIsDue[] =
    "NOT s.paused AND s.next_at <= now() AND s.next_at >= '1970-01-01 00:00:00+00'";

// Tenants that are looked at in one step, since most may have nothing that is due.
constexpr int kTenantsAtOnce = 1000;

}  // namespace

// `crowd`: as many are due as one step takes, so that the tenants take turns. `turns` have
// schedules, those of `ours` have some that are due, and those of `reached` one in this step.
const BuiltStatement kDueSchedules{"due_schedules",
                                   R"sql(
  WITH RECURSIVE oldest AS MATERIALIZED (
    SELECT tenant FROM postern.schedule s WHERE )sql" +
                                       std::string(kIsDue) + R"sql(
       AND s.tenant <> ALL((SELECT postern.resting())::text[]) ORDER BY next_at LIMIT $2),
  crowd AS MATERIALIZED (SELECT count(*) >= $2 AS there FROM oldest),)sql" +
                                       turns_sql("postern.schedule s WHERE NOT s.paused "
                                                 "AND s.next_at >= '1970-01-01 00:00:00+00' AND",
                                                 "s.next_at, s.name", kTenantsAtOnce,
                                                 "(SELECT there FROM crowd)") +
                                       R"sql(,
  ours AS MATERIALIZED (
    (SELECT t.place, t.tenant FROM turns t
      WHERE EXISTS (SELECT FROM postern.schedule s WHERE s.tenant = t.tenant AND )sql" +
                                       kIsDue + R"sql(
                     ORDER BY s.tenant, s.next_at, s.name LIMIT 1)
      ORDER BY t.place, t.tenant LIMIT $2)
    UNION ALL
    SELECT DISTINCT CASE WHEN tenant > $1 THEN 1 ELSE 2 END, tenant FROM oldest WHERE NOT (SELECT there FROM crowd)),
  shares AS MATERIALIZED (
    SELECT greatest(1, count(*)) AS tenants,
           CASE WHEN (SELECT there FROM crowd) THEN greatest(1, $2 / greatest(1, count(*))) ELSE $2 END AS of FROM ours),
  listed AS (
    SELECT o.place, s.*, row_number() OVER w AS round, sum(octet_length(s.task)) OVER w - octet_length(s.task) AS before
      FROM ours o CROSS JOIN LATERAL (
        SELECT )sql" + select_list(schedule_columns()) +
                                       R"sql(, tenant, last_task FROM postern.schedule s
         WHERE s.tenant = o.tenant AND )sql" +
                                       kIsDue + R"sql(
         ORDER BY s.next_at, s.name LIMIT (SELECT of FROM shares)) s
    WINDOW w AS (PARTITION BY s.tenant ORDER BY s.next_at, s.name)),
  taken AS (
    SELECT * FROM (
      SELECT *, sum(octet_length(task)) OVER (ORDER BY round, place, tenant) - octet_length(task) AS all_before FROM listed
       WHERE before < 16777216 / (SELECT tenants FROM shares)) l
     WHERE all_before < 16777216),
  reached AS MATERIALIZED (SELECT place, tenant FROM taken WHERE round = 1)
  SELECT now() AS now, EXISTS (SELECT FROM postern.setting WHERE name = 'paused' AND value = 'true') AS engine_paused,
         c.there AS more,
         coalesce((SELECT tenant FROM turns
                    WHERE (SELECT count(*) FROM ours) < $2
                      AND (SELECT count(*) FROM ours) = (SELECT count(*) FROM reached)
                    ORDER BY place DESC, tenant DESC LIMIT 1),
                  (SELECT tenant FROM reached ORDER BY place DESC, tenant DESC LIMIT 1), '') AS turn,
         q.*,
         s.overlap = 'skip' AND EXISTS (
           SELECT FROM postern.task t WHERE t.id = s.last_task) AS overlaps,
         $3 > 0 AND EXISTS (
           SELECT FROM postern.tenant_gauge g WHERE g.tenant = s.tenant AND g.waiting >= $3) AS over_quota,
         s.*
    FROM crowd c
    LEFT JOIN taken s ON true
    LEFT JOIN LATERAL (
      SELECT )sql" + select_list(queue_default_columns()) +
                                       R"sql( FROM postern.queue
       WHERE tenant = s.tenant AND name = s.queue) q ON true
   ORDER BY s.round, s.place, s.tenant)sql"};

Params due_schedules_params(const DueScope& scope) {
  Params params;
  params.text(scope.behind).int8(scope.most).int8(scope.quota_waiting);
  return params;
}

Due due_from(const PgResult& result) {
  Due due;
  const RowReader<Schedule> reader(result, schedule_columns());
  const RowReader<QueueDefaults> read_defaults(result, queue_default_columns());
  const int tenant = result.column("tenant"), overlaps = result.column("overlaps"),
            over_quota = result.column("over_quota"), queue_there = result.column("bounded");
  due.now = result.time(0, result.column("now"));
  due.paused = result.boolean(0, result.column("engine_paused"));
  due.more = result.boolean(0, result.column("more"));
  due.turn = result.text(0, result.column("turn"));
  for (int i = 0; i < result.rows(); ++i) {
    if (result.is_null(i, tenant)) break;  // none at all
    DueSchedule each;
    each.tenant = result.text(i, tenant);
    if (!result.is_null(i, queue_there)) each.queue = read_defaults(i);
    each.overlaps = result.boolean(i, overlaps);
    each.over_quota = result.boolean(i, over_quota);
    each.schedule.unreadable = reader.read_what_can_be(i, each.schedule);
    due.schedules.push_back(std::move(each));
  }
  return due;
}

// `ours`: nobody else has these rows or gets them before we are done. Whoever finds a row locked
// leaves it alone: it is being fired or changed at this moment.
const BuiltStatement kFire{"fire", R"sql(
  WITH ours AS MATERIALIZED (
    SELECT p.*, s.at FROM unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[],
                           $7::timestamptz[], $8::timestamptz[], $9::uuid[], $10::boolean[], $11::boolean[],
                           $12::bigint[]) WITH ORDINALITY
           AS p(tenant, name, queue, read_next, read_updated, next, last, task, bounded, no_queue, missed, place)
     CROSS JOIN LATERAL (
       SELECT s.ctid AS at FROM postern.schedule s
        WHERE s.tenant = p.tenant AND s.name = p.name AND s.next_at = p.read_next
          AND s.updated_at = p.read_updated AND NOT s.paused AND s.tenant <> ALL((SELECT postern.resting())::text[])
          FOR UPDATE SKIP LOCKED) s),
  moved AS (
    UPDATE postern.schedule s
       SET next_at = o.next, last_at = coalesce(o.last, s.last_at), last_task = coalesce(o.task, s.last_task)
      FROM ours o WHERE s.ctid = o.at AND s.tenant = o.tenant AND s.name = o.name),
  queues AS (
    INSERT INTO postern.queue (tenant, name) SELECT DISTINCT tenant, queue FROM ours WHERE no_queue
    ON CONFLICT DO NOTHING),
  missed AS (
    INSERT INTO postern.counter AS c (instance, tenant, queue, name, value)
    SELECT $1, tenant, queue, 'schedule_missed', sum(missed) FROM ours WHERE missed > 0 GROUP BY tenant, queue
    ON CONFLICT (tenant, queue, name, instance) DO UPDATE SET value = c.value + excluded.value),
  wanted AS MATERIALIZED (
    SELECT o.tenant, o.name, o.queue, o.bounded, r.nominal, r.task, r.skipped,
           row_number() OVER (PARTITION BY o.tenant, o.queue, r.task IS NULL ORDER BY r.nominal, o.name) AS place
      FROM unnest($13::bigint[], $14::timestamptz[], $15::uuid[], $16::text[]) AS r(place, nominal, task, skipped)
      JOIN ours o ON o.place = r.place),
  room AS MATERIALIZED (
    SELECT tenant, queue, postern.make_room(tenant, queue, tasks::integer, $1) AS places
      FROM (SELECT tenant, queue, count(*) AS tasks FROM wanted WHERE bounded AND task IS NOT NULL
             GROUP BY tenant, queue ORDER BY tenant, queue) b),
  recorded AS (
    INSERT INTO postern.schedule_run (tenant, schedule, nominal_time, task, skipped)
    SELECT w.tenant, w.name, w.nominal, CASE WHEN NOT w.full_up THEN w.task END,
           CASE WHEN w.full_up THEN 'queue_full' ELSE w.skipped END
      FROM (SELECT n.*, n.task IS NOT NULL AND n.bounded AND n.place > (
                     SELECT places FROM room r WHERE r.tenant = n.tenant AND r.queue = n.queue) AS full_up
              FROM wanted n) w
    ON CONFLICT DO NOTHING RETURNING task),
  fired AS MATERIALIZED (SELECT task FROM recorded WHERE task IS NOT NULL),)sql" +
                                       insertion_sql("id IN (SELECT task FROM fired)", 17) + R"sql(
  SELECT (SELECT count(*) FROM ours) AS schedules, (SELECT count(*) FROM made) AS tasks,
         (SELECT coalesce(sum(missed), 0)::bigint FROM ours) AS missed, )sql" +
                                       kTellSchedulers};

Params fire_params(const Uuid& instance, std::span<const Firing> firings) {
  Array tenant(Oid::text), name(Oid::text), queue(Oid::text), read_next(Oid::timestamptz),
      read_updated(Oid::timestamptz), next(Oid::timestamptz), last(Oid::timestamptz),
      last_task(Oid::uuid), bounded(Oid::boolean), missing(Oid::boolean), missed(Oid::int8),
      place(Oid::int8), nominal(Oid::timestamptz), task(Oid::uuid), skipped(Oid::text);
  std::vector<Insertion> batch;
  for (std::size_t i = 0; i < firings.size(); ++i) {
    const Firing& firing = firings[i];
    const TaskId* newest = nullptr;
    for (const auto& occurrence : firing.occurrences) {
      place.int8(static_cast<std::int64_t>(i) + 1);
      nominal.time(occurrence.nominal);
      skipped.text_or_null(occurrence.skipped);
      if (!occurrence.task) {
        task.null();
        continue;
      }
      newest = &occurrence.task->spec.id;
      task.uuid(*newest);
      batch.push_back({&*occurrence.task, occurrence.lane});
    }
    tenant.text(firing.tenant);
    name.text(firing.name);
    queue.text(firing.queue);
    read_next.time(firing.read_next_at);
    read_updated.time(firing.read_updated_at);
    firing.next_at ? next.time(*firing.next_at) : next.null();
    firing.last_at ? last.time(*firing.last_at) : last.null();
    newest ? last_task.uuid(*newest) : last_task.null();
    bounded.boolean(firing.queue_bounded);
    missing.boolean(firing.queue_missing);
    missed.int8(firing.missed);
  }
  Params params;
  params.uuid(instance);
  for (const auto* column :
       {&tenant, &name, &queue, &read_next, &read_updated, &next, &last, &last_task, &bounded,
        &missing, &missed, &place, &nominal, &task, &skipped}) {
    params.array(*column);
  }
  add_batch(params, batch);
  return params;
}

Fired fired_from(const PgResult& result) {
  return {result.integer(0, result.column("schedules")), result.integer(0, result.column("tasks")),
          result.integer(0, result.column("missed"))};
}

const Statement kForgetRuns{"forget_runs", R"sql(
  DELETE FROM postern.schedule_run d
   USING (SELECT ctid AS at FROM postern.schedule_run r
           WHERE fired_at < now() - interval '30 days' AND tenant <> ALL((SELECT postern.resting())::text[])
             AND EXISTS (SELECT FROM postern.schedule_run n WHERE n.tenant = r.tenant AND n.schedule = r.schedule
                            AND n.nominal_time > r.nominal_time)
           ORDER BY fired_at LIMIT $1) old
   WHERE d.ctid = old.at)sql"};

Params forget_runs_params(int most) {
  Params params;
  params.int8(most);
  return params;
}

}  // namespace postern::db
