// Queues in the native dialect: JSON in and out, and the handlers of the route table in routes.cpp.
#pragma once

#include <string_view>

#include "core/model/queue.h"
#include "core/wire/queue_json.h"
#include "fcgi/dialects/table.h"

namespace postern::native_wire {

// The fields of a queue but its name, over `settings`: what is there changes, null brings the
// default back, which of a limit is none.
Result<QueueSettings> parse_queue(std::string_view body, QueueSettings settings);

using wire::write_queue;
using wire::write_queue_stats;

Result<HttpResponse> create_queue(const Call& call);
// The same where what is absent or null has other defaults.
Result<HttpResponse> create_queue_with(const Call& call, const QueueSettings& defaults);
Result<HttpResponse> list_queues(const Call& call);
Result<HttpResponse> get_queue(const Call& call);
Result<HttpResponse> put_queue(const Call& call);
Result<HttpResponse> change_queue(const Call& call);
Result<HttpResponse> delete_queue(const Call& call);
Result<HttpResponse> purge_queue(const Call& call);
Result<HttpResponse> pause_queue(const Call& call);
Result<HttpResponse> resume_queue(const Call& call);
Result<HttpResponse> queue_stats(const Call& call);

}  // namespace postern::native_wire
