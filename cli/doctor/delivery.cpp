// Deliveries: whether anybody makes them, and what holds them up.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "cli/doctor/check.h"
#include "core/base/url.h"
#include "core/model/closed_ports.h"
#include "core/wire/scheduler_gauges.h"
#include "db/catalog/engine_pause.h"
#include "db/catalog/metrics.h"

namespace postern::admin::doctor {
namespace {

Verdict partitions(Patient& patient) {
  const auto ahead = patient.number(R"sql(
    SELECT min(days) FROM (
      SELECT count(c.oid) AS days FROM unnest(ARRAY['short', 'standard']) k
        LEFT JOIN pg_class c ON c.relnamespace = 'postern'::regnamespace
             AND CASE WHEN c.relname ~ ('^task_finished_' || k || '_[0-9]{8}$')
                      THEN to_date(right(c.relname, 8), 'YYYYMMDD') >= current_date END
       GROUP BY k) per_class)sql");
  return wrong_unless(ahead >= 2, fmt::format("made for {} days from today", ahead),
                      "is a postern-scheduler running? It makes them every hour");
}

Verdict scheduler(Patient& patient) {
  const auto alive = patient.number(R"sql(
    SELECT count(*) FROM postern.instance
     WHERE program = 'postern-scheduler' AND beat_at > now() - interval '30 seconds')sql");
  return wrong_unless(alive > 0, fmt::format("{} alive", alive),
                      "start postern-scheduler: nothing is delivered without one");
}

// Endpoints with a port that a scheduler would refuse.
Verdict egress(Patient& patient) {
  auto& connection = patient.connection;
  const auto gauges = connection.exec({"", R"sql(
    SELECT gauges::text FROM postern.instance
     WHERE program = 'postern-scheduler' AND beat_at > now() - interval '30 seconds')sql"});
  std::set<int> allowed;
  for (int i = 0; i < gauges.rows(); ++i) {
    const auto ports = scheduler_gauges_from(gauges.text(i, 0)).egress_ports_allow;
    allowed.insert(ports.begin(), ports.end());
  }
  // A port is written in a URL only where it is not the scheme's.
  const auto endpoints = connection.exec({"", R"sql(
    SELECT tenant, name, url FROM postern.endpoint WHERE url ~ '^https?://[^/?#]*:[0-9]+([/?#]|$)'
     ORDER BY tenant, name LIMIT 100000)sql"});
  constexpr int kNamed = 10;
  std::string closed;
  int count = 0;
  for (int i = 0; i < endpoints.rows(); ++i) {
    const auto url = parse_url(endpoints.text(i, 2), "url");
    if (!url || closed_port(url->port).empty() || allowed.contains(url->port)) continue;
    if (++count > kNamed) continue;
    closed += fmt::format("{}{}/{} ({}, {})", closed.empty() ? "" : ", ", endpoints.text(i, 0),
                          endpoints.text(i, 1), url->port, closed_port(url->port));
  }
  if (count > kNamed) closed += fmt::format(" and {} more", count - kNamed);
  return wrong_unless(
      count == 0, count == 0 ? "no endpoint has a closed port" : "closed: " + closed,
      "tasks for them fail as egress_denied: change the endpoints, or name the ports in the "
      "schedulers' egress_ports_allow");
}

Verdict stray_rows(Patient& patient) {
  const auto rows = patient.number(R"sql(
    SELECT count(*) FROM (SELECT FROM postern.task_finished_short_default
                          UNION ALL SELECT FROM postern.task_finished_standard_default LIMIT 1000) rows)sql");
  return warning_unless(
      rows == 0,
      fmt::format("{}{} rows in DEFAULT partitions", rows, rows == 1000 ? " or more" : ""),
      "they move as soon as their day's partition is made; is a postern-scheduler running?");
}

// Whatever somebody has paused and perhaps forgotten.
Verdict pauses(Patient& patient) {
  if (db::engine_paused(patient.connection)) {
    return warning_unless(false, "the whole engine is paused: nothing is delivered",
                          "`postern resume --all` when that is over");
  }
  const auto paused = patient.text(R"sql(
    SELECT coalesce(string_agg(what, ', ' ORDER BY what), '') FROM (
      SELECT what FROM (
        SELECT format('queue %s/%s', tenant, name) AS what FROM postern.queue WHERE paused
        UNION ALL SELECT format('endpoint %s/%s', tenant, name) FROM postern.endpoint WHERE paused
        UNION ALL SELECT format('schedule %s/%s', tenant, name) FROM postern.schedule WHERE paused) held
       ORDER BY what LIMIT 10) named)sql");
  return warning_unless(paused.empty(), paused.empty() ? "nothing is paused" : "paused: " + paused,
                        "`postern queue resume NAME` and the like, when that is over");
}

// Lanes that the schedulers hold back, since their receivers failed.
Verdict breakers(Patient& patient) {
  constexpr std::size_t kNamed = 10;
  const auto numbers = db::numbers(patient.connection, "");
  std::string held;
  std::size_t count = 0;
  for (const auto& lane : numbers.lanes) {
    if (lane.state != "open") continue;
    if (++count > kNamed) continue;
    held += fmt::format("{}{}/{} to {}", held.empty() ? "" : ", ", lane.tenant, lane.queue,
                        lane.target);
  }
  if (count > kNamed) held += fmt::format(" and {} more", count - kNamed);
  return warning_unless(
      count == 0, count == 0 ? "no breaker is open" : "open: " + held,
      "their receivers fail or do not answer; deliveries go on by themselves when "
      "they do again");
}

Verdict oldest_due(Patient& patient) {
  const auto numbers = db::numbers(patient.connection, "");
  const db::QueueNumbers* oldest = nullptr;
  for (const auto& queue : numbers.queues) {
    if (!queue.depth.oldest_due) continue;
    if (oldest == nullptr || *queue.depth.oldest_due < *oldest->depth.oldest_due) oldest = &queue;
  }
  if (oldest == nullptr) return {Grade::ok, "nothing is due", ""};
  const auto late = std::chrono::duration_cast<Seconds>(numbers.now - *oldest->depth.oldest_due);
  return warning_unless(
      late < Seconds{60},
      fmt::format("due for {} s, in the queue {}/{}", std::max<long long>(0, late.count()),
                  oldest->tenant, oldest->queue),
      "is it paused, is its receiver down (breakers), or are the schedulers too "
      "few? More of them share the work");
}

// By the counts of the endpoints for the last hour, and of everything since the beginning.
Verdict failures(Patient& patient) {
  const auto row = patient.connection.exec({"", R"sql(
    SELECT coalesce(sum(attempts), 0)::bigint AS attempts, coalesce(sum(failed), 0)::bigint AS failed
      FROM postern.endpoint_minute WHERE minute > now() - interval '1 hour')sql"});
  const auto attempts = row.integer(0, row.column("attempts"));
  const auto failed = row.integer(0, row.column("failed"));
  const auto all = db::numbers(patient.connection, "").counts;
  constexpr std::int64_t kEnough = 20;
  return warning_unless(
      attempts < kEnough || failed * 2 < attempts,
      fmt::format("of endpoints in the last hour {} of {} attempts; of all ever {} of {}", failed,
                  attempts, all.failed_attempts, all.failed_attempts + all.succeeded),
      "`postern endpoint list` shows whose; `postern task list --status failed` "
      "shows why");
}

}  // namespace

std::vector<Check> delivery_checks() {
  return {{"partitions", partitions}, {"stray rows", stray_rows}, {"scheduler", scheduler},
          {"pauses", pauses},         {"breakers", breakers},     {"oldest due", oldest_due},
          {"failures", failures},     {"egress", egress}};
}

}  // namespace postern::admin::doctor
