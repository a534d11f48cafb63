// A dialect as a table: where its paths lead, how it shows what all dialects have in common, and
// what it is told by where a mount speaks several.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/base/json_writer.h"
#include "core/model/task.h"
#include "fcgi/auth/admission.h"
#include "fcgi/server/http.h"
#include "fcgi/server/router.h"

namespace postern {

struct UseCases;
namespace db {
struct TaskFilter;
}

// One request on its way through a handler.
struct Call {
  const UseCases& use;
  const HttpRequest& request;
  const Caller& caller;
  const PathArgs& path;
  // What this mount speaks; nullopt: all dialects, each task its own.
  std::optional<Dialect> dialect;
};

// Parses, calls one use-case, renders. An error is returned, never rendered.
using Handler = Result<HttpResponse> (*)(const Call&);

// The same for an answer that is not there yet: calls `finish` once, now or later, on any thread,
// when `call` may be gone.
using Finish = std::function<void(Result<HttpResponse>)>;
using LateHandler = void (*)(const Call&, Finish finish);

// What a request takes of what all tenants share. Each but `light` has places, of which a tenant
// holds at most its share; see Dispatch.
enum class Cost {
  light,   // a look at one thing by its name, or what the intake does
  change,  // it may wait for locks
  read,    // it looks at many rows
  sweep,   // it changes many rows, in steps
};

// What most routes of an access cost.
constexpr Cost usual_cost(Access access) {
  return access == Access::write || access == Access::retry ? Cost::change : Cost::light;
}

struct Route {
  constexpr Route(std::string_view method_, std::string_view pattern_, Access access_,
                  Handler handler_)
      : Route(method_, pattern_, access_, handler_, usual_cost(access_)) {}
  constexpr Route(std::string_view method_, std::string_view pattern_, Access access_,
                  Handler handler_, Cost cost_)
      : method(method_), pattern(pattern_), access(access_), handler(handler_), cost(cost_) {}
  constexpr Route(std::string_view method_, std::string_view pattern_, Access access_,
                  LateHandler late_, Cost cost_ = Cost::light, std::size_t max_body_ = 0)
      : method(method_),
        pattern(pattern_),
        access(access_),
        late(late_),
        cost(cost_),
        max_body(max_body_) {}

  // The same route, of a URL that is itself the credential: `task` reads from it whose URL it is.
  using TaskOf = std::optional<TaskId> (*)(const PathArgs&);
  constexpr Route about(TaskOf task_) const {
    Route out = *this;
    out.task = task_;
    return out;
  }

  std::string_view method;
  std::string_view pattern;  // "/v1/tasks/{id}"
  Access access;
  Handler handler = nullptr;  // one of the two
  LateHandler late = nullptr;
  Cost cost;
  std::size_t max_body = 0;  // in bytes, where it is more than the server's limit
  TaskOf task = nullptr;     // absent: whoever asks has a credential, or needs none
};

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
  int created_status = 201;
  // Where a task is found, without the mount: "/v1/tasks/…".
  std::string (*task_path)(const Task&);

  // Whether a path with a slash behind it leads to the one without, as Starlette has it.
  bool redirects_slashes = false;

  // Where a mount speaks several dialects. `shared`: this one is among them.
  bool shared = true;
  // Members of the body of POST /v1/tasks, and parameters of GET /v1/tasks, that only it has.
  std::span<const std::string_view> body_marks = {};
  std::span<const std::string_view> query_marks = {};
  // Whether an id is spelled as this dialect does: who asks for it expects its errors. Absent: no
  // spelling tells.
  bool (*spells)(std::string_view id) = nullptr;
  // Narrows the native list by a status of this dialect's; false: it has no such. Absent: it has
  // none of its own.
  bool (*filter_by_status)(db::TaskFilter& filter, std::string_view status) = nullptr;
};

const DialectTable& native();
const DialectTable& asyncqueue();
const DialectTable& taskmq();
const DialectTable& asyncjobs();

// Each dialect once, in the order in which they are asked whether a request is theirs.
std::span<const DialectTable* const> all_tables();
const DialectTable& table_of(Dialect dialect);

// How `task` is shown where a mount speaks this dialect; nullopt: all of them, and each task its
// own.
const DialectTable& shown_to(std::optional<Dialect> mount, const Task& task);

}  // namespace postern
