#include <utility>

#include "core/program/log.h"
#include "db/engine/occurrences.h"
#include "scheduler/duties/table.h"

namespace postern::scheduler {
namespace {

constexpr int kRunsAtOnce = 10'000;
constexpr int kDiscardedAtOnce = 200;

}  // namespace

void expire_keys(const DutyRun& run) {
  const int most = run.part(db::kKeysAtOnce);
  run.step(db::kExpireKeys, db::expire_keys_params(most), [run, most](const db::PgResult& result) {
    if (result.affected() >= most) run.again();
  });
}

void expire_entries(const DutyRun& run) {
  auto& from = run.context().entries_from;
  run.step(db::kExpireEntries,
           db::expire_entries_params(run.context().options.instance, from, run.part(200)),
           [run, &from](const db::PgResult& result) {
             const auto expired = db::expired_entries_from(result);
             if (expired.ended > 0) log::info("entries expired tasks={}", expired.ended);
             run.go_on(from, expired.behind);
           });
}

// Over all queues again until there is no surplus: each has its turn for some of its tasks.
void discard_surplus(const DutyRun& run) {
  auto& context = run.context();
  run.step(db::kDiscardSurplus,
           db::discard_surplus_params(context.options.instance, context.surplus_from,
                                      run.part(kDiscardedAtOnce)),
           [run, &context](const db::PgResult& result) {
             auto step = db::discarded_surplus_from(result);
             if (step.discarded > 0) log::info("surplus discarded tasks={}", step.discarded);
             auto& discarded = context.surplus_discarded;
             discarded += step.discarded;
             if (!step.behind && std::exchange(discarded, 0) > 0) step.behind = db::QueuePlace{};
             run.go_on(context.surplus_from, step.behind);
           });
}

void fold_counters(const DutyRun& run) {
  auto& from = run.context().counters_from;
  run.step(
      db::kFoldCounters, db::fold_counters_params(from, run.part(5000)),
      [run, &from](const db::PgResult& result) { run.go_on(from, db::counters_behind(result)); });
}

void forget_dependencies(const DutyRun& run) {
  auto& from = run.context().dependencies_from;
  run.step(db::kForgetDependencies, db::forget_dependencies_params(from, run.part(2000)),
           [run, &from](const db::PgResult& result) {
             run.go_on(from, db::dependencies_behind(result));
           });
}

void forget_runs(const DutyRun& run) {
  const int most = run.part(kRunsAtOnce);
  run.step(db::kForgetRuns, db::forget_runs_params(most), [run, most](const db::PgResult& result) {
    if (result.affected() >= most) run.again();
  });
}

void forget_moved(const DutyRun& run) {
  const int most = run.part(db::kKeysAtOnce);
  run.step(db::kForgetMoved, db::forget_moved_params(most),
           [run, most](const db::PgResult& result) {
             if (result.affected() >= most) run.again();
           });
}

}  // namespace postern::scheduler
