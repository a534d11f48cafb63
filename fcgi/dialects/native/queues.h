// Queues in the native dialect: JSON in and out, and the handlers of native.cpp's route table.
#pragma once

#include <string_view>

#include "core/base/json_writer.h"
#include "core/model/queue.h"
#include "fcgi/server/router.h"

namespace postern::native_wire {

// The fields of a queue but its name, over `settings`: what is there changes, null takes a limit
// away or brings a default back.
Result<QueueSettings> parse_queue(std::string_view body, QueueSettings settings);

// As asyncjobs shows a queue (durations in nanoseconds, -1 for no limit), and what is ours.
void write_queue(JsonWriter& out, const Queue& queue);
void write_queue_stats(JsonWriter& out, std::string_view name, const QueueStats& stats);

Result<HttpResponse> create_queue(const Call& call);
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
