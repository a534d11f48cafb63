// What is POSTed to a task's on_complete_url or on_failure_url once it is over: a task of its own,
// so that it is retried, limited and seen like any other.
#pragma once

#include "core/model/task.h"

namespace postern {

// {"event":"task.completed" or "task.failed","task":{id,queue,status,reason?,attempt_count,
// last_error?,response_code?,created_at,completed_at}}; of an AsyncQueue task in that wire's form.
std::string callback_body(const Task& task);

// Whether `task`, as it has ended, has somebody to tell.
bool has_callback(const Task& task);

// The delivery of `task`'s callback, in its queue. REQUIRES: has_callback(task).
NewTask callback_of(const Task& task, const TaskId& id);

}  // namespace postern
