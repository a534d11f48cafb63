// The wires that Postern speaks, and the way of a request through one of them.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/base/json_writer.h"
#include "core/model/task.h"
#include "fcgi/api/api.h"
#include "fcgi/server/http.h"
#include "fcgi/server/router.h"

namespace postern {

// One wire: where its paths lead, and how it shows what all wires have in common.
struct DialectTable {
  Dialect dialect;
  std::span<const Route> routes;
  HttpResponse (*render_error)(const Error&);
  // A task as an object, as it stands in a list.
  void (*write_task)(JsonWriter&, const Task&);
  // The body that answers for one task.
  std::string (*render_task)(const Task&);
  // The same for a task that was just made, and the status that goes with it.
  std::string (*render_created)(const Task&);
  int created_status;
  // Where a task is found, without the mount: "/v1/tasks/…".
  std::string (*task_path)(const Task&);
};

const DialectTable& native();
const DialectTable& asyncqueue();
const DialectTable& taskmq();
const DialectTable& asyncjobs();
const DialectTable& table_of(Dialect dialect);

// How `task` is shown where a mount speaks this dialect; nullopt: all of them, and each task its
// own.
const DialectTable& shown_to(std::optional<Dialect> mount, const Task& task);

// The answer that holds one task.
HttpResponse task_response(const Call& call, int status, const Task& task);

// Answers with the new task and a Location; 200 when it was made before.
Api::Done created_answer(const Call& call, Finish finish);

// Answers one request, whatever it is and whatever happens, now or later. Any thread.
void dispatch(Api& api, const HttpRequest& request, const Reply& reply);

// The status and headers an error has in every dialect but for exceptions, around the dialect's own
// body.
HttpResponse error_response(const Error& error, std::string json);

}  // namespace postern
