// Tasks as the API sees them: create, read, list, and the transitions a client may ask for. Every
// function names the tenant; another tenant's task is not there. All of them block, and throw
// PgError when the database does not play along.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/base/uuid.h"
#include "core/model/phase.h"
#include "core/model/task.h"
#include "db/pg/connection.h"
#include "db/tasks/insertion.h"

namespace postern::db {

// Inserts all of `batch` in one statement, counts them for `instance` and notifies the schedulers
// if any of them is ready. Returns the database's now(), which is their created_at. All or nothing.
Time insert_tasks(PgConnection& connection, const Uuid& instance, std::span<const Insertion> batch);

// The same for a queue that has a bound (max_entries): as many of the first as there is room for,
// after the oldest were dropped where the queue says so. REQUIRES: all in one queue.
struct BoundedBatch {
  Time now;
  std::size_t inserted = 0;
};
BoundedBatch insert_bounded_tasks(PgConnection& connection, const Uuid& instance,
                                  std::span<const Insertion> batch);

// The whole batch in one transaction, or nothing of it when one of the queues that have a bound has
// no room for all. `bounded`: the places in the batch of the tasks of such queues. REQUIRES: all of
// one tenant.
struct WholeBatch {
  Time now;
  std::optional<std::size_t> full;  // the place of the first task that found no room
};
WholeBatch insert_whole_batch(PgConnection& connection, const Uuid& instance,
                              std::span<const Insertion> batch,
                              std::span<const std::size_t> bounded);

struct KeyedResult {
  enum class Kind {
    created,
    replayed,    // the key was used before, for `task`
    mismatched,  // the same, but with another request body
    full,        // its queue has no room
  };
  Kind kind;
  TaskId task;
};

struct KeyedBatch {
  Time now;
  std::vector<KeyedResult> results;  // in the order of the batch
};

// Inserts tasks that carry an idempotency key, each at most once per (tenant, key) within `window`,
// in one transaction. The same key twice in one batch: the first wins. REQUIRES: every spec has an
// idempotency_key; with `bounded`, for a queue that has a bound, the batch is of one.
KeyedBatch insert_keyed_tasks(PgConnection& connection, const Uuid& instance,
                              std::span<const Insertion> batch, Seconds window,
                              bool bounded = false);

// Which of `ids` exist, live or finished, and are on the synchronous standby as well, if there is
// one: what became of a commit whose answer was lost. It was perhaps never waited for until the
// standby had it.
std::unordered_set<std::string> existing_tasks(PgConnection& connection,
                                               std::span<const TaskId> ids);

// The state of a task that is made at `now`. The insertion decides it likewise in SQL
// (columns.cpp); a test holds the two together.
State state_at_creation(const TaskSpec& spec, Time run_at, Time now);

// The task as a client sees it right after its creation at `now`, without reading it back.
Task created_task(NewTask task, Time now);

std::optional<Task> get_task(PgConnection& connection, std::string_view tenant, const TaskId& id);

// The same whoever's it is: for those whom a token lets in.
std::optional<Task> any_task(PgConnection& connection, const TaskId& id);

// What a long poll watches: changes whenever the task's status does. nullopt: gone.
struct Glance {
  State state;
  int attempt;
  bool deferred;
};
std::vector<std::optional<Glance>> glance(PgConnection& connection, std::span<const TaskId> ids);

struct TaskFilter {
  std::string queue;                  // empty: any
  std::vector<State> states;          // empty: any
  std::string tag;                    // empty: any
  std::optional<Time> created_since;  // inclusive
  std::optional<Time> created_until;  // exclusive
  std::string endpoint;               // by name; empty: any
  std::optional<Reason> reason;       // why it ended without success; nullopt: any
  std::vector<Phase> phases;          // empty: any
  bool oldest_first = false;
  std::optional<TaskId> before;  // only ids past this one in the list's order
  int limit = 20;
  int offset = 0;
  // How many times a list looks for what matches, before it says where to go on.
  int looks = 1;
};

// A look reads up to this many entries of an index, so that it takes milliseconds whatever is
// stored. What is not found in one is looked for further down by the next.
constexpr int kLook = 2'500;
// For lists that nobody can go on with.
constexpr int kManyLooks = 80;

// Some of a list.
struct Listed {
  std::vector<Task> tasks;     // up to `filter.limit`; bodies over 16 KiB left out (body_omitted)
  std::optional<TaskId> next;  // where the list goes on, as `before`; nullopt: this was its end
  int offset = 0;              // how many of `filter.offset` are still to be left out there
};
Listed next_tasks(PgConnection& connection, std::string_view tenant, const TaskFilter& filter);

struct Page : Listed {
  std::int64_t total = 0;        // of all that match, ignoring before/limit/offset
  bool total_estimated = false;  // at least so many: not all of them were looked at
};
Page list_tasks(PgConnection& connection, std::string_view tenant, const TaskFilter& filter);

// Before this no task of that id can have finished: the id says when it was made, so that a
// finished one is not looked for in older partitions. A day covers any difference between the
// clocks of whoever makes ids.
inline Time not_finished_before(const TaskId& id) { return made_at(id) - std::chrono::days{1}; }

struct Transition {
  enum class Kind { done, wrong_state, missing };
  Kind kind;
  State state;  // with wrong_state: the one that forbids it
};

// pending, delayed or blocked -> cancelled. After `done` no attempt starts.
Transition cancel_task(PgConnection& connection, std::string_view tenant, const TaskId& id,
                       const Uuid& instance);
// What may be deleted or retried is the dialect's affair: that of the API by which it is asked, or
// that of the task itself (nullopt).
using Rules = std::optional<Dialect>;
// pending, delayed or blocked (with deletes_any_state: any state) -> gone, its idempotency key with
// it.
Transition delete_task(PgConnection& connection, std::string_view tenant, const TaskId& id,
                       const Uuid& instance, Rules rules = std::nullopt);
// Any finished state (without retries_completed: failed or cancelled; with retries_waiting: also
// what has not begun) -> ready, with a fresh budget of attempts; the old attempts stay. With
// retries_keep_start it is delayed while its time has not come.
Transition retry_task(PgConnection& connection, std::string_view tenant, const TaskId& id,
                      const Uuid& instance, Rules rules = std::nullopt);

// Which task an idempotency key stands for now.
std::optional<TaskId> task_of_key(PgConnection& connection, std::string_view tenant,
                                  std::string_view key);

// Which task an integer id stands for; and the next that is free.
std::optional<TaskId> task_of_job(PgConnection& connection, std::string_view tenant,
                                  std::int64_t job_id);
// So many of TaskMQ's numbers, ascending.
std::vector<std::int64_t> next_job_ids(PgConnection& connection, int count);

// Tasks in the database by the counters, all states: for /v1/info. Queues of the
// tenant that are listed.
struct Totals {
  std::int64_t tasks;
  std::int64_t queues;
};
Totals totals(PgConnection& connection, std::string_view tenant);

}  // namespace postern::db
