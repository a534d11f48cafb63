#include "fcgi/dialects/dialects.h"

#include <array>
#include <atomic>
#include <chrono>
#include <exception>
#include <utility>

#include <fmt/format.h>

#include "core/log.h"
#include "fcgi/api.h"
#include "fcgi/database.h"

namespace postern {
namespace {

using Known = const DialectTable& (*)();
constexpr std::array<Known, 1> kDialects{native};

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
    spdlog::error("request failed request_id={} method={} path={} error=\"{}\"",
                  log_safe(request.request_id), log_safe(request.method), log_safe(request.path),
                  log_safe(what.substr(0, what.find('\n'))));
  }
  if (of_database) return database_away();
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

}  // namespace

const DialectTable& choose_dialect(const HttpRequest& request) {
  for (const Known dialect : kDialects) {
    if (name(dialect().dialect) == request.dialect) return dialect();
  }
  return native();
}

void dispatch(Api& api, const HttpRequest& request, const Reply& reply) {
  const DialectTable& table = choose_dialect(request);
  const Match match = find_route(table.routes, request.method, request.path);
  const auto finish = [&](Result<HttpResponse> result) {
    HttpResponse response = result ? std::move(*result) : table.render_error(result.error());
    if (!match.allowed.empty()) response.header("Allow", match.allowed);
    if (request.method == "HEAD") {
      response.body.clear();
      response.rest = {};
    }
    reply(response);
  };
  try {
    const Result<Caller> caller = admit(api, request, match);
    if (!caller) return finish(caller.error());
    const Call call{api, request, *caller, match.args};
    if (match.route->handler != nullptr) return finish(match.route->handler(call));
    match.route->late(call, [&table, reply](const Result<HttpResponse>& result) {
      reply(result ? *result : table.render_error(result.error()));
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
