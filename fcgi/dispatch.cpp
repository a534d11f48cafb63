#include "fcgi/dispatch.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "core/program/log.h"
#include "fcgi/auth/admission.h"
#include "fcgi/dialects/detect.h"
#include "fcgi/server/db_access.h"

namespace postern {
namespace {

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
// Nor is the path logged, which may hold a token, but the route; nginx's access log has the path of
// the request's id.
Error error_of(const HttpRequest& request, const Match<Route>& match, const std::exception& fault) {
  const bool of_database = is_database_fault(fault);
  if (!of_database || may_log_database_fault()) {
    const std::string_view what = fault.what();
    log::error("request failed request_id={} method={} route={} error=\"{}\"",
               log_safe(request.request_id), log_safe(request.method),
               match.route == nullptr ? std::string_view() : match.route->pattern,
               log_safe(what.substr(0, what.find('\n'))));
  }
  if (of_database) return told_of(fault);
  return {Errc::internal, "fault", "", "Something went wrong here. It has been logged."};
}

// What stands in the way of a request before anybody asks who it is from.
std::optional<Error> refusal(const HttpRequest& request, const Match<Route>& match) {
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
  return std::nullopt;
}

}  // namespace

Dispatch::Dispatch(const UseCases& use, Options options) : use_(use), options_(options) {
  for (const DialectTable* table : all_tables()) {
    for (const Route& route : table->routes) {
      if (route.max_body > options_.max_body) large_.push_back(&route);
    }
  }
}

// By the path alone: asked before there is a body to tell the dialect by.
std::size_t Dispatch::max_body(const HttpRequest& request) const {
  for (const Route* route : large_) {
    if (match_path(route->pattern, request.path)) return route->max_body;
  }
  return options_.max_body;
}

void Dispatch::answer(const HttpRequest& request, const Reply& reply) const {
  const Way way = way_of(request);
  std::optional<Caller> caller;
  const auto finish = [&](Result<HttpResponse> result) {
    HttpResponse response =
        result ? std::move(*result)
               : speaker(use_, way, caller ? &*caller : nullptr).render_error(result.error());
    if (!way.match.allowed.empty()) response.header("Allow", way.match.allowed);
    if (request.method == "HEAD") {
      response.body.clear();
      response.rest = {};
    }
    reply(response);
  };
  try {
    if (auto refused = refusal(request, way.match)) return finish(*std::move(refused));
    const Result<Caller> admitted =
        admit(request, way.match.route->access, options_.require_identity);
    if (!admitted) return finish(admitted.error());
    if (request.body_too_large) {
      return finish(Error{Errc::payload_too_large, "body_too_large", "",
                          fmt::format("The body is larger than {} bytes.", max_body(request))});
    }
    caller = *admitted;
    if (way.refused) return finish(*way.refused);
    const Call call{use_, request, *caller, way.match.args, way.mount};
    if (way.match.route->handler != nullptr) return finish(way.match.route->handler(call));
    way.match.route->late(call, [table = way.table, reply](const Result<HttpResponse>& result) {
      reply(result ? *result : table->render_error(result.error()));
    });
  } catch (const std::exception& fault) {
    finish(error_of(request, way.match, fault));
  }
}

}  // namespace postern
