#include "fcgi/api/assembly.h"

#include <limits>

#include "fcgi/api/batch.h"
#include "fcgi/api/bulk.h"
#include "fcgi/api/changes.h"
#include "fcgi/api/concurrency_limit.h"
#include "fcgi/api/creation.h"
#include "fcgi/api/deferred.h"
#include "fcgi/api/endpoints.h"
#include "fcgi/api/health.h"
#include "fcgi/api/keys.h"
#include "fcgi/api/metrics.h"
#include "fcgi/api/queues.h"
#include "fcgi/api/schedules.h"
#include "fcgi/api/status.h"
#include "fcgi/api/streams.h"
#include "fcgi/api/tasks.h"
#include "fcgi/api/tenants.h"
#include "fcgi/auth/placements.h"
#include "fcgi/intake/intake.h"

namespace postern {

struct Assembly::Parts {
  Parts(const Options& options, const Pools& pools, Intake& intake)
      : placements(pools.vital, pools.reads, options.cell),
        quotas(options.quotas, pools.vital),
        tasks(pools, options.instance, options.max_waiters, placements),
        creation({options.auto_create_queues, options.allow_create_default, options.default_queue},
                 pools, intake, quotas),
        batches(creation, pools.rest, intake, options.instance),
        bulk(pools.rest, options.instance),
        changes(pools.rest),
        deferred(pools.rest, options.instance),
        queues(pools, options.instance, options.allow_create_default, quotas),
        endpoints(pools, options.instance, quotas),
        schedules(pools, options.instance, quotas),
        metrics(pools.reads),
        status(pools, intake, options.ready_needs_scheduler),
        health(pools.reads, options.health_kept),
        streams(pools.reads, options.max_streams, placements),
        keys(pools, options.cell),
        tenants(pools),
        lists({.places = std::numeric_limits<int>::max(), .share = options.max_lists}),
        use_cases{tasks,   creation,  batches,   bulk,    changes,    deferred,
                  queues,  endpoints, schedules, metrics, status,     health,
                  streams, keys,      tenants,   lists,   placements, options.public_url} {}

  Placements placements;
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
  HealthApi health;
  Streams streams;
  KeysApi keys;
  TenantsApi tenants;
  ConcurrencyLimit lists;
  UseCases use_cases;
};

Assembly::Assembly(const Options& options, const Pools& pools, Intake& intake)
    : parts_(std::make_unique<Parts>(options, pools, intake)) {}

Assembly::~Assembly() = default;

const UseCases& Assembly::use_cases() const { return parts_->use_cases; }

}  // namespace postern
