#include "db/move/ends.h"

#include <chrono>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "db/pg/rows.h"

namespace postern::db {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kLocked = 5s;

constexpr Statement kColumns{"", R"sql(
  SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
   WHERE attrelid = ('postern.' || $1)::regclass AND attnum > 0 AND NOT attisdropped AND attidentity = '')sql"};

constexpr Statement kEndState{"", R"sql(
  SELECT t.name, t.state, t.moved_to, t.moved_url, t.created_at, m.id, m.source, m.other, m.step, m.place, m.rows,
         m.rounds, m.other_system, m.other_timeline
    FROM postern.tenant t LEFT JOIN postern.move m ON m.tenant = t.name WHERE t.name = $1)sql"};

// A copy of a cluster has the same identifiers, but has not started at the same moment.
constexpr Statement kIdentity{"", R"sql(
  SELECT concat_ws('/', s.system_identifier, d.oid, extract(epoch FROM pg_postmaster_start_time()))
    FROM pg_control_system() s, pg_database d WHERE d.datname = current_database())sql"};

constexpr Statement kLock{
    "", "SELECT pg_try_advisory_lock(hashtextextended('postern.move ' || $1, 0))"};

// A commit that no standby is waited for may be lost after the other end has relied on it.
constexpr char kWaits[] =
    "SELECT set_config('synchronous_commit', 'on', false) "
    "WHERE current_setting('synchronous_commit') IN ('off', 'local')";

}  // namespace

std::string_view name(MoveStep step) {
  switch (step) {
    case MoveStep::copying: return "copying";
    case MoveStep::copied: return "copied";
    case MoveStep::arrived: return "arrived";
    case MoveStep::deleting: return "deleting";
    case MoveStep::undoing: return "undoing";
  }
  return "";
}

MoveStep move_step(std::string_view word) {
  using enum MoveStep;
  for (const auto step : {copying, copied, arrived, deleting, undoing}) {
    if (word == name(step)) return step;
  }
  throw std::runtime_error("a move has the unknown step " + std::string(word));
}

const std::string& Ends::columns(const std::string& table) {
  auto& known = columns_[table];
  if (known.empty()) known = source.exec(kColumns, Params().text(table)).text(0, 0);
  return known;
}

std::string Ends::into(const std::string& table) {
  return "postern." + table + " (" + columns(table) + ")";
}

// Plans by index, whatever the tables' statistics say.
Ends::Ends(PgConnection from, PgConnection to, std::string of_tenant, std::string from_cell,
           std::string to_cell, std::string to_url)
    : source(std::move(from)),
      target(std::move(to)),
      tenant(std::move(of_tenant)),
      source_cell(std::move(from_cell)),
      target_cell(std::move(to_cell)),
      target_url(std::move(to_url)),
      source_server(primary_of(source)),
      target_server(primary_of(target)) {
  refuse_pooler(source, source_cell);
  refuse_pooler(target, target_cell);
  for (auto* end : {&source, &target}) {
    end->script(session_sql(plans_by_index()));
    end->script(kWaits);
  }
  target.script("SET postern.move = 'copies'");  // see fence_left
}

InTime::InTime(Ends& ends, std::chrono::steady_clock::time_point until) : ends_(ends) {
  ends_.until = until;
}

InTime::~InTime() {
  ends_.until.reset();
  for (auto* end : {&ends_.source, &ends_.target}) {
    try {
      end->script("SET statement_timeout = 0");  // as in any session of the command
    } catch (const std::exception&) {  // of a server that is away: nothing more is asked of it
    }
  }
}

void limit(Ends& ends) {
  if (!ends.until) return;
  const auto rest = std::chrono::ceil<Milliseconds>(*ends.until - Clock::now()).count();
  if (rest <= 0) throw PgError("there is no time left", "57014", false);
  const auto sql = fmt::format("SET statement_timeout = {}", rest);
  for (auto* end : {&ends.source, &ends.target}) end->script(sql);
}

std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') out += '\'';
    out += c;
  }
  return out += '\'';
}

EndState end_state(PgConnection& connection, const std::string& tenant) {
  EndState out;
  const auto rows = connection.exec(kEndState, Params().text(tenant));
  if (rows.rows() == 0) return out;
  out.known = true;
  out.state = tenant_state(rows.text(0, rows.column("state")));
  out.moved_to = rows.text(0, rows.column("moved_to"));
  out.created_at = rows.time(0, rows.column("created_at"));
  if (!rows.is_null(0, rows.column("id"))) {
    out.move = MoveRow{rows.uuid(0, rows.column("id")),
                       rows.boolean(0, rows.column("source")),
                       std::string(rows.text(0, rows.column("other"))),
                       move_step(rows.text(0, rows.column("step"))),
                       rows.text_array(0, rows.column("place")),
                       rows.integer(0, rows.column("rows")),
                       rows.integer(0, rows.column("rounds")),
                       {rows.integer(0, rows.column("other_system")),
                        rows.integer(0, rows.column("other_timeline")), 0}};
  }
  return out;
}

std::string database_identity(PgConnection& connection) {
  return std::string(connection.exec(kIdentity).text(0, 0));
}

void refuse_pooler(PgConnection& connection, const std::string& cell) {
  if (connection.is_direct()) return;
  throw MoveRefused(
      Refusal::impossible,
      "between this command and the database of the cell {} is a pooler, such as PgBouncer; a move "
      "needs sessions of its own: name PostgreSQL itself, for this host's cell by --database, for "
      "another in its file. Nothing was done",
      cell);
}

void lock_move(PgConnection& connection, const std::string& tenant) {
  // The server may not have noticed yet that the command of an earlier call is gone.
  const auto until = Clock::now() + kLocked;
  while (!connection.exec(kLock, Params().text(tenant)).boolean(0, 0)) {
    if (Clock::now() > until) {
      throw MoveRefused(Refusal::later, "another command moves the tenant {}", tenant);
    }
    std::this_thread::sleep_for(100ms);
  }
}

Snapshot::Snapshot(PgConnection& connection) : transaction_(connection) {
  connection.exec({"", "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"});
}

void lock_both(Ends& ends) {
  if (database_identity(ends.source) == database_identity(ends.target)) {
    throw MoveRefused(Refusal::impossible, "the cells {} and {} have the same database",
                      ends.source_cell, ends.target_cell);
  }
  for (auto* end : {&ends.source, &ends.target}) lock_move(*end, ends.tenant);
}

}  // namespace postern::db
