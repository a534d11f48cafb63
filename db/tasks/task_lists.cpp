// Lists of tasks and how many there are: see tasks.h.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/model/queue.h"
#include "db/pg/session.h"
#include "db/tasks/columns.h"
#include "db/tasks/list_statements.h"
#include "db/tasks/tasks.h"

namespace postern::db {
namespace {

// So many entries are counted in an index alone. Where each task has to be looked at, it is a look.
constexpr int kExactTotal = 10'000;
// So many attempts under way are read and sorted for a list of them; with more, those are looked
// for among the live tasks.
constexpr int kFewLeases = 2'000;
// A list that takes several looks stops when they have taken so long.
constexpr std::chrono::seconds kLookFor{2};

// How far the time in an id may be from the task's created_at, which is the database's. An id is
// made before its task is inserted, by up to the time that a client waits for it; and clocks
// differ.
constexpr std::chrono::seconds kMadeBefore{60}, kMadeAfter{10};

// A snapshot for the statements of one list, with the plans that are right for them.
class Snapshot {
 public:
  explicit Snapshot(PgConnection& connection) : transaction_(connection) {
    static const std::string settings =
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; " +
        transaction_sql(plans_by_index());
    connection.script(settings);
  }
  void end() { transaction_.commit(); }

 private:
  Transaction transaction_;
};

// The least id of a time; all bits: past any.
TaskId first_id(Time time) {
  const auto ms = std::chrono::duration_cast<Milliseconds>(time.time_since_epoch()).count();
  const auto at = static_cast<std::uint64_t>(std::clamp<std::int64_t>(ms, 0, (1LL << 48) - 1));
  TaskId id{};
  for (std::size_t i = 0; i < 6; ++i) {
    id.bytes[i] = static_cast<std::uint8_t>(at >> (40 - 8 * i));
  }
  return id;
}

// The ids between which a list is, both of them outside.
struct Range {
  TaskId low{}, high;
};

Range range_of(const TaskFilter& filter) {
  Range range;
  range.high.bytes.fill(0xff);
  if (filter.created_since) range.low = first_id(*filter.created_since - kMadeBefore);
  if (filter.created_until) {
    range.high = first_id(*filter.created_until + kMadeAfter + Milliseconds{1});
  }
  return range;
}

// What becomes of a task with this phase: the states that it may have.
std::vector<State> states_of(Phase phase) {
  switch (phase) {
    case Phase::pending: return {State::ready};
    case Phase::delayed: return {State::delayed};
    case Phase::retry: return {State::ready, State::delayed};
    case Phase::blocked: return {State::blocked};
    case Phase::active:
    case Phase::waiting: return {State::active};
    case Phase::completed: return {State::completed};
    default: return {State::failed, State::cancelled};
  }
}

// The states that are asked for, each once; empty: any.
std::vector<State> wanted_states(const TaskFilter& filter) {
  std::vector<State> states = filter.states;
  if (filter.reason && states.empty() && filter.phases.empty()) {
    return {State::failed, State::cancelled};
  }
  for (const Phase phase : filter.phases) {
    if (!filter.states.empty()) break;
    for (const State state : states_of(phase)) {
      if (std::find(states.begin(), states.end(), state) == states.end()) states.push_back(state);
    }
  }
  return states;
}

std::vector<std::string> names_in(const PgResult& rows) {
  std::vector<std::string> names;
  names.reserve(static_cast<std::size_t>(rows.rows()));
  for (int i = 0; i < rows.rows(); ++i) names.emplace_back(rows.text(i, 0));
  return names;
}

Array array_of(const std::vector<std::string>& values) {
  Array array(Oid::text);
  for (const auto& value : values) array.text(value);
  return array;
}

// One list within its snapshot.
class TaskList {
 public:
  TaskList(PgConnection& connection, std::string_view tenant, const TaskFilter& filter)
      : connection_(connection), tenant_(tenant), filter_(filter), states_(wanted_states(filter)) {
    choose_finished();
    choose_live();
  }

  Listed next();
  void count(Page& page);

 private:
  bool wants(State state) const {
    return states_.empty() || std::find(states_.begin(), states_.end(), state) != states_.end();
  }
  std::vector<std::string> queues(const Statement& all) const {
    if (!filter_.queue.empty()) return {filter_.queue};
    return names_in(connection_.exec(all, Params().text(tenant_)));
  }
  void choose_finished();
  void choose_live();
  Judged judged() const;
  Params params(const Range& range, int look, int look_finished) const;
  struct Key {
    TaskId id;
    std::optional<Time> finished_at;
  };
  struct Look {
    std::vector<Key> keys;
    std::optional<TaskId> ended;  // there may be more past this one
  };
  Look look(const Range& range, int rows) const;
  std::vector<Task> read(const std::vector<Key>& keys) const;

