// A task as it is asked for, and what becomes of it: which limits it must keep, and what its queue
// adds where it does not say itself. The same for every wire, and for the tasks that a schedule
// makes. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/model/task.h"

namespace postern {

// The fields of a creation as the caller's wire spells them, for the errors. As natively, unless
// said otherwise.
struct FieldNames {
  std::string_view queue = "queue";
  std::string_view url = "webhook_url";
  std::string_view endpoint = "endpoint";
  std::string_view method = "method";
  std::string_view headers = "headers";
  std::string_view content_type = "content_type";
  std::string_view max_retries = "max_retries";
  std::string_view retry_policy = "retry_policy";
  std::string_view timeout = "timeout";
  std::string_view delay = "delay";
  std::string_view run_at = "run_at";
  std::string_view deadline = "deadline";
  std::string_view tags = "tags";
  std::string_view key = "key";
  std::string_view dependencies = "dependencies";
  std::string_view on_complete_url = "on_complete_url";
  std::string_view on_failure_url = "on_failure_url";
  std::string_view repeat = "repeat";
  std::string_view hold = "hold";
};

// What is absent comes from its queue.
struct Creation {
  const FieldNames* fields = nullptr;  // REQUIRES: set
  Dialect dialect = kDefaultDialect;
  std::string queue;
  std::string url;       // one of the two, or neither when the queue has a default endpoint
  std::string endpoint;  // a named target
  std::optional<std::string> method;  // goes with a url; an endpoint has its own
  Headers headers;
  BodyForm body_form = BodyForm::payload;
  std::optional<std::string> body;
  std::string content_type;
  int priority = 50;  // 0..100
  std::optional<std::int64_t> max_retries;
  std::optional<std::string> retry_policy;
  std::optional<Milliseconds> timeout;
  std::int64_t delay = 0;      // seconds
  std::optional<Time> run_at;  // wins over `delay`
  std::optional<Time> deadline;
  std::vector<std::string> tags;
  std::string key;                        // ordering key
  std::vector<std::string> dependencies;  // ids, in any spelling
  std::string on_complete_url;
  std::string on_failure_url;
  // As of TaskSpec.
  std::string extra;
  Seconds repeat{0};  // up to kMaxDelay
  Seconds hold{0};    // up to kMaxDefer
  bool load_results = false;

  bool operator==(const Creation&) const = default;
};

// What a task takes from its queue when it does not say itself.
struct QueueDefaults {
  int max_retries = 3;
  std::optional<int> max_tries;  // a cap on attempts
  std::string retry_policy = "exponential";
  Milliseconds timeout{30'000};
  std::string endpoint;  // default target; may be empty
  bool bounded = false;  // it has a max_entries
};

// Everything that can be told without the database. `now` is for starts and deadlines. Besides the
// reasons of validate.h: "url_required", "url_invalid", "target_both_set", "deadline_past",
// "deadline_before_start", "tags_too_many", "dependencies_too_many", "dependency_invalid",
// "repeat_out_of_range", "hold_out_of_range", and those of RetryPolicy::parse.
Result<void> check_creation(const Creation& wanted, Time now);

// The task, every default filled in. REQUIRES: `wanted` passed check_creation. Errors:
// "url_required" when neither it nor its queue says where to.
Result<NewTask> new_task(Creation wanted, const QueueDefaults& queue, std::string_view tenant,
                         const TaskId& id);

}  // namespace postern
