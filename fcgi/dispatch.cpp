#include "fcgi/dispatch.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <mutex>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "core/program/log.h"
#include "core/program/log_throttle.h"
#include "fcgi/api/deferred.h"
#include "fcgi/auth/placements.h"
#include "fcgi/dialects/answers.h"
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
  if (!of_database || (!is_tenant_away(fault) && may_log_database_fault())) {
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

// What is looked for in the log, so no other fault may take its place there.
void log_mismatched(const HttpRequest& request, const Placements& placements) {
  static std::mutex mutex;
  static LogThrottle throttle;
  const std::scoped_lock lock(mutex);
  if (const auto more = throttle.pass()) {
    log::error("request for another cell more={} cell=\"{}\" nginx=\"{}\"", *more,
               placements.cell(), log_safe(request.cell));
  }
}

// nginx has passed it to the wrong place: who asks may be another here.
Error mismatched(const HttpRequest& request, const Placements& placements) {
  log_mismatched(request, placements);
  return unavailable("cell_mismatch",
                     "The cells are not set up as they should be: this is another one.");
}

// Whether another cell may be asked to do it instead. One who has the token of no attempt here may
// have that of one there.
bool surely_undone(const Error& error) {
  return error.reason == kTenantMoving || error.code == Errc::not_found ||
         error.code == Errc::forbidden;
}

// What of a request the answer takes that leads to another cell.
struct Asked {
  std::string mount, path, query;
  bool known_to_nginx;  // which can pass it on
};

Asked asked_of(const HttpRequest& request) {
  return {request.mount, request.path, request.query, request.cells == "1"};
}

// Leads a request to the cell where its tenant is. nginx passes it on by itself, for a caller that
// it knows, where it knows the cells (@postern_moved in nginx/cells-server.conf); a client is told
// the place.
HttpResponse sent_on(const Asked& asked, const db::Placement& place, bool by_nginx,
                     const DialectTable& table) {
  if (by_nginx && asked.known_to_nginx) {
    HttpResponse response{204, {}, {}};
    response.header("X-Accel-Redirect", "@postern_moved");
    response.header("Postern-Cell", place.cell);
    return response;
  }
  HttpResponse response = table.render_error(conflict(
      "tenant_moved",
      fmt::format("The tenant has moved to the cell {}, {}: ask there.", place.cell, place.url)));
  response.status = 308;
  std::string location = place.url + asked.mount + encoded_path(asked.path);
  if (!asked.query.empty()) location += '?' + asked.query;
  response.header("Location", std::move(location));
  return response;
}

// Reads and sweeps of a tenant that wait for a place.
constexpr std::size_t kLine = 16;
// Changes are short, and many of a tenant's may come at once.
constexpr std::size_t kLineOfChanges = 1'024;

// A request on its way: where it goes, who asks, and the answer.
class Visit {
 public:
  // All must outlive it.
  Visit(const UseCases& use, const HttpRequest& request, const Reply& reply)
      : use_(use), request_(request), reply_(reply) {}

  const Way& way() const { return way_; }
  const std::optional<Caller>& caller() const { return caller_; }
  // From now on an error may be told in the words of a task of the caller's.
  void admit(Caller caller) { caller_ = std::move(caller); }

  void finish(Result<HttpResponse> result) const {
    // What was read here, or was not done, if the tenant has left meanwhile.
    if (admitted() && (reads() || (!result && surely_undone(result.error())))) {
      std::optional<db::Placement> place;
      try {
        place = placement();
      } catch (const std::exception& fault) {
        if (result || surely_undone(result.error())) result = error_of(request_, way_.match, fault);
      }
      if (place && place->is_elsewhere()) return send_on(*place);
    }
    reply_with(std::move(result));
  }

  // Whether the tenant that this is about is in this cell; else the request is answered.
  // REQUIRES: there is a route, and its access is admitted.
  bool is_here() {
    std::optional<db::Placement> place;
    try {
      place = placement();
    } catch (const std::exception& fault) {
      leaving_ = true;
      if (!reads()) return true;  // the database itself refuses what has left
      reply_with(error_of(request_, way_.match, fault));
      return false;
    }
    if (!place) return true;
    leaving_ = true;
    if (place->is_elsewhere()) {
      send_on(*place);
      return false;
    }
    switch (place->state) {
      case db::TenantState::here:
      case db::TenantState::draining: return true;
      case db::TenantState::fenced:
        if (reads()) return true;
        [[fallthrough]];
      case db::TenantState::arriving:
      case db::TenantState::moved: break;
    }
    finish(tenant_moving());
    return false;
  }

  // Has the route's handler answer. REQUIRES: there is a route, and its access is admitted.
  void carry_out() const try {
    const Call call{use_, request_, *caller_, way_.match.args, way_.mount};
    if (way_.match.route->handler != nullptr) return finish(way_.match.route->handler(call));
    if (leaving_) return carry_out_leaving(call);
    way_.match.route->late(
        call, [table = way_.table, reply = reply_](const Result<HttpResponse>& result) {
          reply(result ? *result : table->render_error(result.error()));
        });
  } catch (const std::exception& fault) {
    finish(error_of(request_, way_.match, fault));
  }

 private:
  bool reads() const { return request_.method == "GET" || request_.method == "HEAD"; }

  bool admitted() const { return caller_ && way_.match.route != nullptr; }

  // Where the tenant that this is about is: the caller's, or of a URL that is itself the credential
  // that of its task; nullopt: here. Throws when nobody can say. REQUIRES: admitted.
  std::optional<db::Placement> placement() const {
    if (!use_.placements.any()) return std::nullopt;
    std::optional<std::string> tenant = caller_->tenant;
    if (const auto task_of = way_.match.route->task) {
      const auto task = task_of(way_.match.args);
      tenant = task ? use_.deferred.tenant_of(*task) : std::nullopt;
    }
    return tenant && !tenant->empty() ? use_.placements.of(*tenant) : std::nullopt;
  }

  void send_on(const db::Placement& place) const {
    send(sent_on(asked_of(request_), place, way_.match.route->task == nullptr, *way_.table));
  }

  // The same as carry_out for a tenant that may have moved when the answer is there, and the
  // request gone.
  void carry_out_leaving(const Call& call) const {
    way_.match.route->late(
        call, [&placements = use_.placements, tenant = caller_->tenant, asked = asked_of(request_),
               table = way_.table, reply = reply_](const Result<HttpResponse>& result) {
          if (result) return reply(*result);
          std::optional<db::Placement> place;
          try {
            if (result.error().reason == kTenantMoving) place = placements.of(tenant);
          } catch (const std::exception&) {
            // It is told that the tenant is on its way.
          }
          reply(place && place->is_elsewhere() ? sent_on(asked, *place, true, *table)
                                               : table->render_error(result.error()));
        });
  }

  void reply_with(Result<HttpResponse> result) const {
    HttpResponse response =
        result ? std::move(*result)
               : speaker(use_, way_, caller_ ? &*caller_ : nullptr).render_error(result.error());
    if (!way_.match.allowed.empty()) response.header("Allow", way_.match.allowed);
    send(std::move(response));
  }

  void send(HttpResponse response) const {
    if (request_.method == "HEAD") {
      response.body.clear();
      response.rest = {};
    }
    reply_(response);
  }

  const UseCases& use_;
  const HttpRequest& request_;
  const Reply& reply_;
  const Way way_ = way_of(request_);
  std::optional<Caller> caller_;
  bool leaving_ = false;  // its tenant is not simply here
};

// The same for a request that waits for its turn.
struct Waiting {
  Waiting(const UseCases& use, const HttpRequest& request_, const Reply& reply_,
          const Caller& caller)
      : request(request_), reply(reply_), visit(use, request, reply) {
    visit.admit(caller);
  }
  const HttpRequest request;
  const Reply reply;
  Visit visit;
};

}  // namespace

