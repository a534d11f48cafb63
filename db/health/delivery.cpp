// Deliveries, of all tenants or of one: whether anybody makes them, and what holds them up.
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <set>
#include <string>

#include "core/base/url.h"
#include "core/model/closed_ports.h"
#include "db/catalog/engine_pause.h"
#include "db/catalog/longest_due.h"
#include "db/catalog/paced_lanes.h"
#include "db/catalog/pauses.h"
#include "db/catalog/recent_ends.h"
#include "db/health/check.h"

namespace postern::db::health {
namespace {

Diagnosis scheduler(Patient& patient) {
  const auto named = by_name(patient.schedulers());
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

// $1: the tenant, empty: all. A port is written in a URL only where it is not the scheme's.
constexpr Statement kWithPort{"", R"sql(
  SELECT tenant, name, url
    FROM (SELECT tenant, name, url FROM postern.endpoint WHERE $1 = '' OR tenant = $1 ORDER BY tenant, name LIMIT 100000) first
   WHERE url ~ '^https?://[^/?#]*:[0-9]+([/?#]|$)' ORDER BY tenant, name)sql"};

// Endpoints with a port that a scheduler would refuse.
Diagnosis egress(Patient& patient) {
  std::set<int> allowed;
  for (const auto& scheduler : patient.schedulers()) {
    if (!scheduler.up) continue;
    allowed.insert(scheduler.egress_ports_allow.begin(), scheduler.egress_ports_allow.end());
  }
  const auto endpoints = patient.connection.exec(kWithPort, Params().text(patient.tenant));
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

// Whatever somebody has paused and perhaps forgotten.
Diagnosis pauses(Patient& patient) {
  if (engine_paused(patient.connection)) {
    return warning_unless(false, "the whole engine is paused: nothing is delivered",
                          "`postern resume --all` when that is over");
  }
  Names paused;
  const auto add = [&paused](const char* kind, const PausedThings& things) {
    for (const auto& each : things.first) {
      paused.add(fmt::format("{} {}/{}", kind, each.tenant, each.name));
    }
  };
  const auto all = db::pauses(patient.connection, patient.tenant);
  add("queue", all.queues);
  add("endpoint", all.endpoints);
  add("schedule", all.schedules);
  return warning_unless(paused.empty(),
                        paused.empty() ? "nothing is paused" : "paused: " + paused.text(),
                        "`postern queue resume NAME` and the like, when that is over");
}

// Lanes that the schedulers hold back, since their receivers failed.
Diagnosis breakers(Patient& patient) {
  Names open;
  const auto lanes = paced_lanes(patient.connection, patient.schedulers(), patient.tenant);
  for (const auto& lane : open_breakers(lanes)) {
    open.add(fmt::format("{}/{} to {}", lane.tenant, lane.queue, lane.target));
  }
  return warning_unless(
      open.empty(), open.empty() ? "no breaker is open" : "open: " + open.text(),
      "their receivers fail or do not answer; deliveries go on by themselves when "
      "they do again");
}

Diagnosis oldest_due(Patient& patient) {
  const auto oldest = longest_due(patient.connection, patient.tenant);
  if (!oldest) return {Grade::ok, "nothing is due", ""};
  constexpr double kLate = 60;
  return warning_unless(oldest->seconds < kLate,
                        fmt::format("due for {:.0f} s, in the queue {}/{}", oldest->seconds,
                                    oldest->tenant, oldest->queue),
                        "is it paused, is its receiver down (breakers), or are the schedulers too "
                        "few? More of them share the work");
}

// By the same rule as `postern check`.
Diagnosis failures(Patient& patient) {
  const auto recent = recent_ends(patient.connection, patient.tenant);
  return warning_unless(!recent.enough() || recent.failed_percent() < kManyFailedPercent,
                        fmt::format("{} of {} tasks failed in 15 min", recent.failed, recent.ended),
                        "`postern failures` shows why and at which receivers");
}

}  // namespace

Checks delivery_checks() {
  return {{"scheduler", scheduler},   {"pauses", pauses},     {"breakers", breakers},
          {"oldest due", oldest_due}, {"failures", failures}, {"egress", egress}};
}

}  // namespace postern::db::health
