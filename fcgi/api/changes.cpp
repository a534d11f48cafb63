#include "fcgi/api/changes.h"

#include <chrono>
#include <utility>

#include "core/model/validation.h"
#include "core/program/clock.h"
#include "fcgi/api/task_lookup.h"
#include "fcgi/server/db_access.h"

namespace postern {

Result<Task> ChangesApi::change(const Caller& caller, std::string_view id,
                                const db::Change& change) {
  if (change.delay) {
    if (const auto ok = check_delay(change.delay->count(), "delay"); !ok) return ok.error();
  }
  if (change.run_at) {
    const auto now = database_clock();
    if (const auto ok = check_run_at(*change.run_at, now, "run_at"); !ok) return ok.error();
  }
  if (!change.run_at && !change.delay && !change.priority && !change.body_form) {
    return invalid("change_required", "",
                   "Give what is to change: run_at, delay, priority, payload, body or "
                   "payload_base64.");
  }
  return carry_out(caller, id, change, true);
}

Result<Task> ChangesApi::run(const Caller& caller, std::string_view id) {
  return carry_out(caller, id, {.delay = Seconds{0}}, false);
}

Result<Task> ChangesApi::carry_out(const Caller& caller, std::string_view id,
                                   const db::Change& change, bool blocked_too) {
  const auto known = known_task(pool_, caller.tenant, id);
  if (!known) return no_such_task(id);
  const auto done = write_to(pool_, [&](auto& connection) {
    return db::change_task(connection, caller.tenant, *known, change, blocked_too);
  });
  if (!done) return done.error();
  if (!*done) {
    return invalid("deadline_before_start", change.run_at ? "run_at" : "delay",
                   "The task's deadline is before this start, so it could never run.");
  }
  const db::Transition& transition = **done;
  if (transition.kind == db::Transition::Kind::wrong_state && transition.state == State::blocked) {
    return conflict("task_blocked", "The task waits for others, or for its turn by its key.");
  }
  if (const auto ok = allowed(transition, id); !ok) return ok.error();
  auto task = read_from(
      pool_, [&](auto& connection) { return db::get_task(connection, caller.tenant, *known); });
  if (!task) return no_such_task(id);
  return std::move(*task);
}

}  // namespace postern
