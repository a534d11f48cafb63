// Where a task goes: its queue's defaults, and the endpoint that its name stands for. A queue that
// does not exist yet is made here, in an autocommitted statement of its own, before the batch that
// needs it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/model/creation.h"
#include "db/pg/connection.h"
#include "db/pg/rows.h"

namespace postern::db {

// The columns of a queue that its tasks take defaults from; `bounded` is never NULL.
std::span<const Column<QueueDefaults>> queue_default_columns();

std::optional<QueueDefaults> queue_defaults(PgConnection& connection, std::string_view tenant,
                                            std::string_view queue);

// Makes the queue with the server's defaults unless it is there. False: there is no such tenant.
bool make_queue(PgConnection& connection, std::string_view tenant, std::string_view queue,
                bool paused = false);

// The endpoint that `name` stands for: the one of that name, else the one with the longest name
// that it begins with, else the one named "". nullopt: none.
std::optional<std::string> resolve_endpoint(PgConnection& connection, std::string_view tenant,
                                            std::string_view name);

}  // namespace postern::db
