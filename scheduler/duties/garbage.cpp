#include "db/engine/garbage.h"

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
  db::Params params;
  params.uuid(run.context().options.instance);
  run.ask(db::kExpireEntries, std::move(params), [](const db::PgResult& result) {
    if (const auto ended = result.integer(0, 0); ended > 0) {
      log::info("event=entries_expired tasks={}", ended);
    }
  });
}

void fold_counters(const DutyRun& run) {
  run.ask(db::kFoldCounters, {}, [](const db::PgResult&) {});
}

void forget_dependencies(const DutyRun& run) {
  run.ask(db::kForgetDependencies, {}, [](const db::PgResult&) {});
}

void forget_runs(const DutyRun& run) {
  run.ask(db::kForgetRuns, {}, [run](const db::PgResult& result) {
    if (result.affected() == kRunsAtOnce) run.again();
  });
}

}  // namespace postern::scheduler
