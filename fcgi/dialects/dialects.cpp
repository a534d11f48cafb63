#include "fcgi/dialects/dialects.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <exception>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

#include "core/base/json.h"
#include "core/base/text.h"
#include "core/program/log.h"
#include "fcgi/api/api.h"
#include "fcgi/server/db_access.h"
#include "fcgi/server/query.h"

namespace postern {
namespace {

int status_of(Errc code) {
  switch (code) {
    case Errc::invalid_argument: return 400;
    case Errc::unauthenticated: return 401;
    case Errc::forbidden: return 403;
    case Errc::not_found: return 404;
    case Errc::method_not_allowed: return 405;
    case Errc::conflict:
    case Errc::duplicate: return 409;
    case Errc::payload_too_large: return 413;
    case Errc::rate_limited: return 429;
    case Errc::unavailable: return 503;
    case Errc::internal: return 500;
  }
  return 500;
}

// A database that is away fails every request: one line a second tells it well enough.
bool may_log_database_fault() {
  using Clock = std::chrono::steady_clock;
  static std::atomic<Clock::rep> next{0};
  const auto now = Clock::now().time_since_epoch().count();
  Clock::rep due = next;
  return now >= due &&
         next.compare_exchange_strong(due, now + Clock::duration(std::chrono::seconds(1)).count());
}

// A fault's text can quote a row or a path, so the client only learns its kind.
Error error_of(const HttpRequest& request, const std::exception& fault) {
  const bool of_database = is_database_fault(fault);
  if (!of_database || may_log_database_fault()) {
    const std::string_view what = fault.what();
    log::error("request failed request_id={} method={} path={} error=\"{}\"",
               log_safe(request.request_id), log_safe(request.method), log_safe(request.path),
               log_safe(what.substr(0, what.find('\n'))));
  }
  if (of_database) return told_of(fault);
  return {Errc::internal, "fault", "", "Something went wrong here. It has been logged."};
}

// What stands in the way of a request; else who asks.
Result<Caller> admit(Api& api, const HttpRequest& request, const Match& match) {
  if (request.path.find("//") != request.path.npos) {
    return invalid("path_invalid", "", "The path holds an empty segment (\"//\").");
  }
  if (match.route == nullptr && match.allowed.empty()) {
    return not_found("no_such_path", "There is nothing at this path.");
  }
  if (match.route == nullptr) {
    return Error{Errc::method_not_allowed, "method_not_allowed", "",
                 fmt::format("This path takes {}.", match.allowed)};
  }
  Result<Caller> caller = api.admit(request, match.route->access);
  if (caller && request.body_too_large) {
    return Error{Errc::payload_too_large, "body_too_large", "",
                 fmt::format("The body is larger than {} bytes.", api.max_body(request))};
  }
  return caller;
}

// The dialect whose spelling of an id this looks like: who asks for it expects that one's errors.
Dialect dialect_of_spelling(std::string_view id) {
  if (id.size() == 36 && id[8] == '-' && id[13] == '-') return Dialect::asyncqueue;
  if (id.size() == 27 && all_of(id, is_alphanumeric)) {
    return Dialect::asyncjobs;
  }
  if (!id.empty() && all_of(id, is_digit)) return Dialect::taskmq;
  return Dialect::native;
}

constexpr std::string_view kTasks = "/v1/tasks";
constexpr std::string_view kOneTask = "/v1/tasks/{id}";

struct Telling {
  std::string_view key;
  Dialect dialect;
};
constexpr std::array kTelling{
    Telling{"targetUrl", Dialect::asyncqueue}, Telling{"callbackUrl", Dialect::asyncqueue},
    Telling{"webhook_url", Dialect::native}, Telling{"type", Dialect::asyncjobs}};

// Most bodies are native and small, and are to be parsed once. A key may be written with escapes.
bool is_native_at_a_glance(std::string_view body) {
  return body.find('\\') == body.npos &&
         std::none_of(kTelling.begin(), kTelling.end(), [&](const Telling& each) {
           return each.dialect != Dialect::native && body.find(each.key) != body.npos;
         });
}

// What a body of POST /v1/tasks is told by.
Result<Dialect> dialect_of_body(std::string_view body) {
  if (is_native_at_a_glance(body)) return Dialect::native;
  const Result<std::vector<JsonMember>> members = parse_json_object(body);
  if (!members) return Dialect::native;  // whose own parser says what is wrong
  const Telling* found = nullptr;
  for (const Telling& each : kTelling) {
    const bool there = std::any_of(members->begin(), members->end(), [&](const JsonMember& member) {
      return member.key == each.key;
    });
    if (!there || (found != nullptr && found->dialect == each.dialect)) continue;
    if (found != nullptr) {
      return invalid("dialect_ambiguous", std::string(each.key),
                     fmt::format("{} and {} belong to different APIs: give one of them.",
                                 found->key, each.key));
    }
    found = &each;
  }
  return found == nullptr ? Dialect::native : found->dialect;
}

// What a list is told by. The parser of either dialect says what is wrong with the query.
Dialect dialect_of_list(std::string_view text) {
  Result<Query> query = Query::parse(text);
  if (!query) return Dialect::native;
  return query->has("state") || query->has("type") ? Dialect::asyncjobs : Dialect::native;
}

// Where a request goes, and who speaks when something is wrong with it.
struct Way {
  const DialectTable* table;
  Match match;
  std::optional<Dialect> mount;  // as Call::dialect
  std::optional<Error> refused;
};

Way way_of_all(const HttpRequest& request) {
  Dialect dialect = Dialect::native;
  std::optional<Error> refused;
  if (request.path == kTasks && request.method == "POST") {
    const Result<Dialect> told = dialect_of_body(request.body);
    if (told) {
      dialect = *told;
    } else {
      refused = told.error();
    }
  } else if (request.path == kTasks) {
    dialect = dialect_of_list(request.query);
  }
  // What only one of them has is found whoever is asked first.
  Way way{&table_of(dialect), {}, std::nullopt, std::move(refused)};
  for (const DialectTable* table : {way.table, &native(), &asyncqueue(), &asyncjobs()}) {
    Match match = find_route(table->routes, request.method, request.path);
    if (match.route == nullptr && (match.allowed.empty() || !way.match.allowed.empty())) continue;
    way.table = table;
    way.match = std::move(match);
    if (way.match.route != nullptr) break;
  }
  return way;
}

Way way_of(const HttpRequest& request) {
  for (const Dialect dialect : kAllDialects) {
    if (name(dialect) != request.dialect) continue;
    const DialectTable& table = table_of(dialect);
    return {&table, find_route(table.routes, request.method, request.path), dialect, std::nullopt};
  }
  return way_of_all(request);
}

// Who speaks about a task: on a mount of all dialects its own, which is looked up for this; of one
// that is not to be found, the spelling of the id tells.
const DialectTable& speaker(Api& api, const Way& way, const Caller* caller) {
  if (way.mount || way.match.route == nullptr || way.table->dialect != Dialect::native ||
      !way.match.route->pattern.starts_with(kOneTask)) {
    return *way.table;
  }
  const std::string_view id = way.match.args["id"];
  const auto own = caller != nullptr ? api.dialect_of(*caller, id) : std::nullopt;
  return table_of(own.value_or(dialect_of_spelling(id)));
}

}  // namespace

const DialectTable& table_of(Dialect dialect) {
  switch (dialect) {
    case Dialect::native: return native();
    case Dialect::asyncqueue: return asyncqueue();
    case Dialect::taskmq: return taskmq();
    case Dialect::asyncjobs: return asyncjobs();
  }
  throw std::logic_error("table_of: not a Dialect");
}

const DialectTable& shown_to(std::optional<Dialect> mount, const Task& task) {
  return table_of(mount.value_or(task.spec.dialect));
}

HttpResponse task_response(const Call& call, int status, const Task& task) {
  return json_response(status, shown_to(call.dialect, task).render_task(task));
}

Api::Done created_answer(const Call& call, Finish finish) {
  return [finish = std::move(finish), mount = call.dialect,
          base = call.api.public_url() + call.request.base_path](const Result<Created>& created) {
    if (!created) return finish(created.error());
    const Task& task = created->task;
    const DialectTable& table = shown_to(mount, task);
    HttpResponse response =
        json_response(created->replayed ? 200 : table.created_status, table.render_created(task));
    response.header("Location", base + table.task_path(task));
    if (created->replayed) response.header("Idempotency-Replayed", "true");
    finish(std::move(response));
  };
}

void dispatch(Api& api, const HttpRequest& request, const Reply& reply) {
  const Way way = way_of(request);
  std::optional<Caller> caller;
  const auto finish = [&](Result<HttpResponse> result) {
    HttpResponse response =
        result ? std::move(*result)
               : speaker(api, way, caller ? &*caller : nullptr).render_error(result.error());
    if (!way.match.allowed.empty()) response.header("Allow", way.match.allowed);
    if (request.method == "HEAD") {
      response.body.clear();
      response.rest = {};
    }
    reply(response);
  };
  try {
    const Result<Caller> admitted = admit(api, request, way.match);
    if (!admitted) return finish(admitted.error());
    caller = *admitted;
    if (way.refused) return finish(*way.refused);
    const Call call{api, request, *caller, way.match.args, way.mount};
    if (way.match.route->handler != nullptr) return finish(way.match.route->handler(call));
    way.match.route->late(call, [table = way.table, reply](const Result<HttpResponse>& result) {
      reply(result ? *result : table->render_error(result.error()));
    });
  } catch (const std::exception& fault) {
    finish(error_of(request, fault));
  }
}

HttpResponse error_response(const Error& error, std::string json) {
  HttpResponse response = json_response(status_of(error.code), std::move(json));
  if (error.code == Errc::unauthenticated) response.header("WWW-Authenticate", "Bearer");
  if (error.code == Errc::unavailable || error.code == Errc::rate_limited) {
    response.header("Retry-After", "1");
  }
  return response;
}

}  // namespace postern
