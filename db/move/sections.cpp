#include "db/move/sections.h"

#include <chrono>
#include <thread>

#include <fmt/format.h>

namespace postern::db {
namespace {

// Of the partitions, and of what has none.
constexpr Statement kDays{"", R"sql(
  SELECT DISTINCT retention, day::text FROM (
    SELECT split_part(c.relname, '_', 3) AS retention, to_date(split_part(c.relname, '_', 4), 'YYYYMMDD') AS day
      FROM pg_class c WHERE c.relnamespace = 'postern'::regnamespace
       AND c.relname ~ '^task_finished_(short|standard)_[0-9]{8}$'
    UNION ALL
    SELECT 'short', (finished_at AT TIME ZONE 'UTC')::date FROM postern.task_finished_short_default WHERE tenant = $1
    UNION ALL
    SELECT 'standard', (finished_at AT TIME ZONE 'UTC')::date FROM postern.task_finished_standard_default WHERE tenant = $1) d
   WHERE isfinite(day) ORDER BY 1, 2)sql"};

constexpr Statement kHoldDay{"move_day", "SELECT postern.move_day($1, $2::date)"};

constexpr char kMicroseconds[] = "(extract(epoch FROM {}) * 1000000)::bigint";

std::string microseconds(const char* column) {
  return fmt::format(fmt::runtime(kMicroseconds), column);
}

std::vector<SectionKey> by_queue() {
  return {{"queue", "queue", "", ""}, {"uuid_send(id)", "id::text", "uuid_send(", "::uuid)"}};
}

constexpr char kTaskWidth[] =
    "500 + coalesce(pg_column_size(body), 0) + coalesce(pg_column_size(result_body), 0) + "
    "pg_column_size(attempts) + coalesce(pg_column_size(headers), 0)";

std::string tuple(const std::vector<SectionKey>& keys) {
  std::string out;
  for (const auto& key : keys) out += (out.empty() ? "" : ", ") + key.order;
  return "(" + out + ")";
}

std::string tuple(const std::vector<SectionKey>& keys, const std::vector<std::string>& values) {
  std::string out;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    out += (out.empty() ? "" : ", ") + keys[i].before + quoted(values.at(i)) + keys[i].behind;
  }
  return "(" + out + ")";
}

}  // namespace

std::vector<Section> sections(Ends& ends, const std::string& minutes_before) {
  const std::string of_tenant = "tenant = " + quoted(ends.tenant);
  std::vector<Section> out;
  const auto days = ends.source.exec(kDays, Params().text(ends.tenant));
  const auto finished = [&](const std::string& retention, const std::string& day) {
    out.push_back({{"finished", retention, day},
                   "task_finished",
                   fmt::format("{} AND retention = '{}' AND finished_at >= '{} 00:00:00+00' AND "
                               "finished_at < timestamptz '{} 00:00:00+00' + interval '24 hours'",
                               of_tenant, retention, day, day),
                   by_queue(),
                   kTaskWidth,
                   fmt::format("uuid_hash_extended(id, {} + attempt)", microseconds("finished_at")),
                   retention,
                   day});
  };
  for (int i = 0; i < days.rows(); ++i) {
    finished(std::string(days.text(i, 0)), std::string(days.text(i, 1)));
  }
  out.push_back(
      {{"live"},
       "task",
       of_tenant,
       by_queue(),
       kTaskWidth,
       fmt::format("uuid_hash_extended(id, {} + attempt + priority)", microseconds("run_at")),
       {},
       {}});
  out.push_back({{"minutes", "endpoints"},
                 "endpoint_minute",
                 of_tenant + " AND minute < " + quoted(minutes_before),
                 {{"endpoint", "endpoint", "", ""},
                  {"minute", "minute::text", "", "::timestamptz"},
                  {"instance", "instance::text", "", "::uuid"}},
                 "100",
                 "",
                 {},
                 {}});
  out.push_back({{"minutes", "queues"},
                 "queue_minute",
                 of_tenant + " AND minute < " + quoted(minutes_before),
                 {{"minute", "minute::text", "", "::timestamptz"}, {"queue", "queue", "", ""}},
                 "100",
                 "",
                 {},
                 {}});
  out.push_back({{"names"},
                 "idempotency_key",
                 of_tenant,
                 {{"key", "key", "", ""}},
                 "200",
                 fmt::format("hashtextextended(key, {})", microseconds("expires_at")),
                 {},
                 {}});
  out.push_back({{"runs"},
                 "schedule_run",
                 of_tenant,
                 {{"schedule", "schedule", "", ""},
                  {"nominal_time", "nominal_time::text", "", "::timestamptz"}},
                 "200",
                 fmt::format("hashtextextended(schedule, {})", microseconds("nominal_time")),
                 {},
                 {}});
  return out;
}

std::string rows_between(const Section& section, const std::vector<std::string>& from,
                         const std::vector<std::string>& to) {
  std::string out = " WHERE " + section.where;
  if (!from.empty()) out += " AND " + tuple(section.keys) + " > " + tuple(section.keys, from);
  if (!to.empty()) out += " AND " + tuple(section.keys) + " <= " + tuple(section.keys, to);
  return out;
}

void hold_day(Ends& ends, const std::string& retention, const std::string& day) {
  using namespace std::chrono_literals;
  for (int tries = 0; tries < 50; ++tries) {
    limit(ends);
    if (ends.target.exec(kHoldDay, Params().text(retention).text(day)).boolean(0, 0)) return;
    std::this_thread::sleep_for(100ms);
  }
  throw MoveRefused(Refusal::later, "the target's partition of {} tasks of {} is locked by others",
                    retention, day);
}

}  // namespace postern::db
