// What may be changed about a task that is not over: by a client while it waits, and by the
// receiver that has taken it over (202 with Postern-Defer). All of it blocks, and throws PgError.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/base/uuid.h"
#include "core/model/task.h"
#include "db/pg/connection.h"
#include "db/tasks/tasks.h"

namespace postern::db {

// What is absent stays as it is.
struct Change {
  std::optional<Time> run_at{};  // wins over `delay`
  std::optional<Seconds> delay{};
  std::optional<int> priority{};  // 0..100
  std::optional<BodyForm> body_form{};
  std::optional<std::string> body{};  // with a body_form
  std::string content_type{};         // of a raw body; empty: the one it had
};

// Ready, delayed, or with `blocked_too` blocked: changed. nullopt: it would start after its
// deadline.
std::optional<Transition> change_task(PgConnection& connection, std::string_view tenant,
                                      const TaskId& id, const Change& change, bool blocked_too);

// A task with the lease that its receiver knows it by, of any tenant: one that is active, or whose
// end was told by its receiver. Without its body.
struct Leased {
  Task task;
  Uuid lease;
  Time claimed_at;
  Time now;  // the database's
};
std::optional<Leased> leased_task(PgConnection& connection, const TaskId& id);

// What the receiver tells.
struct Told {
  State state;                   // completed, failed, delayed: again; active: it needs more time
  Reason reason = Reason::none;  // with failed
  Milliseconds delay{0};         // with delayed and active: from now
  std::optional<Attempt> attempt{};  // unless active
  std::string error{};
  std::optional<Answer> result{};  // with completed and failed
};

// Fenced by the lease: `wrong_state` with `active` when another has it now.
Transition settle_deferred(PgConnection& connection, std::string_view tenant, const TaskId& id,
                           const Uuid& lease, const Uuid& instance, const Told& told);

}  // namespace postern::db
