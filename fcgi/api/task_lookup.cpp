#include "fcgi/api/task_lookup.h"

#include <fmt/format.h>

#include "core/program/log.h"
#include "fcgi/server/db_access.h"
#include "fcgi/server/query.h"

namespace postern {

std::optional<TaskId> known_task(db::Pool& pool, std::string_view tenant, std::string_view id) {
  if (const auto spelled = parse_task_id(id)) return spelled;
  const auto number = parse_integer(id);
  if (!number || *number < 1) return std::nullopt;
  return read_from(pool,
                   [&](auto& connection) { return db::task_of_job(connection, tenant, *number); });
}

Error no_such_task(std::string_view id) {
  return not_found("task_not_found", fmt::format("There is no task {}.", log_safe(id)));
}

Error wrong_state(State state) {
  switch (state) {
    case State::active:
      return conflict("task_already_active", "The task is being carried out at the moment.");
    case State::completed:
    case State::failed:
    case State::cancelled:
      return conflict("task_already_finished",
                      fmt::format("The task is finished: it is {}.", name(state)));
    case State::ready:
    case State::delayed:
    case State::blocked: break;
  }
  return conflict("task_not_finished", "The task is not finished yet.");
}

Result<void> allowed(const db::Transition& done, std::string_view id) {
  switch (done.kind) {
    case db::Transition::Kind::done: return {};
    case db::Transition::Kind::missing: return no_such_task(id);
    case db::Transition::Kind::wrong_state: break;
  }
  return wrong_state(done.state);
}

}  // namespace postern
