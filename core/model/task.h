// The task: what Postern keeps and carries out. Plain data, shared by every program; rules about it
// live in validate.h (what may be asked), retry_policy.h (when again) and the scheduler's outcome.h
// (what an answer means).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/headers.h"
#include "core/model/dialect.h"
#include "core/model/ids.h"
#include "core/time/time.h"

namespace postern {

// Where a task is in its life. The first four are live and stand in `task`; the rest are over and
// stand in `task_finished`.
enum class State { ready, delayed, active, blocked, completed, failed, cancelled };

// Why a finished task ended as it did; `none` while it lives, and when it was completed.
enum class Reason {
  none,
  exhausted,       // every permitted attempt failed
  deadline,        // it could not start before its deadline
  signal_timeout,  // nobody signalled its end in the time it was given
  terminated,      // the receiver asked for no further attempt (Postern-No-Retry, AJ-Terminate)
  gone,            // the receiver answered 410
  egress_denied,   // the target's address is not one this server may call
  invalid,         // asks for something that core refuses
  unreachable,     // a task it depends on did not complete
  cancelled,       // by a client
  queue_purged,
  queue_deleted,
  discarded,       // its queue was full, and makes room by dropping the oldest
  max_age,         // it waited longer than its queue lets tasks wait
  corrupt_row,     // its row holds what no program of ours writes, or cannot be settled otherwise
  queue_full,      // of the SQL door: there was no room in its queue
  quota_exceeded,  // of the SQL door: as many tasks of its tenant waited as may
};

// What the body is: the caller's payload, which the webhook wraps in the dialect's own envelope, or
// bytes that are sent as they stand.
enum class BodyForm { payload, raw };

std::string_view name(State value);
std::string_view name(Reason value);
std::string_view name(BodyForm value);
// The reasons that a task can have ended for, in words: all but `none`.
std::span<const std::string_view> reason_words();
// The reverse of these; nullopt: there is no such.
std::optional<Reason> parse_reason(std::string_view word);
// The reverse, for text from our own tables: an unknown word is a fault (std::runtime_error).
State state_from(std::string_view word);
Reason reason_from(std::string_view word);
BodyForm body_form_from(std::string_view word);

bool is_finished(State state);

// What the caller asked for, every default filled in; of a task to be created or one read back.
struct TaskSpec {
  TaskId id;
  std::string tenant;
  Dialect dialect = kDefaultDialect;
  std::string queue;
  std::string endpoint;  // a named target; empty: `url` it is
  std::string method = "POST";
  std::string url;  // canonical (core/base/url.h); empty when `endpoint` is set
  Headers headers;
  BodyForm body_form = BodyForm::payload;
  std::optional<std::string> body;  // the payload's or body's bytes; absent when none was given
  std::string content_type;         // of a raw body; empty: none was given
  int priority = 50;                // 0..100, higher first
  int max_attempts = 4;             // of one budget; 1..101 on native wires
  std::string retry_policy = "exponential";  // RetryPolicy::text()
  // Of one attempt, connect included. 0: its endpoint's, else its queue's, as they are then.
  Milliseconds timeout{30'000};
  std::optional<Time> deadline;  // the latest start of an attempt
  std::string key;               // ordering key
  std::vector<std::string> tags;
  std::vector<TaskId> dependencies;
  std::string on_complete_url;
  std::string on_failure_url;
  std::string traceparent;  // W3C, of the creating request
  std::string extra;        // the dialect's own fields to be echoed, as compact JSON; may be empty
  std::optional<std::int64_t> job_id;  // TaskMQ's spelling of the id, which only its tasks have
  Seconds repeat{0};  // completed means: again, so long after (TaskMQ's periodic jobs); 0: over
  Seconds hold{0};    // an answered webhook waits so long for a signal (AsyncQueue); 0: over
  bool load_results = false;    // its webhook carries the results of its dependencies (asyncjobs)
  std::string idempotency_key;  // kept so that deleting the task forgets its key
};

// A task to be created. A start in the past means now; `run_at` wins over `delay`.
struct NewTask {
  TaskSpec spec;
  Microseconds delay{0};
  std::optional<Time> run_at;
  // SHA-256 of the request body; compared when an Idempotency-Key is reused.
  std::string request_hash;
};

// One try at the webhook, as kept in the row's `attempts` array.
struct Attempt {
  int number = 0;                    // 1 for the first; goes on counting over manual retries
  std::string status;                // "success", "failed", "lost"
  std::optional<int> response_code;  // absent when no answer came
  std::string error;                 // what went wrong, for people; empty on success
  Time executed_at;                  // when it was claimed, by the database's clock
  Milliseconds duration{0};
  std::string response;  // what the answer's body begins with: see core/model/answer_limits.h
};

// What a task that another one depends on was answered: its body, cut as a stored answer is.
struct DependencyResult {
  TaskId task;
  std::string body;
  Time completed_at;
};

// The receiver's last answer, as kept with a finished task.
struct Answer {
  int status = 0;
  Headers headers;   // names in lower case
  std::string body;  // first 16 KiB
  Milliseconds duration{0};
};

// Which occurrence of a schedule made a task.
struct ScheduledBy {
  std::string name;
  Time nominal;
};

// A task as it stands in the database.
struct Task {
  TaskSpec spec;
  State state = State::ready;
  Reason reason = Reason::none;
  int attempt = 0;              // attempts begun, ever
  int attempt_base = 0;         // those of earlier budgets: a manual retry starts a fresh one
  std::string attempts = "[]";  // JSON array of Attempt (core/wire/attempts.h), oldest first
  std::string last_error;
  std::optional<Answer> result;
  Time created_at, updated_at, run_at;
  std::optional<Time> finished_at;
  std::optional<Time> claimed_at;       // when the attempt under way, or the last one, began
  std::optional<std::string> resolved;  // the endpoint that the last attempt went to
  bool deferred = false;                // the receiver said 202 and will tell the end later
  // Those it asked for, once it was handed out; only where it is read alone.
  std::vector<DependencyResult> dependency_results;
  std::optional<ScheduledBy> schedule;  // while its run is remembered; only where it is read alone
  bool body_omitted = false;            // a list left a large body out
  std::string
      unreadable;  // what is wrong with its row, of which this is what can be read; or empty
};

// What is told of a task, as its last error, whose row is odd: `what` is wrong with it.
std::string corrupt_row_error(std::string_view what);

}  // namespace postern
