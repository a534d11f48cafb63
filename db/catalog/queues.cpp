#include "db/catalog/queues.h"

#include <string>
#include <unordered_map>

#include <fmt/format.h>

#include "db/catalog/notices.h"
#include "db/pg/rows.h"

namespace postern::db {
namespace {

using std::chrono::nanoseconds;

nanoseconds duration_from(const Value& value) {
  return Microseconds{value.integer_or_null().value_or(0)};
}

// An interval that somebody wrote in months has them with 30 days, and one that nanoseconds cannot
// hold reads as the longest that they can. Of a rate limit the count is read first.
constexpr Column<Queue> kColumns[] = {
    {"name", [](Queue& queue, const Value& value) { queue.name = value.text(); }},
    {"created_at", [](Queue& queue, const Value& value) { queue.created_at = value.time(); }},
    {"updated_at", [](Queue& queue, const Value& value) { queue.updated_at = value.time(); }},
    {"read_at", [](Queue& queue, const Value& value) { queue.read_at = value.time(); }, "now()"},
    {"paused", [](Queue& queue, const Value& value) { queue.paused = value.boolean(); }},
    {"max_age_us",
     [](Queue& queue, const Value& value) { queue.settings.max_age = duration_from(value); },
     "CASE WHEN max_age IS NOT NULL "
     "THEN least(extract(epoch FROM max_age) * 1000000, 9223372036854775)::bigint END"},
    {"max_entries",
     [](Queue& queue, const Value& value) {
       queue.settings.max_entries = value.integer_or_null().value_or(0);
     }},
    {"discard_old",
     [](Queue& queue, const Value& value) { queue.settings.discard_old = value.boolean(); }},
    {"max_runtime_us",
     [](Queue& queue, const Value& value) { queue.settings.max_runtime = duration_from(value); },
     "CASE WHEN max_runtime IS NOT NULL "
     "THEN least(extract(epoch FROM max_runtime) * 1000000, 9223372036854775)::bigint END"},
    {"max_concurrent",
     [](Queue& queue, const Value& value) {
       queue.settings.max_concurrent = value.integer_or_null();
     }},
    {"rate_count",
     [](Queue& queue, const Value& value) {
       if (!value.is_null()) queue.settings.rate_limit = RateLimit{value.integer(), {}, {}};
     }},
    {"rate_seconds",
     [](Queue& queue, const Value& value) {
       auto& limit = queue.settings.rate_limit;
       if (limit) limit->period = Seconds{value.integer()};
     },
     "ceil(extract(epoch FROM rate_period))::bigint"},
    {"rate_burst",
     [](Queue& queue, const Value& value) {
       auto& limit = queue.settings.rate_limit;
       if (limit) limit->burst = value.integer_or_null();
     }},
    {"retention_completed",
     [](Queue& queue, const Value& value) { queue.settings.keep_completed = value.text(); }},
    {"retention_failed",
     [](Queue& queue, const Value& value) { queue.settings.keep_failed = value.text(); }},
    {"retention_cancelled",
     [](Queue& queue, const Value& value) { queue.settings.keep_cancelled = value.text(); }},
    {"max_tries",
     [](Queue& queue, const Value& value) { queue.settings.max_tries = value.integer_or_null(); }},
    {"max_retries",
     [](Queue& queue, const Value& value) { queue.settings.max_retries = value.integer(); }},
    {"retry_policy",
     [](Queue& queue, const Value& value) { queue.settings.retry_policy = value.text(); }},
    {"timeout_ms",
     [](Queue& queue, const Value& value) {
       queue.settings.timeout = std::chrono::ceil<Seconds>(Milliseconds{value.integer()});
     }},
    {"endpoint",
     [](Queue& queue, const Value& value) { queue.settings.endpoint = value.text_or_null(); }},
};

std::optional<Queue> queue_or_none(const PgResult& row) {
  if (row.rows() == 0) return std::nullopt;
  return RowReader<Queue>(row, kColumns)(0);
}

void add_number(Params& params, std::optional<std::int64_t> value) {
  value ? params.int8(*value) : params.null(Oid::int8);
}

// 0 is none.
void add_duration(Params& params, nanoseconds value) {
  const auto micros = std::chrono::floor<Microseconds>(value);
  micros.count() > 0 ? params.int8(micros.count()) : params.null(Oid::int8);
}

Params settings_params(std::string_view tenant, std::string_view name,
                       const QueueSettings& settings) {
  Params params;
  params.text(tenant).text(name);
  add_duration(params, settings.max_age);
  settings.max_entries > 0 ? params.int8(settings.max_entries) : params.null(Oid::int8);
  params.boolean(settings.discard_old);
  add_duration(params, settings.max_runtime);
  add_number(params, settings.max_concurrent);
  const auto& limit = settings.rate_limit;
  add_number(params, limit ? std::optional(limit->count) : std::nullopt);
  add_number(params, limit ? std::optional(limit->period.count()) : std::nullopt);
  add_number(params, limit ? limit->burst : std::nullopt);
  params.text(settings.keep_completed).text(settings.keep_failed).text(settings.keep_cancelled);
  add_number(params, settings.max_tries);
  params.int8(settings.max_retries).text(settings.retry_policy);
  params.int8(Milliseconds{settings.timeout}.count());
  settings.endpoint ? params.text(*settings.endpoint) : params.null(Oid::text);
  return params;
}

constexpr char kInsertQueue[] = R"sql(
    INSERT INTO postern.queue (
      tenant, name, max_age, max_entries, discard_old, max_runtime, max_concurrent, rate_count, rate_period, rate_burst,
      retention_completed, retention_failed, retention_cancelled, max_tries, max_retries, retry_policy, timeout_ms,
      endpoint)
    SELECT name, $2, $3 * interval '1 microsecond', $4, $5, $6 * interval '1 microsecond', $7::integer, $8::integer,
           $9 * interval '1 second', $10::integer, $11, $12, $13, $14::integer, $15::integer, $16, $17::integer, $18
      FROM postern.tenant WHERE name = $1)sql";

// The queues that `change` returns, and the schedulers are told.
std::string told_sql(const std::string& change, std::string_view more_columns = "") {
  return fmt::format("WITH w AS ({}) SELECT {}{}, pg_notify('postern_ready', '{}') FROM w", change,
                     select_list(kColumns), more_columns, kLimitsChanged);
}

const BuiltStatement kCreate{
    "create_queue", told_sql(std::string(kInsertQueue) + " ON CONFLICT DO NOTHING RETURNING *")};

// A row that was just inserted has no xmax. The bucket stays: it is cut to the new size when it is
// next asked.
const BuiltStatement kPut{"put_queue", told_sql(std::string(kInsertQueue) + R"sql(
    ON CONFLICT (tenant, name) DO UPDATE SET
      updated_at = now(), max_age = excluded.max_age, max_entries = excluded.max_entries,
      discard_old = excluded.discard_old, max_runtime = excluded.max_runtime,
      max_concurrent = excluded.max_concurrent, rate_count = excluded.rate_count,
      rate_period = excluded.rate_period, rate_burst = excluded.rate_burst,
      retention_completed = excluded.retention_completed, retention_failed = excluded.retention_failed,
      retention_cancelled = excluded.retention_cancelled, max_tries = excluded.max_tries,
      max_retries = excluded.max_retries, retry_policy = excluded.retry_policy,
      timeout_ms = excluded.timeout_ms, endpoint = excluded.endpoint
    RETURNING *, xmax = 0 AS made)sql",
                                                ", made")};

