// The native dialect's handlers for tasks, but for the plain ones, which stand with the route table
// in routes.cpp.
#pragma once

#include "core/base/error.h"
#include "core/model/task.h"
#include "fcgi/dialects/table.h"
#include "fcgi/server/http.h"

namespace postern::native_tasks {

// One task, by the rules and in the words of the mount.
Result<HttpResponse> get(const Call& call);
Result<HttpResponse> cancel(const Call& call);
Result<HttpResponse> retry(const Call& call);
Result<HttpResponse> remove(const Call& call);

// Many at once (batch.cpp, bulk.cpp).
void create_batch(const Call& call, Finish finish);
Result<HttpResponse> cancel_many(const Call& call);
Result<HttpResponse> retry_many(const Call& call);

// The list of GET /v1/tasks with one task per line (stream.cpp).
Result<HttpResponse> stream(const Call& call, const db::TaskFilter& filter);

// What waits (changes.cpp).
Result<HttpResponse> change(const Call& call);
Result<HttpResponse> run(const Call& call);

// What a receiver has taken over (deferred.cpp).
Result<HttpResponse> complete(const Call& call);
Result<HttpResponse> fail(const Call& call);
Result<HttpResponse> heartbeat(const Call& call);

}  // namespace postern::native_tasks
