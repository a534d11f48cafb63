#include "fcgi/dialects/native/health.h"

#include <algorithm>

#include "core/base/json_writer.h"
#include "fcgi/api/health.h"
#include "fcgi/api/use_cases.h"

namespace postern::native_meta {
namespace {

using db::health::Report;

void write_check(JsonWriter& out, const db::health::Finding& finding) {
  const auto& [grade, found, hint] = finding.verdict;
  out.begin_object().member("name", finding.name).member("verdict", word(grade));
  out.member("finding", found);
  out.member("hint", grade == db::health::Grade::ok ? "" : hint).end_object();
}

void write_breaker(JsonWriter& out, const db::PacedLane& lane, bool of_all) {
  out.begin_object();
  if (of_all) out.member("tenant", lane.tenant);
  out.member("queue", lane.queue).member("target", lane.target).member("state", lane.state);
  out.end_object();
}

void write_handler(JsonWriter& out, const db::health::HandlerNumbers& handler) {
  out.begin_object().member("name", handler.name).member("version", handler.version);
  out.member("since", format_rfc3339(handler.since)).member("up", handler.up);
  out.key("beat_age_seconds").number(handler.beat_age).end_object();
}

void write_database(JsonWriter& out, const db::health::DatabaseNumbers& database) {
  out.begin_object().member("version", database.version);
  out.member("size_bytes", database.size_bytes);
  out.member("connections", database.connections);
  out.member("max_connections", database.max_connections);
  out.member("transaction_ids_used", database.transaction_ids_used);
  out.member("in_recovery", database.in_recovery).end_object();
}

void write_partition(JsonWriter& out, const db::health::PartitionNumbers& partition) {
  out.begin_object().member("name", partition.name).member("class", partition.retention);
  out.key("day");
  partition.day ? out.string(*partition.day) : out.null();
  out.member("rows_estimate", partition.rows_estimate).member("bytes", partition.bytes);
  out.end_object();
}

template <class Each>
void write_list(JsonWriter& out, const char* name, const std::vector<Each>& list, auto write) {
  out.key(name).begin_array();
  for (const auto& each : list) write(out, each);
  out.end_array();
}

}  // namespace

void write_scheduler(JsonWriter& out, const db::SchedulerNumbers& scheduler) {
  out.begin_object();
  out.member("name", scheduler.name);
  out.member("version", scheduler.version);
  out.member("since", format_rfc3339(scheduler.since));
  out.member("up", scheduler.up);
  out.key("beat_age_seconds").number(scheduler.beat_age);
  out.member("slots", scheduler.slots);
  out.member("in_flight", scheduler.in_flight);
  out.end_object();
}

Result<HttpResponse> health(const Call& call) {
  const std::shared_ptr<const Report> report = call.use.health.report(call.caller);
  const bool of_all = report->installation.has_value();
  const auto named = db::by_name(report->schedulers);
  JsonWriter out;
  out.begin_object();
  out.member("status", word(report->status));
  out.member("time", format_rfc3339(report->now));
  out.member("scope", of_all ? "all" : "tenant");
  out.key("schedulers_up").number(std::int64_t{std::ranges::count_if(named, [](const auto& each) {
    return each.second.up;
  })});
  write_list(out, "checks", report->checks, write_check);
  write_list(out, "breakers", report->breakers,
             [=](JsonWriter& to, const auto& lane) { write_breaker(to, lane, of_all); });
  if (of_all) {
    write_list(out, "schedulers", report->schedulers, write_scheduler);
    write_list(out, "handlers", report->installation->handlers, write_handler);
    write_database(out.key("database"), report->installation->database);
    write_list(out, "partitions", report->installation->partitions, write_partition);
  }
  out.end_object();
  return json_response(200, out.take());
}

}  // namespace postern::native_meta
