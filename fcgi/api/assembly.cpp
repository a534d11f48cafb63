#include "fcgi/api/assembly.h"

#include "fcgi/api/batch.h"
#include "fcgi/api/bulk.h"
#include "fcgi/api/changes.h"
#include "fcgi/api/concurrency_limit.h"
#include "fcgi/api/creation.h"
#include "fcgi/api/deferred.h"
#include "fcgi/api/endpoints.h"
#include "fcgi/api/metrics.h"
#include "fcgi/api/queues.h"
#include "fcgi/api/schedules.h"
#include "fcgi/api/status.h"
#include "fcgi/api/streams.h"
#include "fcgi/api/tasks.h"
#include "fcgi/intake/intake.h"

namespace postern {

struct Assembly::Parts {
  Parts(const Options& options, db::Pool& pool, Intake& intake)
      : quotas(options.quotas, pool),
        tasks(pool, options.instance, options.max_waiters),
        creation({options.auto_create_queues, options.allow_create_default, options.default_queue},
                 pool, intake, quotas),
        batches(creation, pool, intake, options.instance),
        bulk(pool, options.instance),
        changes(pool),
        deferred(pool, options.instance),
        queues(pool, options.instance, options.allow_create_default, quotas),
        endpoints(pool, options.instance, quotas),
        schedules(pool, options.instance, quotas),
        metrics(pool),
        status(pool, intake),
        streams(pool, options.max_streams),
        lists(options.max_lists),
        use_cases{tasks,     creation,  batches, bulk,   changes, deferred, queues,
                  endpoints, schedules, metrics, status, streams, lists,    options.public_url} {}

  Quotas quotas;
  TasksApi tasks;
  CreationApi creation;
  BatchApi batches;
  BulkApi bulk;
  ChangesApi changes;
  DeferredApi deferred;
  QueuesApi queues;
  EndpointsApi endpoints;
  SchedulesApi schedules;
  MetricsApi metrics;
  StatusApi status;
  Streams streams;
  ConcurrencyLimit lists;
  UseCases use_cases;
};

Assembly::Assembly(const Options& options, db::Pool& pool, Intake& intake)
    : parts_(std::make_unique<Parts>(options, pool, intake)) {}

Assembly::~Assembly() = default;

const UseCases& Assembly::use_cases() const { return parts_->use_cases; }

}  // namespace postern
