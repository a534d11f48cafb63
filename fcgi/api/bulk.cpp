#include "fcgi/api/bulk.h"

#include <chrono>
#include <optional>

#include <fmt/format.h>

#include "fcgi/api/step_size.h"
#include "fcgi/api/task_lookup.h"
#include "fcgi/server/db_access.h"

namespace postern {
namespace {

using Clock = std::chrono::steady_clock;

// Well under nginx's fastcgi_read_timeout (40 s), together with a step that takes its time.
constexpr std::chrono::seconds kSweepFor{15};
constexpr int kStep = 500;  // transitions

// What waits is cancelled, and what failed is retried: with a reason, whatever ended for it.
void set_default_states(db::BulkVerb verb, db::TaskFilter& filter) {
  if (!filter.states.empty()) return;
  filter.states = verb == db::BulkVerb::cancel
                      ? std::vector{State::ready, State::delayed, State::blocked}
                  : filter.reason ? std::vector{State::failed, State::cancelled}
                                  : std::vector{State::failed};
}

}  // namespace

Result<std::vector<Result<void>>> BulkApi::each(const Caller& caller, db::BulkVerb verb,
                                                const std::vector<std::string>& ids,
                                                db::Rules rules) {
  if (ids.empty()) return invalid("ids_required", "ids", "ids must hold 1 id or more.");
  if (ids.size() > kMaxIds) {
    return invalid("ids_too_many", "ids",
                   fmt::format("At most {} ids go in one request.", kMaxIds));
  }
  std::vector<std::optional<TaskId>> meant;
  std::vector<TaskId> known;
  for (const std::string& id : ids) {
    meant.push_back(known_task(pool_, caller.tenant, id));
    if (meant.back()) known.push_back(*meant.back());
  }
  const auto done = write_to(pool_, [&](auto& connection) {
    return db::transit_each(connection, verb, caller.tenant, known, instance_, rules);
  });
  if (!done) return done.error();
  std::vector<Result<void>> out;
  out.reserve(ids.size());
  auto next = done->begin();
  for (std::size_t i = 0; i < ids.size(); ++i) {
    out.push_back(meant[i] ? allowed(*next++, ids[i]) : Result<void>(no_such_task(ids[i])));
  }
  return out;
}

Result<BulkApi::Swept> BulkApi::matching(const Caller& caller, db::BulkVerb verb,
                                         db::TaskFilter filter) {
  set_default_states(verb, filter);
  Swept swept;
  std::optional<db::SweepPlace> place;
  const auto give_up = Clock::now() + kSweepFor;
  StepSize size(kStep);
  do {
    try {
      const auto step = size.run(give_up, [&](int most) {
        return write_to(pool_, [&](auto& connection) {
          return db::sweep(connection, verb, caller.tenant, filter, place, instance_, most);
        });
      });
      if (!step) return step.error();
      swept.count += step->done;
      place = step->next;
    } catch (const db::PgError& error) {
      // What was done is told; the caller asks again for the rest.
      if (!error.is_busy() || swept.count == 0) throw;
      break;
    }
  } while (place && Clock::now() < give_up);
  swept.more = place.has_value();
  return swept;
}

BulkApi::Counted BulkApi::count(const Caller& caller, db::BulkVerb verb, db::TaskFilter filter) {
  set_default_states(verb, filter);
  filter.limit = 1;
  const auto page = read_from(
      pool_, [&](auto& connection) { return db::list_tasks(connection, caller.tenant, filter); });
  return {page.total, page.total_estimated};
}

}  // namespace postern
