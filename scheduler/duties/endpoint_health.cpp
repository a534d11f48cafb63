#include "db/catalog/endpoints.h"
#include "scheduler/duties/table.h"

namespace postern::scheduler {

// What a statement loses is missing from an endpoint's health, and from nothing else.
void tell_health(const DutyRun& run) {
  const auto minutes = run.context().dispatcher.health().take();
  if (minutes.empty()) return;
  run.ask(db::kAddEndpointMinutes,
          db::endpoint_minutes_params(run.context().options.instance, minutes),
          [](const db::PgResult&) {});
}

void expire_health(const DutyRun& run) {
  auto& from = run.context().endpoints_from;
  run.ask(
      db::kExpireEndpointMinutes, db::expire_endpoint_minutes_params(from),
      [run, &from](const db::PgResult& result) { run.go_on(from, db::endpoints_behind(result)); });
}

}  // namespace postern::scheduler
