#include "db/catalog/metrics.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <map>
#include <utility>

#include "db/catalog/engine_pause.h"

namespace postern::db {
namespace {

// One statement, so that its sums are of one moment. Rows with no queue are the sums over all;
// those with an empty one are what is counted for all queues together. $1: the tenant, empty: all.
// $2: queues.
constexpr Statement kCounts{"metrics_counts", R"sql(
  WITH counts AS MATERIALIZED (
    SELECT tenant, queue, name, sum(value)::bigint AS value FROM postern.counter
     WHERE $1 = '' OR tenant IN ($1, '') GROUP BY tenant, queue, name),
  known AS MATERIALIZED (
    SELECT tenant, queue, sum(created) AS created
      FROM (SELECT tenant, queue, CASE name WHEN 'created' THEN value ELSE 0 END AS created FROM counts WHERE queue <> ''
            UNION ALL SELECT tenant, queue, 0 FROM postern.queue_gauge WHERE $1 = '' OR tenant = $1) seen
     GROUP BY tenant, queue),
  shown AS MATERIALIZED (
    SELECT tenant, queue FROM known ORDER BY created DESC, tenant, queue LIMIT $2)
  SELECT s.tenant, s.queue, c.name, c.value,
         g.ready, g.delayed, g.active, g.blocked, g.estimated, g.oldest_due, now(), (SELECT count(*) FROM known), coalesce(q.paused, false)
    FROM shown s
    LEFT JOIN counts c ON c.tenant = s.tenant AND c.queue = s.queue
    LEFT JOIN postern.queue_gauge g ON g.tenant = s.tenant AND g.queue = s.queue
    LEFT JOIN postern.queue q ON q.tenant = s.tenant AND q.name = s.queue
  UNION ALL
  SELECT NULL, NULL, name, sum(value)::bigint, NULL, NULL, NULL, NULL, NULL, NULL, now(), (SELECT count(*) FROM known), NULL
    FROM counts GROUP BY name
  UNION ALL
  SELECT NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, now(), (SELECT count(*) FROM known), NULL
   ORDER BY 1, 2)sql"};

// Where a counter of this name goes; nullptr: it is none of these.
std::int64_t* place(Counts& counts, std::string_view name) {
  static const std::map<std::string_view, std::int64_t Counts::*> places{
      {"created", &Counts::created},
      {"deleted", &Counts::deleted},
      {"retried", &Counts::retried},
      {"finished_completed", &Counts::completed},
      {"finished_failed", &Counts::failed},
      {"finished_cancelled", &Counts::cancelled},
      {"attempts_success", &Counts::succeeded},
      {"attempts_failed", &Counts::failed_attempts},
      {"attempts_lost", &Counts::lost},
      {"egress_blocked", &Counts::egress_blocked},
      {"corrupt_rows", &Counts::corrupt_rows},
      {"schedule_missed", &Counts::schedule_missed},
  };
  const auto found = places.find(name);
  return found == places.end() ? nullptr : &(counts.*(found->second));
}

void add_to(Histogram& histogram, std::string_view what, std::int64_t value) {
  if (what == "ms") {
    histogram.sum_ms += value;
    return;
  }
  std::size_t bucket = histogram.buckets.size();
  std::from_chars(what.data(), what.data() + what.size(), bucket);
  if (bucket < histogram.buckets.size()) histogram.buckets[bucket] += value;
}

void add_total(Numbers& out, std::string_view name, std::int64_t value) {
  constexpr std::string_view kDuration = "duration_", kLateness = "lateness_";
  if (name.starts_with(kDuration)) {
    add_to(out.duration, name.substr(kDuration.size()), value);
  } else if (name.starts_with(kLateness)) {
    add_to(out.lateness, name.substr(kLateness.size()), value);
  } else if (auto* total = place(out.counts, name)) {
    *total += value;
  }
}

Depth depth_from(const PgResult& rows, int row) {
  constexpr int kReady = 4;
  if (rows.is_null(row, kReady)) return {};
  return {true,
          rows.integer(row, kReady),
          rows.integer(row, kReady + 1),
          rows.integer(row, kReady + 2),
          rows.integer(row, kReady + 3),
          rows.boolean(row, kReady + 4),
          rows.time_or_null(row, kReady + 5)};
}

void read_counts(PgConnection& connection, std::string_view tenant, Numbers& out) {
  const auto rows = connection.exec(kCounts, Params().text(tenant).int8(kMostQueues));
  for (int i = 0; i < rows.rows(); ++i) {
    if (rows.is_null(i, 1)) {
      add_total(out, rows.text(i, 2), rows.integer(i, 3));
      continue;
    }
    const auto owner = rows.text(i, 0), queue = rows.text(i, 1);
    if (out.queues.empty() || out.queues.back().queue != queue ||
        out.queues.back().tenant != owner) {
      out.queues.push_back(
          {std::string(owner), std::string(queue), {}, depth_from(rows, i), rows.boolean(i, 12)});
    }
    if (auto* count = place(out.queues.back().counts, rows.text(i, 2))) *count = rows.integer(i, 3);
  }
  out.now = rows.time(0, 10);
  out.queues_left_out = rows.integer(0, 11) - static_cast<std::int64_t>(out.queues.size());
}

}  // namespace

double oldest_due_seconds(const Depth& depth, Time now) {
  if (!depth.oldest_due) return 0;
  return std::max(0.0, std::chrono::duration<double>(now - *depth.oldest_due).count());
}

Numbers numbers(PgConnection& connection, std::string_view tenant) {
  Numbers out;
  read_counts(connection, tenant, out);
  out.schedulers = schedulers(connection);
  out.engine_paused = engine_paused(connection);
  if (!tenant.empty()) return out;
  out.pauses = pauses(connection);
  out.lanes = paced_lanes(connection, out.schedulers);
  return out;
}

}  // namespace postern::db
