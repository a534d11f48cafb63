// GET /v1/tasks?stream=ndjson.
#include <algorithm>
#include <utility>

#include "core/base/json_writer.h"
#include "fcgi/api/streams.h"
#include "fcgi/api/use_cases.h"
#include "fcgi/dialects/native/tasks.h"
#include "fcgi/dialects/table.h"

namespace postern::native_tasks {

Result<HttpResponse> stream(const Call& call, const db::TaskFilter& filter) {
  Result<Streams::Reader> reader = call.use.streams.open(call.caller.tenant, filter);
  if (!reader) return reader.error();
  HttpResponse response;
  response.header("Content-Type", "application/x-ndjson");
  response.header("X-Accel-Buffering", "no");  // nginx hands each line on as it comes
  response.rest = [reader = std::move(*reader), mount = call.dialect](std::string& piece) mutable {
    const auto tasks = reader.next();
    if (!tasks) return Piece::broken;
    if (tasks->empty()) return Piece::end;
    piece.clear();
    for (const Task& task : *tasks) {
      JsonWriter out;
      shown_to(mount, task).write_task(out, task);
      // A payload's own line ends are white space, and would cut the line.
      std::string line = out.take();
      std::replace(line.begin(), line.end(), '\n', ' ');
      std::replace(line.begin(), line.end(), '\r', ' ');
      piece.append(line).push_back('\n');
    }
    return Piece::text;
  };
  return response;
}

}  // namespace postern::native_tasks
