#include "db/engine/retention.h"

#include <utility>

#include "core/program/log.h"
#include "scheduler/duties/table.h"

namespace postern::scheduler {

void make_partitions(const DutyRun& run) {
  run.ask(db::kMakePartitions, {}, [](const db::PgResult& result) {
    if (const auto made = result.integer(0, 0); made > 0) {
      log::info("partitions made count={}", made);
    }
  });
}

void drop_partitions(const DutyRun& run) {
  const auto& options = run.context().options;
  for (const auto& [retention_class, keep] : {std::pair{"short", options.retention_short},
                                              std::pair{"standard", options.retention_standard}}) {
    run.ask(db::kDropPartition, db::drop_partition_params(retention_class, keep),
            [run](const db::PgResult& result) {
              if (result.is_null(0, 0)) return;
              log::info("partition dropped name={}", result.text(0, 0));
              run.again();  // there may be more
            });
  }
}

}  // namespace postern::scheduler
