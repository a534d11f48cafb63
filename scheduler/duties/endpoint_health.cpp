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
  run.ask(db::kExpireEndpointMinutes, {}, [](const db::PgResult&) {});
}

}  // namespace postern::scheduler