  PgConnection& connection_;
  const std::string_view tenant_;
  const TaskFilter& filter_;
  const std::vector<State> states_;
  ListParts parts_{LivePart::none, FinishedPart::none};
  std::int64_t met_ = 0;  // how many `next` has met that match, of this page and before it
  std::vector<std::string> live_, finished_, ends_;  // ends_: the states, parallel to finished_
};

void TaskList::choose_finished() {
  if (wants(State::completed)) {
    parts_.finished = FinishedPart::all;
    finished_ = queues(kFinishedQueues);
    return;
  }
  std::vector<State> ends;
  for (const State state : {State::failed, State::cancelled}) {
    if (wants(state)) ends.push_back(state);
  }
  if (ends.empty()) return;
  parts_.finished = FinishedPart::ended;
  for (const auto& queue : queues(kFinishedQueues)) {
    for (const State state : ends) {
      finished_.push_back(queue);
      ends_.emplace_back(name(state));
    }
  }
}

void TaskList::choose_live() {
  const bool active = wants(State::active), blocked = wants(State::blocked);
  const bool waiting = wants(State::ready) || wants(State::delayed);
  if (!active && !blocked && !waiting) return;
  live_ = queues(kLiveQueues);
  parts_.live = LivePart::all;
  if (waiting || active == blocked) return;
  if (blocked) {
    parts_.live = LivePart::blocked;
    return;
  }
  Params few;
  few.text(tenant_).array(array_of(live_)).int8(kFewLeases + 1);
  if (connection_.exec(kLeases, few).integer(0, 0) <= kFewLeases) parts_.live = LivePart::active;
}

Judged TaskList::judged() const {
  const bool parts_say =
      states_.empty() || (parts_.live != LivePart::all && parts_.finished != FinishedPart::all);
  if (!parts_say || !filter_.phases.empty()) return Judged::by_state;
  const bool any = filter_.tag.empty() && filter_.endpoint.empty() && !filter_.created_since &&
                   !filter_.created_until && !filter_.reason;
  return any ? Judged::by_index : Judged::by_row;
}

Params TaskList::params(const Range& range, int look, int look_finished) const {
  Params params;
  params.text(tenant_).array(array_of(live_)).array(array_of(finished_)).array(array_of(ends_));
  if (states_.empty()) {
    params.null_array(Oid::text);
  } else {
    Array states(Oid::text);
    for (const auto state : states_) states.text(name(state));
    params.array(states);
  }
  params.text_or_null(filter_.tag).time(filter_.created_since).time(filter_.created_until);
  params.text_or_null(filter_.endpoint);
  if (filter_.phases.empty()) {
    params.null_array(Oid::text);
  } else {
    Array phases(Oid::text);
    for (const auto phase : filter_.phases) phases.text(name(phase));
    params.array(phases);
  }
  params.uuid(range.low).uuid(range.high).time(not_finished_before(range.low));
  params.int8(look).int8(look_finished);
  params.text_or_null(filter_.reason ? name(*filter_.reason) : "");
  return params;
}

// Rows come in the list's order, and are complete up to the first place where a look ended.
TaskList::Look TaskList::look(const Range& range, int rows) const {
  const auto share = [rows](std::size_t queues) {
    return std::max(kLook / std::max(static_cast<int>(queues), 1), rows);
  };
  Params all = params(range, parts_.live == LivePart::active ? kFewLeases : share(live_.size()),
                      share(finished_.size()));
  const auto found =
      connection_.exec(find_tasks(parts_, judged(), filter_.oldest_first), all.int8(rows));
  const int id = found.column("id"), finished_at = found.column("finished_at"),
            matches = found.column("matches"), is_last = found.column("is_last");
  Look out;
  for (int i = 0; i < found.rows() && !out.ended; ++i) {
    const TaskId at = found.uuid(i, id);
    if (found.boolean(i, matches)) out.keys.push_back({at, found.time_or_null(i, finished_at)});
    if (found.boolean(i, is_last)) out.ended = at;
  }
  return out;
}

std::vector<Task> TaskList::read(const std::vector<Key>& keys) const {
  std::vector<Task> tasks;
  if (keys.empty()) return tasks;
  Array ids(Oid::uuid), finished(Oid::timestamptz);
  for (const Key& key : keys) {
    ids.uuid(key.id);
    key.finished_at ? finished.time(*key.finished_at) : finished.null();
  }
  const auto rows = connection_.exec(kListed, Params().array(ids).array(finished));
  const TaskReader reader(rows);
  tasks.reserve(keys.size());
  for (int i = 0; i < rows.rows(); ++i) tasks.push_back(reader(i));
  return tasks;
}

Listed TaskList::next() {
  Range range = range_of(filter_);
  const auto go_on_from = [&](const TaskId& id) {
    if (filter_.oldest_first) {
      range.low = std::max(range.low, id);
    } else {
      range.high = std::min(range.high, id);
    }
  };
  if (filter_.before) go_on_from(*filter_.before);

  const auto give_up = std::chrono::steady_clock::now() + kLookFor;
  auto offset = static_cast<std::size_t>(filter_.offset);
  const auto limit = static_cast<std::size_t>(filter_.limit);
  std::vector<Key> keys;
  Listed listed;
  for (int looks = 1;; ++looks) {
    // One more, which tells whether there is a next page.
    const std::size_t rows = offset + limit - keys.size() + 1;
    Look found = look(range, static_cast<int>(rows));
    const std::size_t skipped = std::min(offset, found.keys.size());
    offset -= skipped;
    keys.insert(keys.end(), found.keys.begin() + static_cast<std::ptrdiff_t>(skipped),
                found.keys.end());
    met_ += static_cast<std::int64_t>(found.keys.size());
    listed.next = found.ended;
    if (!found.ended || keys.size() > limit) break;
    if (looks >= filter_.looks || std::chrono::steady_clock::now() > give_up) break;
    go_on_from(*found.ended);
  }
  if (keys.size() > limit) {
    keys.resize(limit);
    listed.next = keys.back().id;
  }
  listed.offset = static_cast<int>(offset);
  listed.tasks = read(keys);
  return listed;
}

// Past the exact range, the counters tell how many there have been; what retention has dropped is
// not known to them, hence "estimated".
constexpr Statement kCounted{"counted_tasks", R"sql(
  SELECT coalesce(sum(postern.total_change(name, value)), 0)::bigint
    FROM postern.counter WHERE tenant = $1 AND ($2::text IS NULL OR queue = $2))sql"};

constexpr Statement kCountedByEnd{"counted_by_end", R"sql(
  SELECT coalesce(sum(value), 0)::bigint FROM postern.counter
   WHERE tenant = $1 AND ($2::text IS NULL OR queue = $2) AND name = ANY($3))sql"};

// How many match, more or less, when counting them would take too long: -1 when nothing can tell.
std::int64_t estimated_total(PgConnection& connection, std::string_view tenant,
                             const TaskFilter& filter) {
  if (!filter.tag.empty() || filter.created_since || filter.created_until ||
      !filter.endpoint.empty() || filter.reason || !filter.phases.empty()) {
    return -1;
  }
  Params params;
  params.text(tenant).text_or_null(filter.queue);
  if (filter.states.empty()) return connection.exec(kCounted, params).integer(0, 0);
  Array ends(Oid::text);
  for (const auto state : filter.states) {
    if (!is_finished(state)) return -1;
    ends.text(fmt::format("finished_{}", name(state)));
  }
  return connection.exec(kCountedByEnd, params.array(ends)).integer(0, 0);
}

// Ignores where the page is.
void TaskList::count(Page& page) {
  const int most = judged() == Judged::by_index ? kExactTotal : kLook;
  Params all = params(range_of(filter_), most + 1, 0);
  const auto row = connection_.exec(count_tasks(parts_, judged()), all);
  page.total = row.integer(0, row.column("matching"));
  page.total_estimated = row.integer(0, row.column("looked")) > most;
  if (!page.total_estimated) return;
  page.total = std::max({page.total, met_, estimated_total(connection_, tenant_, filter_)});
}

}  // namespace

Listed next_tasks(PgConnection& connection, std::string_view tenant, const TaskFilter& filter) {
  Snapshot snapshot(connection);
  Listed listed = TaskList(connection, tenant, filter).next();
  snapshot.end();
  return listed;
}

Page list_tasks(PgConnection& connection, std::string_view tenant, const TaskFilter& filter) {
  Snapshot snapshot(connection);
  TaskList list(connection, tenant, filter);
  Page page{list.next()};
  list.count(page);
  snapshot.end();
  return page;
}

constexpr Statement kTotals{"totals", R"sql(
  SELECT (SELECT coalesce(sum(postern.total_change(name, value)), 0)::bigint
            FROM postern.counter WHERE tenant = $1) AS tasks,
         (SELECT count(*) FROM postern.queue WHERE tenant = $1 AND name <> ALL($2)) AS queues)sql"};

Totals totals(PgConnection& connection, std::string_view tenant) {
  Array unlisted(Oid::text);
  for (const auto queue : kUnlistedQueues) unlisted.text(queue);
  const auto row = connection.exec(kTotals, Params().text(tenant).array(unlisted));
  return {row.integer(0, row.column("tasks")), row.integer(0, row.column("queues"))};
}

}  // namespace postern::db