const BuiltStatement kPause{"pause_queue",
                            told_sql("UPDATE postern.queue SET paused = $3, updated_at = now()"
                                     " WHERE tenant = $1 AND name = $2 RETURNING *")};

std::string queues_sql(std::string_view which) {
  return fmt::format("SELECT {} FROM postern.queue WHERE {}", select_list(kColumns), which);
}
const BuiltStatement kGet{"get_queue", queues_sql("tenant = $1 AND name = $2")};
const BuiltStatement kLock{"lock_queue", queues_sql("tenant = $1 AND name = $2 FOR UPDATE")};
const BuiltStatement kList{"list_queues", queues_sql("tenant = $1 ORDER BY name")};

constexpr Statement kDeleteEmpty{"delete_empty_queue", R"sql(
  DELETE FROM postern.queue q WHERE tenant = $1 AND name = $2
     AND NOT EXISTS (SELECT FROM postern.task t WHERE t.tenant = q.tenant AND t.queue = q.name))sql"};
constexpr Statement kDelete{"delete_queue",
                            "DELETE FROM postern.queue WHERE tenant = $1 AND name = $2"};

constexpr Statement kPurge{
    "purge_queue", "SELECT postern.purge_queue($1, $2, $3, 'cancelled', $4, $5, $6::integer)"};

constexpr Statement kTotals{"queue_totals", R"sql(
  SELECT name, sum(value)::bigint AS total FROM postern.counter
   WHERE tenant = $1 AND queue = $2
     AND name IN ('created', 'retried', 'deleted', 'finished_completed', 'finished_failed', 'finished_cancelled',
                  'attempts_success', 'attempts_failed', 'attempts_lost')
   GROUP BY name)sql"};

constexpr Statement kGauge{"queue_gauge", R"sql(
  SELECT now() AS read_at, seen_at, ready, delayed, active, blocked, estimated, oldest_due, paused,
         EXISTS (SELECT FROM postern.setting WHERE name = 'paused' AND value = 'true') AS engine_paused
    FROM postern.queue q LEFT JOIN postern.queue_gauge g ON g.tenant = q.tenant AND g.queue = q.name
   WHERE q.tenant = $1 AND q.name = $2)sql"};

