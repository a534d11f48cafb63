#include "db/pg/session.h"

namespace postern::db {
namespace {

constexpr SessionSetting kHandler[]{
    {"statement_timeout", "5s"},
    {"lock_timeout", "2s"},
    {"idle_in_transaction_session_timeout", "5s"},
};

constexpr SessionSetting kIntake[]{
    {"statement_timeout", "5s"},
    {"lock_timeout", "10ms"},
    {"idle_in_transaction_session_timeout", "5s"},
};

constexpr SessionSetting kReader[]{
    {"statement_timeout", "3s"},
    {"lock_timeout", "1s"},
    {"idle_in_transaction_session_timeout", "5s"},
};

constexpr std::size_t kTimeouts = 3;  // the first of these
constexpr SessionSetting kScheduler[]{
    {"statement_timeout", "15s"},
    {"lock_timeout", "5s"},
    {"idle_in_transaction_session_timeout", "10s"},
    // The table of tasks is empty at one moment and holds a million rows at the next, so what the
    // planner knows of it is always wrong (with a plan made for ten rows: 500 webhooks/s instead of
    // 10,000). Every statement of the scheduler has one right plan, an index descent per row; these
    // settings leave it no other.
    {"enable_seqscan", "off"},
    {"enable_bitmapscan", "off"},
    {"enable_hashjoin", "off"},
    {"enable_mergejoin", "off"},
    {"enable_material", "off"},
    {"enable_sort", "off"},
    // The right plan is so for any parameters. Without this, PostgreSQL compares a generic plan
    // with those for one call each, and may go on planning at each call: a third of a claim's time.
    {"plan_cache_mode", "force_generic_plan"},
    // What must be read whole all the same, as the few rows of `instance`, now looks so expensive
    // that it would be compiled first: 230 ms for a query of 0.1 ms.
    {"jit", "off"},
};

}  // namespace

Session handler_session() { return kHandler; }
Session intake_session() { return kIntake; }
Session reader_session() { return kReader; }
Session scheduler_session() { return kScheduler; }
Session plans_by_index() { return Session(kScheduler).subspan(kTimeouts); }

std::string session_sql(Session session) {
  std::string values;
  for (const auto& [name, value] : session) {
    values.append(values.empty() ? "('" : ", ('").append(name).append("', '");
    values.append(value).append("')");
  }
  return "SELECT set_config(s.name, w.value, false) FROM (VALUES " + values +
         ") AS w(name, value) JOIN pg_catalog.pg_settings s ON s.name = w.name "
         "WHERE s.source <> 'client'";
}

std::string transaction_sql(Session session) {
  std::string sql;
  for (const auto& [name, value] : session) {
    sql.append("SET LOCAL ").append(name).append(" = ").append(value).append("; ");
  }
  return sql;
}

}  // namespace postern::db
