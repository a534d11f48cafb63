#include "tests/support/reads.h"

namespace postern::test {
namespace {

// The counts go back beyond this transaction.
Reads so_far(db::PgConnection& connection, const std::string& tables) {
  const auto row = connection.exec({"", R"sql(
    SELECT (SELECT sum(seq_tup_read) FROM pg_stat_xact_user_tables WHERE relid = ANY(tables))::bigint,
           (SELECT sum(pg_stat_get_xact_blocks_fetched(c.oid)) FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
             WHERE c.oid = ANY(tables) OR i.indrelid = ANY(tables))::bigint
      FROM (SELECT array_agg(DISTINCT coalesce(p.relid, trim(name)::regclass))::oid[] AS tables
              FROM unnest(string_to_array($1, ',')) AS name
              LEFT JOIN LATERAL pg_partition_tree(trim(name)::regclass) p ON true) t)sql"},
                                   db::Params().text(tables));
  return {row.integer(0, 0), row.integer(0, 1)};
}

}  // namespace

Reads reads_of(db::PgConnection& connection, const std::string& tables,
               const std::function<void()>& work) {
  db::Transaction transaction(connection);
  const auto before = so_far(connection, tables);
  work();
  const auto after = so_far(connection, tables);
  transaction.commit();
  return {after.scanned - before.scanned, after.blocks - before.blocks};
}

}  // namespace postern::test
