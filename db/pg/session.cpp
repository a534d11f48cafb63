#include "db/pg/session.h"

#include <algorithm>
#include <array>

namespace postern::db {
namespace {

// What the statements rely on, whatever ALTER DATABASE, ALTER ROLE or the server's file say. A
// setting that only a superuser may change is not here: `postern doctor` looks at those.
constexpr std::array kCommon{
    // A statement that is its own transaction reads what is committed when it begins. With more
    // isolation it would be refused now and then, which nobody repeats.
    SessionSetting{"default_transaction_isolation", "read committed"},
    SessionSetting{"default_transaction_deferrable", "off"},
    SessionSetting{"search_path", "pg_catalog, pg_temp"},
    SessionSetting{"standard_conforming_strings", "on"},
    SessionSetting{"transform_null_equals", "off"},
    SessionSetting{"array_nulls", "on"},
    SessionSetting{"quote_all_identifiers", "off"},
    SessionSetting{"row_security", "on"},
    SessionSetting{"TimeZone", "UTC"},
    SessionSetting{"DateStyle", "ISO, MDY"},
    SessionSetting{"IntervalStyle", "postgres"},
    SessionSetting{"bytea_output", "hex"},
    SessionSetting{"extra_float_digits", "1"},
    // Connections of a pool are idle for long.
    SessionSetting{"idle_session_timeout", "0"},
    SessionSetting{"transaction_timeout", "0"},
    SessionSetting{"enable_indexscan", "on"},
    SessionSetting{"enable_indexonlyscan", "on"},
    SessionSetting{"enable_nestloop", "on"},
    SessionSetting{"enable_partition_pruning", "on"},
    // Of the scheduler: what must be read whole, as the few rows of `instance`, looks so expensive
    // without sequential scans that it would be compiled first: 230 ms for a query of 0.1 ms.
    SessionSetting{"jit", "off"},
};

constexpr std::array kHandlerTimeouts{
    SessionSetting{"statement_timeout", "5s"},
    SessionSetting{"lock_timeout", "2s"},
    SessionSetting{"idle_in_transaction_session_timeout", "5s"},
};

constexpr std::array kIntakeTimeouts{
    SessionSetting{"statement_timeout", "5s"},
    SessionSetting{"lock_timeout", "10ms"},
    SessionSetting{"idle_in_transaction_session_timeout", "5s"},
};

constexpr std::array kReaderTimeouts{
    SessionSetting{"statement_timeout", "3s"},
    SessionSetting{"lock_timeout", "1s"},
    SessionSetting{"idle_in_transaction_session_timeout", "5s"},
};

// A person waits for a command, and a migration may take long.
constexpr std::array kCommandTimeouts{
    SessionSetting{"statement_timeout", "0"},
    SessionSetting{"lock_timeout", "0"},
    SessionSetting{"idle_in_transaction_session_timeout", "0"},
};

constexpr std::array kSchedulerTimeouts{
    SessionSetting{"statement_timeout", "15s"},
    SessionSetting{"lock_timeout", "5s"},
    SessionSetting{"idle_in_transaction_session_timeout", "10s"},
};

constexpr std::array kPlansByIndex{
    // The table of tasks is empty at one moment and holds a million rows at the next, so what the
    // planner knows of it is always wrong (with a plan made for ten rows: 500 webhooks/s instead of
    // 10,000). Every statement of the scheduler has one right plan, an index descent per row; these
    // settings leave it no other.
    SessionSetting{"enable_seqscan", "off"},
    SessionSetting{"enable_bitmapscan", "off"},
    SessionSetting{"enable_hashjoin", "off"},
    SessionSetting{"enable_mergejoin", "off"},
    SessionSetting{"enable_material", "off"},
    SessionSetting{"enable_sort", "off"},
    // The right plan is so for any parameters. Without this, PostgreSQL compares a generic plan
    // with those for one call each, and may go on planning at each call: a third of a claim's time.
    SessionSetting{"plan_cache_mode", "force_generic_plan"},
    SessionSetting{"jit", "off"},
};

template <std::size_t n, std::size_t m>
constexpr std::array<SessionSetting, n + m> both(const std::array<SessionSetting, n>& some,
                                                 const std::array<SessionSetting, m>& more) {
  std::array<SessionSetting, n + m> out{};
  std::copy(more.begin(), more.end(), std::copy(some.begin(), some.end(), out.begin()));
  return out;
}

constexpr auto kHandler = both(kCommon, kHandlerTimeouts);
constexpr auto kIntake = both(kCommon, kIntakeTimeouts);
constexpr auto kReader = both(kCommon, kReaderTimeouts);
constexpr auto kCommand = both(kCommon, kCommandTimeouts);
constexpr auto kScheduler = both(both(kCommon, kSchedulerTimeouts), kPlansByIndex);

}  // namespace

Session handler_session() { return kHandler; }
Session intake_session() { return kIntake; }
Session reader_session() { return kReader; }
Session scheduler_session() { return kScheduler; }
Session command_session() { return kCommand; }
Session plans_by_index() { return kPlansByIndex; }

// Whoever owns the database may have put objects of the same names in front of PostgreSQL's own
// with ALTER DATABASE ... SET search_path, so until that is set everything is qualified.
std::string session_sql(Session session) {
  std::string values;
  for (const auto& [name, value] : session) {
    values.append(values.empty() ? "('" : ", ('").append(name).append("', '");
    values.append(value).append("')");
  }
  return "SELECT pg_catalog.set_config(s.name, w.value, false) FROM (VALUES " + values +
         ") AS w(name, value) JOIN pg_catalog.pg_settings s ON s.name OPERATOR(pg_catalog.=) "
         "w.name "
         "WHERE s.source OPERATOR(pg_catalog.<>) 'client'";
}

std::string transaction_sql(Session session) {
  std::string sql;
  for (const auto& [name, value] : session) {
    sql.append("SET LOCAL ").append(name).append(" = ").append(value).append("; ");
  }
  return sql;
}

}  // namespace postern::db
