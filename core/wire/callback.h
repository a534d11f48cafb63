// The callback of a task that is over: a POST to its on_complete_url or on_failure_url. It is a
// task of its own, so that it is retried, limited and listed like any other.
#pragma once

#include "core/model/task.h"

namespace postern {

// In the form of the task's dialect.
std::string callback_body(const Task& task);

// Whether `task` has a callback URL for the way it has ended.
bool has_callback(const Task& task);

// The task that delivers the callback of `task`, in the same queue. REQUIRES: has_callback(task).
NewTask callback_of(const Task& task, const TaskId& id);

}  // namespace postern
