#include "db/engine/occurrences.h"

#include <exception>

#include "db/catalog/queue_defaults.h"
#include "db/catalog/schedules.h"
#include "db/tasks/insertion.h"

namespace postern::db {

const Statement kDueSchedules{"due_schedules", R"sql(
  SELECT now(), e.paused, s.tenant, s.last_task, q.*,
         s.overlap = 'skip' AND EXISTS (
           SELECT FROM postern.task t WHERE t.id = s.last_task),
         s.*
    FROM (
      SELECT *, sum(octet_length(task)) OVER (ORDER BY next_at, tenant, name) AS bytes FROM (
        SELECT )sql" POSTERN_SCHEDULE_COLUMNS R"sql(, tenant, last_task FROM postern.schedule
         WHERE NOT paused AND next_at <= now() ORDER BY next_at, tenant, name LIMIT 500) o) s
    LEFT JOIN LATERAL (
      SELECT )sql" POSTERN_QUEUE_DEFAULTS R"sql( FROM postern.queue
       WHERE tenant = s.tenant AND name = s.queue) q ON true
   CROSS JOIN (SELECT EXISTS (SELECT FROM postern.setting WHERE name = 'paused' AND value = 'true') AS paused) e
   WHERE s.bytes - octet_length(s.task) < 16777216
   ORDER BY s.next_at, s.tenant, s.name)sql"};

namespace {

// Columns of kDueSchedules.
constexpr int kTenant = 2, kQueue = 4, kOverlaps = 10, kSchedule = 11;

}  // namespace

Due due_from(const PgResult& result) {
  Due due;
  for (int i = 0; i < result.rows(); ++i) {
    due.now = result.time(i, 0);
    due.paused = result.boolean(i, 1);
    DueSchedule each;
    each.tenant = result.text(i, kTenant);
    if (!result.is_null(i, kQueue)) each.queue = defaults_from(result, i, kQueue);
    each.overlaps = result.boolean(i, kOverlaps);
    try {
      each.schedule = schedule_from(result, i, kSchedule);
    } catch (const std::exception& fault) {
      each.unreadable = fault.what();
      each.schedule = {};
      each.schedule.name = result.text(i, kSchedule);
      each.schedule.task.queue = result.text(i, kSchedule + 4);
      each.schedule.next_at = result.time(i, kSchedule + 16);
      each.schedule.updated_at = result.time(i, kSchedule + 19);
    }
    due.schedules.push_back(std::move(each));
  }
  return due;
}

// `ours`: nobody else has these rows or gets them before we are done. Whoever finds a row locked
// leaves it alone: it is being fired or changed at this moment.
const Statement kFire{"fire", R"sql(
  WITH ours AS MATERIALIZED (
    SELECT p.* FROM unnest($33::text[], $34::text[], $35::text[], $36::timestamptz[], $37::timestamptz[],
                           $38::timestamptz[], $39::timestamptz[], $40::uuid[], $41::boolean[], $42::boolean[],
                           $43::bigint[]) WITH ORDINALITY
           AS p(tenant, name, queue, read_next, read_updated, next, last, task, bounded, no_queue, missed, place)
     CROSS JOIN LATERAL (
       SELECT FROM postern.schedule s
        WHERE s.tenant = p.tenant AND s.name = p.name AND s.next_at = p.read_next
          AND s.updated_at = p.read_updated AND NOT s.paused
          FOR UPDATE SKIP LOCKED) s),
  moved AS (
    UPDATE postern.schedule s
       SET next_at = o.next, last_at = coalesce(o.last, s.last_at), last_task = coalesce(o.task, s.last_task)
      FROM ours o WHERE s.tenant = o.tenant AND s.name = o.name),
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
      FROM unnest($44::bigint[], $45::timestamptz[], $46::uuid[], $47::text[]) AS r(place, nominal, task, skipped)
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
  fired AS MATERIALIZED (SELECT task FROM recorded WHERE task IS NOT NULL),)sql" POSTERN_INSERTED(
                                  "id IN (SELECT task FROM fired)") R"sql(
  SELECT (SELECT count(*) FROM ours), (SELECT count(*) FROM made),
         (SELECT coalesce(sum(missed), 0)::bigint FROM ours), )sql" POSTERN_TOLD};

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
  auto params = insertion_params(instance, batch);
  for (const auto* column :
       {&tenant, &name, &queue, &read_next, &read_updated, &next, &last, &last_task, &bounded,
        &missing, &missed, &place, &nominal, &task, &skipped}) {
    params.array(*column);
  }
  return params;
}

Fired fired_from(const PgResult& result) {
  return {result.integer(0, 0), result.integer(0, 1), result.integer(0, 2)};
}

const Statement kForgetRuns{"forget_runs", R"sql(
  DELETE FROM postern.schedule_run d
   USING (SELECT tenant, schedule, nominal_time FROM postern.schedule_run r
           WHERE fired_at < now() - interval '30 days'
             AND EXISTS (SELECT FROM postern.schedule_run n WHERE n.tenant = r.tenant AND n.schedule = r.schedule
                            AND n.nominal_time > r.nominal_time)
           ORDER BY fired_at LIMIT 10000) old
   WHERE d.tenant = old.tenant AND d.schedule = old.schedule AND d.nominal_time = old.nominal_time)sql"};

}  // namespace postern::db
