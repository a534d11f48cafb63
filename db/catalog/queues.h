// The rows of queues, and what is known of how full they are.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "core/base/uuid.h"
#include "core/model/queue.h"
#include "core/model/task.h"
#include "db/pg/connection.h"

namespace postern::db {

// Whoever changes a queue tells the schedulers, so that it is in force at once.

// nullopt: there is one of that name, or there is no such tenant.
std::optional<Queue> create_queue(PgConnection& connection, std::string_view tenant,
                                  std::string_view name, const QueueSettings& settings);

struct PutQueue {
  Queue queue;
  bool made;  // false: it was there, and has these settings now
};
// nullopt: there is no such tenant.
std::optional<PutQueue> put_queue(PgConnection& connection, std::string_view tenant,
                                  std::string_view name, const QueueSettings& settings);

std::optional<Queue> get_queue(PgConnection& connection, std::string_view tenant,
                               std::string_view name);
// The same, and nobody else changes it or claims within its limits until the transaction ends.
std::optional<Queue> lock_queue(PgConnection& connection, std::string_view tenant,
                                std::string_view name);
// By name.
std::vector<Queue> list_queues(PgConnection& connection, std::string_view tenant);

// nullopt: there is no such queue.
std::optional<Queue> pause_queue(PgConnection& connection, std::string_view tenant,
                                 std::string_view name, bool paused);

// Unless it has live tasks, or whatever it has. Returns whether it took one away.
bool delete_empty_queue(PgConnection& connection, std::string_view tenant, std::string_view name);
bool delete_queue(PgConnection& connection, std::string_view tenant, std::string_view name);

// Cancels up to `most` of its tasks that were made up to `before` and are not being delivered.
// Returns how many; fewer: there are no more.
constexpr int kPurgeStep = 1000;
int purge_queue(PgConnection& connection, std::string_view tenant, std::string_view name,
                Time before, Reason reason, const Uuid& instance, int most = kPurgeStep);

// nullopt: there is no such queue.
std::optional<QueueStats> queue_stats(PgConnection& connection, std::string_view tenant,
                                      std::string_view name);

}  // namespace postern::db
