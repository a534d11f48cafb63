#include "db/health/installation.h"

namespace postern::db::health {
namespace {

constexpr Statement kHandlers{"", R"sql(
  SELECT name, version, started_at, extract(epoch FROM now() - beat_at)::float8, beat_at > now() - interval '1 minute'
    FROM postern.instance WHERE program = 'postern-fcgi' ORDER BY name, started_at LIMIT $1)sql"};

// By the statistics, which every role may read: who is connected is shown to few.
constexpr Statement kDatabase{"", R"sql(
  SELECT current_setting('server_version'), pg_database_size(current_database()),
         (SELECT sum(numbackends) FROM pg_stat_database)::bigint, current_setting('max_connections')::bigint,
         (SELECT max(age(datfrozenxid)) FROM pg_database)::bigint, pg_is_in_recovery())sql"};

// Those that nobody has analyzed yet have no estimate but what the statistics counted.
constexpr Statement kPartitions{"", R"sql(
  SELECT c.relname, class.name, to_char(to_date(substring(c.relname FROM '_([0-9]{8})$'), 'YYYYMMDD'), 'YYYY-MM-DD'),
         greatest(c.reltuples::bigint, pg_stat_get_live_tuples(c.oid)), coalesce(pg_total_relation_size(c.oid), 0)
    FROM (VALUES ('short'), ('standard')) AS class(name)
    JOIN pg_class c ON c.relnamespace = 'postern'::regnamespace AND c.relkind = 'r'
         AND c.relname ~ ('^task_finished_' || class.name || '_([0-9]{8}|default)$')
   ORDER BY class.name, right(c.relname, 8) DESC LIMIT $1)sql"};

}  // namespace

std::vector<HandlerNumbers> handlers(PgConnection& connection) {
  std::vector<HandlerNumbers> out;
  const auto rows = connection.exec(kHandlers, Params().int8(kMostHandlers));
  for (int i = 0; i < rows.rows(); ++i) {
    out.push_back({std::string(rows.text(i, 0)), std::string(rows.text(i, 1)), rows.time(i, 2),
                   rows.float8(i, 3), rows.boolean(i, 4)});
  }
  return out;
}

DatabaseNumbers database_numbers(PgConnection& connection) {
  const auto row = connection.exec(kDatabase);
  return {std::string(row.text(0, 0)), row.integer(0, 1), row.integer(0, 2),
          row.integer(0, 3),           row.integer(0, 4), row.boolean(0, 5)};
}

std::vector<PartitionNumbers> partitions(PgConnection& connection) {
  std::vector<PartitionNumbers> out;
  const auto rows = connection.exec(kPartitions, Params().int8(kMostPartitions));
  for (int i = 0; i < rows.rows(); ++i) {
    PartitionNumbers each{.name = std::string(rows.text(i, 0)),
                          .retention = std::string(rows.text(i, 1)),
                          .rows_estimate = rows.integer(i, 3),
                          .bytes = rows.integer(i, 4)};
    if (!rows.is_null(i, 2)) each.day = rows.text(i, 2);
    out.push_back(std::move(each));
  }
  return out;
}

}  // namespace postern::db::health
