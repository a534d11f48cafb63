#include "db/catalog/queues.h"

#include <string>
#include <unordered_map>

namespace postern::db {
namespace {

using std::chrono::nanoseconds;

// As queue_from reads them. An interval that somebody wrote in months has them with 30 days.
#define POSTERN_QUEUE_COLUMNS                                                               \
  "name, created_at, updated_at, now(), paused,"                                            \
  " (extract(epoch FROM max_age) * 1000000)::bigint, max_entries, discard_old,"             \
  " (extract(epoch FROM max_runtime) * 1000000)::bigint, max_concurrent::bigint,"           \
  " rate_count::bigint, ceil(extract(epoch FROM rate_period))::bigint, rate_burst::bigint," \
  " retention_completed, retention_failed, retention_cancelled,"                            \
  " max_tries::bigint, max_retries, retry_policy, timeout_ms, endpoint"

nanoseconds duration_from(const PgResult& row, int i, int col) {
  return Microseconds{row.integer_or_null(i, col).value_or(0)};
}

Queue queue_from(const PgResult& row, int i) {
  Queue queue;
  int col = 0;
  queue.name = row.text(i, col++);
  queue.created_at = row.time(i, col++);
  queue.updated_at = row.time(i, col++);
  queue.read_at = row.time(i, col++);
  queue.paused = row.boolean(i, col++);
  QueueSettings& settings = queue.settings;
  settings.max_age = duration_from(row, i, col++);
  settings.max_entries = row.integer_or_null(i, col++).value_or(0);
  settings.discard_old = row.boolean(i, col++);
  settings.max_runtime = duration_from(row, i, col++);
  settings.max_concurrent = row.integer_or_null(i, col++);
  if (const auto count = row.integer_or_null(i, col)) {
    settings.rate_limit =
        RateLimit{*count, Seconds{row.integer(i, col + 1)}, row.integer_or_null(i, col + 2)};
  }
  col += 3;
  settings.keep_completed = row.text(i, col++);
  settings.keep_failed = row.text(i, col++);
  settings.keep_cancelled = row.text(i, col++);
  settings.max_tries = row.integer_or_null(i, col++);
  settings.max_retries = row.integer(i, col++);
  settings.retry_policy = row.text(i, col++);
  settings.timeout = std::chrono::ceil<Seconds>(Milliseconds{row.integer(i, col++)});
  if (!row.is_null(i, col)) settings.endpoint = row.text(i, col);
  return queue;
}

std::optional<Queue> queue_or_none(const PgResult& row) {
  if (row.rows() == 0) return std::nullopt;
  return queue_from(row, 0);
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

#define POSTERN_QUEUE_INSERT                                                                     \
  "INSERT INTO postern.queue (tenant, name, max_age, max_entries, discard_old, max_runtime,"     \
  " max_concurrent, rate_count, rate_period, rate_burst, retention_completed, retention_failed," \
  " retention_cancelled, max_tries, max_retries, retry_policy, timeout_ms, endpoint)"            \
  " SELECT name, $2, $3 * interval '1 microsecond', $4, $5, $6 * interval '1 microsecond',"      \
  " $7::integer, $8::integer, $9 * interval '1 second', $10::integer, $11, $12, $13, "           \
  "$14::integer,"                                                                                \
  " $15::integer, $16, $17::integer, $18 FROM postern.tenant WHERE name = $1 "
#define POSTERN_TELL ", pg_notify('postern_ready', '')"

constexpr Statement kCreate{"create_queue", "WITH w AS (" POSTERN_QUEUE_INSERT
                                            "ON CONFLICT DO NOTHING RETURNING *) "
                                            "SELECT " POSTERN_QUEUE_COLUMNS POSTERN_TELL " FROM w"};

// A row that was just inserted has no xmax. The bucket stays: it is cut to the new size when it is
// next asked.
constexpr Statement kPut{"put_queue", "WITH w AS (" POSTERN_QUEUE_INSERT R"sql(
    ON CONFLICT (tenant, name) DO UPDATE SET
      updated_at = now(), max_age = excluded.max_age, max_entries = excluded.max_entries,
      discard_old = excluded.discard_old, max_runtime = excluded.max_runtime,
      max_concurrent = excluded.max_concurrent, rate_count = excluded.rate_count,
      rate_period = excluded.rate_period, rate_burst = excluded.rate_burst,
      retention_completed = excluded.retention_completed, retention_failed = excluded.retention_failed,
      retention_cancelled = excluded.retention_cancelled, max_tries = excluded.max_tries,
      max_retries = excluded.max_retries, retry_policy = excluded.retry_policy,
      timeout_ms = excluded.timeout_ms, endpoint = excluded.endpoint
    RETURNING *, xmax = 0 AS made)
  SELECT )sql" POSTERN_QUEUE_COLUMNS ", made" POSTERN_TELL " FROM w"};
constexpr int kMade = 21;  // after the columns of a queue

constexpr Statement kGet{"get_queue", "SELECT " POSTERN_QUEUE_COLUMNS
                                      " FROM postern.queue WHERE tenant = $1 AND name = $2"};
constexpr Statement kLock{"lock_queue",
                          "SELECT " POSTERN_QUEUE_COLUMNS
                          " FROM postern.queue WHERE tenant = $1 AND name = $2 FOR UPDATE"};
constexpr Statement kList{"list_queues", "SELECT " POSTERN_QUEUE_COLUMNS
                                         " FROM postern.queue WHERE tenant = $1 ORDER BY name"};

constexpr Statement kPause{"pause_queue",
                           "WITH w AS (UPDATE postern.queue SET paused = $3, updated_at = now()"
                           " WHERE tenant = $1 AND name = $2 RETURNING *) "
                           "SELECT " POSTERN_QUEUE_COLUMNS POSTERN_TELL " FROM w"};

constexpr Statement kDeleteEmpty{"delete_empty_queue", R"sql(
  DELETE FROM postern.queue q WHERE tenant = $1 AND name = $2
     AND NOT EXISTS (SELECT FROM postern.task t WHERE t.tenant = q.tenant AND t.queue = q.name))sql"};
constexpr Statement kDelete{"delete_queue",
                            "DELETE FROM postern.queue WHERE tenant = $1 AND name = $2"};

constexpr Statement kPurge{
    "purge_queue", "SELECT postern.purge_queue($1, $2, $3, 'cancelled', $4, $5, $6::integer)"};

constexpr Statement kTotals{"queue_totals", R"sql(
  SELECT name, sum(value)::bigint FROM postern.counter
   WHERE tenant = $1 AND queue = $2
     AND name IN ('created', 'retried', 'deleted', 'finished_completed', 'finished_failed', 'finished_cancelled',
                  'attempts_success', 'attempts_failed', 'attempts_lost')
   GROUP BY name)sql"};

constexpr Statement kGauge{"queue_gauge", R"sql(
  SELECT now(), seen_at, ready, delayed, active, blocked, estimated, oldest_due
    FROM postern.queue q LEFT JOIN postern.queue_gauge g ON g.tenant = q.tenant AND g.queue = q.name
   WHERE q.tenant = $1 AND q.name = $2)sql"};

}  // namespace

std::optional<Queue> create_queue(PgConnection& connection, std::string_view tenant,
                                  std::string_view name, const QueueSettings& settings) {
  return queue_or_none(connection.exec(kCreate, settings_params(tenant, name, settings)));
}

std::optional<PutQueue> put_queue(PgConnection& connection, std::string_view tenant,
                                  std::string_view name, const QueueSettings& settings) {
  const auto row = connection.exec(kPut, settings_params(tenant, name, settings));
  if (row.rows() == 0) return std::nullopt;
  return PutQueue{queue_from(row, 0), row.boolean(0, kMade)};
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
  std::vector<Queue> out;
  for (int i = 0; i < rows.rows(); ++i) out.push_back(queue_from(rows, i));
  return out;
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
                Time before, Reason reason, const Uuid& instance) {
  const auto row = connection.exec(kPurge, Params()
                                               .text(tenant)
                                               .text(name)
                                               .time(before)
                                               .text(postern::name(reason))
                                               .uuid(instance)
                                               .int4(kPurgeStep));
  return static_cast<int>(row.integer(0, 0));
}

std::optional<QueueStats> queue_stats(PgConnection& connection, std::string_view tenant,
                                      std::string_view name) {
  const auto row = connection.exec(kGauge, Params().text(tenant).text(name));
  if (row.rows() == 0) return std::nullopt;
  QueueStats stats;
  stats.read_at = row.time(0, 0);
  if (!row.is_null(0, 1)) {
    stats.gauge = {.ready = row.integer(0, 2),
                   .delayed = row.integer(0, 3),
                   .active = row.integer(0, 4),
                   .blocked = row.integer(0, 5),
                   .estimated = row.boolean(0, 6),
                   .oldest_due = row.time_or_null(0, 7),
                   .seen_at = row.time(0, 1)};
  }
  const auto rows = connection.exec(kTotals, Params().text(tenant).text(name));
  std::unordered_map<std::string_view, std::int64_t> sums;
  for (int i = 0; i < rows.rows(); ++i) sums[rows.text(i, 0)] = rows.integer(i, 1);
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