constexpr Column<QueueGauge> kGaugeColumns[] = {
    {"ready", [](QueueGauge& gauge, const Value& value) { gauge.ready = value.integer(); }},
    {"delayed", [](QueueGauge& gauge, const Value& value) { gauge.delayed = value.integer(); }},
    {"active", [](QueueGauge& gauge, const Value& value) { gauge.active = value.integer(); }},
    {"blocked", [](QueueGauge& gauge, const Value& value) { gauge.blocked = value.integer(); }},
    {"estimated", [](QueueGauge& gauge, const Value& value) { gauge.estimated = value.boolean(); }},
    {"oldest_due",
     [](QueueGauge& gauge, const Value& value) { gauge.oldest_due = value.time_or_null(); }},
    {"seen_at", [](QueueGauge& gauge, const Value& value) { gauge.seen_at = value.time(); }},
};

}  // namespace

std::optional<Queue> create_queue(PgConnection& connection, std::string_view tenant,
                                  std::string_view name, const QueueSettings& settings) {
  return queue_or_none(connection.exec(kCreate, settings_params(tenant, name, settings)));
}

std::optional<PutQueue> put_queue(PgConnection& connection, std::string_view tenant,
                                  std::string_view name, const QueueSettings& settings) {
  const auto row = connection.exec(kPut, settings_params(tenant, name, settings));
  if (row.rows() == 0) return std::nullopt;
  return PutQueue{RowReader<Queue>(row, kColumns)(0), row.boolean(0, row.column("made"))};
}

std::optional<Queue> get_queue(PgConnection& connection, std::string_view tenant,
                               std::string_view name) {
  return queue_or_none(connection.exec(kGet, Params().text(tenant).text(name)));
}

std::optional<Queue> lock_queue(PgConnection& connection, std::string_view tenant,
                                std::string_view name) {
  return queue_or_none(connection.exec(kLock, Params().text(tenant).text(name)));
}

std::vector<Queue> list_queues(PgConnection& connection, std::string_view tenant) {
  const auto rows = connection.exec(kList, Params().text(tenant));
  return RowReader<Queue>(rows, kColumns).all();
}

std::optional<Queue> pause_queue(PgConnection& connection, std::string_view tenant,
                                 std::string_view name, bool paused) {
  return queue_or_none(connection.exec(kPause, Params().text(tenant).text(name).boolean(paused)));
}

bool delete_empty_queue(PgConnection& connection, std::string_view tenant, std::string_view name) {
  return connection.exec(kDeleteEmpty, Params().text(tenant).text(name)).affected() > 0;
}

bool delete_queue(PgConnection& connection, std::string_view tenant, std::string_view name) {
  return connection.exec(kDelete, Params().text(tenant).text(name)).affected() > 0;
}

int purge_queue(PgConnection& connection, std::string_view tenant, std::string_view name,
                Time before, Reason reason, const Uuid& instance, int most) {
  const auto row = connection.exec(kPurge, Params()
                                               .text(tenant)
                                               .text(name)
                                               .time(before)
                                               .text(postern::name(reason))
                                               .uuid(instance)
                                               .int4(most));
  return static_cast<int>(row.integer(0, 0));
}

std::optional<QueueStats> queue_stats(PgConnection& connection, std::string_view tenant,
                                      std::string_view name) {
  const auto row = connection.exec(kGauge, Params().text(tenant).text(name));
  if (row.rows() == 0) return std::nullopt;
  QueueStats stats;
  stats.read_at = row.time(0, row.column("read_at"));
  stats.paused = row.boolean(0, row.column("paused"));
  stats.engine_paused = row.boolean(0, row.column("engine_paused"));
  if (!row.is_null(0, row.column("seen_at")))
    stats.gauge = RowReader<QueueGauge>(row, kGaugeColumns)(0);
  const auto rows = connection.exec(kTotals, Params().text(tenant).text(name));
  const int counter = rows.column("name"), total = rows.column("total");
  std::unordered_map<std::string_view, std::int64_t> sums;
  for (int i = 0; i < rows.rows(); ++i) sums[rows.text(i, counter)] = rows.integer(i, total);
  stats.totals = {.created = sums["created"],
                  .retried = sums["retried"],
                  .deleted = sums["deleted"],
                  .completed = sums["finished_completed"],
                  .failed = sums["finished_failed"],
                  .cancelled = sums["finished_cancelled"],
                  .attempts_success = sums["attempts_success"],
                  .attempts_failed = sums["attempts_failed"],
                  .attempts_lost = sums["attempts_lost"]};
  return stats;
}

}  // namespace postern::db
