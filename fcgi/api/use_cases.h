// What handlers can ask for: one use-case a noun. A handler includes the header of the one it
// needs.
#pragma once

#include <string>

namespace postern {

class BatchApi;
class BulkApi;
class ChangesApi;
class ConcurrencyLimit;
class CreationApi;
class DeferredApi;
class EndpointsApi;
class HealthApi;
class KeysApi;
class MetricsApi;
class Placements;
class QueuesApi;
class SchedulesApi;
class StatusApi;
class Streams;
class TasksApi;
class TenantsApi;

struct UseCases {
  TasksApi& tasks;
  CreationApi& creation;
  BatchApi& batches;
  BulkApi& bulk;
  ChangesApi& changes;
  DeferredApi& deferred;
  QueuesApi& queues;
  EndpointsApi& endpoints;
  SchedulesApi& schedules;
  MetricsApi& metrics;
  StatusApi& status;
  HealthApi& health;
  Streams& streams;
  KeysApi& keys;
  TenantsApi& tenants;
  ConcurrencyLimit& lists;  // of the dialects that limit how many a tenant reads at the same time
  Placements& placements;
  std::string public_url;  // without a slash at the end; may be empty
};

}  // namespace postern