// Changes and sweeps have three quarters of their pool's connections, so that some are there for
// what is short.
Dispatch::Dispatch(const UseCases& use, Options options)
    : use_(use),
      options_(std::move(options)),
      changes_{ConcurrencyLimit::shared(std::max(1, options_.rest / 2), kLineOfChanges),
               "too_many_changes", "changes"},
      reads_{ConcurrencyLimit::shared(std::max(1, options_.reads), kLine), "too_many_reads",
             "lists and counts"},
      sweeps_{ConcurrencyLimit::shared(std::max(1, options_.rest / 4), kLine), "too_many_sweeps",
              "changes to many tasks"} {
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

Dispatch::Turns* Dispatch::turns_of(Cost cost) const {
  switch (cost) {
    case Cost::light: break;
    case Cost::change: return &changes_;
    case Cost::read: return &reads_;
    case Cost::sweep: return &sweeps_;
  }
  return nullptr;
}

Error Dispatch::Turns::refusal() const {
  return {Errc::rate_limited, reason, "",
          fmt::format("Too many {} of yours are under way at the moment. Try again.", what)};
}

void Dispatch::answer(const HttpRequest& request, const Reply& reply) const {
  Visit visit(use_, request, reply);
  const Way& way = visit.way();
  if (auto refused = refusal(request, way.match)) {
    if (refused->reason == "no_such_path") {
      if (auto redirect = slash_redirect(*way.table, request)) {
        return visit.finish(*std::move(redirect));
      }
    }
    return visit.finish(*std::move(refused));
  }
  const Route& route = *way.match.route;
  Result<Caller> caller = admit(request, route.access, options_.admission);
  if (!caller) return visit.finish(caller.error());
  visit.admit(*caller);
  if (!visit.is_here()) return;
  if (!request.cell.empty() && request.cell != use_.placements.cell()) {
    return visit.finish(mismatched(request, use_.placements));
  }
  if (request.body_too_large) {
    return visit.finish(Error{Errc::payload_too_large, "body_too_large", "",
                              fmt::format("The body is larger than {} bytes.", max_body(request))});
  }
  if (request.no_room) {
    return visit.finish(unavailable("bodies_in_flight",
                                    "Too many large bodies are on their way at the moment. Try "
                                    "again, with fewer at the same time."));
  }
  if (way.refused) return visit.finish(*way.refused);

  Turns* const turns = turns_of(route.cost);
  if (turns == nullptr) return visit.carry_out();
  if (const auto pass = turns->limit.enter(caller->tenant)) return visit.carry_out();
  const auto waiting = std::make_shared<const Waiting>(use_, request, reply, *caller);
  const bool in_line =
      turns->limit.line_up(caller->tenant, [this, waiting, turns](ConcurrencyLimit::Pass pass) {
        auto work = [waiting, turns, pass = std::move(pass)] {
          pass ? waiting->visit.carry_out() : waiting->visit.finish(turns->refusal());
        };
        options_.run ? options_.run(std::move(work)) : work();
      });
  if (!in_line) visit.finish(turns->refusal());
}

}  // namespace postern
