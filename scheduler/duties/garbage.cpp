#include "core/program/log.h"
#include "db/engine/occurrences.h"
#include "scheduler/duties/table.h"

namespace postern::scheduler {
namespace {

// As many as kForgetRuns forgets at most.
constexpr std::int64_t kRunsAtOnce = 10'000;

}  // namespace

void expire_keys(const DutyRun& run) {
  run.ask(db::kExpireKeys, {}, [run](const db::PgResult& result) {
    if (result.affected() == db::kKeysAtOnce) run.again();
  });
}

void expire_entries(const DutyRun& run) {
  auto& from = run.context().entries_from;
  run.ask(db::kExpireEntries, db::expire_entries_params(run.context().options.instance, from),
          [run, &from](const db::PgResult& result) {
            const auto expired = db::expired_entries_from(result);
            if (expired.ended > 0) log::info("event=entries_expired tasks={}", expired.ended);
            run.go_on(from, expired.behind);
          });
}

void fold_counters(const DutyRun& run) {
  auto& from = run.context().counters_from;
  run.ask(
      db::kFoldCounters, db::fold_counters_params(from),
      [run, &from](const db::PgResult& result) { run.go_on(from, db::counters_behind(result)); });
}

void forget_dependencies(const DutyRun& run) {
  auto& from = run.context().dependencies_from;
  run.ask(db::kForgetDependencies, db::forget_dependencies_params(from),
          [run, &from](const db::PgResult& result) {
            run.go_on(from, db::dependencies_behind(result));
          });
}

void forget_runs(const DutyRun& run) {
  run.ask(db::kForgetRuns, {}, [run](const db::PgResult& result) {
    if (result.affected() == kRunsAtOnce) run.again();
  });
}

}  // namespace postern::scheduler
