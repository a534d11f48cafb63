// Deliveries: whether anybody makes them, and what holds them up.
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <set>
#include <string>

#include "cli/doctor/check.h"
#include "core/base/url.h"
#include "core/model/closed_ports.h"
#include "db/catalog/metrics.h"
#include "db/catalog/recent_ends.h"

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
  const auto named = db::by_name(patient.numbers().schedulers);
  const auto up = std::ranges::count_if(named, [](const auto& each) { return each.second.up; });
  return wrong_unless(up > 0, fmt::format("{} up", up),
                      "start postern-scheduler: nothing is delivered without one");
}

// Names with commas between them, the first ten of them.
class Names {
 public:
  void add(const std::string& name) {
    constexpr std::size_t kNamed = 10;
    if (++count_ <= kNamed) text_ += (text_.empty() ? "" : ", ") + name;
    if (count_ > kNamed) more_ = fmt::format(" and {} more", count_ - kNamed);
  }
  bool empty() const { return count_ == 0; }
  std::string text() const { return text_ + more_; }

 private:
  std::size_t count_ = 0;
  std::string text_, more_;
};

// Endpoints with a port that a scheduler would refuse.
Verdict egress(Patient& patient) {
  std::set<int> allowed;
  for (const auto& scheduler : patient.numbers().schedulers) {
    if (!scheduler.up) continue;
    allowed.insert(scheduler.egress_ports_allow.begin(), scheduler.egress_ports_allow.end());
  }
  // A port is written in a URL only where it is not the scheme's.
  const auto endpoints = patient.connection.exec({"", R"sql(
    SELECT tenant, name, url FROM postern.endpoint WHERE url ~ '^https?://[^/?#]*:[0-9]+([/?#]|$)'
     ORDER BY tenant, name LIMIT 100000)sql"});
  Names closed;
  for (int i = 0; i < endpoints.rows(); ++i) {
    const auto url = parse_url(endpoints.text(i, 2), "url");
    if (!url || closed_port(url->port).empty() || allowed.contains(url->port)) continue;
    closed.add(fmt::format("{}/{} ({}, {})", endpoints.text(i, 0), endpoints.text(i, 1), url->port,
                           closed_port(url->port)));
  }
  return wrong_unless(
      closed.empty(), closed.empty() ? "no endpoint has a closed port" : "closed: " + closed.text(),
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
  const auto& numbers = patient.numbers();
  if (numbers.engine_paused) {
    return warning_unless(false, "the whole engine is paused: nothing is delivered",
                          "`postern resume --all` when that is over");
  }
  Names paused;
  const auto add = [&paused](const char* kind, const db::PausedThings& things) {
    for (const auto& each : things.first) {
      paused.add(fmt::format("{} {}/{}", kind, each.tenant, each.name));
    }
  };
  add("queue", numbers.pauses.queues);
  add("endpoint", numbers.pauses.endpoints);
  add("schedule", numbers.pauses.schedules);
  return warning_unless(paused.empty(),
                        paused.empty() ? "nothing is paused" : "paused: " + paused.text(),
                        "`postern queue resume NAME` and the like, when that is over");
}

// Lanes that the schedulers hold back, since their receivers failed.
Verdict breakers(Patient& patient) {
  Names open;
  for (const auto& lane : db::open_breakers(patient.numbers())) {
    open.add(fmt::format("{}/{} to {}", lane.tenant, lane.queue, lane.target));
  }
  return warning_unless(
      open.empty(), open.empty() ? "no breaker is open" : "open: " + open.text(),
      "their receivers fail or do not answer; deliveries go on by themselves when "
      "they do again");
}

Verdict oldest_due(Patient& patient) {
  const auto& numbers = patient.numbers();
  const auto* oldest = db::longest_due(numbers);
  if (oldest == nullptr) return {Grade::ok, "nothing is due", ""};
  const double late = db::oldest_due_seconds(oldest->depth, numbers.now);
  return warning_unless(
      late < 60,
      fmt::format("due for {:.0f} s, in the queue {}/{}", late, oldest->tenant, oldest->queue),
      "is it paused, is its receiver down (breakers), or are the schedulers too "
      "few? More of them share the work");
}

// By the same rule as `postern check`.
Verdict failures(Patient& patient) {
  const auto recent = db::recent_ends(patient.connection);
  const auto& all = patient.numbers().counts;
  return warning_unless(
      !recent.enough() || recent.failed_percent() < db::kManyFailedPercent,
      fmt::format("{} of {} tasks in 15 min; of all attempts ever {} of {}", recent.failed,
                  recent.ended, all.failed_attempts, all.failed_attempts + all.succeeded),
      "`postern task list --status failed` shows why, `postern endpoint list` whose");
}

}  // namespace

std::vector<Check> delivery_checks() {
  return {{"partitions", partitions}, {"stray rows", stray_rows}, {"scheduler", scheduler},
          {"pauses", pauses},         {"breakers", breakers},     {"oldest due", oldest_due},
          {"failures", failures},     {"egress", egress}};
}

}  // namespace postern::admin::doctor
